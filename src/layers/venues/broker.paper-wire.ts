/**
 * The paper venue's wire, as its client reads it.
 *
 * Written from the venue's documentation and not shared with its code: a client that imports the types of its server
 * proves only that the server agrees with itself.
 *
 * Promises: a text becomes an order, a fill or a refusal only when every field is there and has its type; anything else
 * is null, which callers treat as a response they did not understand. Figures come out as text, whatever they are: the gate
 * judges them (broker.gate.ts).
 * Never: guesses a missing field.
 * Failure: what cannot be read is null.
 */
import type { z } from "zod"
import type { VenueFill } from "../../domain/orders/fill.ts"
import * as venue from "../../wire/paper-venue.ts"
import type {
  BrokerEvent,
  CreateOrder,
  VenueActivity,
  VenueBalance,
  VenueOrder,
  VenuePosition
} from "./broker.port.ts"

const orderIn = (wire: z.output<typeof venue.order>): VenueOrder => ({
  venueOrderId: wire.id,
  clientOrderId: wire.client_order_id,
  account: wire.account,
  symbol: wire.symbol,
  side: wire.side,
  type: wire.type,
  quantity: wire.quantity,
  limitPrice: wire.limit_price,
  stopPrice: wire.stop_price,
  timeInForce: wire.time_in_force,
  status: wire.status,
  filledQuantity: wire.filled_quantity,
  averagePrice: wire.average_price,
  createdAt: new Date(wire.created_at),
  updatedAt: new Date(wire.updated_at)
})

const fillIn = (wire: z.output<typeof venue.fill>): VenueFill => ({
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

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    // What is not JSON has no shape either, which is the caller's null.
    return undefined
  }
}

/** A reader of JSON text that returns null instead of failing. */
const reader =
  <Schema extends z.ZodType, A>(
    schema: Schema,
    f: (value: z.output<Schema>) => A
  ): ((text: string) => A | null) =>
  (text) => {
    const found = schema.safeParse(parsed(text))
    return found.success ? f(found.data) : null
  }

/** A page of a list; `next` is the cursor of the page after it, null on the last. */
export interface Page<A> {
  readonly items: ReadonlyArray<A>
  readonly next: string | null
}

export const readOrder = reader(venue.order, orderIn)
export const readOrders = reader(venue.orders, ({ orders, next }): Page<VenueOrder> => ({
  items: orders.map(orderIn),
  next
}))
export const readFills = reader(venue.fills, ({ fills, next }): Page<VenueFill> => ({
  items: fills.map(fillIn),
  next
}))
export const readPositions = reader(venue.positions, ({ positions }): ReadonlyArray<VenuePosition> =>
  positions.map(({ average_price, ...rest }) => ({ ...rest, averagePrice: average_price }))
)
export const readBalance = reader(venue.balance, ({ id, cash, buying_power }): VenueBalance => ({
  account: id,
  cash,
  buyingPower: buying_power
}))
export const readActivity = reader(venue.activity, ({ accounts, next }): Page<VenueActivity> => ({
  items: accounts.map(({ id, last_sequence, open_orders, positions }) => ({
    account: id,
    openOrders: open_orders,
    positions,
    lastFill: last_sequence
  })),
  next
}))
export const readRefusal = reader(venue.refusal, (refusal) => refusal)

/** A message of the stream: its number on this connection and the event it means. */
export const readMessage = reader(
  venue.message,
  (message): { readonly n: number; readonly event: BrokerEvent } => {
    switch (message.type) {
      case "hello":
        return { n: message.n, event: { _tag: "Connected" } }
      case "order":
        return { n: message.n, event: { _tag: "OrderUpdated", order: orderIn(message.order) } }
      case "fill":
        return { n: message.n, event: { _tag: "Filled", fill: fillIn(message.fill) } }
    }
  }
)

export const orderBody = (order: CreateOrder): string =>
  JSON.stringify({
    client_order_id: order.clientOrderId,
    account: order.account,
    symbol: order.symbol,
    side: order.side,
    type: order.type,
    quantity: order.quantity,
    limit_price: order.limitPrice,
    stop_price: order.stopPrice,
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
