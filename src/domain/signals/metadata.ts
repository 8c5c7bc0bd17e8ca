/**
 * metadata: what a signal producer says about an order it made (requirement A1).
 *
 * A body with `snapshot_id` describes an order (which trigger, which scores); it is stored and linked to the
 * fill, and never becomes an order itself. A body that looks like both is refused, because guessing wrong in one
 * direction loses a link and in the other places a trade.
 *
 * Promises: both scores are finite numbers; a null score is an error, never a stored null.
 * Never: keeps `secret`; turns into a signal.
 */
import { isUuid } from "../kernel/ids.ts"
import { Result } from "effect"

import { fieldOf, isJsonObject, type JsonObject } from "../kernel/canonical-json.ts"
import { ExactNumber } from "../kernel/exact-number.ts"
import { type FieldError, type FieldReader, fieldReader } from "../kernel/field.ts"
import { readSymbol } from "../kernel/instrument.ts"
import { fieldLimits } from "../kernel/limits.ts"
import { readTimestamp } from "../kernel/moment.ts"
import { type Side, SIGNAL_FIELDS } from "./signal.ts"

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

/**
 * True when a body is metadata: it has a `snapshot_id`, whatever its value, or a score object of that shape. Fields
 * such as `trigger` or `pair` alone decide nothing: senders of signals add their own.
 */
export const isMetadata = (body: JsonObject): boolean => {
  if (Object.hasOwn(body, "snapshot_id")) return true
  const score = fieldOf(body, "score")
  return isJsonObject(score) && (Object.hasOwn(score, "Buy Score") || Object.hasOwn(score, "Sell Score"))
}

const readScore = (reader: FieldReader, score: JsonObject, name: string): number | null => {
  const value = fieldOf(score, name)
  if (value === undefined) return reader.fail(`score.${name}`, "is required")
  // Finite by the reader of the body, which refuses numbers out of range; null and text are what senders get wrong.
  if (typeof value === "number") return value
  // A score is a measure: the nearest double does, and the stored body has all its digits.
  return value instanceof ExactNumber ? value.nearest : reader.fail(`score.${name}`, "must be a number")
}

const readSide = (reader: FieldReader): Side | null => {
  const value = reader.given("side")
  if (value === undefined) return null
  const text = typeof value === "string" ? value.trim().toLowerCase() : ""
  return text === "buy" || text === "sell" ? text : reader.fail("side", "must be buy or sell")
}

const readPair = (reader: FieldReader): string | null => {
  const value = reader.given("pair")
  if (value === undefined) return reader.fail("pair", "is required")
  const read = readSymbol(value)
  return "text" in read ? read.text : reader.fail("pair", read.message)
}

const readFiredAt = (reader: FieldReader): number | null => {
  const value = reader.given("timestamp")
  if (value === undefined) return null
  const read = readTimestamp(value)
  return "message" in read ? reader.fail("timestamp", read.message) : read.ms
}

const readSnapshotId = (reader: FieldReader): string | null => {
  const value = reader.given("snapshot_id")
  if (value === undefined) return reader.fail("snapshot_id", "is required")
  return typeof value === "string" && isUuid(value)
    ? value.toLowerCase()
    : reader.fail("snapshot_id", "must be a UUID")
}

const readScores = (reader: FieldReader): { buy: number | null; sell: number | null } => {
  const value = reader.given("score")
  if (isJsonObject(value)) {
    return { buy: readScore(reader, value, "Buy Score"), sell: readScore(reader, value, "Sell Score") }
  }
  reader.fail("score", 'must be an object with "Buy Score" and "Sell Score"')
  return { buy: null, sell: null }
}

/** Reads a body as metadata. Fails with every error of it; fields of a signal are errors of their own. */
export const parseMetadata = (body: JsonObject): Result.Result<Metadata, ReadonlyArray<FieldError>> => {
  const reader = fieldReader(body)
  for (const field of SIGNAL_FIELDS) {
    if (Object.hasOwn(body, field))
      reader.fail(field, "is a field of a signal: a body is a signal or metadata, not both")
  }
  const snapshotId = readSnapshotId(reader)
  const { buy, sell } = readScores(reader)
  const trigger = reader.text("trigger", fieldLimits.triggerLengthMax)
  reader.require("trigger", trigger)
  const pair = readPair(reader)
  const orderId = reader.text("order_id", fieldLimits.orderIdLengthMax)
  const side = readSide(reader)
  const firedAtMs = readFiredAt(reader)
  if (
    reader.errors.length > 0 ||
    snapshotId === null ||
    buy === null ||
    sell === null ||
    trigger === null ||
    pair === null
  ) {
    return Result.fail(reader.errors)
  }
  return Result.succeed({
    snapshotId,
    pair,
    trigger,
    buyScore: buy,
    sellScore: sell,
    orderId,
    side,
    firedAtMs
  })
}
