/**
 * trailing: stops that follow a gain, and the time after which a share is closed whatever its price.
 *
 * A share remembers the best price at which it could have been closed since it opened. Its stop is as tight as the fixed stop,
 * the trails behind that price and the break-even have ever made it: it follows a gain and never gives any of it back, not when
 * the range of the market widens, and not when the share grows.
 *
 * Promises: pure; the best price and the stop only move towards a gain; a stop that is not above zero is none; without an average
 * true range the trail that needs one adds nothing and takes nothing away.
 * Never: reads a quote or a bar; decides when an exit is due (protection.ts).
 */
import { BigDecimal } from "effect"
import { type Decimal, decimal } from "../kernel/decimal.ts"
import type { ExitSettings } from "../kernel/settings.ts"
import { exitPricesOf, type ProtectionTerms } from "./protection.ts"

/** What set a stop price. */
export type StopBy = "stop_loss" | "trailing_stop" | "break_even"

/** Terms of a strategy that move with price or time; each is null where the strategy does without. */
export interface MovingTerms {
  readonly trailPct: Decimal | null
  readonly trailAmount: Decimal | null
  readonly trailRange: { readonly multiple: Decimal; readonly bars: number; readonly barMs: number } | null
  readonly breakEvenPct: Decimal | null
  readonly holdMsMax: number | null
}

/** Nothing moves. */
export const noMovingTerms: MovingTerms = {
  trailPct: null,
  trailAmount: null,
  trailRange: null,
  breakEvenPct: null,
  holdMsMax: null
}

const numberOf = (text: string | null): Decimal | null => (text === null ? null : decimal(text))

export const movingTermsOf = (strategy: { readonly exits: ExitSettings | null } | undefined): MovingTerms => {
  const exits = strategy?.exits ?? null
  if (exits === null) return noMovingTerms
  const { trailingAtr } = exits
  return {
    trailPct: numberOf(exits.trailingPct),
    trailAmount: numberOf(exits.trailingAmount),
    trailRange: trailingAtr === null ? null : { ...trailingAtr, multiple: decimal(trailingAtr.multiple) },
    breakEvenPct: numberOf(exits.breakEvenAfterPct),
    holdMsMax: exits.holdMsMax
  }
}

/** Whether the stop of a share under these terms ever moves. */
export const moves = ({ breakEvenPct, trailAmount, trailPct, trailRange }: MovingTerms): boolean =>
  trailPct !== null || trailAmount !== null || trailRange !== null || breakEvenPct !== null

/** Whether a share is to have a stop from its opening on: a break-even gives it one only after a gain. */
export const hasStop = (fixed: ProtectionTerms, moving: MovingTerms): boolean =>
  fixed.stopLossPct !== null ||
  moving.trailPct !== null ||
  moving.trailAmount !== null ||
  moving.trailRange !== null

/** Whether a share under these terms has to be watched at all. */
export const isProtected = (fixed: ProtectionTerms, moving: MovingTerms): boolean =>
  hasStop(fixed, moving) ||
  fixed.profitTargetPct !== null ||
  moving.breakEvenPct !== null ||
  moving.holdMsMax !== null

/** The terms as one text, by which changed settings are noticed; null where nothing moves. */
export const movingText = (strategy: { readonly exits: ExitSettings | null } | undefined): string | null => {
  const exits = strategy?.exits ?? null
  if (exits === null || !moves(movingTermsOf(strategy))) return null
  const { breakEvenAfterPct, trailingAmount, trailingAtr, trailingPct } = exits
  const range =
    trailingAtr === null ? null : [trailingAtr.multiple, trailingAtr.bars, trailingAtr.barMs].join(" x ")
  return JSON.stringify([trailingPct, trailingAmount, range, breakEvenAfterPct])
}

/** Where a stop is, and what set it there. */
export interface Stop {
  readonly price: Decimal
  readonly by: StopBy
}

