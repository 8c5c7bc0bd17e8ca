import { assert, describe, it } from "vitest"
import { decimal, formatDecimal } from "../../../src/domain/kernel/decimal.ts"
import { exitDue, exitPricesOf } from "../../../src/domain/orders/protection.ts"

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
