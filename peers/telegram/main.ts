/**
 * The Telegram stand-in as a program: `npm run telegram-stand-in -- [--port P] [--token T] [--user U] [--strict]`.
 *
 * In a terminal it is a chat; otherwise it is silent but for one JSON object per line, of which `"event":"telegram.listening"`
 * names the address for `TELEGRAM_API_ROOT`.
 *
 * Promises: exit status 78 for a wrong option, 69 when it cannot listen, 0 when it was asked to stop.
 * Never: listens beyond loopback; prints a token that it was given.
 */
import { Effect, Result } from "effect"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"
import { plainOptions, practiceToken, type StandInOptions, TOKEN_FORM } from "./options.ts"
import { startTelegram } from "./server.ts"
import { openTerminal } from "./terminal.ts"

const portDefault = 8_081

const line = (fields: Readonly<Record<string, unknown>>): void => {
  process.stdout.write(`${JSON.stringify({ ts: new Date().toISOString(), ...fields })}\n`)
}

const refuse = (status: number, problems: ReadonlyArray<string>): never => {
  line({ level: "error", event: "fatal", problems })
  process.exit(status)
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

interface Options {
  readonly port: number
  readonly user: number
  readonly standIn: StandInOptions
}

const readOptions = (): Options => {
  const option = { type: "string" } as const
  const parsed = Result.try(
    () =>
      parseArgs({ options: { port: option, token: option, user: option, strict: { type: "boolean" } } })
        .values
  )
  if (Result.isFailure(parsed)) return refuse(78, [textOf(parsed.failure)])
  const { port = String(portDefault), strict = false, token = practiceToken, user = "1" } = parsed.success
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) return refuse(78, [`--port: "${port}" is not a port`])
  if (!TOKEN_FORM.test(token)) return refuse(78, ["--token: must be digits, a colon and at least 20 letters"])
  if (!/^[1-9]\d{0,15}$/.test(user)) return refuse(78, [`--user: "${user}" is not the number of a user`])
  return { port: Number(port), user: Number(user), standIn: { ...plainOptions, token, local: !strict } }
}

const { port, standIn, user } = readOptions()
const program = Effect.scoped(
  Effect.gen(function* () {
    const server = yield* startTelegram(standIn, port)
    if (process.stdin.isTTY) {
      const token = standIn.token === practiceToken ? practiceToken : "(the one you gave)"
      process.stdout.write(
        `TELEGRAM_API_ROOT=${server.url} TELEGRAM_BOT_TOKEN=${token} TELEGRAM_CHAT_IDS=${user}:operator npm start\n:help for help\n`
      )
      const terminal = openTerminal(server.bot, user, (text) => process.stdout.write(`${text}\n`))
      createInterface({ input: process.stdin }).on("line", (text) => terminal.hear(text))
    }
    line({ level: "info", event: "telegram.listening", port: server.port, url: server.url })
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
  line({ level: "info", event: "telegram.stopped" })
  process.exit(0)
})