/** What a share has reached. `best` is null before its first price. */
export interface Trail {
  readonly best: Decimal | null
  readonly stop: Stop | null
}

/** What a trail is judged by. `range` is the average true range, null when there is none. */
export interface TrailInput {
  /** Signed, not zero. */
  readonly quantity: Decimal
  readonly averagePrice: Decimal
  readonly terms: MovingTerms
  readonly range: Decimal | null
}

const percent = BigDecimal.make(1n, 2)
const shareOf = (price: Decimal, pct: Decimal): Decimal =>
  BigDecimal.multiply(price, BigDecimal.multiply(pct, percent))

/** How far behind the best price the trails are. */
const distancesOf = (best: Decimal, { range, terms }: TrailInput): ReadonlyArray<Decimal> => {
  const { trailAmount, trailPct, trailRange } = terms
  const distances: Array<Decimal> = []
  if (trailPct !== null) distances.push(shareOf(best, trailPct))
  if (trailAmount !== null) distances.push(trailAmount)
  // Bars that did not move say nothing about how far a stop has to be away: at no distance it would close at once.
  if (trailRange !== null && range !== null && BigDecimal.isPositive(range))
    distances.push(BigDecimal.multiply(trailRange.multiple, range))
  return distances
}

/** The stops that the best price allows. */
const candidates = (best: Decimal, input: TrailInput): ReadonlyArray<Stop> => {
  const long = BigDecimal.isPositive(input.quantity)
  const { averagePrice, terms } = input
  const behind = distancesOf(best, input).map((distance): Stop => {
    const price = long ? BigDecimal.subtract(best, distance) : BigDecimal.sum(best, distance)
    return { price, by: "trailing_stop" }
  })
  if (terms.breakEvenPct === null) return behind
  const gain = long ? BigDecimal.subtract(best, averagePrice) : BigDecimal.subtract(averagePrice, best)
  return BigDecimal.isGreaterThanOrEqualTo(gain, shareOf(averagePrice, terms.breakEvenPct))
    ? [...behind, { price: averagePrice, by: "break_even" }]
    : behind
}

/** The trail after a price at which the share could be closed: the bid of a long, the ask of a short. */
export const follow = (trail: Trail, price: Decimal, input: TrailInput): Trail => {
  const long = BigDecimal.isPositive(input.quantity)
  const beyond = long ? BigDecimal.isGreaterThan : BigDecimal.isLessThan
  const best = trail.best === null || beyond(price, trail.best) ? price : trail.best
  let { stop } = trail
  for (const next of candidates(best, input))
    if (BigDecimal.isPositive(next.price) && (stop === null || beyond(next.price, stop.price))) stop = next
  return { best, stop: stop === null ? null : { ...stop, price: BigDecimal.normalize(stop.price) } }
}

/** Exit prices of a share as they are armed: when it opens, and when the settings of its strategy change. */
export interface Armed extends Trail {
  readonly target: Decimal | null
}

/**
 * `best` is what the share has reached before, null for one that opens: it starts from its own average price. `kept` is a stop that
 * it has reached under the same moving terms, null for none: the tighter of it and the fixed stop is where it begins.
 */
export const arm = (
  fixed: ProtectionTerms,
  input: TrailInput,
  best: Decimal | null,
  kept: Stop | null = null
): Armed => {
  const prices = exitPricesOf(input.quantity, input.averagePrice, fixed)
  const set: Stop | null = prices.stopPrice === null ? null : { price: prices.stopPrice, by: "stop_loss" }
  const beyond = BigDecimal.isPositive(input.quantity) ? BigDecimal.isGreaterThan : BigDecimal.isLessThan
  const stop = kept !== null && (set === null || beyond(kept.price, set.price)) ? kept : set
  const target = prices.targetPrice
  if (BigDecimal.isZero(input.quantity) || !moves(input.terms)) return { best: null, stop, target }
  return { ...follow({ best, stop }, input.averagePrice, input), target }
}
