/** T3b: what a symbol means is the settings' map; a prefix is dropped, a continuous contract is never guessed. */
import { assert, describe, it } from "@effect/vitest"

import { meaningOf, type SymbolMap } from "../../../src/domain/kernel/symbol-map.ts"

const paper = (given: string, symbols: SymbolMap = {}) => {
  const meaning = meaningOf(given, { mode: "PAPER", symbols })
  return meaning._tag === "Means" ? `${meaning.symbol} ${meaning.how}` : meaning.code
}

describe("without a map", () => {
  for (const [given, expected] of [
    ["SPY", "SPY as_given"],
    ["BRK.B", "BRK.B as_given"],
    ["BTC-USDT", "BTC-USDT as_given"],
    ["EURUSD=X", "EURUSD=X as_given"],
    [".SPX270115C5500", ".SPX270115C5500 as_given"],
    ["SPY 2026-12-18 C 600", "SPY 2026-12-18 C 600 as_given"],
    ["NASDAQ:AAPL", "AAPL prefix_dropped"],
    ["BINANCE:BTCUSDT.P", "BTCUSDT.P prefix_dropped"],
    ["O:SPY251219C00600000", "SPY251219C00600000 prefix_dropped"],
    ["CME_MINI:ESZ2026", "ESZ2026 prefix_dropped"],
    ["/ESZ26:XCME", "/ESZ26:XCME as_given"],
    ["BTC/USDT:USDT", "BTC/USDT:USDT as_given"],
    ["NASDAQ:AAPL/NASDAQ:MSFT", "NASDAQ:AAPL/NASDAQ:MSFT as_given"],
    ["NASDAQ:", "NASDAQ: as_given"],
    [":AAPL", ":AAPL as_given"],
    ["/MESZ26", "/MESZ26 as_given"],
    ["@ESZ26", "@ESZ26 as_given"],
    ["ES1!", "symbol_continuous"],
    ["NQ2!", "symbol_continuous"],
    ["CME_MINI:ES1!", "symbol_continuous"],
    ["/ES", "symbol_continuous"],
    ["/M2K", "symbol_continuous"],
    ["@ES", "symbol_continuous"],
    ["@ES#C", "symbol_continuous"],
    ["ES=F", "symbol_continuous"]
  ] as const) {
    it(`[${given}] is ${expected}`, () => assert.strictEqual(paper(given), expected))
  }
})

describe("with a map", () => {
  const map = { "ES1!": "ESZ26", "COINBASE:BTCUSD": "BTC-USD", BTCUSD: "XBT/USD", "@ES": "/ESZ26:XCME" }
  for (const [given, expected] of [
    ["ES1!", "ESZ26 mapped"],
    ["CME_MINI:ES1!", "ESZ26 mapped"],
    ["COINBASE:BTCUSD", "BTC-USD mapped"],
    ["KRAKEN:BTCUSD", "XBT/USD mapped"],
    ["@ES", "/ESZ26:XCME mapped"],
    ["toString", "toString as_given"]
  ] as const) {
    it(`[${given}] is ${expected}`, () => assert.strictEqual(paper(given, map), expected))
  }
  it("an entry is not looked up again", () => {
    assert.strictEqual(paper("A", { A: "B", B: "C" }), "B mapped")
  })
})
