/**
 * Telegram reads: the commands that only look, over the same queries as the API.
 *
 * Promises: an answer is what the API would answer, short enough for a phone; a list says when there is more.
 * Never: changes anything; shows a secret.
 */
import { Effect } from "effect"
import { isUuid } from "../../domain/kernel/ids.ts"
import type { Mask } from "../../domain/kernel/redaction.ts"
import { oneLine } from "../../domain/kernel/text-line.ts"
import { telegramLimits } from "../../domain/operators/telegram-limits.ts"
import {
  bold,
  cell,
  code,
  linkBelow,
  pagesOf,
  prose,
  shortTime,
  table
} from "../../domain/operators/telegram-text.ts"
import { selfTestLine } from "../../domain/operators/telegram-self-test.ts"
import { answerKeys, type Key, runKey } from "../../domain/operators/telegram-words.ts"
import { HealthSource, maskedHealth } from "../../layers/health/health-source.port.ts"
import { JournalStore } from "../../layers/health/journal-store.port.ts"
import { type Item, type ListName, ReadStore } from "../../layers/health/read-store.port.ts"
import { TelegramStore } from "../../layers/operators/telegram-store.port.ts"
import { experiments, replay } from "./telegram-analysis.ts"
import { price } from "./telegram-price.ts"
import { inRows, type Reply } from "./telegram-reply.ts"
import { isHeld, meant, pageOf, rowsOf } from "./telegram-rows.ts"

/** What a read is given: the words after the command, and what hides secrets. */
export interface ReadContext {
  /** The command, without its slash. */
  readonly name: string
  readonly words: ReadonlyArray<string>
  readonly mask: Mask
  /** Where people open the console; null: nobody has said. */
  readonly consoleUrl: string | null
  /** Buttons that control are only for those who may. */
  readonly mayControl: boolean
}

type Row = Item
const shortId = (row: Row): string => cell(row, "id").slice(0, 8)
const dash = (text: string): string => (text === "" ? "-" : text)
/** Money with two digits behind the point; the exact figure is the API's. */
const money = (text: string): string => dash(text.replace(/(\.\d{2})\d+$/, "$1"))
const signed = (text: string): string => {
  if (text === "") return "-"
  return `${text.startsWith("-") ? "▼" : /[1-9]/.test(text) ? "▲" : " "} ${money(text)}`
}

const pages = (head: string, lines: ReadonlyArray<string>, keys: ReadonlyArray<Key> = []) =>
  pagesOf(head, lines).map((html, at, all): Reply => ({
    html,
    // Under the last page, where the thumb is.
    ...(at === all.length - 1 && keys.length > 0 ? { keys: inRows(keys) } : {})
  }))

interface ListShape {
  readonly list: ListName
  readonly title: string
  readonly none: string
  readonly filters?: Readonly<Record<string, string>>
  readonly line: (row: Row) => ReadonlyArray<string>
  readonly keep?: (row: Row) => boolean
  readonly keys?: (row: Row) => ReadonlyArray<Key>
}

/** Begins the word with which a button asks for the next page. */
const NEXT = ">"
const cursorIn = (words: ReadonlyArray<string>): string | null =>
  words.find((word) => word.startsWith(NEXT))?.slice(NEXT.length) ?? null

const listed =
  (shape: ListShape) =>
  ({ mask, mayControl, name, words }: ReadContext) =>
    Effect.map(pageOf(shape.list, shape.filters ?? {}, cursorIn(words)), ({ items, nextCursor }) => {
      const rows = items.filter(shape.keep ?? (() => true))
      if (rows.length === 0) return [{ html: shape.none }]
      const lines = table(rows.map((row) => shape.line(row).map((text) => mask(oneLine(text, 120)))))
      const kept = words.filter((word) => !word.startsWith(NEXT))
      const next =
        nextCursor === null ? [] : runKey("More", [`/${name}`, ...kept, `${NEXT}${nextCursor}`].join(" "))
      const more = nextCursor === null || next.length > 0 ? [] : ["… more in the console"]
      const keys = [...(mayControl ? rows.flatMap(shape.keys ?? (() => [])).slice(0, 8) : []), ...next]
      return pages(bold(shape.title), [...lines, ...more], keys)
    })

