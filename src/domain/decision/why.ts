/**
 * Why: the life of a signal as plain sentences: what it asked for, every check with its numbers, why an order was or was not made,
 * what became of each order, and its exits (G3).
 *
 * The API, the console and whoever else explains a signal ask this one function, so that all of them use the same words. The answer comes
 * first: who looks for why there is no order reads one line.
 *
 * Promises: pure; complete for every status, also for what was never decided and for metadata; the same rows give the same words.
 * Never: reads a clock: a signal that waits says since when, not for how long.
 */
import { ORDER_HAS_METADATA } from "../signals/metadata.ts"
import type { SignalStatus } from "../signals/signal-status.ts"
import { checkSentence, comparedWords, type StoredCheck } from "./why-check.ts"
import {
  isNone,
  orderLines,
  orderOutcome,
  orderTitle,
  type StoryEvent,
  type StoryFill,
  type StoryOrder
} from "./why-order.ts"
import { reasonWithCode, secondsText, valueText } from "./why-words.ts"

export interface StorySignal {
  readonly id: string
  readonly kind: "signal" | "metadata"
  readonly source: string
  readonly status: SignalStatus
  readonly reason: string | null
  readonly symbol: string | null
  readonly action: string | null
  readonly direction: string | null
  readonly timeframe: string | null
  readonly quantity: string | null
  readonly price: string | null
  readonly strategy: string | null
  readonly strike: string | null
  readonly expiration: string | null
  readonly intent: string | null
  readonly position_size: string | null
  readonly market_position: string | null
  readonly prev_market_position: string | null
  readonly market_position_size: string | null
  readonly order_type: string | null
  readonly limit_price: string | null
  readonly stop_price: string | null
  readonly time_in_force: string | null
  readonly fired_at: string | null
  readonly expires_from: string | null
  readonly received_at: string
  readonly decided_at: string | null
  readonly identity_kind: "explicit" | "hash" | "bucket"
  readonly attempts: number
  /** What each field was made of; null where its source maps none. */
  readonly mapped: Readonly<Record<string, string>> | null
}

export interface StoryDecision {
  readonly engine: string
  readonly experiment_id: string
  readonly variant: string
  readonly outcome: "ordered" | "denied" | "held" | "ignored"
  readonly reason: string | null
  readonly checks: ReadonlyArray<StoredCheck>
  readonly settings_version: string | null
  readonly decided_at: string
}

export interface StoryQuote {
  readonly symbol: string
  readonly bid: string | null
  readonly ask: string | null
  readonly last: string | null
  readonly quoted_at: string | null
}

export interface StoryMetadata {
  readonly snapshot_id: string
  readonly pair: string
  readonly trigger: string
  readonly buy_score: number
  readonly sell_score: number
  readonly order_id: string | null
}

/** Everything that is stored of a signal, in the names of the tables. */
export interface SignalStory {
  readonly signal: StorySignal
  readonly enrichment: StoryQuote | null
  readonly metadata: StoryMetadata | null
  readonly decision: StoryDecision | null
  readonly orders: ReadonlyArray<StoryOrder>
  readonly exits: ReadonlyArray<StoryOrder>
  readonly fills: ReadonlyArray<StoryFill>
  readonly events: ReadonlyArray<StoryEvent>
  /** Which fills it is linked to, by their orders. */
  readonly links: ReadonlyArray<{ readonly order_id: string | null }>
}

/** The check that a decision was made by: the first that failed with its reason. */
const decisive = ({ checks, reason }: StoryDecision): StoredCheck | undefined =>
  checks.find(({ code, ok }) => !ok && code === reason) ?? checks.find(({ code }) => code === reason)

/** Why nothing was ordered, by the check that decided it. */
const becauseOf = (decision: StoryDecision): string => {
  if (decision.reason === null) return "its decision gives no reason"
  const check = decisive(decision)
  const numbers = Object.keys(check?.numbers ?? {}).length
  const where = check?.account ? `, for ${check.strategy ?? "its strategy"} in ${check.account}` : ""
  const compared = check === undefined || numbers === 0 ? "" : `; ${comparedWords(check)}`
  return `${reasonWithCode(decision.reason)}${where}${compared}`
}

