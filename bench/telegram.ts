/**
 * The bot: how long a reply takes at five commands a second, and what the bot costs in memory (C2).
 *
 *     npm run build && sh scripts/node.sh bench/telegram.ts [--seconds 60] [--rate 5] [--dir DIRECTORY]
 *
 * Starts the shipped program in practice mode with an embedded database, once without the bot and once with it, the latter
 * against the stand-in of the Bot API on loopback. Commands go round twenty chats, because Telegram takes one message a second
 * of each; no alert goes to them, so that every message there is a reply. Prints the percentiles of the time from a message to its reply, and the resident memory of the process, its database
 * apart. By hand; the figures are of one run on one machine and compare only with each other.
 */
import { spawn, type ChildProcess } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import { Effect, Exit, Scope } from "effect"
import { plainOptions } from "../peers/telegram/options.ts"
import { startTelegram, type TelegramStandIn } from "../peers/telegram/server.ts"

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    rate: { type: "string", default: "5" },
    dir: { type: "string", default: tmpdir() }
  }
})
const [seconds, rate] = [Number(values.seconds), Number(values.rate)]
const chats = Array.from({ length: 20 }, (_, at) => 101 + at)
const commands = ["/status", "/positions", "/orders", "/price BTC-USDT", "/accounts", "/alerts", "/health"]
const replyMsMax = 15_000
const readyMsMax = 180_000

const program = path.join(import.meta.dirname, "../dist/programs/holdfast.js")

const rssMb = (pid: number): number => {
  const kb = /^VmRSS:\s+(?<kb>\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.groups?.["kb"]
  return Number(kb ?? "0") / 1_024
}

/** Whether a component is in this state. A service whose database still starts takes posts already, and no updates. */
const isIn = async (port: number, component: string, state: string): Promise<boolean> => {
  const answer: unknown = await (await fetch(`http://127.0.0.1:${port}/health`)).json()
  const { components } = answer as {
    readonly components: Readonly<Record<string, { readonly state: string } | undefined>>
  }
  return components[component]?.state.startsWith(state) === true
}

/** The program in a directory of its own, once a component is in this state. */
const start = async (
  [component, state]: readonly [component: string, state: string],
  env: Readonly<Record<string, string>>,
  settings: object = {}
) => {
  const data = mkdtempSync(path.join(values.dir, "holdfast-bench-telegram-"))
  const config = path.join(data, "holdfast.json")
  writeFileSync(config, JSON.stringify(settings))
  const child: ChildProcess = spawn(process.execPath, [program], {
    env: {
      ...process.env,
      PORT: "0",
      LOG_FORMAT: "json",
      DATA_DIR: path.join(data, "data"),
      HOLDFAST_CONFIG: config,
      ...env
    },
    stdio: ["ignore", "pipe", "inherit"]
  })
  let port = 0
  let rest = ""
  child.stdout?.setEncoding("utf8")
  child.stdout?.on("data", (chunk: string) => {
    const lines = `${rest}${chunk}`.split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) {
      const found = /"event":"http\.listening".*?"port":(?<port>\d+)/.exec(line)?.groups?.["port"]
      if (found !== undefined) port = Number(found)
    }
  })
  const untilMs = Date.now() + readyMsMax
  for (;;) {
    if (port !== 0 && (await isIn(port, component, state))) break
    if (Date.now() > untilMs || child.exitCode !== null) throw new Error("the service did not become ready")
    await sleep(50)
  }
  const stop = async (): Promise<void> => {
    const ended = new Promise((resolve) => child.once("exit", resolve))
    child.kill("SIGTERM")
    await ended
    rmSync(data, { recursive: true, force: true })
  }
  return { pid: child.pid ?? 0, stop }
}

/** From the `nth` message to a chat to the `nth` reply in it, which keeps their order; null: it did not come in time. */
const askOne = async (
  { bot }: TelegramStandIn,
  chat: number,
  nth: number,
  text: string
): Promise<number | null> => {
  const answers = (): number => bot.chats.messages(chat).filter(({ user }) => user === null).length
  const begunMs = performance.now()
  bot.say(chat, chat, text)
  while (answers() < nth) {
    if (performance.now() - begunMs > replyMsMax) return null
    await sleep(2)
  }
  return performance.now() - begunMs
}

const ask = async (telegram: TelegramStandIn): Promise<ReadonlyArray<number | null>> => {
  const asked: Array<Promise<number | null>> = []
  const begunMs = performance.now()
  for (let n = 0; n < seconds * rate; n += 1) {
    await sleep(Math.max(0, begunMs + (n * 1_000) / rate - performance.now()))
    const nth = 1 + Math.floor(n / chats.length)
    asked.push(askOne(telegram, chats[n % chats.length] ?? 0, nth, commands[n % commands.length] ?? "/help"))
  }
  return await Promise.all(asked)
}

const at = (sorted: ReadonlyArray<number>, part: number): string =>
  (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN).toFixed(0)

const print = (text: string): void => void process.stdout.write(`${text}\n`)

const plain = await start(["root/node", "Holding"], {})
await sleep(seconds * 500)
const without = rssMb(plain.pid)
await plain.stop()

const scope = Effect.runSync(Scope.make())
const telegram = await Effect.runPromise(startTelegram(plainOptions, 0).pipe(Scope.provide(scope)))
for (const chat of chats) telegram.bot.chats.open(chat)
const named = chats.map((chat) => [String(chat), { role: "operator", alerts: false }] as const)
const service = await start(
  ["root/operators/telegram", "Polling"],
  { TELEGRAM_BOT_TOKEN: plainOptions.token, TELEGRAM_API_ROOT: telegram.url },
  { telegram: { chats: Object.fromEntries(named) } }
)
await sleep(2_000)
const times = await ask(telegram)
const withBot = rssMb(service.pid)
await service.stop()
await Effect.runPromise(Scope.close(scope, Exit.void))

const answered = times.flatMap((ms) => (ms === null ? [] : [ms])).toSorted((a, b) => a - b)
print(`${times.length} commands at ${rate}/s, ${times.length - answered.length} without a reply`)
print(`reply ms: p50 ${at(answered, 0.5)}, p99 ${at(answered, 0.99)}, max ${at(answered, 1)}`)
print(
  `RSS MB: ${without.toFixed(0)} without the bot, ${withBot.toFixed(0)} with it after ${times.length} commands`
)
