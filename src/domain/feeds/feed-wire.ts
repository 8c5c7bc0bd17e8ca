/**
 * feed-wire: the signal feed's protocol, as the client reads and writes it.
 *
 * The peer is a program of somebody else: what it sends is checked field by field, and what it sends beyond the
 * protocol is a count, never an end. Only the fields of the protocol are kept, so nothing a peer invents reaches the
 * database.
 *
 * Promises: reading never throws and never keeps more than was read; a signal that is not usable is named with its
 * reason and does not spoil the others of its frame; the same signal has the same identity on every connection.
 * Never: reads a clock, or guesses a field.
 */
import { bodyHash, fieldOf, isJsonObject, type JsonObject, type JsonValue } from "../kernel/canonical-json.ts"
import { ExactNumber } from "../kernel/exact-number.ts"
import { type FieldError, fieldReader, readText } from "../kernel/field.ts"
import { signalId } from "../kernel/ids.ts"
import { readSymbol } from "../kernel/instrument.ts"
import { parseExactly } from "../kernel/json-reader.ts"
import { feedLimits } from "../kernel/limits.ts"
import { readTimestamp } from "../kernel/moment.ts"

/** A signal of a feed. `waveMs` is epoch milliseconds; price is plain decimal text. */
export interface WaveSignal {
  readonly id: string
  readonly symbol: string
  readonly action: "BUY" | "SELL"
  readonly waveMs: number
  readonly price: string | null
  readonly score: number | null
}

/**
 * A signal that cannot be traded: all that is wrong with it, and whose it would be as far as that can be read. `shown`:
 * the fields of the protocol that are short and printable, for a row and a reader; never the rest of what came.
 */
export interface UnusableSignal {
  readonly id: string | null
  readonly waveMs: number | null
  readonly errors: ReadonlyArray<FieldError>
  readonly shown: JsonObject
}

/** What the server may say. `ignored` is everything that is not of the protocol. */
export type FeedMessage =
  | { readonly type: "auth_success" }
  | { readonly type: "auth_failed"; readonly reason: string }
  | {
      readonly type: "signals"
      /** `pushed`: one signal at any time; `batch`: the whole list, or 1,000 of it. */
      readonly kind: "pushed" | "batch"
      readonly signals: ReadonlyArray<WaveSignal>
      readonly unusable: ReadonlyArray<UnusableSignal>
    }
  | { readonly type: "stats" }
  | { readonly type: "ping" }
  | { readonly type: "pong" }
  | { readonly type: "ignored"; readonly why: "not_json" | "unknown_type" | "malformed" }

/** What the client says. */
export type FeedRequest = "get_signals" | "get_stats" | "ping"

export const authText = (token: string): string => JSON.stringify({ type: "auth", token })
/** The answer to a server that pings in JSON. */
export const pongText = JSON.stringify({ type: "pong" })
export const requestText = (type: FeedRequest): string => JSON.stringify({ type })

// An id is compared, stored and logged: printable ASCII without spaces, as for every identity a sender names.
const ID = /^[\u0021-\u007e]+$/
const isNumber = (value: JsonValue | undefined): value is number | ExactNumber =>
  value instanceof ExactNumber || (typeof value === "number" && Number.isFinite(value))

// All digits: two long ids must not become one signal.
const numberText = (value: number | ExactNumber): string =>
  typeof value === "number" ? String(value) : value.text

const readId = (value: JsonValue | undefined): { text: string } | { message: string } => {
  const id = readText(isNumber(value) ? numberText(value) : value, feedLimits.signalIdLengthMax)
  return "message" in id || ID.test(id.text) ? id : { message: "must be printable ASCII without spaces" }
}

const wireFields = ["id", "symbol", "action", "wave", "price", "score"] as const

/** The fields of the protocol that may be repeated as they are: numbers, and short text without control characters. */
const shownOf = (value: JsonObject): JsonObject =>
  Object.fromEntries(
    wireFields.flatMap((key): ReadonlyArray<readonly [string, JsonValue]> => {
      const given = fieldOf(value, key)
      if (typeof given === "number" && isNumber(given)) return [[key, given]]
      const text = readText(given instanceof ExactNumber ? given.text : given, feedLimits.signalIdLengthMax)
      return "text" in text ? [[key, text.text.toWellFormed()]] : []
    })
  )

