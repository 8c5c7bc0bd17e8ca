import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { marketLimits } from "../../../src/layers/market/market.port.ts"
import { makePracticeMarket } from "../../../src/layers/market/market.practice.ts"
import { practiceBars } from "../../../src/domain/market/practice-bars.ts"
import { practicePositioning } from "../../../src/domain/market/practice-positioning.ts"
import { practiceQuote } from "../../../src/domain/market/practice-price.ts"

const running = (seed = 1) =>
  Effect.gen(function* () {
    const market = yield* makePracticeMarket({ seed, tickMs: 1_000 })
    let ticks = 0
    const fiber = yield* Effect.forkScoped(market.feed(Effect.sync(() => void (ticks += 1))), {
      startImmediately: true
    })
    return { market, fiber, ticks: () => ticks }
  })

describe("practice market", () => {
  it.effect("a subscribed symbol is quoted from the next tick on, at the price everybody computes", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const { market } = yield* running()
      assert.isTrue(market.subscribe("SPY"))
      assert.isNull(market.quote("SPY"))
      yield* TestClock.adjust("1 second")
      const expected = practiceQuote(1, "SPY", 1_790_000_001_000)
      assert.deepStrictEqual(market.quote("SPY"), {
        symbol: "SPY",
        bid: expected.bid,
        ask: expected.ask,
        last: expected.last,
        at: new Date(1_790_000_001_000)
      })
      assert.isNull(market.quote("QQQ"))
    })
  )

  it.effect("it ticks once per period of the clock, and not at all unasked", () =>
    Effect.gen(function* () {
      const { market, ticks } = yield* running()
      assert.strictEqual(ticks(), 1)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(ticks(), 11)
      assert.deepStrictEqual(market.status(), { live: true, symbols: 0, lastTickAt: new Date(10_000) })
    })
  )

  it.effect(
    "open interest and funding are those of the seed while the feed runs, and none once it does not",
    () =>
      Effect.gen(function* () {
        const { market, fiber } = yield* running(3)
        const asked = { symbol: "BTC-USDT-PERP", atMs: 1_790_000_000_000 }
        assert.deepStrictEqual(yield* market.positioning(asked), practicePositioning(3, asked))
        assert.isNull(yield* market.positioning({ ...asked, symbol: "SPY" }))
        yield* Fiber.interrupt(fiber)
        assert.isNull(yield* market.positioning(asked))
      })
  )

  it.effect("a look-up answers at once while the feed runs, and null once it does not", () =>
    Effect.gen(function* () {
      const { market, fiber } = yield* running()
      assert.strictEqual((yield* market.lookUp("SPY", 1_000))?.symbol, "SPY")
      yield* Fiber.interrupt(fiber)
      assert.isNull(yield* market.lookUp("SPY", 1_000))
      assert.isFalse(market.status().live)
      // What was known stays known; its age tells that it is old.
      assert.strictEqual(market.quote("SPY")?.at.getTime(), 0)
    })
  )

  it.effect(
    "bars come from the prices of its seed while the feed runs; a request that asks too much is refused",
    () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(1_790_000_000_000)
        const { market, fiber } = yield* running(7)
        const request = { symbol: "SPY", timeframeMs: 60_000, count: 3, atMs: 1_790_000_000_000 }
        assert.deepStrictEqual(yield* market.bars(request), practiceBars(7, request))
        const refused = [
          { ...request, count: 501 },
          { ...request, count: 0 },
          { ...request, timeframeMs: 10 }
        ]
        for (const wrong of refused)
          assert.strictEqual((yield* Effect.flip(market.bars(wrong)))._tag, "BarsUnavailable")
        yield* Fiber.interrupt(fiber)
        assert.strictEqual((yield* Effect.flip(market.bars(request))).reason, "the feed does not run")
      })
  )

  it.effect("a reader of ticks sees every tick with all symbols", () =>
    Effect.gen(function* () {
      const { market } = yield* running()
      market.subscribe("SPY")
      market.subscribe("QQQ")
      const reader = yield* Effect.forkChild(market.ticks.pipe(Stream.take(2), Stream.runCollect), {
        startImmediately: true
      })
      yield* TestClock.adjust("2 seconds")
      const ticks = yield* Fiber.join(reader)
      assert.deepStrictEqual(
        ticks.map((tick) => tick.map((q) => `${q.symbol}@${q.at.getTime()}`)),
        [
          ["SPY@1000", "QQQ@1000"],
          ["SPY@2000", "QQQ@2000"]
        ]
      )
    })
  )

  it.effect("symbols are bounded: the one too many is refused, the known ones stay", () =>
    Effect.gen(function* () {
      const { market } = yield* running()
      for (let i = 0; i < marketLimits.symbolsMax; i++) assert.isTrue(market.subscribe(`S${i}`))
      assert.isFalse(market.subscribe("ONE-TOO-MANY"))
      assert.isNull(yield* market.lookUp("ONE-TOO-MANY", 1_000))
      assert.isTrue(market.subscribe("S0"))
    })
  )
})
