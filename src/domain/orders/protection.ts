/**
 * protection: the prices at which a share of a position is closed, and when a quote has reached them.
 *
 * Stop loss and profit target belong to a strategy's share (T10). They are set when the share opens, from its average
 * price and the percentages of its strategy, and stay where they are while it grows, so that adding to a loser never
 * moves its stop away; when the settings' percentages change they are set again.
 *
 * Promises: a long is judged by the bid, a short by the ask: by the price at which it could be closed now; a stop wins
 * over a target when a gap reaches both.
 * Never: decides with a crossed or one-sided guess: a side that is not quoted protects nothing.
 */
import { BigDecimal } from "effect"
import { type Decimal, decimal, zero } from "../kernel/decimal.ts"

export type ExitKind = "stop_loss" | "profit_target"

/** Percentages as decimals above zero, null when the strategy does without. */
export interface ProtectionTerms {
  readonly stopLossPct: Decimal | null
  readonly profitTargetPct: Decimal | null
}

/** The terms of a strategy; a share of an unconfigured strategy has none. */
export const termsOf = (
  strategy: { readonly stopLossPct: string | null; readonly profitTargetPct: string | null } | undefined
): ProtectionTerms => {
  const pct = (text: string | null | undefined): Decimal | null =>
    text === null || text === undefined ? null : decimal(text)
  return { stopLossPct: pct(strategy?.stopLossPct), profitTargetPct: pct(strategy?.profitTargetPct) }
}

const samePct = (a: Decimal | null, b: Decimal | null): boolean =>
  a === null || b === null ? a === b : BigDecimal.equals(a, b)

/** Whether a share is armed with these terms. */
export const sameTerms = (armed: ProtectionTerms, terms: ProtectionTerms): boolean =>
  samePct(armed.stopLossPct, terms.stopLossPct) && samePct(armed.profitTargetPct, terms.profitTargetPct)

export interface ExitPrices {
  readonly stopPrice: Decimal | null
  readonly targetPrice: Decimal | null
}

const noExitPrices: ExitPrices = { stopPrice: null, targetPrice: null }

/** 0.01 exactly: a percentage becomes a factor without a division. */
const percent = BigDecimal.make(1n, 2)

const moved = (price: Decimal, pct: Decimal, up: boolean): Decimal | null => {
  const distance = BigDecimal.multiply(price, BigDecimal.multiply(pct, percent))
  const result = up ? BigDecimal.sum(price, distance) : BigDecimal.subtract(price, distance)
  // A stop of 100 % or more below a long would never trigger; no price is more honest than one at or below zero.
  return BigDecimal.isGreaterThan(result, zero) ? BigDecimal.normalize(result) : null
}

/** The exit prices of a share with this signed quantity at this average price. */
export const exitPricesOf = (
  quantity: Decimal,
  averagePrice: Decimal,
  terms: ProtectionTerms
): ExitPrices => {
  if (BigDecimal.isZero(quantity)) return noExitPrices
  const long = BigDecimal.isPositive(quantity)
  return {
    stopPrice: terms.stopLossPct === null ? null : moved(averagePrice, terms.stopLossPct, !long),
    targetPrice: terms.profitTargetPct === null ? null : moved(averagePrice, terms.profitTargetPct, long)
  }
}

/** Which exit is due at this quote; null when none is, or when the side that matters is not quoted. */
export const exitDue = (
  quantity: Decimal,
  prices: ExitPrices,
  quote: { readonly bid: Decimal | null; readonly ask: Decimal | null }
): ExitKind | null => {
  if (BigDecimal.isZero(quantity)) return null
  const long = BigDecimal.isPositive(quantity)
  const price = long ? quote.bid : quote.ask
  if (price === null) return null
  const atOrBelow = (limit: Decimal) => BigDecimal.isLessThanOrEqualTo(price, limit)
  const atOrAbove = (limit: Decimal) => BigDecimal.isGreaterThanOrEqualTo(price, limit)
  const stopped = prices.stopPrice !== null && (long ? atOrBelow : atOrAbove)(prices.stopPrice)
  if (stopped) return "stop_loss"
  const reached = prices.targetPrice !== null && (long ? atOrAbove : atOrBelow)(prices.targetPrice)
  return reached ? "profit_target" : null
}