/** One that was too old when it came was refused before anybody decided it, so no check has its numbers. */
const onArrival = ({ expires_from, reason, received_at }: StorySignal): string =>
  reason === "too_old" && expires_from !== null
    ? `; it came ${secondsText(Date.parse(received_at) - Date.parse(expires_from))} after ${expires_from}, from which its age counts`
    : ""

const undecided = (signal: StorySignal): string => {
  const { attempts, expires_from, reason, received_at, status } = signal
  const failed = reason === null ? "" : ` The last of ${attempts} attempts failed: ${reason}.`
  switch (status) {
    case "buffered":
      return `No order yet: it waits for its wave${expires_from === null ? "" : `, which is due at ${expires_from}`}.`
    case "dead":
      return `No order was made: it could not be decided${reason === null ? "" : `: ${reasonWithCode(reason)}`}. It is kept among the dead letters, and an operator may have it tried again.`
    case "processing":
      return `No order yet: a pipeline is deciding it, or waits because a check may pass soon. It came at ${received_at}.${failed}`
    case "received":
      return `No order yet: it has waited for its decision since ${received_at}.${failed}`
    case "done":
    case "rejected":
      return `No order was made${reason === null ? "; its decision is not stored" : `: ${reasonWithCode(reason)}${onArrival(signal)}`}.`
  }
}

const notOrdered = (decision: StoryDecision): string => {
  switch (decision.outcome) {
    case "denied":
      return `No order was made, it was denied: ${becauseOf(decision)}.`
    case "ignored":
      return `No order was made, none was needed: ${becauseOf(decision)}.`
    case "held":
      return `No order is stored, it was to be held: ${becauseOf(decision)}.`
    case "ordered":
      return "Its orders are not stored any more."
  }
}

const neverSent = new Set(["denied", "withdrawn", "expired_unsent", "held", "intended"])

/** The answer, in one line. */
const headline = ({ decision, links, orders, signal }: SignalStory): string => {
  if (signal.kind === "metadata") {
    const ordered = [...new Set(links.flatMap(({ order_id }) => order_id ?? []))]
    const none =
      signal.reason === ORDER_HAS_METADATA
        ? "no fill is linked to it: its order carries the metadata of another snapshot"
        : "no fill is linked to it yet"
    const belongs =
      links.length === 0
        ? none
        : `${links.length} ${links.length === 1 ? "fill is" : "fills are"} linked to it, of the ${ordered.length === 1 ? "order" : "orders"} ${ordered.join(", ")}`
    return `Metadata is never an order; ${belongs}.`
  }
  const [only] = orders
  if (only === undefined) return decision === null ? undecided(signal) : notOrdered(decision)
  const refused = orders.every(({ status }) => status === "denied")
  if (refused && decision?.outcome === "denied")
    return `No order was sent, it was denied: ${becauseOf(decision)}.`
  const sent = orders.filter(({ status }) => !neverSent.has(status)).length
  if (orders.length > 1) {
    const each = orders
      .map((order) => `${order.account} ${order.strategy} ${order.symbol} ${order.status}`)
      .join(", ")
    return `${orders.length} orders were made, ${sent} of them sent: ${each}.`
  }
  return `One order was made: ${orderTitle(only)}. It ${orderOutcome(only)}.`
}

const asked = (signal: StorySignal): string => {
  const { action, direction, intent, symbol, timeframe } = signal
  const what = [action, direction, symbol].filter((word) => word !== null).join(" ")
  const named: ReadonlyArray<readonly [string, string | null]> = [
    ["intent", intent],
    ["quantity", signal.quantity],
    ["price", signal.price],
    ["strategy", signal.strategy],
    ["strike", signal.strike],
    ["expiration", signal.expiration],
    ["position size", signal.position_size],
    ["market position", signal.market_position],
    ["its size", signal.market_position_size],
    ["order type", signal.order_type],
    ["limit", signal.limit_price],
    ["stop", signal.stop_price],
    ["time in force", signal.time_in_force],
    ["market position before", signal.prev_market_position],
    ["timeframe", timeframe]
  ]
  const more = named.flatMap(([name, value]) => (value === null ? [] : [`${name} ${value}`]))
  return `It asked for ${what === "" ? "nothing that can be read" : what}${more.length === 0 ? "" : `, ${more.join(", ")}`}.`
}

