/**
 * `npm run alert-log -- FILE [--source S] [--name N] [--url U] [--json]`: accounts for a sender's log of alerts.
 *
 * Sends the file to a running service (`POST /api/v1/alert-log`) and prints every line that did not become a signal of its
 * own, then the totals. The service and its token are those of the settings; `--url` and ADMIN_TOKEN name another.
 *
 * Promises: exit status 0 when every line arrived, 1 when not, 69 when the service cannot be asked, 78 for a wrong argument, file
 * or configuration.
 * Never: prints the token; changes anything.
 */
import { readFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { exitStatus } from "../src/domain/platform/exit-status.ts"
import { accountedLog } from "../src/wire/alert-log.ts"
import { refusal } from "../src/wire/refusal.ts"
import { answerHelp, messageOf, serviceOf, stop } from "./service-client.ts"

const usage = "usage: npm run alert-log -- FILE [--source S] [--name N] [--url U] [--json]"
answerHelp(usage)

const argumentsOf = () => {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        source: { type: "string", default: "default" },
        name: { type: "string" },
        url: { type: "string" },
        json: { type: "boolean", default: false }
      }
    })
  } catch (error) {
    return stop(exitStatus.configuration, `${messageOf(error)}\n${usage}`)
  }
}

const contentOf = (file: string): string => {
  try {
    return readFileSync(file, "utf8")
  } catch (error) {
    return stop(exitStatus.configuration, `cannot read ${file}: ${messageOf(error)}`)
  }
}

const { positionals, values } = argumentsOf()
const [file] = positionals
if (file === undefined || positionals.length > 1) stop(exitStatus.configuration, usage)
const log = contentOf(file ?? "")
const service = serviceOf(values.url)
const asked = await service.ask("/api/v1/alert-log", {
  source: values.source,
  log,
  ...(values.name === undefined ? {} : { name: values.name })
})

if (asked.status !== 200) {
  const { errors = [], status } = refusal.parse(asked.body)
  const why = errors.map((error) => `${error.path} ${error.message}`).join("; ")
  const wrong = asked.status === 400 || asked.status === 413
  stop(
    wrong ? exitStatus.configuration : exitStatus.startFailed,
    `${service.base} answered ${asked.status} ${status}${why === "" ? "" : `: ${why}`}`
  )
}
const account = accountedLog.parse(asked.body)
const { complete, items, others, summary, totals } = account
if (values.json) process.stdout.write(`${JSON.stringify(account, null, 2)}\n`)
else {
  for (const item of items) {
    if (item.outcome === "accepted" && item.reason === null) continue
    const { at, line, name, outcome, reason, signal_id: signal } = item
    const taken = item.posts_taken === false ? "; no posts were taken then" : ""
    const parts = [outcome, at ?? "", name ?? "", reason === null ? "" : `(${reason})`, signal ?? ""]
    process.stdout.write(`line ${line}: ${parts.filter((part) => part !== "").join(" ")}${taken}\n`)
  }
  const counts = Object.entries(totals)
    .filter(([, many]) => many > 0)
    .map(([outcome, many]) => `${many} ${outcome}`)
  process.stdout.write(`${summary}${counts.length === 0 ? "" : `: ${counts.join(", ")}`}\n`)
  if (others > 0) process.stdout.write(`${others} alerts of other names were left out\n`)
}
process.exitCode = complete ? 0 : 1