const accounts = listed({
  list: "accounts",
  title: "Accounts",
  none: "There are no accounts.",
  line: (row) => [cell(row, "id"), money(cell(row, "equity")), `${cell(row, "open_positions")} open`]
})
const pnl = listed({
  list: "accounts",
  title: "Profit and loss: today, open, realised",
  none: "There are no accounts.",
  line: (row) => [
    cell(row, "id"),
    signed(cell(row, "day_pnl")),
    money(cell(row, "unrealised_pnl")),
    money(cell(row, "realised_pnl"))
  ]
})
const equity = listed({
  list: "accounts",
  title: "Equity, drawdown",
  none: "There are no accounts.",
  line: (row) => [
    cell(row, "id"),
    money(cell(row, "equity")),
    money(cell(row, "drawdown")),
    shortTime(cell(row, "equity_at"))
  ]
})
const positions = listed({
  list: "positions",
  title: "Positions",
  none: "Nothing is held.",
  // Among positions that were closed long ago one that is held may be on any page.
  filters: { open: "true" },
  keep: isHeld,
  line: (row) => [
    cell(row, "symbol"),
    cell(row, "quantity"),
    `@ ${dash(cell(row, "average_price"))}`,
    cell(row, "account")
  ],
  keys: (row) => runKey(`Close ${cell(row, "symbol")} (${cell(row, "account")})`, `/close ${cell(row, "id")}`)
})
const orderLine = (row: Row): ReadonlyArray<string> => [
  shortId(row),
  cell(row, "side"),
  cell(row, "quantity"),
  cell(row, "symbol"),
  ...["stop_price", "limit_price"].flatMap((name) =>
    cell(row, name) === "" ? [] : [`${name.replace("_price", "")} ${cell(row, name)}`]
  ),
  cell(row, "status")
]
const orders = listed({
  list: "orders",
  title: "Last orders",
  none: "There are no orders.",
  line: orderLine
})
const approvals = listed({
  list: "approvals",
  title: "Entries that wait for a human",
  none: "Nothing waits for a human.",
  filters: { status: "waiting" },
  line: (row) => [
    cell(row, "side"),
    cell(row, "quantity"),
    cell(row, "symbol"),
    `@ ${dash(cell(row, "price"))}`,
    `until ${cell(row, "answer_by").slice(11, 19)}`
  ],
  keys: (row) =>
    answerKeys(cell(row, "order_id")).map(({ callback_data, text }) => ({
      text: `${text} ${cell(row, "symbol")}`,
      callback_data
    }))
})
const trades = listed({
  list: "fills",
  title: "Last fills",
  none: "There are no fills.",
  line: (row) => [
    shortTime(cell(row, "recorded_at")),
    cell(row, "side"),
    cell(row, "quantity"),
    cell(row, "symbol"),
    `@ ${cell(row, "price")}`
  ]
})
const waves = listed({
  list: "waves",
  title: "Waves",
  none: "There are no waves.",
  line: (row) => [
    shortTime(cell(row, "wave")),
    cell(row, "status"),
    `${cell(row, "successful")}/${cell(row, "failed")}/${cell(row, "skipped")}`,
    cell(row, "reason")
  ]
})
const signals = listed({
  list: "signals",
  title: "Last signals",
  none: "There are no signals.",
  line: (row) => [
    shortId(row),
    shortTime(cell(row, "received_at")),
    cell(row, "symbol"),
    cell(row, "action") || cell(row, "direction"),
    cell(row, "status")
  ]
})
const missed = listed({
  list: "expected_signals",
  title: "Expected signals that did not come",
  none: "No expected signal is missing.",
  filters: { status: "missed" },
  line: (row) => [
    shortTime(cell(row, "due_at")),
    cell(row, "source"),
    `${cell(row, "received")} of ${cell(row, "needed")}`
  ]
})
const alerts = listed({
  list: "alerts",
  title: "Open alerts",
  none: "No alert is open.",
  filters: { status: "open" },
  line: (row) => [cell(row, "severity"), `${cell(row, "occurrences")}x`, cell(row, "message")],
  keys: (row) => runKey(`Acknowledge ${cell(row, "kind")}`, `/ack ${cell(row, "id")}`)
})
const deadLetters = listed({
  list: "dead_letters",
  title: "Dead letters",
  none: "There are no dead letters.",
  filters: { status: "open" },
  line: (row) => [shortId(row), shortTime(cell(row, "created_at")), cell(row, "origin"), cell(row, "reason")]
})

/** Orders whose outcome only a person, or the venue, can tell. */
const unknown = ({ mayControl }: ReadContext) =>
  Effect.gen(function* () {
    const rows: Array<Row> = []
    for (const status of ["needs_operator", "unknown", "resolving"])
      rows.push(...(yield* rowsOf("orders", { status })).items)
    if (rows.length === 0) return [{ html: "The outcome of every order is known." }]
    const keys = rows
      .filter((row) => mayControl && cell(row, "status") === "needs_operator")
      .flatMap((row) => [
        ...runKey(`${shortId(row)}: placed`, `/resolve ${cell(row, "id")} placed`),
        ...runKey(`${shortId(row)}: not placed`, `/resolve ${cell(row, "id")} not_placed`)
      ])
    return pages(bold("Orders with an unknown outcome"), table(rows.map(orderLine)), keys.slice(0, 8))
  })

const masked = (mask: Mask) =>
  Effect.map(HealthSource, (source) => maskedHealth(source, mask).health().document)

