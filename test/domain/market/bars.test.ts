import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { formatDecimal } from "../../../src/domain/kernel/decimal.ts"
import { averageTrueRange, type Bar } from "../../../src/domain/market/bar.ts"
import { practiceBars } from "../../../src/domain/market/practice-bars.ts"
import { practiceQuote } from "../../../src/domain/market/practice-price.ts"

const atMs = 1_790_000_030_500
const minute = 60_000

const bar = (high: number, low: number, close: number): Bar => ({
  symbol: "SPY",
  startMs: 0,
  endMs: minute,
  open: String(close),
  high: String(high),
  low: String(low),
  close: String(close),
  volume: "1"
})

describe("bars of the practice market", () => {
  it.prop(
    "lie on the grid, have ended, follow each other and contain their own prices",
    {
      seed: Schema.Int,
      symbol: Schema.NonEmptyString,
      timeframeMs: Schema.Literals([1_000, minute, 5 * minute, 60 * minute, 1_440 * minute])
    },
    ({ seed, symbol, timeframeMs }) => {
      const bars = practiceBars(seed, { symbol, timeframeMs, count: 20, atMs })
      assert.lengthOf(bars, 20)
      assert.isAtMost(bars.at(-1)?.endMs ?? Infinity, atMs)
      assert.isAbove((bars.at(-1)?.endMs ?? 0) + timeframeMs, atMs)
      for (const [i, { close, endMs, high, low, open, startMs, volume }] of bars.entries()) {
        assert.strictEqual(startMs % timeframeMs, 0)
        assert.strictEqual(endMs, startMs + timeframeMs)
        if (i > 0) assert.strictEqual(startMs, bars[i - 1]?.endMs)
        const [least, most] = [Math.min(Number(open), Number(close)), Math.max(Number(open), Number(close))]
        assert.isTrue(Number(low) <= least && most <= Number(high) && Number(low) > 0)
        assert.match(volume, /^[1-9]\d*$/)
      }
    },
    { arbitrary: { runs: 60, seed: 11 } }
  )

  it("open and close at what was quoted, and are the same however they are asked for", () => {
    const many = practiceBars(1, { symbol: "SPY", timeframeMs: minute, count: 100, atMs })
    const few = practiceBars(1, { symbol: "SPY", timeframeMs: minute, count: 10, atMs: atMs - 5 * minute })
    assert.deepStrictEqual(many.slice(-15, -5), few)
    for (const { close, endMs, open, startMs } of few) {
      assert.strictEqual(open, practiceQuote(1, "SPY", startMs).last)
      assert.strictEqual(close, practiceQuote(1, "SPY", endMs - 1).last)
    }
    assert.notDeepEqual(practiceBars(2, { symbol: "SPY", timeframeMs: minute, count: 10, atMs }), few)
  })
})

describe("average true range", () => {
  it("is the mean of the first ranges, then smoothed", () => {
    // Ranges: 4, then a gap from 10 up to 16 (16 - 10 = 6), then 2.
    const bars = [bar(10, 8, 9), bar(12, 8, 10), bar(16, 14, 15), bar(16, 14, 15)]
    const text = (length: number) => {
      const range = averageTrueRange(bars, length)
      return range === null ? null : formatDecimal(range)
    }
    assert.strictEqual(text(3), "4")
    // (5 x 1 + 2) / 2
    assert.strictEqual(text(2), "3.5")
    assert.strictEqual(text(1), "2")
    assert.isNull(text(4))
    assert.isNull(averageTrueRange([], 1))
  })
})
