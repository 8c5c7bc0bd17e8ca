/**
 * identity: which posts are the same signal, and how old a signal is (T3).
 *
 * The wrong third trade of the incident was a signal that was acted on twice. So every post has an identity
 * that is unique per source for good: named by the sender, else computed from what was sent. A window of time
 * decides only where nothing else can: a payload that names neither an event nor a time.
 *
 * Promises: the same post has the same identity and signal id on every path, process and machine.
 * Promises: identities named by a sender never meet computed ones (`event:` and `sha256:` are kept apart).
 * Never: reads a clock; "now" is a parameter in epoch milliseconds.
 */
import { Result } from "effect"

import { bodyHash, fieldOf, type JsonObject } from "../kernel/canonical-json.ts"
import { ExactNumber } from "../kernel/exact-number.ts"
import type { FieldError } from "../kernel/field-error.ts"
import { signalId } from "../kernel/ids.ts"
import { ageLimits, intakeLimits } from "../kernel/limits-signals.ts"
import { isUnfilled, unfilledWords } from "../kernel/placeholder.ts"
import type { IdentityRule } from "../kernel/settings-source.ts"

/** `explicit`: named by the sender. `hash`: computed from the body. `bucket`: computed, and only for its minute. */
export type IdentityKind = "explicit" | "hash" | "bucket"

/** What makes a second post a duplicate. `previous` is the bucket before, to be checked under the lock on the hash. */
export interface Identity {
  readonly kind: IdentityKind
  readonly key: string
  readonly bodyHash: string
  readonly signalId: string
  readonly previous: { readonly key: string; readonly signalId: string } | null
}

/** Headers that name an event, in the order of their rank; lower case, undefined when absent. */
export interface IdentityHeaders {
  readonly webhookId?: string | undefined
  readonly idempotencyKey?: string | undefined
}

/** Printable ASCII: an identity is compared, stored and logged, and must look like what it is. */
export const EVENT_NAME = /^[\u0021-\u007e](?:[\u0020-\u007e]*[\u0021-\u007e])?$/

/** The name of an event, trimmed; or what is wrong with it. */
export const readEventName = (value: unknown): { text: string } | { message: string } => {
  // Other programs on the way round an unsafe integer when they read it: two ids could have become one.
  if (value instanceof ExactNumber || (typeof value === "number" && !Number.isSafeInteger(value))) {
    return { message: "must be a string, or an integer that is exact in JSON" }
  }
  if (typeof value !== "string" && typeof value !== "number") return { message: "must be a string" }
  const text = String(value).trim()
  if (text.length > intakeLimits.identityLengthMax) {
    return { message: `must be at most ${intakeLimits.identityLengthMax} characters` }
  }
  // Every alert of such a template would have the one identity: all but the first would be taken for a repetition of it.
  if (isUnfilled(text)) return { message: `must identify one event: ${unfilledWords(text)}` }
  return EVENT_NAME.test(text) ? { text } : { message: "must be printable ASCII and not empty" }
}

const explicitName = (
  headers: IdentityHeaders,
  body: JsonObject,
  rule: IdentityRule,
  timed: string
): Result.Result<string | null, FieldError> => {
  // A named identity that cannot be used is an error, never a reason to fall through to the next one:
  // the sender relies on it, and the next rank would quietly mean something else.
  for (const [path, value] of [
    ["headers.webhook-id", headers.webhookId],
    ["headers.idempotency-key", headers.idempotencyKey],
    ["id", fieldOf(body, "id")]
  ] as const) {
    if (value === undefined || value === null || (path === "id" && rule === "body")) continue
    // A blank field is absent, as any optional one (T3b).
    if (path === "id" && typeof value === "string" && value.trim() === "") continue
    const name = readEventName(value)
    if (!("text" in name)) return Result.fail({ path, message: name.message })
    return Result.succeed(path === "id" && rule === "id+timestamp" ? `${name.text}${timed}` : name.text)
  }
  return Result.succeed(null)
}

/** Key of a payload that names neither event nor time: its hash and the 60 s bucket that holds `nowMs`. */
export const bucketKey = (hash: string, nowMs: number): string =>
  `sha256:${hash}@${Math.floor(nowMs / intakeLimits.identityBucketMs) * intakeLimits.identityBucketMs}`

