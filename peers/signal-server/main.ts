/**
 * The practice signal server as a program: `npm run signal-server -- --port P [--script FILE]`.
 *
 * Its log is one JSON object per line on standard output; the line with `"event":"signals.listening"` names the port.
 *
 * Promises: exit status 78 for a wrong option or script, 69 when it cannot listen, 0 when it was asked to stop.
 * Never: listens beyond loopback.
 */
import { Effect, Result } from "effect"
import { readFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { readScript, type ServerScript } from "./script.ts"
import { startSignalServer } from "./server.ts"

/** Port of the incident's server, so that the usual address works. */
const portDefault = 8_765

const line = (fields: Readonly<Record<string, unknown>>): void => {
  process.stdout.write(`${JSON.stringify({ ts: new Date().toISOString(), ...fields })}\n`)
}

const usage = "usage: npm run signal-server -- [--port P] [--script FILE]"

const refuse = (status: number, problems: ReadonlyArray<string>): never => {
  line({ level: "error", event: "fatal", msg: problems.join("; "), problems, hint: usage })
  process.exit(status)
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const readOptions = (): { readonly port: number; readonly script: ServerScript } => {
  const option = { type: "string" } as const
  const help = { type: "boolean", short: "h", default: false } as const
  const parsed = Result.try(() => parseArgs({ options: { port: option, script: option, help } }).values)
  if (Result.isFailure(parsed)) return refuse(78, [textOf(parsed.failure)])
  const { help: asked, port = String(portDefault), script: file } = parsed.success
  if (asked) {
    process.stdout.write(`${usage}\n`)
    process.exit(0)
  }
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) return refuse(78, [`--port: "${port}" is not a port`])
  const content = Result.try((): unknown =>
    file === undefined ? {} : JSON.parse(readFileSync(file, "utf8"))
  )
  if (Result.isFailure(content)) return refuse(78, [`--script: ${textOf(content.failure)}`])
  const script = readScript(content.success)
  if (Result.isFailure(script)) return refuse(78, script.failure)
  return { port: Number(port), script: script.success }
}

const { port, script } = readOptions()
const program = Effect.scoped(
  Effect.gen(function* () {
    const server = yield* startSignalServer(script, port)
    line({ level: "info", event: "signals.listening", port: server.port, url: server.url })
    yield* Effect.callback<void>((resume) => {
      // `on`: under npm one Ctrl-C is two signals, and the second must not find the default, which kills.
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => resume(Effect.void))
      process.on("SIGUSR2", () => undefined)
    })
  })
).pipe(
  Effect.catchTag("ListenFailed", (error) =>
    Effect.sync(() => refuse(69, [`cannot listen on port ${error.port}: ${error.code}`]))
  )
)
void Effect.runPromise(program).then(() => {
  line({ level: "info", event: "signals.stopped" })
  process.exit(0)
})
