/**
 * signal: a trading signal as a body from outside means it (requirement D1).
 *
 * `action` (buy, sell) says what to do, `direction` (long, short, call, put) says on which side of the market; one
 * of them is enough, and both together are not redundant: SELL with long closes a long, SELL with short opens a
 * short. Refusing one of the pairs would drop legitimate exits, so no pair is a contradiction; what each pair
 * means is the table below, and whether a strategy may act on it is its side policy, not the parser's business.
 *
 * Promises: a body is read whole; all its errors are returned at once, one per field, named by path.
 * Never: keeps `secret`, reads a clock, or gives a meaning to fields it does not know (they stay in the stored
 * body and in its hash: senders add their own).
 */
import { Result } from "effect"

import type { JsonObject } from "./canonical-json.ts"
import { type FieldError, type FieldReader, fieldReader } from "./field.ts"
import { readExpiration, readSymbol } from "./instrument.ts"
import { fieldLimits } from "./limits.ts"
import { readTimeframe, readTimestamp } from "./moment.ts"

export type Action = "BUY" | "SELL"
export type Direction = "LONG" | "SHORT" | "CALL" | "PUT"
export type Side = "buy" | "sell"

/** Whether the signal asks to open a position, to close one, or either, as the position stands (action alone). */
export type IntentEffect = "open" | "close" | "either"

/** What the pair of action and direction asks for. For CALL and PUT the side is that of the option contract. */
export interface Intent {
  readonly side: Side
  readonly effect: IntentEffect
}

/** A valid signal. Money and quantity are plain decimal text; times are epoch milliseconds. */
export interface Signal {
  readonly symbol: string
  readonly action: Action | null
  readonly direction: Direction | null
  readonly intentSide: Side
  readonly intentEffect: IntentEffect
  /** As given: `5m`, `1D`, `60`. */
  readonly timeframe: string
  readonly timeframeMs: number
  readonly firedAtMs: number
  readonly quantity: string | null
  readonly price: string | null
  readonly strategy: string | null
  readonly strike: string | null
  /** `YYYY-MM-DD` */
  readonly expiration: string | null
}

/** Every field of a signal that metadata does not have: a body with one of these and a `snapshot_id` is refused. */
export const SIGNAL_FIELDS = [
  "symbol",
  "ticker",
  "action",
  "direction",
  "timeframe",
  "quantity",
  "price",
  "strategy",
  "strike",
  "expiration"
] as const

const INTENTS: Readonly<Record<Direction, Readonly<Record<Action, Intent>>>> = {
  LONG: { BUY: { side: "buy", effect: "open" }, SELL: { side: "sell", effect: "close" } },
  SHORT: { BUY: { side: "buy", effect: "close" }, SELL: { side: "sell", effect: "open" } },
  // A SELL of a call or put closes the contract; writing options naked is not something an alert can ask for.
  CALL: { BUY: { side: "buy", effect: "open" }, SELL: { side: "sell", effect: "close" } },
  PUT: { BUY: { side: "buy", effect: "open" }, SELL: { side: "sell", effect: "close" } }
}

/** What a direction alone asks for: to be in it. */
const OPENING: Readonly<Record<Direction, Action>> = { LONG: "BUY", SHORT: "SELL", CALL: "BUY", PUT: "BUY" }

/** The intent of an action, a direction, or both. At least one is not null. */
export const intentOf = (action: Action, direction: Direction | null): Intent =>
  direction === null
    ? { side: action === "BUY" ? "buy" : "sell", effect: "either" }
    : INTENTS[direction][action]

const readWord = <Word extends string>(
  reader: FieldReader,
  key: string,
  words: ReadonlyArray<Word>
): Word | null => {
  const value = reader.given(key)
  if (value === undefined) return null
  const text = typeof value === "string" ? value.trim().toUpperCase() : ""
  return words.find((word) => word === text) ?? reader.fail(key, `must be one of ${words.join(", ")}`)
}

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

const readIntent = (
  reader: FieldReader
): ({ action: Action | null; direction: Direction | null } & Intent) | null => {
  const action = readWord(reader, "action", ["BUY", "SELL"])
  const direction = readWord(reader, "direction", ["LONG", "SHORT", "CALL", "PUT"])
  if (reader.given("action") === undefined && reader.given("direction") === undefined) {
    return reader.fail("action", "is required (or direction)")
  }
  const effective = action ?? (direction === null ? null : OPENING[direction])
  return effective === null ? null : { action, direction, ...intentOf(effective, direction) }
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

/** Reads a body as a signal. Fails with every error of it, in the order of the fields of D1. */
export const parseSignal = (body: JsonObject): Result.Result<Signal, ReadonlyArray<FieldError>> => {
  const reader = fieldReader(body)
  const symbol = readSymbolField(reader)
  const intent = readIntent(reader)
  const timeframe = readTimeframeField(reader)
  const firedAtMs = readTimestampField(reader)
  const quantity = reader.positive("quantity")
  const price = reader.positive("price")
  const strategy = reader.text("strategy", fieldLimits.strategyLengthMax)
  const strike = reader.positive("strike")
  const expiration = readExpirationField(reader)
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
    action: intent.action,
    direction: intent.direction,
    intentSide: intent.side,
    intentEffect: intent.effect,
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
