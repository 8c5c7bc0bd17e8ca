/**
 * Practice positioning: open interest and funding in the practice market.
 *
 * Functions of seed, symbol and time, as its prices are (practice-price.ts), so that two processes and a restart agree. Open interest moves as
 * that of a listed contract does: some percent in a day, little in an hour. Funding is set for eight hours and is mostly paid by longs.
 *
 * Promises: pure; the same (seed, symbol, time) gives the same in every process; open interest is a positive whole number and stays
 * within a factor of two of the contract's base.
 * Never: has any for what is neither a perpetual nor a future; shares and options have none.
 */
import { perpetualOf, plainInstruments } from "../kernel/instruments.ts"
import type { Funding, Positioning, PositioningRequest } from "./positioning.ts"
import { practiceNumber } from "./practice-price.ts"

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** Perpetuals are settled at 00:00, 08:00 and 16:00 UTC, as on the large exchanges. */
const FUNDING_MS = 8 * HOUR_MS

/** How often open interest is published. */
const STEP_MS = 60_000

/** Bases are spread evenly in ratio between these. */
const BASE_MIN = 1_000
const BASE_MAX = 1_000_000

/** Period and the largest log-change each contributes: together 0.34, a factor of 1.4. */
const LAYERS: ReadonlyArray<{ readonly periodMs: number; readonly amplitude: number }> = [
  { periodMs: 7 * DAY_MS, amplitude: 0.25 },
  { periodMs: DAY_MS, amplitude: 0.08 },
  { periodMs: HOUR_MS, amplitude: 0.01 }
]

/** What longs pay on average in a period, and the most that it differs from that: -0.03 % to 0.05 %. */
const FUNDING_MEAN = 0.0001
const FUNDING_SPREAD = 0.0004
const FUNDING_DIGITS = 6

/** In [-1, 1): the values of the two neighbouring points of a layer, blended. */
const smooth = (seed: number, name: string, position: number): number => {
  const index = Math.floor(position)
  const t = position - index
  const blend = t * t * (3 - 2 * t)
  const [before, after] = [practiceNumber(seed, name, index), practiceNumber(seed, name, index + 1)]
  return 2 * (before * (1 - blend) + after * blend) - 1
}

const openInterestAt = (seed: number, symbol: string, atMs: number): string => {
  const name = `open interest ${symbol}`
  const base = BASE_MIN * (BASE_MAX / BASE_MIN) ** practiceNumber(seed, name, 0)
  const stepMs = Math.floor(atMs / STEP_MS) * STEP_MS
  let change = 0
  for (const { amplitude, periodMs } of LAYERS)
    change += amplitude * smooth(seed, `${name} ${periodMs}`, stepMs / periodMs)
  return String(Math.round(base * Math.exp(change)))
}

const fundingAt = (seed: number, symbol: string, atMs: number): Funding => {
  const period = Math.floor(atMs / FUNDING_MS)
  // Two numbers, so that what is near the mean is more frequent.
  const around =
    practiceNumber(seed, `funding ${symbol}`, period) +
    practiceNumber(seed, `funding ${symbol} too`, period) -
    1
  const perUnit = 10 ** FUNDING_DIGITS
  // Rounded first: what is almost nothing would be written with a minus.
  const rate = Math.round((FUNDING_MEAN + FUNDING_SPREAD * around) * perUnit) / perUnit
  return { rate: rate.toFixed(FUNDING_DIGITS), atMs: (period + 1) * FUNDING_MS }
}

/** What is open in a contract of the market of `seed`, and its funding; null for what has neither. */
export const practicePositioning = (
  seed: number,
  { atMs, symbol: asked }: PositioningRequest
): Positioning | null => {
  const perpetual = perpetualOf(asked)
  if (perpetual === null && plainInstruments.of(asked).kind !== "future") return null
  const symbol = perpetual ?? asked
  return {
    symbol,
    openInterest: openInterestAt(seed, symbol, atMs),
    openInterestDayAgo: openInterestAt(seed, symbol, atMs - DAY_MS),
    funding: perpetual === null ? null : fundingAt(seed, symbol, atMs)
  }
}
