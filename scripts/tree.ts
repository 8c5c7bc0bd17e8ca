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
import type { z } from "zod"
import { exitStatus } from "../src/domain/platform/exit-status.ts"
import { actor } from "../src/wire/operations.ts"
import { page } from "../src/wire/page.ts"
import { messageOf, serviceOf, stop } from "./service-client.ts"

type Component = z.infer<typeof actor>

const usage = "usage: npm run tree -- [--url U] [--format text|json|dot]"
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

const depthOf = ({ path }: Component): number => path.split("/").length - 1
const nameOf = ({ path }: Component): string => path.slice(path.lastIndexOf("/") + 1)
/** Told apart without colours, which a log or a pipe does not have. */
const markOf = ({ phase, ready }: Component): string => (phase === "failed" ? "x" : ready ? "+" : "-")

const lineOf = (component: Component): string => {
  const { last_error, mailbox, phase, restarts, since, state } = component
  const facts = [
    phase === "running" ? state : `${phase} ${state}`,
    `since ${since}`,
    ...(restarts === 0 ? [] : [`${restarts} restarts`]),
    ...(mailbox === null || mailbox.depth === 0 ? [] : [`${mailbox.depth} waiting`]),
    ...(last_error === null ? [] : [`last error: ${last_error}`])
  ]
  return `${"  ".repeat(depthOf(component))}${markOf(component)} ${nameOf(component)}  ${facts.join(", ")}`
}

const textOf = (components: ReadonlyArray<Component>): string => components.map(lineOf).join("\n")

const dotOf = (components: ReadonlyArray<Component>): string =>
  [
    "digraph tree {",
    "  rankdir=LR; node [shape=box];",
    ...components.map(
      (component) =>
        `  ${JSON.stringify(component.path)} [label=${JSON.stringify(`${nameOf(component)}\n${component.state}`)}${component.ready ? "" : ", style=dashed"}];`
    ),
    ...components.flatMap(({ path }) =>
      path.includes("/")
        ? [`  ${JSON.stringify(path.slice(0, path.lastIndexOf("/")))} -> ${JSON.stringify(path)};`]
        : []
    ),
    "}"
  ].join("\n")

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
