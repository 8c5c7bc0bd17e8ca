/** What a trade does to its order: exact sums, one rounded average, the right event of the table. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, BigDecimal, Schema } from "effect"

import { decimal, formatDecimal } from "../../../src/domain/kernel/decimal.ts"
import { type Filled, fillOrder, signedQuantity } from "../../../src/domain/orders/fill.ts"
import { unfilled } from "../../support/unopened.ts"

const fill = (quantity: string, price: string) => ({ quantity: decimal(quantity), price: decimal(price) })
const text = (filled: Filled): readonly [string, string | null] => [
  formatDecimal(filled.filledQuantity),
  filled.averagePrice === null ? null : formatDecimal(filled.averagePrice)
]

describe("an order that fills", () => {
  it("in one trade is complete at its price", () => {
    const step = fillOrder(decimal("1"), unfilled, fill("1", "601.5"))
    assert.strictEqual(step.event, "fill.complete")
    assert.deepStrictEqual(text(step), ["1", "601.5"])
  })

  it("in parts is partial until the parts add up exactly", () => {
    const first = fillOrder(decimal("0.3"), unfilled, fill("0.1", "10"))
    const second = fillOrder(decimal("0.3"), first, fill("0.2", "13"))
    assert.deepStrictEqual([first.event, second.event], ["fill.partial", "fill.complete"])
    assert.deepStrictEqual(text(second), ["0.3", "12"])
  })

  it("beyond its quantity says so", () => {
    const step = fillOrder(decimal("1"), unfilled, fill("1.000000000000000001", "10"))
    assert.strictEqual(step.event, "fill.excess")
    assert.deepStrictEqual(text(step), ["1.000000000000000001", "10"])
  })

  it("moves a position up by a buy and down by a sell", () => {
    assert.strictEqual(formatDecimal(signedQuantity({ side: "buy", quantity: decimal("2") })), "2")
    assert.strictEqual(formatDecimal(signedQuantity({ side: "sell", quantity: decimal("2") })), "-2")
  })

  const trades = Arbitrary.array(
    Arbitrary.schema(
      Schema.Struct({
        quantity: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000 })),
        price: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000_000 }))
      })
    ),
    { minLength: 1, maxLength: 12 }
  )
  it.prop(
    "has the exact sum of its trades in any order, and the average of their cost",
    [trades],
    ([list]) => {
      const parts = list.map(({ quantity, price }) => ({
        quantity: BigDecimal.make(BigInt(quantity), 6),
        price: BigDecimal.make(BigInt(price), 4)
      }))
      const total = BigDecimal.sumAll(parts.map((part) => part.quantity))
      const run = (order: typeof parts) => {
        let filled: Filled = unfilled
        const events = order.map((part) => {
          const step = fillOrder(total, filled, part)
          filled = step
          return step.event
        })
        return { filled, events }
      }
      const [forward, backward] = [run(parts), run(parts.toReversed())]
      assert.strictEqual(forward.events.at(-1), "fill.complete")
      assert.isTrue(forward.events.slice(0, -1).every((event) => event === "fill.partial"))
      assert.isTrue(BigDecimal.equals(forward.filled.filledQuantity, total))
      assert.isTrue(BigDecimal.equals(backward.filled.filledQuantity, total))
      const cost = BigDecimal.sumAll(parts.map((part) => BigDecimal.multiply(part.quantity, part.price)))
      const byAverage = BigDecimal.multiply(forward.filled.averagePrice ?? decimal("0"), total)
      const error = BigDecimal.abs(BigDecimal.subtract(cost, byAverage))
      // Half a unit of the 18th digit per trade, times the quantity it was averaged over.
      const allowed = BigDecimal.multiply(BigDecimal.make(BigInt(list.length), 18), total)
      assert.isTrue(BigDecimal.isLessThanOrEqualTo(error, allowed))
    },
    { arbitrary: { runs: 300, seed: 71 } }
  )
})