/** What makes a second post the same signal, and so no second order (T3). */
const identities: Readonly<Record<StorySignal["identity_kind"], string>> = {
  explicit: "A repeated post with the id that its sender gave is this signal and makes no second order.",
  hash: "A repeated post with the same content is this signal and makes no second order.",
  bucket:
    "A repeated post with the same content within its time bucket is this signal and makes no second order."
}

const times = ({ fired_at, received_at, source }: StorySignal): string =>
  `It came from the source ${source} at ${received_at}${fired_at === null ? "" : `, fired at ${fired_at}`}.`

/** Where its fields were in what the sender wrote. */
const mappedLine = ({ mapped }: StorySignal): ReadonlyArray<string> => {
  const made = Object.entries(mapped ?? {}).map(([field, how]) => `${field} from ${how}`)
  return made.length === 0 ? [] : [`Its source made of what was sent: ${made.join(", ")}.`]
}

const metadataLines = ({ metadata, signal }: SignalStory): ReadonlyArray<string> => {
  if (metadata === null) return []
  const { buy_score, order_id, pair, sell_score, snapshot_id, trigger } = metadata
  const order = order_id === null ? "" : `, for the order ${order_id}`
  const from = signal.kind === "metadata" ? "It is" : "It came with"
  return [
    `${from} the metadata of the snapshot ${snapshot_id}${order}: pair ${pair}, trigger ${trigger}, buy score ${buy_score}, sell score ${sell_score}.`
  ]
}

const quoteLine = (quote: StoryQuote | null): ReadonlyArray<string> => {
  if (quote === null) return []
  const { ask, bid, last, quoted_at, symbol } = quote
  return quoted_at === null
    ? [`There was no quote of ${symbol} to decide on.`]
    : [
        `It was decided on the quote of ${symbol} from ${quoted_at}: bid ${valueText(bid)}, ask ${valueText(ask)}, last ${valueText(last)}.`
      ]
}

const targetOf = ({ account, leg, strategy }: StoredCheck): string => {
  if (!account) return "For the signal as a whole"
  return `For ${strategy ?? "no strategy"} in ${account}${leg ? `, leg ${leg}` : ""}`
}

const decisionLines = ({ decision, enrichment }: SignalStory): ReadonlyArray<string> => {
  if (decision === null) return []
  const { checks, decided_at, engine, experiment_id, outcome, reason, settings_version, variant } = decision
  const experiment = experiment_id === "none" ? "" : `, experiment ${experiment_id}`
  const settings = settings_version === null ? "" : `, settings ${settings_version}`
  const failed = checks.filter(({ ok }) => !ok).length
  const groups = [...Map.groupBy(checks, targetOf)]
  return [
    "",
    `Decision: ${outcome}${reason === null ? "" : `, because ${reasonWithCode(reason)}`}, at ${decided_at} by engine ${engine}, variant ${variant}${experiment}${settings}.`,
    ...quoteLine(enrichment),
    `${checks.length} checks, ${failed} failed.`,
    ...groups.flatMap(([target, some]) => [`${target}:`, ...some.map((check) => `- ${checkSentence(check)}`)])
  ]
}

const ordersLines = ({ events, exits, fills, orders, signal }: SignalStory): ReadonlyArray<string> => {
  if (signal.kind === "metadata") return []
  const lines = (some: ReadonlyArray<StoryOrder>) =>
    some.flatMap((order) => orderLines(order, events, fills, signal.id))
  const opened = orders.some(({ filled_quantity, intent }) => intent === "entry" && !isNone(filled_quantity))
  return [
    "",
    ...(orders.length === 0 ? ["Orders: none."] : ["Orders:", ...lines(orders)]),
    ...(exits.length > 0
      ? ["", "What closes, or is to close, what it opened:", ...lines(exits)]
      : opened
        ? ["", "Nothing has closed, or is about to close, what it opened."]
        : [])
  ]
}

/** The signal explained, one line each; an empty line separates parts. The first line is the answer. */
export const whyOf = (story: SignalStory): ReadonlyArray<string> => {
  const { signal } = story
  return [
    headline(story),
    "",
    `Signal ${signal.id}, ${signal.status}${signal.decided_at === null ? "" : ` since ${signal.decided_at}`}. ${times(signal)}`,
    ...(signal.kind === "metadata" ? [] : [asked(signal)]),
    ...mappedLine(signal),
    ...metadataLines(story),
    identities[signal.identity_kind],
    ...decisionLines(story),
    ...ordersLines(story)
  ]
}
