/**
 * The bot: how long a reply takes at five commands a second, quiet and under the posts of the intake benchmark, and what the bot costs
 * in memory (C2).
 *
 * Starts the service as it is shipped, in practice mode with an embedded database, once without the bot and once with it, the latter
 * against the stand-in of the Bot API on loopback, in this process. Both get the same posts, so that what the bot adds to the memory is
 * not what the posts add. Commands go round twenty chats, because Telegram takes one message a second of each; no alert goes to
 * them, so that every message there is a reply.
 *
 * Promises: a command without a reply in time is counted and named, and is no figure; memory is that of the process, its database apart.
 */
import { writeFileSync } from "node:fs"
import path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Effect, Exit, Scope } from "effect"
import { plainOptions } from "../peers/telegram/options.ts"
import { startTelegram, type TelegramStandIn } from "../peers/telegram/server.ts"
import { quantile } from "./contestant.ts"
import { load, type Program, rssMbOf, scratch, SECRET, startService } from "./programs.ts"
import type { Measured } from "./report.ts"

export interface TelegramSizes {
  readonly rounds: number
  readonly seconds: number
}

const perSecond = 5
/** Of the sender; half of the most that the intake benchmark takes. */
const connections = 64
const chats = Array.from({ length: 20 }, (_, at) => 101 + at)
const commands = ["/status", "/positions", "/orders", "/price BTC-USDT", "/accounts", "/alerts", "/health"]
/** Posts are decided, as in a working day. */
const strategies = { default: { sources: ["bench"], accounts: ["paper-1"] } }
const replyMsMax = 15_000
const readyMsMax = 180_000

/** Whether a component is in this state. A service whose database still starts takes posts already, and no updates. */
const isIn = async (port: number, component: string, state: string): Promise<boolean> => {
  const answer: unknown = await (await fetch(`http://127.0.0.1:${port}/health`)).json()
  const { components } = answer as {
    readonly components: Readonly<Record<string, { readonly state: string } | undefined>>
  }
  return components[component]?.state.startsWith(state) === true
}

/** The service in a directory of its own, once a component is in this state. */
const start = async (
  [component, state]: readonly [component: string, state: string],
  env: Readonly<Record<string, string>>,
  telegram: object
): Promise<Program> => {
  const [directory, remove] = scratch()
  const config = path.join(directory, "holdfast.json")
  writeFileSync(config, JSON.stringify({ sources: { bench: {} }, strategies, ...telegram }))
  const program = await startService({
    DATA_DIR: path.join(directory, "data"),
    HOLDFAST_CONFIG: config,
    HMAC_SECRET: SECRET,
    ...env
  })
  const stop = async (): Promise<void> => {
    await program.stop()
    remove()
  }
  const untilMs = performance.now() + readyMsMax
  while (!(await isIn(program.port, component, state))) {
    if (performance.now() > untilMs) {
      await stop()
      throw new Error("the service did not become ready")
    }
    await sleep(50)
  }
  return { ...program, stop }
}

/** How many replies there are in a chat, which keeps their order. */
const repliesIn = ({ bot }: TelegramStandIn, chat: number): number =>
  bot.chats.messages(chat).filter(({ user }) => user === null).length

/** From a message to its reply, milliseconds; null: it did not come in time. `nth`: the reply it is. */
const askOne = async (
  telegram: TelegramStandIn,
  chat: number,
  nth: number,
  text: string
): Promise<number | null> => {
  const begunMs = performance.now()
  telegram.bot.say(chat, chat, text)
  while (repliesIn(telegram, chat) < nth) {
    if (performance.now() - begunMs > replyMsMax) return null
    await sleep(2)
  }
  return performance.now() - begunMs
}

const ask = async (telegram: TelegramStandIn, seconds: number): Promise<ReadonlyArray<number | null>> => {
  const before = chats.map((chat) => repliesIn(telegram, chat))
  const asked: Array<Promise<number | null>> = []
  const begunMs = performance.now()
  for (let n = 0; n < seconds * perSecond; n += 1) {
    await sleep(Math.max(0, begunMs + (n * 1_000) / perSecond - performance.now()))
    const at = n % chats.length
    const nth = (before[at] ?? 0) + 1 + Math.floor(n / chats.length)
    asked.push(askOne(telegram, chats[at] ?? 0, nth, commands[n % commands.length] ?? "/help"))
  }
  return await Promise.all(asked)
}

