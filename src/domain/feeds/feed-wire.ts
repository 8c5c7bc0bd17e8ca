/**
 * feed-wire: what the server of a signal feed and its client send each other, and what a signal of it is.
 *
 * Promises: the same signal has the same identity on every connection, process and machine.
 * Never: reads a frame (wire/feed-frame.ts does), or a clock.
 */
import { bodyHash, type JsonObject } from "../kernel/canonical-json.ts"
import type { FieldError } from "../kernel/field-error.ts"
import { signalId } from "../kernel/ids.ts"

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

/** What the server may send. `ignored` is everything that is not of the protocol. */
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

/** What the client sends. */
export type FeedRequest = "get_signals" | "get_stats" | "ping"

export const authText = (token: string): string => JSON.stringify({ type: "auth", token })
/** The answer to a server that pings in JSON. */
export const pongText = JSON.stringify({ type: "pong" })
export const requestText = (type: FeedRequest): string => JSON.stringify({ type })

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
