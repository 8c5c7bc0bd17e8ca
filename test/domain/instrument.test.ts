/** Symbols are checked for form and kept as given; option days exist in the calendar. */
import { assert, describe, it } from "@effect/vitest"

import { readExpiration, readSymbol } from "../../src/domain/instrument.ts"
import { fieldLimits } from "../../src/domain/limits.ts"

describe("a symbol", () => {
  for (const symbol of [
    "SPY",
    "spy",
    "BTC-USDT",
    "BTC/USD",
    "BINANCE:BTCUSDT",
    "BINANCE:BTCUSDT.P",
    "BRK.B",
    "ES1!",
    "^SPX",
    "CL=F".replace("=", "_"),
    "M&M",
    "600519",
    "O:SPY251219C00600000",
    "SPY   251219C00600000",
    "日経225"
  ]) {
    it(`[${symbol}] is kept as it was given`, () => {
      assert.deepStrictEqual(readSymbol(symbol), { text: symbol })
    })
  }

  it("is trimmed, and nothing else", () => {
    assert.deepStrictEqual(readSymbol("  btc-USDT "), { text: "btc-USDT" })
  })

  for (const [name, symbol] of [
    ["empty", ""],
    ["blank", "   "],
    ["a line break", "SP\nY"],
    ["NUL", "SP\u0000Y"],
    ["a mark that reverses text", "SP\u202eY"],
    ["an unfilled placeholder", "{{ticker}}"],
    ["markup", "<b>SPY</b>"],
    ["a quote", "SPY'--"],
    ["a leading point", "../etc"],
    ["a number", 5],
    ["null", null],
    ["too long", "A".repeat(fieldLimits.symbolLengthMax + 1)]
  ] as const) {
    it(`[${name}] is refused`, () => {
      assert.property(readSymbol(symbol), "message")
    })
  }
})

describe("an expiration", () => {
  it("is a day of the calendar, written in one way", () => {
    assert.deepStrictEqual(readExpiration("2025-12-19"), { text: "2025-12-19" })
    assert.deepStrictEqual(readExpiration("20251219"), { text: "2025-12-19" })
    assert.deepStrictEqual(readExpiration("2028-02-29"), { text: "2028-02-29" })
  })
  for (const value of [
    "2025-02-29",
    "2025-04-31",
    "2025-00-10",
    "1999-12-31",
    "2100-01-01",
    "12/19/2025",
    "",
    null,
    20251219
  ]) {
    it(`[${String(value)}] is refused`, () => {
      assert.property(readExpiration(value), "message")
    })
  }
})