const status = ({ mask }: ReadContext) =>
  Effect.gen(function* () {
    const document = yield* masked(mask)
    const open = yield* rowsOf("alerts", { status: "open" }, 50)
    const held = yield* rowsOf("positions", { open: "true" }, 200)
    const count = held.items.filter(isHeld).length
    const { nowMs, tests } = yield* Effect.flatMap(TelegramStore, ({ figures }) => figures)
    const lines = [
      `mode      ${document.mode}`,
      `trading   ${document.trading_state ?? "not known"}${document.can_trade ? "" : ", takes no new exposure"}`,
      `positions ${count}`,
      `self-test ${selfTestLine(tests, nowMs)}`,
      `alerts    ${open.items.length}${open.nextCursor === null ? "" : " or more"} open`,
      ...document.reasons.slice(0, 8).map((reason) => `- ${reason}`)
    ]
    return pages(`${bold(document.status.toUpperCase())} since ${shortTime(document.since)} UTC`, lines)
  })

const health = ({ mask }: ReadContext) =>
  Effect.map(masked(mask), (document) => {
    const rows = Object.entries(document.components).filter(([, { ready }]) => !ready)
    const lines = rows
      .slice(0, 40)
      .flatMap(([path, { last_error: error, state }]) => [
        `${path.replace(/^root\//, "")}: ${state}`,
        ...(error === null ? [] : [`  ${error}`])
      ])
    const total = Object.keys(document.components).length
    const head = `${bold(document.status.toUpperCase())}: ${total - rows.length} of ${total} components are ready`
    return pages(head, [...document.reasons.slice(0, 8).map((reason) => `- ${reason}`), ...lines])
  })

const feeds = ({ mask }: ReadContext) =>
  Effect.map(masked(mask), (document) => {
    const lines = Object.entries(document.components)
      .filter(([path]) => path.startsWith("root/feeds/"))
      .map(([path, { last_error: error, state }]) => [path.slice("root/feeds/".length), state, error ?? ""])
    return lines.length === 0
      ? [{ html: "There are no feeds in this process." }]
      : pages(bold("Feeds"), table(lines))
  })

const version = ({ mask }: ReadContext) =>
  Effect.map(masked(mask), ({ commit, mode, version: number }) => [
    { html: `holdfast ${code(number)} (${code(commit.slice(0, 12))}), ${mode}` }
  ])

/** The last alerts, health changes and restarts. */
const logs = ({ mask }: ReadContext) =>
  Effect.gen(function* () {
    const store = yield* JournalStore
    const entries = yield* store.read({
      path: null,
      types: ["alert", "health"],
      limit: telegramLimits.rowsMax,
      after: null,
      before: null,
      sinceMs: null
    })
    const lines = entries.map(
      ({ at, cause, event, path }) =>
        `${new Date(at).toISOString().slice(11, 19)} ${event} ${path}${cause === null ? "" : `: ${mask(oneLine(cause, 160))}`}`
    )
    return lines.length === 0
      ? [{ html: "Nothing happened that is worth a line." }]
      : pages(bold("What happened last (UTC)"), lines)
  })

/** Why a signal became what it became, in the words of the API. */
const why = ({ consoleUrl, mask, words }: ReadContext) =>
  Effect.gen(function* () {
    const reads = yield* ReadStore
    const given = words[0]?.toLowerCase() ?? ""
    const { items } = isUuid(given) ? { items: [{ id: given }] } : yield* rowsOf("signals", {}, 200)
    const found = meant(items, given)
    const [only] = found
    if (only === undefined || found.length > 1) {
      const last = items
        .slice(0, 6)
        .flatMap((row) =>
          runKey(`${shortTime(cell(row, "received_at"))} ${cell(row, "symbol")}`, `/why ${cell(row, "id")}`)
        )
      return [{ html: last.length === 0 ? "There are no signals." : "Which signal?", keys: inRows(last) }]
    }
    const lines = yield* reads.explain(cell(only, "id"))
    return lines === null
      ? [{ html: "There is no such signal." }]
      : pagesOf("", lines.map(mask), prose).map((html, at, all) => ({
          html:
            at === all.length - 1 ? `${html}${linkBelow(consoleUrl, `signals/${cell(only, "id")}`)}` : html
        }))
  })

/** Every command that looks. */
export const telegramReads = {
  accounts,
  alerts,
  approvals,
  deadletters: deadLetters,
  equity,
  experiments,
  feeds,
  health,
  logs,
  orders,
  pnl,
  positions,
  price,
  replay,
  signals: (given: ReadContext) =>
    given.words[0]?.toLowerCase() === "missed" ? missed(given) : signals(given),
  status,
  trades,
  unknown,
  version,
  waves,
  why
} as const

export type ReadName = keyof typeof telegramReads
export const isRead = (name: string): name is ReadName => Object.hasOwn(telegramReads, name)
