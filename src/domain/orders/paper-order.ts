/**
 * paper-order: an order of a shadow strategy that rests on paper (G5).
 *
 * What would wait at a venue for its price waits here: until a quote reaches it, its session is over, or its strategy wants
 * something else. It is stored, so a restart loses none.
 *
 * Promises: pure; fills by the rule of the paper broker (quote-match.ts), whole; what only closes never goes through zero; an order
 * that is over does not fill, whatever the quote.
 * Never: sees a broker.
 */
import { BigDecimal } from "effect"
import { decimal, formatDecimal } from "../kernel/decimal.ts"
import type { OrderType } from "../signals/order-type.ts"
import type { Side } from "../signals/signal.ts"
import { ownPrice } from "./order-terms.ts"
import { type MatchQuote, reachesStop, tradePrice } from "./quote-match.ts"
import type { BookOrder } from "./risk-book.ts"
import type { PaperHolding, PaperOrder } from "./stage.ts"

export type PaperStep =
  /** Filled at this price; of a close no more than is held. */
  | { readonly _tag: "Fills"; readonly price: string; readonly quantity: string }
  /** `isTriggered`: its stop has been reached, now or before. */
  | { readonly _tag: "Waits"; readonly isTriggered: boolean }
  | { readonly _tag: "Over"; readonly reason: "session_over" | "nothing_to_close" }

/** How much of a holding an order on this side would close; zero when it would only add. */
const closable = (held: PaperHolding | undefined, side: Side): BigDecimal.BigDecimal => {
  const quantity = decimal(held?.quantity ?? "0")
  const against = side === "sell" ? quantity : BigDecimal.negate(quantity)
  return BigDecimal.max(against, decimal("0"))
}

/** What becomes of an order at a quote. `quote` is null when nobody quotes its symbol freshly. */
export const paperStep = (
  order: PaperOrder,
  quote: MatchQuote | null,
  held: PaperHolding | undefined,
  nowMs: number
): PaperStep => {
  if (order.untilMs !== null && nowMs >= order.untilMs) return { _tag: "Over", reason: "session_over" }
  const most = closable(held, order.side)
  const isClose = order.intent === "reduce"
  if (isClose && BigDecimal.isZero(most)) return { _tag: "Over", reason: "nothing_to_close" }
  const isTriggered = order.isTriggered || (quote !== null && reachesStop(order, quote))
  const price = quote === null ? null : tradePrice({ ...order, isTriggered }, quote)
  if (price === null) return { _tag: "Waits", isTriggered }
  const wanted = decimal(order.quantity)
  const quantity = isClose ? BigDecimal.min(wanted, most) : wanted
  return { _tag: "Fills", price, quantity: formatDecimal(quantity) }
}

/** What is asked of one that is about to work. */
type Arriving = Pick<PaperOrder, "intent" | "side" | "symbol"> & {
  readonly type: OrderType
  readonly isTarget: boolean
}

/**
 * Whether `resting` has to go before an order of the same strategy works, as real ones are taken back (account-resting.ts): a close
 * at market wants to be out, one at a price replaces another, and an entry contradicts what wanted the other side.
 */
export const isInTheWay = (resting: PaperOrder, arriving: Arriving): boolean => {
  if (resting.symbol !== arriving.symbol) return false
  const isEntry = resting.intent === "entry"
  if (arriving.intent === "reduce")
    return isEntry
      ? arriving.type === "market" && resting.side !== arriving.side
      : resting.side === arriving.side
  if (arriving.isTarget) return true
  return isEntry ? resting.side !== arriving.side : resting.side === arriving.side
}

/** As the book of its account has it, which limits and sizes are judged by. */
export const bookOrderOf = (strategy: string, order: PaperOrder): BookOrder => ({
  symbol: order.symbol,
  strategy,
  side: order.side,
  intent: order.intent,
  status: "acked",
  count: 1,
  quantity: order.quantity,
  filledQuantity: "0",
  price: ownPrice(order),
  rests: true
})
