/**
 * risk-closing: whether an order only lowers the exposure of its account.
 *
 * Promises: pure; an order that only closes counts against no limit on exposure or losses, whatever its intent.
 * Never: uses the direction of an alert: only the book counts.
 */
import { BigDecimal } from "effect"
import { type BookOrder, withOrder, worstQuantity } from "./risk-book.ts"
import type { RiskInput } from "./risk-input.ts"

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
