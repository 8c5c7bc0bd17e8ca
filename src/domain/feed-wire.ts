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
import { bodyHash, isJsonObject, type JsonObject, type JsonValue } from "./canonical-json.ts"
import { type FieldError, fieldReader, readText } from "./field.ts"
import { signalId } from "./ids.ts"
import { readSymbol } from "./instrument.ts"
import { feedLimits } from "./limits.ts"
import { readTimestamp } from "./moment.ts"

/** A signal of a feed. `waveMs` is epoch milliseconds; price is plain decimal text. */
export interface WaveSignal {
  readonly id: string
  readonly symbol: string
  readonly action: "BUY" | "SELL"
  readonly waveMs: number
  readonly price: string | null
  readonly score: number | null
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
      readonly unusable: ReadonlyArray<FieldError>
    }
  | { readonly type: "stats" }
  | { readonly type: "pong" }
  | { readonly type: "ignored"; readonly why: "not_json" | "unknown_type" | "malformed" }

/** What the client says. */
export type FeedRequest = "get_signals" | "get_stats" | "ping"

export const authText = (token: string): string => JSON.stringify({ type: "auth", token })
export const requestText = (type: FeedRequest): string => JSON.stringify({ type })

// An id is compared, stored and logged: printable ASCII without spaces, as for every identity a sender names.
const ID = /^[\u0021-\u007e]+$/
// The zone must be named: a wave is a moment, and a local date is how the incident was misread.
const MOMENT = /(?:Z|[+-]\d\d:?\d\d)$/

const readWave = (value: JsonValue | undefined): { ms: number } | { message: string } => {
  if (typeof value !== "string" || !MOMENT.test(value)) {
    return { message: "must be an ISO time with its zone" }
  }
  return readTimestamp(value)
}

/** Reads one signal. Fails with the first thing that is wrong with it. */
export const readWaveSignal = (value: JsonValue): WaveSignal | FieldError => {
  if (!isJsonObject(value)) return { path: "", message: "must be an object" }
  const reader = fieldReader(value)
  const given = reader.given("id")
  const id = readText(typeof given === "number" ? String(given) : given, feedLimits.signalIdLengthMax)
  if ("message" in id) return { path: "id", message: id.message }
  if (!ID.test(id.text)) return { path: "id", message: "must be printable ASCII without spaces" }
  const symbol = readSymbol(reader.given("symbol"))
  if ("message" in symbol) return { path: "symbol", message: symbol.message }
  const action = reader.given("action")
  if (action !== "BUY" && action !== "SELL") return { path: "action", message: "must be BUY or SELL" }
  const wave = readWave(reader.given("wave"))
  if ("message" in wave) return { path: "wave", message: wave.message }
  const price = reader.positive("price")
  const score = reader.given("score")
  const [wrong] = reader.errors
  if (wrong !== undefined) return wrong
  if (score !== undefined && (typeof score !== "number" || !Number.isFinite(score))) {
    return { path: "score", message: "must be a number" }
  }
  return { id: id.text, symbol: symbol.text, action, waveMs: wave.ms, price, score: score ?? null }
}

const ignored = (why: "not_json" | "unknown_type" | "malformed"): FeedMessage => ({ type: "ignored", why })

const parsed = (text: string): JsonValue | undefined => {
  try {
    return JSON.parse(text)
  } catch {
    // Counted by the caller as `not_json`.
    return undefined
  }
}

const readSignals = (values: ReadonlyArray<JsonValue>, kind: "pushed" | "batch"): FeedMessage => {
  const signals: Array<WaveSignal> = []
  const unusable: Array<FieldError> = []
  for (const value of values) {
    const read = readWaveSignal(value)
    if ("waveMs" in read) signals.push(read)
    else unusable.push(read)
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
