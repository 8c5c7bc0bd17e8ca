/**
 * metadata: what a signal producer reports about an order it made (requirement A1).
 *
 * A body with `snapshot_id` describes an order (which trigger, which scores); it is stored and linked to the
 * fill, and never becomes an order itself. A body that looks like both is refused, because guessing wrong in one
 * direction loses a link and in the other places a trade.
 *
 * Promises: both scores are finite numbers; a null score is an error, never a stored null.
 * Never: keeps `secret`; turns into a signal.
 */
import type { Settings } from "../kernel/settings.ts"
import { fieldOf, isJsonObject, type JsonObject } from "../kernel/canonical-json.ts"
import type { Side } from "./signal.ts"

/** Valid metadata of an order. `snapshotId` is a UUID in lower case. */
export interface Metadata {
  readonly snapshotId: string
  readonly pair: string
  readonly trigger: string
  readonly buyScore: number
  readonly sellScore: number
  readonly orderId: string | null
  readonly side: Side | null
  /** Epoch milliseconds of `timestamp`; null when the body names no time, and its identity is then a bucket (T3). */
  readonly firedAtMs: number | null
}

/** The reason of metadata that is linked to nothing: the trades of the order it names belong to another snapshot. */
export const ORDER_HAS_METADATA = "order_has_metadata"

/** What a producer's scores are called. */
export const SCORES = ["Buy Score", "Sell Score"] as const

/**
 * True when a body is metadata: it has a `snapshot_id`, whatever its value, or a score object of that shape. Fields
 * such as `trigger` or `pair` alone decide nothing: senders of signals add their own.
 */
export const isMetadata = (body: JsonObject): boolean => {
  if (Object.hasOwn(body, "snapshot_id")) return true
  const score = fieldOf(body, "score")
  return isJsonObject(score) && SCORES.some((name) => Object.hasOwn(score, name))
}

/** The sources whose signals come with metadata. */
export const metadataSources = ({ sources }: Pick<Settings, "sources">): ReadonlyArray<string> =>
  Object.entries(sources).flatMap(([name, { metadata }]) => (metadata ? [name] : []))
