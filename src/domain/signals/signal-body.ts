/**
 * signal-body: reading a body from outside as a signal (requirement D1).
 *
 * Promises: a body is read whole; all its errors are returned at once, one per field, named by path.
 * Promises: a kind of order that cannot be placed is refused, never traded as another kind.
 * Never: keeps `secret`, reads a clock, or gives a meaning to fields it does not know (they stay in the stored
 * body and in its hash: senders add their own).
 */
import { Result } from "effect"

import type { JsonObject } from "../kernel/canonical-json.ts"
import { type FieldError, type FieldReader, fieldReader } from "../kernel/field.ts"
import { readExpiration, readSymbol } from "../kernel/instrument.ts"
import { fieldLimits } from "../kernel/limits.ts"
import { readTimeframe, readTimestamp } from "../kernel/moment.ts"
import type { Signal } from "./signal.ts"
import { readSignalIntent } from "./signal-intent.ts"

const readSymbolField = (reader: FieldReader): string | null => {
  const symbolOf = (key: "symbol" | "ticker"): string | null => {
    const value = reader.given(key)
    if (value === undefined) return null
    const read = readSymbol(value)
    return "text" in read ? read.text : reader.fail(key, read.message)
  }
  const [symbol, ticker] = [symbolOf("symbol"), symbolOf("ticker")]
  if (symbol !== null && ticker !== null && symbol !== ticker) {
    return reader.fail("ticker", "must be equal to symbol when both are given")
  }
  if (reader.given("symbol") === undefined && reader.given("ticker") === undefined) {
    return reader.fail("symbol", "is required (or ticker)")
  }
  return symbol ?? ticker
}

const readTimeframeField = (reader: FieldReader): { text: string; ms: number } | null => {
  const value = reader.given("timeframe")
  if (value === undefined) return reader.fail("timeframe", "is required")
  const read = readTimeframe(value)
  return "message" in read ? reader.fail("timeframe", read.message) : read
}

const readTimestampField = (reader: FieldReader): number | null => {
  const value = reader.given("timestamp")
  if (value === undefined) return reader.fail("timestamp", "is required")
  const read = readTimestamp(value)
  return "message" in read ? reader.fail("timestamp", read.message) : read.ms
}

const readExpirationField = (reader: FieldReader): string | null => {
  const value = reader.given("expiration")
  if (value === undefined) return null
  const read = readExpiration(value)
  return "text" in read ? read.text : reader.fail("expiration", read.message)
}

/**
 * Only market orders can be placed today. A limit or a stop taken as a market order would trade at a price that its sender
 * ruled out, so the fields are known here in order to be refused.
 */
const readOrderType = (reader: FieldReader): void => {
  const type = reader.given("order_type")
  if (type !== undefined && (typeof type !== "string" || type.trim().toLowerCase() !== "market")) {
    reader.fail("order_type", "must be market: other kinds of order cannot be placed yet")
  }
  for (const [key, kind] of [
    ["limit_price", "limit"],
    ["stop_price", "stop"]
  ] as const) {
    if (reader.given(key) !== undefined)
      reader.fail(key, `must not be given: ${kind} orders cannot be placed yet`)
  }
}

/** Reads a body as a signal. Fails with every error of it, in the order of the fields of D1. */
export const parseSignal = (body: JsonObject): Result.Result<Signal, ReadonlyArray<FieldError>> => {
  const reader = fieldReader(body)
  const symbol = readSymbolField(reader)
  const intent = readSignalIntent(reader)
  const timeframe = readTimeframeField(reader)
  const firedAtMs = readTimestampField(reader)
  const quantity = reader.positive("quantity")
  const price = reader.positive("price")
  const strategy = reader.text("strategy", fieldLimits.strategyLengthMax)
  const strike = reader.positive("strike")
  const expiration = readExpirationField(reader)
  readOrderType(reader)
  if (
    reader.errors.length > 0 ||
    symbol === null ||
    intent === null ||
    timeframe === null ||
    firedAtMs === null
  ) {
    return Result.fail(reader.errors)
  }
  return Result.succeed({
    symbol,
    ...intent,
    timeframe: timeframe.text,
    timeframeMs: timeframe.ms,
    firedAtMs,
    quantity,
    price,
    strategy,
    strike,
    expiration
  })
}