type Note = (key: string, contestant: string, value: number) => void

const OFF = "without the bot"
const ON = "with the bot"
const QUIET = "quiet"
const POSTED = "under posts"

const noteReplies = (note: Note, contestant: string, times: ReadonlyArray<number | null>): void => {
  const answered = times.flatMap((ms) => (ms === null ? [] : [ms]))
  const none = times.length - answered.length
  if (none > 0) console.error(`telegram, ${contestant}: ${none} of ${times.length} commands without a reply`)
  note("half", contestant, quantile(answered, 0.5))
  note("p99", contestant, quantile(answered, 0.99))
  note("unanswered", contestant, none)
}

const notePosts = (
  note: Note,
  contestant: string,
  { perSecond: rate, statuses }: Awaited<ReturnType<typeof load>>
): void => {
  note("posts", contestant, rate)
  if (Object.keys(statuses).some((status) => !status.startsWith("2")))
    console.error(`telegram, ${contestant}: ${JSON.stringify(statuses)}`)
}

const withoutBot = async (seconds: number, note: Note): Promise<void> => {
  const service = await start(["root/node", "Holding"], {}, {})
  try {
    await sleep(seconds * 1_000)
    note("memory", OFF, rssMbOf(service.pid))
    notePosts(note, OFF, await load(service.port, { connections, warmMs: 0, measuredMs: seconds * 1_000 }))
    note("memory under posts", OFF, rssMbOf(service.pid))
  } finally {
    await service.stop()
  }
}

const withBot = async (seconds: number, note: Note): Promise<void> => {
  const scope = Effect.runSync(Scope.make())
  try {
    const telegram = await Effect.runPromise(startTelegram(plainOptions, 0).pipe(Scope.provide(scope)))
    for (const chat of chats) telegram.bot.chats.open(chat)
    const named = chats.map((chat) => [String(chat), { role: "operator", alerts: false }] as const)
    const service = await start(
      ["root/operators/telegram", "Polling"],
      { TELEGRAM_BOT_TOKEN: plainOptions.token, TELEGRAM_API_ROOT: telegram.url },
      { telegram: { chats: Object.fromEntries(named) } }
    )
    try {
      noteReplies(note, QUIET, await ask(telegram, seconds))
      note("memory", ON, rssMbOf(service.pid))
      const [times, posts] = await Promise.all([
        ask(telegram, seconds),
        load(service.port, { connections, warmMs: 0, measuredMs: seconds * 1_000 })
      ])
      noteReplies(note, POSTED, times)
      notePosts(note, ON, posts)
      note("memory under posts", ON, rssMbOf(service.pid))
    } finally {
      await service.stop()
    }
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

/** Every figure, by round. */
export const measureTelegram = async ({
  rounds,
  seconds
}: TelegramSizes): Promise<ReadonlyArray<Measured>> => {
  const figures: Record<string, Record<string, Array<number>>> = {}
  const note: Note = (key, contestant, value) => {
    const of = (figures[key] ??= {})
    of[contestant] = [...(of[contestant] ?? []), value]
  }
  for (let round = 0; round < rounds; round += 1) {
    console.error(`telegram: round ${round + 1} of ${rounds}`)
    await withoutBot(seconds, note)
    await withBot(seconds, note)
  }
  const one = (key: string, title: string, unit: string, ours: string, more = false): Measured => ({
    suite: "telegram",
    title,
    key,
    unit,
    more,
    ours,
    rounds: figures[key] ?? {}
  })
  const rate = `at ${perSecond} commands a second`
  return [
    one("half", `reply of the bot ${rate}, half of them`, "ms", QUIET),
    one("p99", `reply of the bot ${rate}, 99 of 100`, "ms", QUIET),
    one("unanswered", `commands ${rate} without a reply`, "", QUIET),
    one("posts", `posts made durable and decided beside it, ${connections} connections`, "posts/s", ON, true),
    one("memory", "resident memory in practice mode, without the database", "MB", ON),
    one("memory under posts", "the same after the posts", "MB", ON)
  ]
}
