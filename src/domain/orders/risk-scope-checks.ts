/**
 * The checks of T6 that have a limit per scope: rate, price collar, cooldown, and the three rules about losses.
 *
 * Each is evaluated for every scope that concerns the order. The verdict is that of the first scope that denies, else of the
 * first that is unknown, else of the widest with a limit, so a trace shows whose limit it was.
 *
 * Promises: pure; a missing figure or quote never lets an entry pass its limit; a reduce is at most deferred.
 * Never: denies an order that only closes because of a loss.
 */
import { BigDecimal } from "effect"
import { type Decimal, decimal, divideRounded, formatDecimal, zero } from "../kernel/decimal.ts"
import type { ScopeLimits } from "../kernel/settings.ts"
import { opensNothing } from "./risk-closing.ts"
import type { RiskInput } from "./risk-input.ts"
import { freshFigures, type LossRule, measure, type ScopeState } from "./risk-scope.ts"
import { defer, deny, type Evaluation, verdictOf } from "./risk-verdict.ts"

const off: Evaluation = { failure: null, numbers: { limit: null } }

/** Evaluates every scope; null is one without this limit. */
const overScopes = ({ scopes }: RiskInput, judge: (state: ScopeState) => Evaluation | null): Evaluation => {
  const judged = scopes.map(judge).filter((one) => one !== null)
  return (
    judged.find(({ failure }) => failure?.effect === "deny") ??
    judged.find(({ failure }) => failure !== null) ??
    judged[0] ??
    off
  )
}

/** An order that is already decided is deferred until the minute has passed; a new one is denied. */
export const ordersPerMinute = (input: RiskInput): Evaluation =>
  overScopes(input, ({ limits, rate, scope }) => {
    const limit = limits.ordersPerMinuteMax
    if (limit === null) return null
    const sends = input.step === "send"
    const before = sends ? rate.sent : rate.sent + rate.waiting
    return verdictOf(before + 1 > limit, sends ? defer("orders_per_minute") : deny("orders_per_minute"), {
      scope,
      before,
      after: before + 1,
      limit
    })
  })

const hundred = decimal("100")

const deviationPct = (price: Decimal, last: Decimal): Decimal =>
  divideRounded(BigDecimal.multiply(BigDecimal.abs(BigDecimal.subtract(price, last)), hundred), last)

/**
 * By how much the limit of an order is beyond what it would be measured against, in percent: the market, or what triggers it. A
 * limit that is better for the order than that is no danger, however far away, and neither is a stop that waits.
 */
const beyond = ({ order: { side, terms } }: RiskInput, last: Decimal): Decimal => {
  const limit = terms?.limitPrice ?? null
  if (limit === null) return zero
  const stop = terms?.stopPrice ?? null
  const from = stop === null ? last : decimal(stop)
  const [high, low] = side === "buy" ? [decimal(limit), from] : [from, decimal(limit)]
  return BigDecimal.isGreaterThan(high, low) ? deviationPct(decimal(limit), from) : zero
}

/** How far the price that an order would have is from the market's, in percent; null without a quote. */
const deviation = (input: RiskInput): Decimal | null => {
  const { price, terms } = input.order
  // What an alert named is about its entry; a close leaves at what the market is by now.
  const given = input.column === "entry" ? input.order.given : null
  const last = input.quote?.last ?? null
  if (price === null || last === null || !BigDecimal.isPositive(decimal(last))) return null
  const named = [...(terms === undefined ? [price] : []), ...(given === null ? [] : [given])]
  return [
    ...named.map((one) => deviationPct(decimal(one), decimal(last))),
    ...(terms === undefined ? [] : [beyond(input, decimal(last))])
  ].reduce((widest, next) => BigDecimal.max(widest, next))
}

const collarOf = (input: RiskInput, limits: ScopeLimits): string | null => {
  if (input.column === "entry") return limits.priceCollarPct
  // Who closes by hand has seen the market.
  if (input.byOperator) return null
  // Checked when it is sent: until then it has no price.
  return input.step === "send" ? limits.priceCollarReducePct : null
}

/** An exit beyond its collar is deferred and raises an alert (the executor); one without a quote is sent, since waiting might never end. */
export const priceCollar = (input: RiskInput): Evaluation =>
  overScopes(input, ({ limits, scope }) => {
    const limit = collarOf(input, limits)
    if (limit === null) return null
    const isEntry = input.column === "entry"
    const found = deviation(input)
    const numbers = {
      scope,
      limit,
      deviation: found === null ? null : formatDecimal(found),
      price: input.order.price,
      ...(input.order.terms === undefined ? {} : { side: input.order.side }),
      given: input.order.given,
      last: input.quote?.last ?? null
    }
    if (found === null) return verdictOf(isEntry, defer("quote_missing"), numbers)
    const failure = isEntry ? deny("price_collar") : defer("price_collar")
    return verdictOf(BigDecimal.isGreaterThan(found, decimal(limit)), failure, numbers)
  })

const UNKNOWN = "figure_unknown"

const cooled = (
  input: RiskInput,
  scope: string,
  after: "loss" | "crash",
  lengthMs: number | null,
  beganMs: number | null | undefined
): Evaluation | null => {
  if (lengthMs === null) return null
  if (beganMs === undefined) return { failure: defer(UNKNOWN), numbers: { scope, after, limit: lengthMs } }
  const until_ms = beganMs === null ? null : beganMs + lengthMs
  return verdictOf(until_ms !== null && input.nowMs < until_ms, deny("cooldown"), {
    scope,
    after,
    limit: lengthMs,
    until_ms
  })
}

export const cooldown = (input: RiskInput): Evaluation => {
  if (opensNothing(input)) return off
  return overScopes(input, ({ figures, limits, scope }) => {
    const known = freshFigures(figures, input.nowMs)
    const loss = cooled(input, scope, "loss", limits.cooldownAfterLossMs, known?.lastLossAtMs)
    const crash = cooled(input, scope, "crash", limits.cooldownAfterCrashMs, known?.crashedAtMs)
    return (loss?.failure ?? null) !== null || crash === null ? loss : crash
  })
}

/** The check of one rule about losses. */
export const lossCheck =
  (rule: LossRule) =>
  (input: RiskInput): Evaluation => {
    if (opensNothing(input)) return off
    return overScopes(input, (state) => {
      const measured = measure(rule, state, freshFigures(state.figures, input.nowMs))
      if (measured === null) return null
      if (measured.over === null) return { failure: defer(UNKNOWN), numbers: measured.numbers }
      return verdictOf(measured.over, deny(rule), measured.numbers)
    })
  }
