import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { futuresTable } from "../../../src/domain/kernel/futures-table.ts"
import { PRACTICE_STEP_MS, practiceQuote } from "../../../src/domain/market/practice-price.ts"

const year = 31_536_000_000
const Instant = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 80 * year }))

describe("practice price", () => {
  it.prop(
    "any symbol at any time has bid < last < ask, positive, in cents",
    { seed: Schema.Int, symbol: Schema.String, at: Instant },
    ({ seed, symbol, at }) => {
      const quote = practiceQuote(seed, symbol, at)
      for (const price of [quote.bid, quote.last, quote.ask]) assert.match(price, /^\d+\.\d\d$/)
      assert.isTrue(Number(quote.bid) > 0)
      assert.isTrue(Number(quote.bid) < Number(quote.last) && Number(quote.last) < Number(quote.ask))
    },
    { arbitrary: { runs: 500, seed: 7 } }
  )

  it("a quote holds for one step and is the same wherever it is asked", () => {
    const at = 1_790_000_000_000
    assert.deepStrictEqual(practiceQuote(1, "SPY", at), practiceQuote(1, "SPY", at + PRACTICE_STEP_MS - 1))
    // Pinned: two releases of the two programs must agree too.
    assert.deepStrictEqual(practiceQuote(1, "SPY", at), {
      bid: "48.26",
      ask: "48.28",
      last: "48.27",
      atMs: at
    })
  })

  it("a contract on a share costs what the share makes it worth, and its hundred units fit into an account", () => {
    const share = Number(practiceQuote(1, "SPY", 1_790_000_000_000).last)
    for (let strike = 1; strike <= 200; strike += 1) {
      const { ask, bid, last } = practiceQuote(1, `SPY 2026-12-18 C ${strike}`, 1_790_000_000_000)
      assert.isTrue(Number(bid) > 0 && Number(bid) < Number(last) && Number(last) < Number(ask))
      assert.isAtLeast(Number(last) + 0.005, share - strike)
      assert.isBelow(Number(ask) * 100, 100_000)
    }
  })

  it("a contract that only its venue can define has a price of its own, in the range of contracts", () => {
    for (const symbol of ["BTC-USD 2026-12-18 C 100", "./ESZ26 EW3Z26 C5500", "SPY 2026-12-18 C 0"]) {
      const ask = Number(practiceQuote(1, symbol, 1_790_000_000_000).ask)
      assert.isTrue(ask > 0.2 && ask < 40, `${symbol} ${ask}`)
    }
  })

  it("one contract of every listed future fits into an account, at a price of three digits and more", () => {
    for (const [root, { multiplier }] of Object.entries(futuresTable)) {
      for (const symbol of [`${root}Z26`, `${root}1!`, `/${root}`]) {
        const quote = practiceQuote(1, symbol, 1_790_000_000_000)
        assert.isBelow(Number(quote.ask) * Number(multiplier), 50_000, symbol)
        assert.isAbove(Number(quote.last.replace(".", "")), 999, symbol)
        assert.isTrue(
          Number(quote.bid) < Number(quote.last) && Number(quote.last) < Number(quote.ask),
          symbol
        )
      }
    }
  })

  it("seeds and symbols have prices of their own", () => {
    const at = 1_790_000_000_000
    const prices = [practiceQuote(1, "SPY", at), practiceQuote(2, "SPY", at), practiceQuote(1, "QQQ", at)]
    assert.strictEqual(new Set(prices.map((p) => p.last)).size, 3)
  })

  it("a price moves within an hour, in small steps, and stays within a factor of two of where it was", () => {
    const at = 1_790_000_000_000
    const walk = Array.from({ length: 14_400 }, (_, i) =>
      Number(practiceQuote(1, "SPY", at + i * PRACTICE_STEP_MS).last)
    )
    assert.isTrue(new Set(walk).size > 100)
    for (const [i, price] of walk.entries()) {
      if (i > 0) assert.isTrue(Math.abs(price / (walk[i - 1] ?? price) - 1) < 0.01)
    }
    const years = Array.from({ length: 2_000 }, (_, i) =>
      Number(practiceQuote(1, "SPY", i * 604_800_000).last)
    )
    assert.isTrue(Math.max(...years) / Math.min(...years) < 4)
  })
})
