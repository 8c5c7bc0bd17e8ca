/**
 * The venue's wire: JSON in snake_case, decimals and ids as strings, times in ISO 8601 UTC.
 *
 * Promises: a body that does not fit is refused with the path and the reason of every field; what is accepted fits every
 * column it will be stored in.
 * Never: passes on a value it did not check.
 */
import { BigDecimal, Result, Schema } from "effect"
import { formatDecimal } from "../../src/domain/kernel/decimal.ts"
import { venueLimits } from "./options.ts"
import { Refusal } from "./refusal.ts"

const Text = Schema.NonEmptyString.check(
  Schema.isMaxLength(venueLimits.textLengthMax),
  Schema.isPattern(/^[\x21-\x7e]+$/, { message: "must be printable ASCII without spaces" })
)
// Names as people write them: `BRK B`, `SPY 2026-12-18 C 42`, other alphabets. Nothing invisible, no space at an end.
const SymbolText = Schema.NonEmptyString.check(
  Schema.isMaxLength(venueLimits.textLengthMax),
  Schema.isPattern(/^(?! )[\p{L}\p{N}\p{P}\p{S} ]+(?<! )$/u, {
    message: "must be letters, digits, punctuation and spaces between them"
  })
)
// The sizes of `decimalLimits`: from 10^20 of the smallest coins down to a wei.
const PositiveDecimal = Schema.String.check(
  Schema.isPattern(/^(0|[1-9]\d{0,19})(\.\d{1,18})?$/, { message: "must be a decimal string" }),
  Schema.makeFilter((text: string) => /[1-9]/.test(text) || "must be greater than 0")
)

const OrderRequest = Schema.Struct({
  client_order_id: Schema.optionalKey(Schema.NullOr(Text)),
  account: Text,
  symbol: SymbolText,
  side: Schema.Literals(["buy", "sell"]),
  type: Schema.Literals(["market", "limit", "stop", "stop_limit"]),
  quantity: PositiveDecimal,
  limit_price: Schema.optionalKey(Schema.NullOr(PositiveDecimal)),
  stop_price: Schema.optionalKey(Schema.NullOr(PositiveDecimal)),
  time_in_force: Schema.Literals(["day", "gtc", "ioc"])
}).check(
  Schema.makeFilter(
    (o) =>
      (o.type === "limit" || o.type === "stop_limit") === ((o.limit_price ?? null) !== null) ||
      "limit_price goes with limit and stop_limit"
  ),
  Schema.makeFilter(
    (o) =>
      (o.type === "stop" || o.type === "stop_limit") === ((o.stop_price ?? null) !== null) ||
      "stop_price goes with stop and stop_limit"
  ),
  Schema.makeFilter(
    (o) => o.time_in_force !== "ioc" || (o.stop_price ?? null) === null || "a stop waits and cannot be ioc"
  )
)
export type OrderRequest = typeof OrderRequest.Type

const decodeOrder = Schema.decodeUnknownResult(OrderRequest, { errors: "all", onExcessProperty: "error" })

/** Checks the body of POST /orders. */
export const parseOrder = (body: unknown): Result.Result<OrderRequest, Refusal> =>
  Result.mapError(decodeOrder(body), (e) => new Refusal({ code: "invalid_order", message: e.message }))

/**
 * The client order id of a body that may be wrong in every other way: a request is counted before it is checked. What
 * could not be a client order id is counted under a spelling that a text column accepts.
 */
export const claimedClientOrderId = (body: unknown): string => {
  if (typeof body !== "object" || body === null || !("client_order_id" in body)) return ""
  const claimed = body.client_order_id
  return typeof claimed === "string"
    ? claimed.slice(0, venueLimits.textLengthMax).replace(/[^\x21-\x7e]/g, "?")
    : ""
}

/** An order as the database returns it. */
export interface OrderRow {
  readonly seq: bigint
  readonly id: string
  readonly client_order_id: string | null
  readonly account: string
  readonly symbol: string
  readonly side: "buy" | "sell"
  readonly type: "market" | "limit" | "stop" | "stop_limit"
  readonly quantity: string
  readonly limit_price: string | null
  readonly stop_price: string | null
  /** When the market reached its stop; null before, and for what has none. */
  readonly triggered_at: Date | null
  readonly time_in_force: "day" | "gtc" | "ioc"
  readonly status: "open" | "partially_filled" | "filled" | "cancelled" | "expired" | "rejected"
  readonly filled_quantity: string
  readonly average_price: string | null
  readonly reserved: string
  readonly created_at: Date
  readonly updated_at: Date
}

/** A fill joined with its order. */
export interface FillRow {
  readonly sequence: bigint
  readonly trade_id: string
  readonly order_id: string
  readonly client_order_id: string | null
  readonly account: string
  readonly symbol: string
  readonly side: "buy" | "sell"
  readonly quantity: string
  readonly price: string
  readonly fee: string
  readonly at: Date
}

export const isOpen = (status: OrderRow["status"]): boolean =>
  status === "open" || status === "partially_filled"

/** `numeric` keeps the zeros it was written with; the wire has one spelling per number. */
export const plain = (text: string): string => formatDecimal(BigDecimal.fromStringUnsafe(text))

const plainOrNull = (text: string | null): string | null => (text === null ? null : plain(text))

export const orderOut = (row: OrderRow) => ({
  id: row.id,
  client_order_id: row.client_order_id,
  account: row.account,
  symbol: row.symbol,
  side: row.side,
  type: row.type,
  quantity: plain(row.quantity),
  limit_price: plainOrNull(row.limit_price),
  stop_price: plainOrNull(row.stop_price),
  time_in_force: row.time_in_force,
  status: row.status,
  filled_quantity: plain(row.filled_quantity),
  average_price: plainOrNull(row.average_price),
  created_at: row.created_at.toISOString(),
  updated_at: row.updated_at.toISOString()
})

export const fillOut = (row: FillRow) => ({
  sequence: String(row.sequence),
  trade_id: row.trade_id,
  order_id: row.order_id,
  client_order_id: row.client_order_id,
  account: row.account,
  symbol: row.symbol,
  side: row.side,
  quantity: plain(row.quantity),
  price: plain(row.price),
  fee: plain(row.fee),
  at: row.at.toISOString()
})
