/**
 * risk-closing: whether an order only lowers the exposure of its account.
 *
 * Promises: pure; an order that only closes counts against no limit on exposure, and one that opens nothing against none on
 * losses, whatever its intent. A reversal of equal size does the first and not the second.
 * Never: uses the direction of an alert: only the book counts.
 */
import { BigDecimal } from "effect"
import { decimal } from "../kernel/decimal.ts"
import { type Book, type BookOrder, pendingOn, positionOf, withOrder, worstQuantity } from "./risk-book.ts"
import type { RiskInput } from "./risk-input.ts"
import { heldAgainst } from "./sizing.ts"

/** The order as it would stand in the book. */
export const asOpen = (input: RiskInput): BookOrder => ({
  symbol: input.order.symbol,
  strategy: input.order.strategy,
  side: input.order.side,
  intent: "entry",
  status: "intended",
  count: 1,
  quantity: input.order.quantity,
  filledQuantity: "0",
  price: input.order.price
})

/** True when the order cannot make the worst case of its symbol larger: it only closes. */
export const onlyCloses = (input: RiskInput): boolean => {
  const { symbol } = input.order
  const after = worstQuantity(withOrder(input.account, asOpen(input)), symbol)
  return !BigDecimal.isGreaterThan(after, worstQuantity(input.account, symbol))
}

/** True when the order opens nothing: it closes a part of what is held, with everything else of its side counted. */
export const opensNothing = ({
  account,
  order: { quantity, side, symbol }
}: {
  readonly account: Book
  readonly order: Pick<RiskInput["order"], "quantity" | "side" | "symbol">
}): boolean => {
  const held = heldAgainst(positionOf(account, symbol), side)
  const asked = BigDecimal.sum(pendingOn(account, symbol, side), decimal(quantity))
  return !BigDecimal.isGreaterThan(asked, held)
}
