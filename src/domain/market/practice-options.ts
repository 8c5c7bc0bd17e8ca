/**
 * Practice options: what an option contract costs in the practice market, by the price of its own underlying.
 *
 * A call that falls while its share rises teaches nobody anything, and a strategy that chooses by delta needs one that is meant. So
 * contracts on shares are priced by Black and Scholes; those on futures and coins, whose terms their venues define, are not.
 *
 * Promises: pure; a price is at least two ticks, so that there is a bid below it, also after expiration; one contract of anything
 * fits into a practice account.
 * Never: knows where the price of the underlying comes from.
 */
import type { ContractTerms } from "../kernel/option-contract.ts"
import { optionValue, type OptionValue } from "./black-scholes.ts"

const YEAR_MS = 365 * 86_400_000
/** Cents. */
const PER_UNIT = 100
/** A put on a strike far above all prices would cost more than a practice account holds for its hundred units. */
const TICKS_MAX = 900 * PER_UNIT

/** The range of a year's volatility: of a large index to that of a small share. */
export const volatilityOf = (share: number): number => 0.15 + 0.45 * share

/** The end of trading on the last day, the hour of New York's winter. */
export const expiresAtMs = (expiration: string): number => Date.parse(`${expiration}T21:00:00Z`)

/** The value of one unit; `spot` is the price of the underlying at `atMs`. */
export const practiceOptionValue = (
  { expiration, right, strike }: ContractTerms,
  spot: number,
  volatility: number,
  atMs: number
): OptionValue =>
  optionValue({
    right,
    spot,
    strike: Number(strike),
    volatility,
    years: (expiresAtMs(expiration) - atMs) / YEAR_MS
  })

export const ticksOf = ({ value }: OptionValue): number =>
  Math.min(TICKS_MAX, Math.max(2, Math.round(value * PER_UNIT)))

/** Half of the spread in ticks: one percent of the price at the money, and more the further the strike is from it, up to ten. */
export const optionHalfSpread = (ticks: number, { strike }: ContractTerms, spot: number): number => {
  const away = Math.abs(Math.log(Number(strike) / spot))
  return Math.min(ticks - 1, Math.max(1, Math.round(ticks * Math.min(0.1, 0.01 * (1 + 5 * away)))))
}

/** Contracts that are open, by a number from 0 to 1 of its own: thousands at the money, a few far from it. */
export const openInterestOf = (share: number, { strike }: ContractTerms, spot: number): number => {
  const away = Math.log(Number(strike) / spot) / 0.1
  return Math.round(500 + 4_500 * share) * Math.exp(-(away * away) / 2) >= 1
    ? Math.round((500 + 4_500 * share) * Math.exp(-(away * away) / 2))
    : 0
}
