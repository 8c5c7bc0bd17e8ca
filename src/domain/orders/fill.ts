/**
 * fill: what one trade does to the order it belongs to.
 *
 * A fill is a fact of the venue. It is stored whatever state the order is in; here is only the arithmetic: how
 * much of the order is filled after it, at which average, and which event of the order table that is.
 *
 * Promises: the filled quantity is the exact sum of the fills; the average is rounded once per fill, at
 * `averageScale` digits.
 * Never: deduplicates (the key of the trade does, in the store) or refuses.
 */
import { BigDecimal } from "effect"

import { type Decimal, divideRounded } from "../kernel/decimal.ts"
import type { OrderEvent } from "./order.ts"
import type { Side } from "../signals/signal.ts"

/**
 * One trade as its venue reports it. Unique by (account, symbol, venueOrderId, tradeId). `cursor` is the venue's position of it,
 * for fetching all fills since then.
 */
export interface VenueFill {
  readonly tradeId: string
  readonly venueOrderId: string
  readonly clientOrderId: string | null
  readonly account: string
  readonly symbol: string
  readonly side: Side
  /** Decimal strings. */
  readonly quantity: string
  readonly price: string
  readonly fee: string
  readonly at: Date
  readonly cursor: string
}

/** A trade as arithmetic needs it. Quantity and price are above zero; the fee is in the account's currency. */
export interface Fill {
  readonly side: Side
  readonly quantity: Decimal
  readonly price: Decimal
  readonly fee: Decimal
}

/** How far an order is filled. `averagePrice` is null before the first fill. */
export interface Filled {
  readonly filledQuantity: Decimal
  readonly averagePrice: Decimal | null
}

/** The quantity of a fill as it moves a position: positive for a buy, negative for a sell. */
export const signedQuantity = (fill: Pick<Fill, "side" | "quantity">): Decimal =>
  fill.side === "buy" ? fill.quantity : BigDecimal.negate(fill.quantity)

/** The average of two priced quantities of the same sign. */
export const averageOf = (quantity: Decimal, price: Decimal, added: Decimal, addedPrice: Decimal): Decimal =>
  divideRounded(
    BigDecimal.sum(BigDecimal.multiply(quantity, price), BigDecimal.multiply(added, addedPrice)),
    BigDecimal.sum(quantity, added)
  )

/** The order after a fill, and the event of the order table that the fill is. */
export const fillOrder = (
  orderQuantity: Decimal,
  before: Filled,
  fill: Pick<Fill, "quantity" | "price">
): Filled & { readonly event: Extract<OrderEvent, `fill.${string}`> } => {
  const filledQuantity = BigDecimal.normalize(BigDecimal.sum(before.filledQuantity, fill.quantity))
  const averagePrice =
    before.averagePrice === null
      ? fill.price
      : averageOf(before.filledQuantity, before.averagePrice, fill.quantity, fill.price)
  if (BigDecimal.isGreaterThan(filledQuantity, orderQuantity))
    return { filledQuantity, averagePrice, event: "fill.excess" }
  const complete = BigDecimal.equals(filledQuantity, orderQuantity)
  return { filledQuantity, averagePrice, event: complete ? "fill.complete" : "fill.partial" }
}
