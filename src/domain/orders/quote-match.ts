/**
 * quote-match: whether an order trades at a quote, and at which price.
 *
 * The paper broker fills by it, and so does what a shadow strategy has resting on paper: a shadow that was filled by another rule
 * than the orders it is compared with would be compared with nothing.
 *
 * Promises: pure; buys trade at the ask, sells at the bid, where a side is not quoted at the last price; a limit may be bettered and
 * is never worse; a stop that was triggered is a market or a limit order for good.
 * Never: knows quantities, sessions, or who is first in a queue.
 */
import { BigDecimal } from "effect"
import { decimal } from "../kernel/decimal.ts"
import type { Side } from "../signals/signal.ts"

/** Prices of one moment as decimal text; null: not quoted. */
export interface MatchQuote {
  readonly bid: string | null
  readonly ask: string | null
  readonly last: string | null
}

/** What a market order on this side trades at; null: nobody quotes. */
const offeredTo = (side: Side, { ask, bid, last }: MatchQuote): string | null =>
  (side === "buy" ? ask : bid) ?? last

/** Whether the last trade has reached a stop: at or above it for a buy, at or below it for a sell. */
export const reachesStop = (
  { side, stopPrice }: { readonly side: Side; readonly stopPrice: string | null },
  { last }: Pick<MatchQuote, "last">
): boolean => {
  if (stopPrice === null || last === null) return false
  const [stop, traded] = [decimal(stopPrice), decimal(last)]
  return side === "buy"
    ? BigDecimal.isGreaterThanOrEqualTo(traded, stop)
    : BigDecimal.isLessThanOrEqualTo(traded, stop)
}

export interface MatchOrder {
  readonly side: Side
  readonly limitPrice: string | null
  readonly stopPrice: string | null
  /** The market has reached its stop, now or before. */
  readonly isTriggered: boolean
}

/** The price at which an order would trade now; null while its limit is not reached, its stop was not, or nobody quotes. */
export const tradePrice = (
  { isTriggered, limitPrice, side, stopPrice }: MatchOrder,
  quote: MatchQuote
): string | null => {
  if (stopPrice !== null && !isTriggered) return null
  const offered = offeredTo(side, quote)
  if (offered === null || limitPrice === null) return offered
  const beyond = side === "buy" ? BigDecimal.isGreaterThan : BigDecimal.isLessThan
  return beyond(decimal(offered), decimal(limitPrice)) ? null : offered
}