/** Reads one signal. Fails with everything that is wrong with it. */
export const readWaveSignal = (value: JsonValue): WaveSignal | UnusableSignal => {
  if (!isJsonObject(value)) {
    return { id: null, waveMs: null, errors: [{ path: "", message: "must be an object" }], shown: {} }
  }
  const reader = fieldReader(value)
  const text = (path: string, read: { text: string } | { message: string }): string | null =>
    "text" in read ? read.text : reader.fail(path, read.message)
  const id = text("id", readId(reader.given("id")))
  const symbol = text("symbol", readSymbol(reader.given("symbol")))
  const action = reader.given("action")
  const isAction = action === "BUY" || action === "SELL"
  if (!isAction) reader.fail("action", "must be BUY or SELL")
  const wave = readTimestamp(reader.given("wave"))
  const waveMs = "ms" in wave ? wave.ms : reader.fail("wave", wave.message)
  const price = reader.positive("price")
  const given = reader.given("score") ?? null
  // A score is a measure: the nearest double does.
  const score = given instanceof ExactNumber ? given.nearest : given
  const isScore = score === null || (typeof score === "number" && Number.isFinite(score))
  if (!isScore) reader.fail("score", "must be a number")
  const { errors } = reader
  const isWhole = id !== null && symbol !== null && waveMs !== null
  return isWhole && isAction && isScore && errors.length === 0
    ? { id, symbol, action, waveMs, price, score }
    : { id, waveMs, errors, shown: shownOf(value) }
}

const ignored = (why: "not_json" | "unknown_type" | "malformed"): FeedMessage => ({ type: "ignored", why })

const parsed = (text: string): JsonValue | undefined => {
  try {
    return parseExactly(text)
  } catch {
    // Counted by the caller as `not_json`, and so is a text that nests thousands deep.
    return undefined
  }
}

const readSignals = (values: ReadonlyArray<JsonValue>, kind: "pushed" | "batch"): FeedMessage => {
  const signals: Array<WaveSignal> = []
  const unusable: Array<UnusableSignal> = []
  for (const value of values) {
    const read = readWaveSignal(value)
    if ("errors" in read) unusable.push(read)
    else signals.push(read)
  }
  return { type: "signals", kind, signals, unusable }
}

/** Reads one text frame of the server. */
export const readFeedMessage = (text: string): FeedMessage => {
  const value = parsed(text)
  if (value === undefined) return ignored("not_json")
  if (!isJsonObject(value)) return ignored("malformed")
  switch (value["type"]) {
    case "auth_success":
    case "stats":
    case "ping":
    case "pong":
      return { type: value["type"] }
    case "auth_failed": {
      const reason = readText(value["reason"], feedLimits.reasonLengthMax)
      return { type: "auth_failed", reason: "text" in reason ? reason.text : "no reason given" }
    }
    case "signal":
      return value["signal"] === undefined ? ignored("malformed") : readSignals([value["signal"]], "pushed")
    case "signals": {
      const list = value["signals"]
      return Array.isArray(list) ? readSignals(list, "batch") : ignored("malformed")
    }
    default:
      return ignored("unknown_type")
  }
}

/**
 * The key of a wave signal within its source (T4). Its prefix keeps it apart from identities a webhook names or
 * computes, and the JSON array keeps feed, wave and id apart from each other.
 */
export const waveIdentity = (feed: string, signal: WaveSignal): string =>
  `wave:${JSON.stringify([feed, new Date(signal.waveMs).toISOString(), signal.id])}`

/**
 * The key of an unusable signal within its source: its id, else what it shows, so that a server that repeats it all day
 * long counts once. A server that mends it sends another signal, and that one is free to be stored.
 */
export const unusableIdentity = (feed: string, { id, shown, waveMs }: UnusableSignal): string =>
  `wave-unusable:${JSON.stringify([feed, waveMs === null ? null : new Date(waveMs).toISOString(), id ?? shown])}`

/** How `signals.reason` of an unusable signal begins. */
export const unusableMark = "unusable: "

/** What is wrong with an unusable signal, in one line; it repeats no value. */
export const faultsOf = ({ errors }: UnusableSignal): string =>
  errors.map(({ message, path }) => (path === "" ? message : `${path} ${message}`)).join(", ")

/** `signals.id` of a wave signal: the same on every connection, process and machine. */
export const waveSignalId = (source: string, feed: string, signal: WaveSignal): string =>
  signalId(source, waveIdentity(feed, signal))

/** The stored body: the fields of the protocol and no others. */
export const waveBody = (signal: WaveSignal): JsonObject => ({
  id: signal.id,
  symbol: signal.symbol,
  action: signal.action,
  wave: new Date(signal.waveMs).toISOString(),
  ...(signal.price === null ? {} : { price: signal.price }),
  ...(signal.score === null ? {} : { score: signal.score })
})

/**
 * What makes a second signal of one identity the same signal: what would be traded. Price and score are opinions of the
 * moment, which a server may well update between two answers.
 */
export const waveBodyHash = (signal: WaveSignal): string =>
  bodyHash({ id: signal.id, symbol: signal.symbol, action: signal.action })
