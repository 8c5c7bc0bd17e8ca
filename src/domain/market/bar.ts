/**
 * bar: what a symbol did in a stretch of time, as engines, agents and trailing stops read it.
 *
 * Promises: pure; bars lie on the grid of the epoch (a bar of an hour starts at a full hour UTC); the true range and its average
 * are those of Wilder, as every charting program computes them.
 * Never: knows where bars come from (layers/market/market.port.ts).
 */
import { BigDecimal } from "effect"
import { type Decimal, decimal, divideRounded } from "../kernel/decimal.ts"

/** [startMs, endMs), epoch milliseconds. Prices and volume are decimal strings; low <= open, close <= high. */
export interface Bar {
  readonly symbol: string
  readonly startMs: number
  readonly endMs: number
  readonly open: string
  readonly high: string
  readonly low: string
  readonly close: string
  /** Units traded. */
  readonly volume: string
}

/** The bars of a symbol that a caller wants: the last `count` that have ended at `atMs`. */
export interface BarsRequest {
  readonly symbol: string
  readonly timeframeMs: number
  readonly count: number
  readonly atMs: number
}

/** The greatest of the bar's own range and its distance from the close before it. */
const trueRange = (bar: Bar, before: Bar): Decimal => {
  const [high, low, close] = [decimal(bar.high), decimal(bar.low), decimal(before.close)]
  return BigDecimal.max(high, close).pipe(BigDecimal.subtract(BigDecimal.min(low, close)))
}

/**
 * Average true range over `length` bars, which is at least 1: the mean of the first `length`, smoothed over all later ones. Bars
 * are the oldest first. Null with fewer than `length + 1` of them: each needs the close before it.
 */
export const averageTrueRange = (bars: ReadonlyArray<Bar>, length: number): Decimal | null => {
  const ranges = bars.slice(1).map((bar, i) => trueRange(bar, bars[i] ?? bar))
  if (ranges.length < length) return null
  const count = BigDecimal.fromBigInt(BigInt(length))
  const first = divideRounded(BigDecimal.sumAll(ranges.slice(0, length)), count)
  return ranges.slice(length).reduce((average, range) => {
    const kept = BigDecimal.multiply(average, BigDecimal.fromBigInt(BigInt(length - 1)))
    return divideRounded(BigDecimal.sum(kept, range), count)
  }, first)
}
