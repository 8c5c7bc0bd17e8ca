/**
 * order-terms: kind, prices and time in force of one order, from what its signal says and what its strategy defaults to.
 *
 * A price is sent in whole ticks, because a venue refuses any other, and is rounded so that the order is never worse than what was
 * asked: a limit pays no more and sells for no less, a stop is not triggered earlier.
 *
 * Promises: pure, exact; market orders come out as they always did; what cannot be placed is named with its numbers.
 * Never: looks at the market: whether a price is far from it is the collar's to judge (risk-scope-checks.ts).
 */
import { BigDecimal } from "effect"
import { type CalendarName, sessionEndMs } from "../kernel/calendar.ts"
import { type Decimal, decimal, formatDecimal } from "../kernel/decimal.ts"
import { figureLimits } from "../kernel/risk-limits.ts"
import { mayBeImmediate, type OrderType, type SignalTerms, type TimeInForce } from "../signals/order-type.ts"
import type { Side } from "../signals/signal.ts"
import { roundedDown } from "./position-size.ts"
import type { RiskNumbers } from "./risk-verdict.ts"
import type { Sized } from "./sizing.ts"

/** As an order row has them. */
export interface OrderTerms {
  readonly type: OrderType
  readonly limitPrice: string | null
  readonly stopPrice: string | null
  readonly timeInForce: TimeInForce
}

/** Whether it waits at the venue for a price. Must agree with `rests` in account-book.pg.ts (a test compares them). */
export const canRest = ({ timeInForce, type }: Pick<OrderTerms, "timeInForce" | "type">): boolean =>
  type !== "market" && timeInForce !== "ioc"

/** The price that the order itself names: the worst it trades at, or for a stop what triggers it. Null at market. */
export const ownPrice = ({
  limitPrice,
  stopPrice
}: Pick<OrderTerms, "limitPrice" | "stopPrice">): string | null => limitPrice ?? stopPrice

/**
 * A price in whole ticks. A limit never pays more, or sells for less, than was asked; a stop is never triggered earlier. An
 * instrument without a known tick keeps the price.
 */
export const roundedPrice = (
  price: Decimal,
  tick: string | null,
  side: Side,
  kind: "limit" | "stop"
): Decimal => {
  if (tick === null) return price
  const down = roundedDown(price, decimal(tick))
  const up = (side === "sell") === (kind === "limit")
  return !up || BigDecimal.equals(down, price) ? down : BigDecimal.sum(down, decimal(tick))
}

/** Where the terms of an order come from. */
export interface TermsInput {
  readonly signal: SignalTerms
  /** That of its strategy; null: by the calendar. */
  readonly defaultTime: TimeInForce | null
  /** Of its instrument. */
  readonly tick: string | null
  readonly calendar: CalendarName
}

/** Within a session, or where there is none until it is cancelled. */
const usualTime = (calendar: CalendarName): TimeInForce => (calendar === "24x7" ? "gtc" : "day")

const priceOf = (given: string | null, tick: string | null, side: Side, kind: "limit" | "stop") =>
  given === null ? null : formatDecimal(roundedPrice(decimal(given), tick, side, kind))

/**
 * The terms of an order on this side. A strategy's own time is for orders that have a price; one at market trades at once, or when
 * its session opens. What waits for a trigger cannot be immediate, so a default that says so is not taken for it.
 */
export const termsFor = ({ calendar, defaultTime, signal, tick }: TermsInput, side: Side): OrderTerms => {
  const type = signal.orderType ?? "market"
  const own = type === "market" || (defaultTime === "ioc" && !mayBeImmediate(type)) ? null : defaultTime
  return {
    type,
    limitPrice: priceOf(signal.limitPrice, tick, side, "limit"),
    stopPrice: priceOf(signal.stopPrice, tick, side, "stop"),
    timeInForce: signal.timeInForce ?? own ?? usualTime(calendar)
  }
}

const isPrice = (price: string | null): boolean => {
  if (price === null) return true
  const value = decimal(price)
  return BigDecimal.isPositive(value) && BigDecimal.isLessThan(value, decimal(figureLimits.priceBelow))
}

/**
 * What is against an order with these terms. Across zero goes at market only: how much of it would close is what is held when it
 * leaves, and while it rested that would change.
 */
export const termsProblem = (
  terms: OrderTerms,
  { effect, sizing }: Pick<Sized, "effect" | "sizing">
): "price_rounds_away" | "rests_across_zero" | null => {
  if (!isPrice(terms.limitPrice) || !isPrice(terms.stopPrice)) return "price_rounds_away"
  return canRest(terms) && effect === "reverse" && sizing !== "fixed" ? "rests_across_zero" : null
}

/** For the trace: what was asked and what it became. */
export const termsNumbers = (terms: OrderTerms, { signal, tick }: TermsInput): RiskNumbers => ({
  type: terms.type,
  limit_price: terms.limitPrice,
  stop_price: terms.stopPrice,
  asked_limit: signal.limitPrice,
  asked_stop: signal.stopPrice,
  tick,
  time_in_force: terms.timeInForce
})

/** When an order that is sent now is over by our own clock; null for one that has no session to end with. */
export const expiryOf = (
  terms: Pick<OrderTerms, "timeInForce" | "type">,
  calendar: CalendarName,
  nowMs: number
): number | null => (canRest(terms) && terms.timeInForce === "day" ? sessionEndMs(calendar, nowMs) : null)