/** The bucket before: two posts a second apart must meet even when a minute began between them, and two 61 s apart must not. */
export const previousBucketKey = (hash: string, nowMs: number): string =>
  bucketKey(hash, nowMs - intakeLimits.identityBucketMs)

const bucketOf = /^sha256:[^@]*@(\d+)$/

/**
 * When a stored post of the bucket `key` came: when it was received, which is within its bucket but for a difference of clocks.
 * One received long after it (a replay) came at some moment of it: undefined, as for a key of no bucket.
 */
export const bucketedAtMs = (key: string, receivedMs: number): number | undefined => {
  const from = bucketOf.exec(key)?.[1]
  if (from === undefined) return undefined
  const last = Number(from) + intakeLimits.identityBucketMs - 1
  if (receivedMs > last + ageLimits.clockSkewMsMax) return undefined
  return Math.min(Math.max(receivedMs, Number(from)), last)
}

/** Whether posts of buckets beside each other are one: less than the length of one apart. It is when nobody knows. */
export const isOneBucketApart = (atMs: number | undefined, otherMs: number | undefined): boolean =>
  atMs === undefined || otherMs === undefined || Math.abs(atMs - otherMs) < intakeLimits.identityBucketMs

/** What decides about the identity of a post, besides what was sent. */
export interface IdentityOptions {
  /** That of its source; `id` where it has none. */
  readonly rule?: IdentityRule
  /** Epoch milliseconds that the body names; null: none. */
  readonly firedAtMs?: number | null
  /** The hash of the body as it was sent, where `body` is not that any more (a secret was taken out of it). */
  readonly sentHash?: string | undefined
}

/**
 * The identity of a post: `webhook-id` header > `Idempotency-Key` header > `id` in the body, by the rule of its source > hash of
 * the body. `hasTimestamp` is whether the body names its time; without it a hash counts for its bucket only.
 * Fails with the path of an identity that was given and cannot be used.
 */
export const identityOf = (
  source: string,
  headers: IdentityHeaders,
  body: JsonObject,
  hasTimestamp: boolean,
  nowMs: number,
  { firedAtMs = null, rule = "id", sentHash }: IdentityOptions = {}
): Result.Result<Identity, FieldError> =>
  Result.map(explicitName(headers, body, rule, firedAtMs === null ? "" : `@${firedAtMs}`), (name) => {
    const hash = sentHash ?? bodyHash(body)
    const made = (kind: IdentityKind, key: string, previousKey: string | null): Identity => ({
      kind,
      key,
      bodyHash: hash,
      signalId: signalId(source, key),
      previous: previousKey === null ? null : { key: previousKey, signalId: signalId(source, previousKey) }
    })
    if (name !== null) return made("explicit", `event:${name}`, null)
    if (hasTimestamp) return made("hash", `sha256:${hash}`, null)
    return made("bucket", bucketKey(hash, nowMs), previousBucketKey(hash, nowMs))
  })

/** What a source's `timestamp` means: when the alert fired, or when its bar opened. */
export type TimestampIs = "fired" | "bar"

/** What the age of a signal is counted from. */
export interface Timed {
  /** Epoch milliseconds of `timestamp`. */
  readonly firedAtMs: number
  readonly timeframeMs: number
}

/** `signals.expires_from`, epoch milliseconds: the timestamp, or the end of its bar. */
export const expiresFromMs = (signal: Timed, timestampIs: TimestampIs): number =>
  timestampIs === "bar" ? signal.firedAtMs + signal.timeframeMs : signal.firedAtMs

/** Age in milliseconds; negative while a bar is still open, or when the sender's clock runs ahead. */
export const ageOf = (signal: Timed, timestampIs: TimestampIs, nowMs: number): number =>
  nowMs - expiresFromMs(signal, timestampIs)

export type AgeVerdict = "fresh" | "too_old" | "from_the_future"

/**
 * Whether a signal may still be acted on. Exactly at the limit it may. The future is judged by the timestamp
 * itself, not by the bar's end: an alert inside an open bar is legitimate.
 */
export const ageVerdict = (
  signal: Timed,
  timestampIs: TimestampIs,
  nowMs: number,
  ageMsMax: number
): AgeVerdict => {
  if (signal.firedAtMs - nowMs > ageLimits.clockSkewMsMax) return "from_the_future"
  return ageOf(signal, timestampIs, nowMs) > ageMsMax ? "too_old" : "fresh"
}
