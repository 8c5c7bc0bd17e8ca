/**
 * venue-fee: what a trade costs at a venue.
 *
 * A venue prices its fees by the kind of what is traded: per share or contract, as a percentage of what changes hands, or both, with
 * a least amount for each trade. The settings of a broker state them; the paper broker takes them, and what a shadow strategy trades
 * on paper pays the same, whatever broker its account is at. One function, so that the two cannot differ.
 *
 * Promises: pure, exact up to `FEE_SCALE` digits; a kind without a rule is free; never below zero.
 * Never: knows an account, or whether somebody was the maker.
 */
import { BigDecimal } from "effect"
import { decimal, formatDecimal } from "./decimal.ts"
import type { Instrument, InstrumentKind } from "./instruments.ts"

/** Digits after the point of a fee: those of the smallest coin. */
const FEE_SCALE = 8
const hundred = decimal("100")

/** Decimal strings, at least zero. */
export interface FeeRule {
  /** Money for each share, contract or coin. */
  readonly perUnit: string
  /** Percent of the money that changes hands. */
  readonly pct: string
  /** Money for each trade at least. */
  readonly minimum: string
}

/** By the kind of the instrument. */
export type VenueFees = { readonly [kind in InstrumentKind]?: FeeRule }

/** The fee of one trade. `quantity` and `price` are positive. */
export const feeOf = (
  fees: VenueFees,
  { kind, multiplier }: Pick<Instrument, "kind" | "multiplier">,
  { price, quantity }: { readonly price: string; readonly quantity: string }
): string => {
  const rule = fees[kind]
  if (rule === undefined) return "0"
  const traded = BigDecimal.multiplyAll([decimal(quantity), decimal(price), decimal(multiplier)])
  const share = BigDecimal.divideUnsafe(BigDecimal.multiply(traded, decimal(rule.pct)), hundred)
  const whole = BigDecimal.sum(BigDecimal.multiply(decimal(quantity), decimal(rule.perUnit)), share)
  const due = BigDecimal.max(whole, decimal(rule.minimum))
  return formatDecimal(BigDecimal.round(due, { scale: FEE_SCALE, mode: "half-even" }))
}
