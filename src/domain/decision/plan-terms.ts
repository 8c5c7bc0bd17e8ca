/**
 * Plan terms: kind, prices and time in force of an order that is planned, and the check that records them.
 *
 * Promises: pure; an order at market whose signal says nothing of its time has no such check, so that its decision reads as ever.
 * Never: judges a price against the market.
 */
import {
  type OrderTerms,
  ownPrice,
  termsFor,
  type TermsInput,
  termsNumbers,
  termsProblem
} from "../orders/order-terms.ts"
import { type PlanAccount, priceFor } from "../orders/plan-context.ts"
import type { RiskVerdict } from "../orders/risk.ts"
import type { Sized } from "../orders/sizing.ts"
import type { PlanInput, Target } from "./plan-input.ts"

export interface PlannedTerms {
  readonly terms: OrderTerms
  /** Empty for a plain order at market. */
  readonly verdicts: ReadonlyArray<RiskVerdict>
  /** What is against it, null for nothing. */
  readonly code: string | null
  /** What it is valued at: its own price, else its side of the quote. */
  readonly price: string | null
}

/** `account` has the calendar of the instrument. */
export const plannedTerms = (
  { quoteOf, settings, signal }: PlanInput,
  account: PlanAccount,
  { strategy }: Target,
  symbol: string,
  sized: Sized
): PlannedTerms => {
  const given: TermsInput = {
    signal,
    defaultTime: strategy.timeInForce,
    tick: settings.instruments.of(symbol).tick,
    calendar: account.calendar
  }
  const rounded = termsFor(given, sized.side)
  const code = termsProblem(rounded, sized)
  const { limitPrice, stopPrice } = signal
  // A row has no price of zero: the order that is denied for it shows what was asked.
  const terms = code === "price_rounds_away" ? { ...rounded, limitPrice, stopPrice } : rounded
  const isPlain = terms.type === "market" && signal.timeInForce === null
  const verdict = { check: "order_type", ok: code === null, code, numbers: termsNumbers(rounded, given) }
  return {
    terms,
    verdicts: isPlain ? [] : [verdict],
    code,
    price: ownPrice(terms) ?? priceFor(quoteOf(symbol), sized.side)
  }
}

/** A price is that of one instrument: a signal that means several at once has none of its own. */
export const isPricedForMany = ({ signal }: PlanInput, legs: number): boolean =>
  legs > 1 && (signal.orderType ?? "market") !== "market"
