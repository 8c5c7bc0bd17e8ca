import { assert, describe, it } from "vitest"
import { decimal, formatDecimal } from "../../../src/domain/kernel/decimal.ts"
import { exitDue, exitPricesOf, sameTerms, termsOf } from "../../../src/domain/orders/protection.ts"

const prices = (quantity: string, average: string, stop: string | null, target: string | null) => {
  const at = exitPricesOf(decimal(quantity), decimal(average), {
    stopLossPct: stop === null ? null : decimal(stop),
    profitTargetPct: target === null ? null : decimal(target)
  })
  const text = (price: typeof at.stopPrice) => (price === null ? null : formatDecimal(price))
  return [text(at.stopPrice), text(at.targetPrice)]
}

describe("exit prices", () => {
  it.each([
    ["a long", "1", "100", "2", "3", ["98", "103"]],
    ["a short", "-1", "100", "2", "3", ["102", "97"]],
    ["fractions, exactly", "0.5", "0.333", "1.5", "0.1", ["0.328005", "0.333333"]],
    ["neither", "1", "100", null, null, [null, null]],
    ["a flat position", "0", "100", "2", "3", [null, null]],
    ["a stop of everything is no stop", "1", "100", "100", null, [null, null]]
  ] as const)("[%s]", (_name, quantity, average, stop, target, expected) => {
    assert.deepStrictEqual(prices(quantity, average, stop, target), [...expected])
  })
})

describe("when an exit is due", () => {
  const judge = (quantity: string, bid: string | null, ask: string | null) =>
    exitDue(
      decimal(quantity),
      quantity.startsWith("-")
        ? { stopPrice: decimal("102"), targetPrice: decimal("97") }
        : { stopPrice: decimal("98"), targetPrice: decimal("103") },
      { bid: bid === null ? null : decimal(bid), ask: ask === null ? null : decimal(ask) }
    )
  it.each([
    ["a long above its stop", "1", "98.01", "98.02", null],
    ["a long at its stop", "1", "98", "98.01", "stop_loss"],
    ["a long is judged by the bid and not by the ask", "1", "97.9", "98.5", "stop_loss"],
    ["a long at its target", "1", "103", "103.1", "profit_target"],
    ["a short is judged by the ask", "-1", "101", "102", "stop_loss"],
    ["a short below its stop", "-1", "101", "101.99", null],
    ["a short at its target", "-1", "96", "97", "profit_target"],
    ["a side that is not quoted protects nothing", "1", null, "90", null],
    ["a flat position", "0", "1", "1", null]
  ] as const)("[%s]", (_name, quantity, bid, ask, expected) => {
    assert.strictEqual(judge(quantity, bid, ask), expected)
  })
})

describe("the terms of a share", () => {
  const terms = (stop: string | null, target: string | null) => () =>
    termsOf({ stopLossPct: stop, profitTargetPct: target })

  it("are those of its strategy, and none without one", () => {
    assert.deepStrictEqual(terms("2", null)(), { stopLossPct: decimal("2"), profitTargetPct: null })
    assert.deepStrictEqual(terms(null, "3")(), { stopLossPct: null, profitTargetPct: decimal("3") })
    assert.deepStrictEqual(termsOf(undefined), { stopLossPct: null, profitTargetPct: null })
  })

  it.each([
    ["both", terms("2", "3"), terms("2.0", "3"), true],
    ["neither", terms(null, null), terms(null, null), true],
    ["another stop", terms("2", "3"), terms("2.1", "3"), false],
    ["another target", terms("2", "3"), terms("2", "4"), false],
    ["a stop that is gone", terms("2", "3"), terms(null, "3"), false],
    ["a stop that is new", terms(null, "3"), terms("2", "3"), false],
    ["a target that is gone", terms("2", "3"), terms("2", null), false]
  ])("are compared as numbers [%s]", (_, armed, now, same) =>
    assert.strictEqual(sameTerms(armed(), now()), same)
  )
})

describe("an exit at its edge", () => {
  const due = (
    quantity: string,
    stop: string | null,
    target: string | null,
    quote: { readonly bid: string | null; readonly ask: string | null }
  ) => {
    const read = (text: string | null) => (text === null ? null : decimal(text))
    return exitDue(
      decimal(quantity),
      { stopPrice: read(stop), targetPrice: read(target) },
      { bid: read(quote.bid), ask: read(quote.ask) }
    )
  }
  it.each([
    ["a long just below its target", "1", "98", "103", { bid: "102.99", ask: "103" }, null],
    ["a short just above its target", "-1", "102", "97", { bid: "97", ask: "97.01" }, null],
    ["a gap that reaches both: the stop wins", "1", "105", "103", { bid: "104", ask: "104" }, "stop_loss"],
    ["a stop alone", "1", "98", null, { bid: "97", ask: null }, "stop_loss"],
    ["a target alone", "1", null, "103", { bid: "104", ask: null }, "profit_target"],
    ["neither", "1", null, null, { bid: "1", ask: "1" }, null],
    ["a short without an ask", "-1", "102", "97", { bid: "150", ask: null }, null]
  ] as const)("[%s]", (_, quantity, stop, target, quote, expected) =>
    assert.strictEqual(due(quantity, stop, target, quote), expected)
  )

  it.each([
    ["a target of everything below a short is no target", "-1", "100", null, "100", [null, null]],
    ["a stop far above a short stays", "-1", "100", "150", null, ["250", null]],
    ["just above zero is a price", "1", "100", "99.99", null, ["0.01", null]]
  ] as const)("[%s]", (_, quantity, average, stop, target, expected) =>
    assert.deepStrictEqual(prices(quantity, average, stop, target), [...expected])
  )

  it("is written without trailing zeros, as it is stored", () => {
    const { stopPrice } = exitPricesOf(
      decimal("1"),
      decimal("100"),
      termsOf({ stopLossPct: "2", profitTargetPct: null })
    )
    assert.deepStrictEqual(stopPrice, decimal("98"))
  })
})
