/** T3b: symbols of any sender are taken, in one case; option days exist in the calendar. */
import { assert, describe, it } from "@effect/vitest"

import { readExpiration, readSymbol } from "../../../src/domain/kernel/instrument.ts"
import { fieldLimits } from "../../../src/domain/kernel/limits-signals.ts"

describe("a symbol", () => {
  for (const symbol of [
    "SPY",
    "BTC-USDT",
    "BTC/USDT",
    "BINANCE:BTCUSDT.P",
    "NASDAQ:AAPL",
    "BRK.B",
    "BRK B",
    "ES1!",
    "/ES",
    "/MESZ26",
    "/ESZ26:XCME",
    "@ES",
    "@ES#C",
    "ES=F",
    "EURUSD=X",
    "^SPX",
    "$SPX.X",
    ".SPX270115C5500",
    "./ESZ26 E1AZ26 261218C6000",
    "M&M",
    "600519",
    "O:SPY251219C00600000",
    "SPY   251219C00600000",
    "AAPL/MSFT*2-1",
    "(USDJPY+EURUSD)/2",
    "A".repeat(fieldLimits.symbolLengthMax)
  ]) {
    it(`[${symbol}] is a symbol`, () => {
      assert.deepStrictEqual(readSymbol(symbol), { text: symbol })
    })
  }

  it("is trimmed and in upper case, and nothing else", () => {
    assert.deepStrictEqual(readSymbol("  btc-USDT "), { text: "BTC-USDT" })
    assert.deepStrictEqual(readSymbol("es1!"), { text: "ES1!" })
  })

  for (const [name, symbol] of [
    ["empty", ""],
    ["blank", "   "],
    ["a line break", "SP\nY"],
    ["NUL", "SP\u0000Y"],
    ["a mark that reverses text", "SP\u202eY"],
    ["an unfilled placeholder", "{{ticker}}"],
    ["a placeholder inside", "NASDAQ:{{ticker}}"],
    ["an exchange without a symbol", "NASDAQ:"],
    ["a symbol with an empty exchange", ":AAPL"],
    ["letters beyond ASCII", "日経225"],
    ["a letter that upper case makes two of", "ß"],
    ["a blank that is not ASCII", "SPY\u00a0X"],
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
