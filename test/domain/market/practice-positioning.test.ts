import { assert, describe, it } from "@effect/vitest"
import { practicePositioning } from "../../../src/domain/market/practice-positioning.ts"

const now = 1_790_000_000_000
const day = 86_400_000
const at = (symbol: string, atMs = now, seed = 1) => practicePositioning(seed, { symbol, atMs })

describe("practice positioning", () => {
  it.each([
    ["BTC-USDT-PERP", "BTC-USDT-PERP", true],
    ["BTC/USDT:USDT", "BTC/USDT:USDT", true],
    ["BTCUSDT.P", "BTCUSDT.P", true],
    // A pair has none of its own: those of the perpetual on it, which is named.
    ["BTC-USDT", "BTC-USDT-PERP", true],
    ["ETHUSDT", "ETHUSDT-PERP", true],
    // A future expires: nobody is paid to hold it.
    ["ESZ6", "ESZ6", false],
    ["NQ1!", "NQ1!", false]
  ])("[%s] is about %s", (asked, symbol, hasFunding) => {
    const found = at(asked)
    assert.strictEqual(found?.symbol, symbol)
    assert.strictEqual(found?.funding !== null, hasFunding)
    assert.match(String(found?.openInterest), /^[1-9]\d*$/)
  })

  it.each(["SPY", "SPY 2026-12-18 C 450", "EURUSD", "BTCUSD=X"])("[%s] has none", (symbol) =>
    assert.isNull(at(symbol))
  )

  it("is the same for a seed, and another for another", () => {
    assert.deepStrictEqual(at("BTC-USDT-PERP"), at("BTC-USDT-PERP"))
    assert.notDeepEqual(at("BTC-USDT-PERP"), at("BTC-USDT-PERP", now, 2))
    assert.notDeepEqual(at("BTC-USDT-PERP"), at("ETH-USDT-PERP"))
    // Pinned: two releases must agree too.
    assert.deepStrictEqual(at("BTC-USDT-PERP"), {
      symbol: "BTC-USDT-PERP",
      openInterest: "48529",
      openInterestDayAgo: "46544",
      funding: { rate: "-0.000179", atMs: 1_790_006_400_000 }
    })
  })

  it("open interest of a day ago is what was open then, and a day moves it by some percent", () => {
    const changes = Array.from({ length: 60 }, (_, n) => {
      const later = at("BTC-USDT-PERP", now + n * day)
      assert.strictEqual(later?.openInterestDayAgo, at("BTC-USDT-PERP", now + (n - 1) * day)?.openInterest)
      return Math.abs(Number(later?.openInterest) / Number(later?.openInterestDayAgo) - 1)
    })
    assert.isBelow(Math.max(...changes), 0.5)
    assert.isAbove(changes.reduce((sum, change) => sum + change, 0) / changes.length, 0.01)
  })

  it("funding is set for eight hours, within what exchanges have on a plain day, and paid by both sides", () => {
    const hour = 3_600_000
    const midnight = Math.floor(now / day) * day
    const rates = Array.from({ length: 300 }, (_, n) => {
      const begun = at("BTC-USDT-PERP", midnight + 8 * hour * n)?.funding
      assert.strictEqual(begun?.atMs, midnight + 8 * hour * (n + 1))
      assert.deepStrictEqual(at("BTC-USDT-PERP", midnight + 8 * hour * (n + 1) - 1)?.funding, begun)
      return Number(begun?.rate)
    })
    assert.isTrue(rates.every((rate) => rate >= -0.0003 && rate <= 0.0005))
    const [longs, shorts] = [rates.filter((rate) => rate > 0).length, rates.filter((rate) => rate < 0).length]
    assert.isTrue(shorts > 10 && longs > shorts, `${longs} ${shorts}`)
  })
})
