import { assert, describe, it } from "@effect/vitest"
import { BigDecimal, Schema } from "effect"
import { decimal, formatDecimal } from "../../../src/domain/kernel/decimal.ts"
import { type Instrument, instrumentsOf } from "../../../src/domain/kernel/instruments.ts"
import type { SizingSettings } from "../../../src/domain/kernel/settings.ts"
import { roundedDown, type SizeInput, sizeOf } from "../../../src/domain/orders/position-size.ts"

const instrument = (symbol: string, lot?: string): Instrument =>
  instrumentsOf({ instruments: lot === undefined ? {} : { "*": { lot } } }).of(symbol)

const input = (
  given: Partial<SizeInput> & { readonly sizing?: SizingSettings | null; readonly stop?: string }
) => ({
  strategy: { quantity: "3", sizing: given.sizing ?? null, stopLossPct: given.stop ?? null, exits: null },
  instrument: given.instrument ?? instrument("SPY"),
  price: given.price === undefined ? "100" : given.price,
  equity: given.equity === undefined ? decimal("100000") : given.equity
})
const sized = (named: string | null, given: Parameters<typeof input>[0]): string => {
  const size = sizeOf(named, input(given))
  return size._tag === "Size" ? size.quantity : size.code
}
const by = (rule: SizingSettings["by"], amount: string): SizingSettings => ({ by: rule, amount })

describe("the size of an entry", () => {
  it.each([
    ["a sender's own, whatever the strategy would take", "7", { sizing: by("notional", "5000") }, "7"],
    ["a sender's own in parts, where nobody knows the lot", "0.5", {}, "0.5"],
    ["a sender's own, cut to a known lot", "2.7", { instrument: instrument("SPY", "0.5") }, "2.5"],
    ["a sender's own below a known lot", "0.4", { instrument: instrument("SPY", "0.5") }, "size_too_small"],
    ["fixed", null, {}, "3"],
    ["for a value", null, { sizing: by("notional", "5050") }, "50"],
    [
      "for a value of a contract",
      null,
      { sizing: by("notional", "11000"), instrument: instrument("ESZ26") },
      "2"
    ],
    ["for a value below one unit", null, { sizing: by("notional", "99") }, "size_too_small"],
    [
      "of a coin, in parts",
      null,
      { sizing: by("notional", "50"), instrument: instrument("BTC-USDT") },
      "0.5"
    ],
    ["for a share of the account", null, { sizing: by("equityPct", "1.5") }, "15"],
    ["for a risk", null, { sizing: by("riskPct", "1"), stop: "2" }, "500"],
    [
      "for a risk of a contract",
      null,
      { sizing: by("riskPct", "1"), stop: "2", instrument: instrument("ESZ26") },
      "10"
    ],
    ["without a price", null, { sizing: by("notional", "5000"), price: null }, "size_price_missing"],
    ["fixed, without a price", null, { price: null }, "3"],
    [
      "of an account whose worth is unknown",
      null,
      { sizing: by("equityPct", "1"), equity: null },
      "size_equity_missing"
    ],
    [
      "of an account that has nothing",
      null,
      { sizing: by("equityPct", "1"), equity: decimal("-5") },
      "size_too_small"
    ]
  ] as const)("[%s]", (_name, named, given, expected) => {
    assert.strictEqual(sized(named, given), expected)
  })

  it("by risk takes the tightest stop that is known before it opens", () => {
    const exits = {
      trailingPct: "4",
      trailingAmount: "1",
      trailingAtr: null,
      breakEvenAfterPct: null,
      holdMsMax: null
    }
    const given = input({ sizing: by("riskPct", "1"), stop: "2" })
    const size = sizeOf(null, { ...given, strategy: { ...given.strategy, exits } })
    assert.deepInclude(size, { _tag: "Size", quantity: "1000" })
  })

  const Cents = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5_000_000 }))
  const Lot = Schema.Literals(["1", "0.5", "0.001", "25", "0.00000001"])
  const cents = (whole: number) => BigDecimal.make(BigInt(whole), 2)

  it.prop(
    "is whole lots, within its money, and one lot more would not be",
    {
      price: Cents,
      amount: Cents,
      lot: Lot,
      rule: Schema.Literals(["notional", "equityPct", "riskPct"]),
      stop: Cents
    },
    ({ amount, lot, price, rule, stop }) => {
      const equity = decimal("123456.78")
      const pct = formatDecimal(BigDecimal.make(BigInt((amount % 10_000) + 1), 2))
      const stopPct = formatDecimal(BigDecimal.make(BigInt((stop % 5_000) + 1), 2))
      const sizing = by(rule, rule === "notional" ? formatDecimal(cents(amount)) : pct)
      const given = input({
        sizing,
        equity,
        price: formatDecimal(cents(price)),
        stop: stopPct,
        instrument: instrument("SPY", lot)
      })
      const size = sizeOf(null, given)
      const of = (text: string) => BigDecimal.multiply(decimal(text), BigDecimal.make(1n, 2))
      const money = rule === "notional" ? cents(amount) : BigDecimal.multiply(equity, of(pct))
      const each = rule === "riskPct" ? BigDecimal.multiply(cents(price), of(stopPct)) : cents(price)
      const units = size._tag === "Size" ? decimal(size.quantity) : decimal("0")
      assert.isTrue(BigDecimal.isZero(BigDecimal.remainderUnsafe(units, decimal(lot))), "whole lots")
      assert.isFalse(BigDecimal.isGreaterThan(BigDecimal.multiply(units, each), money), "within its money")
      const more = BigDecimal.multiply(BigDecimal.sum(units, decimal(lot)), each)
      assert.isTrue(BigDecimal.isGreaterThan(more, money), "the largest")
    },
    { arbitrary: { runs: 400, seed: 5 } }
  )
})

describe("rounding", () => {
  it.prop(
    "a rounded size is a multiple of its step, at most the size, and less than a step below it",
    {
      value: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000_000 })),
      step: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5_000 }))
    },
    ({ step, value }) => {
      const [of, unit] = [BigDecimal.make(BigInt(value), 4), BigDecimal.make(BigInt(step), 3)]
      const down = roundedDown(of, unit)
      assert.isTrue(BigDecimal.isZero(BigDecimal.remainderUnsafe(down, unit)))
      const rest = BigDecimal.subtract(of, down)
      assert.isTrue(!BigDecimal.isNegative(rest) && BigDecimal.isLessThan(rest, unit))
    },
    { arbitrary: { runs: 300, seed: 9 } }
  )
})
