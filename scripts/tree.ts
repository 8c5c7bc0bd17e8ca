/**
 * `npm run tree [-- --url U --format text|json|dot]`: the supervision tree of a running service, for a terminal.
 *
 * The service and its token are those of the settings; `--url` and ADMIN_TOKEN name another.
 *
 * Promises: text is one line for each component, indented below its supervisor; json is what the API returns; dot is what Graphviz
 * draws. Exit status 0, 69 when the service cannot be asked, 78 for a wrong argument or configuration.
 * Never: prints the token; changes anything.
 */
import { parseArgs } from "node:util"
import { exitStatus } from "../src/domain/platform/exit-status.ts"
import { actor } from "../src/wire/operations.ts"
import { page } from "../src/wire/page.ts"
import { answerHelp, messageOf, serviceOf, stop } from "./service-client.ts"
import { dotOf, textOf } from "./tree-text.ts"

const usage = "usage: npm run tree -- [--url U] [--format text|json|dot]"
answerHelp(usage)
const formats = ["text", "json", "dot"] as const

const argumentsOf = () => {
  try {
    const { values } = parseArgs({
      options: { url: { type: "string" }, format: { type: "string", default: "text" } }
    })
    const format = formats.find((one) => one === values.format)
    if (format === undefined) throw new Error(`--format must be one of ${formats.join(", ")}`)
    return { url: values.url, format }
  } catch (error) {
    return stop(exitStatus.configuration, `${messageOf(error)}\n${usage}`)
  }
}

const { format, url } = argumentsOf()
const service = serviceOf(url)
const { body, status } = await service.ask("/api/v1/actors")
if (status !== 200) stop(exitStatus.startFailed, `${service.base} answered ${status}`)
const found = page(actor).safeParse(body)
const components = found.success
  ? found.data.items
  : stop(exitStatus.startFailed, `${service.base} is of another version: its components have another shape`)
const shown = { text: textOf, json: (all: unknown) => JSON.stringify(all, null, 2), dot: dotOf }
process.stdout.write(`${shown[format](components)}\n`)
