/**
 * The paper venue's wire, as its client reads it.
 *
 * Written from the venue's documentation and not shared with its code: a client that imports the types of its server
 * proves only that the server agrees with itself.
 *
 * Promises: a text becomes an order, a fill or a refusal only when every field is there and has its type; anything else
 * is null, which callers treat as an answer they did not understand.
 * Never: guesses a missing field.
 * Failure: none; what cannot be read is null.
 */
import { Option, Schema } from "effect"
import type { VenueFill } from "../../domain/orders/fill.ts"
import type {
  BrokerEvent,
  CreateOrder,
  VenueActivity,
  VenueBalance,
  VenueOrder,
  VenuePosition
} from "./broker.port.ts"

const Amount = Schema.String.check(Schema.isPattern(/^-?\d+(\.\d+)?$/))
const Digits = Schema.String.check(Schema.isPattern(/^\d+$/))
const Instant = Schema.String.check(
  Schema.makeFilter((text: string) => !Number.isNaN(Date.parse(text)) || "must be an ISO 8601 time")
)
const Side = Schema.Literals(["buy", "sell"])

const WireOrder = Schema.Struct({
  id: Schema.NonEmptyString,
  client_order_id: Schema.NullOr(Schema.String),
  account: Schema.String,
  symbol: Schema.String,
  side: Side,
  type: Schema.Literals(["market", "limit"]),
  quantity: Amount,
  limit_price: Schema.NullOr(Amount),
  time_in_force: Schema.Literals(["day", "gtc", "ioc"]),
  status: Schema.Literals(["open", "partially_filled", "filled", "cancelled", "expired", "rejected"]),
  filled_quantity: Amount,
  average_price: Schema.NullOr(Amount),
  created_at: Instant,
  updated_at: Instant
})

const WireFill = Schema.Struct({
  sequence: Digits,
  trade_id: Schema.NonEmptyString,
  order_id: Schema.NonEmptyString,
  client_order_id: Schema.NullOr(Schema.String),
  account: Schema.String,
  symbol: Schema.String,
  side: Side,
  quantity: Amount,
  price: Amount,
  fee: Amount,
  at: Instant
})

const WirePosition = Schema.Struct({
  account: Schema.String,
  symbol: Schema.String,
  quantity: Amount,
  average_price: Amount
})

const Message = Schema.Union([
  Schema.Struct({ type: Schema.Literal("hello"), n: Schema.Int, last_sequence: Schema.NullOr(Digits) }),
  Schema.Struct({ type: Schema.Literal("order"), n: Schema.Int, order: WireOrder }),
  Schema.Struct({ type: Schema.Literal("fill"), n: Schema.Int, fill: WireFill })
])

const orderIn = (wire: typeof WireOrder.Type): VenueOrder => ({
  venueOrderId: wire.id,
  clientOrderId: wire.client_order_id,
  account: wire.account,
  symbol: wire.symbol,
  side: wire.side,
  type: wire.type,
  quantity: wire.quantity,
  limitPrice: wire.limit_price,
  timeInForce: wire.time_in_force,
  status: wire.status,
  filledQuantity: wire.filled_quantity,
  averagePrice: wire.average_price,
  createdAt: new Date(wire.created_at),
  updatedAt: new Date(wire.updated_at)
})

const fillIn = (wire: typeof WireFill.Type): VenueFill => ({
  tradeId: wire.trade_id,
  venueOrderId: wire.order_id,
  clientOrderId: wire.client_order_id,
  account: wire.account,
  symbol: wire.symbol,
  side: wire.side,
  quantity: wire.quantity,
  price: wire.price,
  fee: wire.fee,
  at: new Date(wire.at),
  cursor: wire.sequence
})

/** A reader of JSON text that answers null instead of failing. */
const reader = <S extends Schema.Top & { readonly DecodingServices: never }, A>(
  schema: S,
  f: (value: S["Type"]) => A
): ((text: string) => A | null) => {
  const decode = Schema.decodeUnknownOption(Schema.fromJsonString(schema))
  return (text) => Option.getOrNull(Option.map(decode(text), f))
}

/** A page of a list; `next` is the cursor of the page after it, null on the last. */
export interface Page<A> {
  readonly items: ReadonlyArray<A>
  readonly next: string | null
}

export const readOrder = reader(WireOrder, orderIn)
export const readOrders = reader(
  Schema.Struct({ orders: Schema.Array(WireOrder), next: Schema.NullOr(Digits) }),
  ({ orders, next }): Page<VenueOrder> => ({ items: orders.map(orderIn), next })
)
export const readFills = reader(
  Schema.Struct({ fills: Schema.Array(WireFill), next: Schema.NullOr(Digits) }),
  ({ fills, next }): Page<VenueFill> => ({ items: fills.map(fillIn), next })
)
export const readPositions = reader(
  Schema.Struct({ positions: Schema.Array(WirePosition) }),
  ({ positions }): ReadonlyArray<VenuePosition> =>
    positions.map(({ average_price, ...rest }) => ({ ...rest, averagePrice: average_price }))
)
export const readBalance = reader(
  Schema.Struct({ id: Schema.String, cash: Amount, buying_power: Amount }),
  ({ id, cash, buying_power }): VenueBalance => ({ account: id, cash, buyingPower: buying_power })
)
export const readActivity = reader(
  Schema.Struct({
    accounts: Schema.Array(
      Schema.Struct({
        id: Schema.NonEmptyString,
        open_orders: Schema.Natural,
        positions: Schema.Natural,
        last_sequence: Schema.NullOr(Digits)
      })
    ),
    next: Schema.NullOr(Schema.String)
  }),
  ({ accounts, next }): Page<VenueActivity> => ({
    items: accounts.map(({ id, last_sequence, open_orders, positions }) => ({
      account: id,
      openOrders: open_orders,
      positions,
      lastFill: last_sequence
    })),
    next
  })
)
export const readRefusal = reader(
  Schema.Struct({ code: Schema.String, message: Schema.String }),
  (refusal) => refusal
)

/** A message of the stream: its number on this connection and the event it means. */
export const readMessage = reader(Message, (message): { readonly n: number; readonly event: BrokerEvent } => {
  switch (message.type) {
    case "hello":
      return { n: message.n, event: { _tag: "Connected" } }
    case "order":
      return { n: message.n, event: { _tag: "OrderUpdated", order: orderIn(message.order) } }
    case "fill":
      return { n: message.n, event: { _tag: "Filled", fill: fillIn(message.fill) } }
  }
})

export const orderBody = (order: CreateOrder): string =>
  JSON.stringify({
    client_order_id: order.clientOrderId,
    account: order.account,
    symbol: order.symbol,
    side: order.side,
    type: order.type,
    quantity: order.quantity,
    limit_price: order.limitPrice,
    time_in_force: order.timeInForce
  })

/**
 * The refusals this venue documents for a create or a cancel. A 4xx with another code (a proxy's, a newer venue's) is
 * not known to mean "nothing happened", so it is an unknown outcome.
 */
export const documentedRefusals: ReadonlySet<string> = new Set([
  "invalid_order",
  "invalid_request",
  "body_too_large",
  "duplicate_client_order_id",
  "insufficient_funds",
  "account_blocked",
  "market_closed",
  "order_not_found",
  "order_not_open"
])
