/** Instruments: settings before tables, tables before spelling, and what comes only from spelling is marked. */
import { assert, describe, it } from "@effect/vitest"

import { decimal } from "../../../src/domain/kernel/decimal.ts"
import { futuresTable } from "../../../src/domain/kernel/futures-table.ts"
import {
  instrumentNumbers,
  instrumentsOf,
  multiplierOf,
  plainInstruments
} from "../../../src/domain/kernel/instruments.ts"
import { contractMultiplier } from "../../../src/domain/kernel/option-contract.ts"

describe("by the tables and the spelling alone", () => {
  for (const [symbol, kind, multiplier, currency, assumed] of [
    ["SPY", "equity", "1", "USD", true],
    ["BRK.B", "equity", "1", "USD", true],
    ["600519", "equity", "1", "USD", true],
    // The bare root of a future is a share of somebody.
    ["ES", "equity", "1", "USD", true],
    ["SIL", "equity", "1", "USD", true],
    ["ESZ26", "future", "50", "USD", false],
    ["ESZ6", "future", "50", "USD", false],
    ["ESZ2026", "future", "50", "USD", false],
    ["/MESZ26", "future", "5", "USD", false],
    ["/ESZ26:XCME", "future", "50", "USD", false],
    ["/ES", "future", "50", "USD", false],
    ["@NQ", "future", "20", "USD", false],
    ["@ES#C", "future", "50", "USD", false],
    ["CL1!", "future", "1000", "USD", false],
    ["GC=F", "future", "100", "USD", false],
    ["6EH27", "future", "125000", "USD", false],
    ["MYMU26", "future", "0.5", "USD", false],
    ["SR3Z26", "future", "2500", "USD", false],
    ["/XYZZ26", "future", "1", "USD", true],
    ["FDAX1!", "future", "1", "USD", true],
    ["XYZ26", "equity", "1", "USD", true],
    ["SPY 2026-12-18 C 600", "option", "100", "USD", false],
    ["BRK B 2026-12-18 P 0.5", "option", "100", "USD", false],
    ["SPY261218C00600000", "option", "100", "USD", false],
    ["SPY   261218C00600000", "option", "100", "USD", false],
    [".SPX270115C5500", "option", "100", "USD", false],
    ["SPY261218C600.0", "option", "100", "USD", false],
    ["SPY1261218C00600000", "option", "100", "USD", true],
    ["./ESZ26 E1AZ26 261218C6000", "option", "50", "USD", true],
    ["BTC-USDT 2026-12-18 C 90000", "option", "100", "USD", true],
    ["BTC-USDT", "crypto", "1", "USDT", false],
    ["BTC/USD", "crypto", "1", "USD", false],
    ["BTCUSDT", "crypto", "1", "USDT", false],
    ["ETHBTC", "crypto", "1", "BTC", false],
    ["USDC-USD", "crypto", "1", "USD", false],
    ["WIFUSDT", "crypto", "1", "USDT", true],
    ["BTCUSDT.P", "crypto", "1", "USDT", true],
    ["BTC-USDT-SWAP", "crypto", "1", "USDT", true],
    ["BTC/USDT:USDT", "crypto", "1", "USDT", true],
    ["EURUSD", "fx", "1", "USD", false],
    ["EUR/USD", "fx", "1", "USD", false],
    ["USDJPY", "fx", "1", "JPY", false],
    ["EURUSD=X", "fx", "1", "USD", false]
  ] as const) {
    it(`[${symbol}] is ${kind} x ${multiplier} in ${currency}${assumed ? ", assumed" : ""}`, () => {
      assert.deepInclude(plainInstruments.of(symbol), { symbol, kind, multiplier, currency, assumed })
      assert.strictEqual(plainInstruments.of(symbol).basis, assumed ? "spelling" : "table")
    })
  }

  it("every row of the table is a multiplier and a tick above zero", () => {
    for (const [root, { multiplier, tick }] of Object.entries(futuresTable)) {
      assert.isTrue(decimal(multiplier).value > 0n && decimal(tick).value > 0n, root)
      assert.deepInclude(plainInstruments.of(`${root}Z26`), { kind: "future", multiplier, tick, lot: "1" })
    }
  })

  it("have the calendars that we keep", () => {
    assert.deepStrictEqual(
      ["SPY", "SPY 2026-12-18 C 600", "BTC-USDT", "ESZ26", "EURUSD"].map(
        (symbol) => plainInstruments.of(symbol).calendar
      ),
      ["XNYS", "XNYS", "24x7", null, null]
    )
  })

  it("are what the multiplier of a contract is read from", () => {
    assert.deepStrictEqual(
      ["ESZ26", "SPY261218C00600000", "BRK B 2026-12-18 P 0.5", "SPY", "BRK B"].map((symbol) =>
        contractMultiplier(symbol)
      ),
      ["50", "100", "100", "1", "1"].map(decimal)
    )
  })
})

