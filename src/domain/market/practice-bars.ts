/**
 * Practice bars: the bars of the practice market.
 *
 * They are sampled from the same function of time that its quotes come from, so a chart and the fills of the venue agree, any
 * bar of any past can be asked for, and a restart changes none of them.
 *
 * Promises: pure; the same seed, symbol and time give the same bars in every process; a bar opens and closes at the price that was
 * quoted then.
 * Never: samples more than `SAMPLES` prices of a bar: its high and low are those of its samples, so a longer bar is coarser.
 */
import type { Bar, BarsRequest } from "./bar.ts"
import { PRACTICE_STEP_MS, practiceNumber, practiceSeries } from "./practice-price.ts"

/** One per second of a bar of a minute; sixty of an hour. Five hundred bars of any length take a few milliseconds. */
const SAMPLES = 60

/** What is traded in a minute, on average. */
const VOLUME_PER_MINUTE = 2_000

/** The last `count` bars of a symbol in the market of `seed` that have ended at `atMs`, the oldest first. */
export const practiceBars = (
  seed: number,
  { atMs, count, symbol, timeframeMs }: BarsRequest
): ReadonlyArray<Bar> => {
  const series = practiceSeries(seed, symbol)
  const sampleMs = Math.max(PRACTICE_STEP_MS, timeframeMs / SAMPLES)
  const barOf = (startMs: number): Bar => {
    const endMs = startMs + timeframeMs
    const open = series.ticksAt(startMs)
    const close = series.ticksAt(Math.max(startMs, endMs - PRACTICE_STEP_MS))
    let high = Math.max(open, close)
    let low = Math.min(open, close)
    for (let ms = startMs + sampleMs; ms < endMs; ms += sampleMs) {
      const ticks = series.ticksAt(ms)
      high = Math.max(high, ticks)
      low = Math.min(low, ticks)
    }
    // From a tenth to twice the average.
    const share = 0.1 + 1.9 * practiceNumber(seed, `volume ${symbol} ${timeframeMs}`, startMs / timeframeMs)
    return {
      symbol,
      startMs,
      endMs,
      open: series.text(open),
      high: series.text(high),
      low: series.text(low),
      close: series.text(close),
      volume: String(Math.max(1, Math.round((VOLUME_PER_MINUTE * share * timeframeMs) / 60_000)))
    }
  }
  const first = Math.floor(atMs / timeframeMs) - count
  return Array.from({ length: count }, (_, i) => barOf((first + i) * timeframeMs))
}