describe("by the settings", () => {
  const instruments = instrumentsOf({
    instruments: {
      "FDAX*": { kind: "future", multiplier: "25", tick: "1", currency: "EUR" },
      "*USDT.P": { multiplier: "0.001" },
      "BTCUSDT.P": { tick: "0.1" },
      "E*": { currency: "EUR" },
      "ES*": { multiplier: "51" },
      ESZ26: { lot: "2" },
      "A.C": { multiplier: "7" }
    }
  })

  it("an entry is the operator's word, and nothing of it is assumed any more", () => {
    assert.deepInclude(instruments.of("FDAXZ26"), {
      kind: "future",
      multiplier: "25",
      currency: "EUR",
      basis: "settings",
      assumed: false
    })
    assert.deepStrictEqual(multiplierOf(instruments, "FDAXZ26"), decimal("25"))
  })

  it("an entry that names no multiplier leaves it assumed", () => {
    assert.deepInclude(instruments.of("ETSY"), { currency: "EUR", basis: "settings", assumed: true })
  })

  it("entries add up field by field, and the most specific one has the last word", () => {
    assert.deepInclude(instruments.of("ESZ26"), {
      kind: "future",
      multiplier: "51",
      tick: "0.25",
      lot: "2",
      currency: "EUR"
    })
    assert.deepInclude(instruments.of("BTCUSDT.P"), { multiplier: "0.001", tick: "0.1", assumed: false })
  })

  it("a pattern is text but for its stars", () => {
    assert.strictEqual(instruments.of("A.C").multiplier, "7")
    assert.strictEqual(instruments.of("ABC").multiplier, "1")
  })

  it("have a calendar of their own where the settings name one, and only there", () => {
    const { ownCalendar } = instrumentsOf({
      instruments: { "ES*": { calendar: "XCME" }, ESTC: { calendar: "XNYS" }, "NQ*": { tick: "0.25" } }
    })
    const own = ["ESZ26", "ESTC", "NQZ26", "BTC-USDT"].map((symbol) => ownCalendar(symbol))
    assert.deepStrictEqual(own, ["XCME", "XNYS", null, null])
    assert.isNull(plainInstruments.ownCalendar("SPY"))
  })

  it("are made once for the same settings, and answer the same however much they were asked", () => {
    const settings = { instruments: { "X*": { multiplier: "3" } } }
    assert.strictEqual(instrumentsOf(settings), instrumentsOf(settings))
    for (let i = 0; i < 20_001; i += 1) instrumentsOf(settings).of(`X${i}`)
    assert.strictEqual(instrumentsOf(settings).of("X1").multiplier, "3")
  })
})

it("the trace names the state of the table", () => {
  assert.deepInclude(instrumentNumbers(plainInstruments.of("ESZ26")), { basis: "table", assumed: false })
  assert.isString(instrumentNumbers(plainInstruments.of("ESZ26"))["as_of"])
  assert.isNull(instrumentNumbers(plainInstruments.of("SPY"))["as_of"])
})
