/** What fills do to a position: exact quantity, realised profit that explains the cash, epochs that never repeat. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, BigDecimal, Schema } from "effect"

import { decimal, formatDecimal, zero } from "../../../src/domain/kernel/decimal.ts"
import { type Fill, signedQuantity } from "../../../src/domain/orders/fill.ts"
import { applyFill, isFlat, type Position } from "../../../src/domain/orders/position.ts"
import { flatPosition } from "../../support/unopened.ts"

const trade = (side: "buy" | "sell", quantity: string, price: string): Fill => ({
  side,
  quantity: decimal(quantity),
  price: decimal(price),
  fee: zero
})
const after = (...fills: ReadonlyArray<Fill>): Position =>
  fills.reduce((position, fill) => applyFill(position, fill).position, flatPosition)
const shown = (position: Position) => ({
  quantity: formatDecimal(position.quantity),
  average: formatDecimal(position.averagePrice),
  realised: formatDecimal(position.realisedPnl),
  epoch: position.epoch
})

describe("a position", () => {
  it("opens from flat, long or short, as its first epoch", () => {
    assert.deepStrictEqual(shown(after(trade("buy", "2", "10"))), {
      quantity: "2",
      average: "10",
      realised: "0",
      epoch: 1
    })
    assert.deepStrictEqual(shown(after(trade("sell", "2", "10"))), {
      quantity: "-2",
      average: "10",
      realised: "0",
      epoch: 1
    })
    assert.strictEqual(applyFill(flatPosition, trade("buy", "2", "10")).change, "opened")
  })

  it("that grows averages its price and realises nothing", () => {
    const step = applyFill(after(trade("sell", "1", "10")), trade("sell", "3", "14"))
    assert.deepStrictEqual(shown(step.position), { quantity: "-4", average: "13", realised: "0", epoch: 1 })
    assert.strictEqual(step.change, "increased")
  })

  it("that shrinks keeps its price and realises the difference, on both sides", () => {
    const long = applyFill(after(trade("buy", "4", "10")), trade("sell", "1", "13"))
    assert.deepStrictEqual(shown(long.position), { quantity: "3", average: "10", realised: "3", epoch: 1 })
    assert.strictEqual(long.change, "reduced")
    const short = applyFill(after(trade("sell", "4", "10")), trade("buy", "1", "13"))
    assert.deepStrictEqual(shown(short.position), { quantity: "-3", average: "10", realised: "-3", epoch: 1 })
    assert.strictEqual(formatDecimal(short.realisedPnl), "-3")
  })

  it("that closes is flat at price zero in the same epoch", () => {
    const step = applyFill(after(trade("buy", "2", "10")), trade("sell", "2", "9.5"))
    assert.deepStrictEqual(shown(step.position), { quantity: "0", average: "0", realised: "-1", epoch: 1 })
    assert.strictEqual(step.change, "closed")
    assert.isTrue(isFlat(step.position))
  })

  it("that opens again is a new epoch, keeps its profit and counts exits from zero", () => {
    const closed = { ...after(trade("buy", "2", "10"), trade("sell", "2", "11")), exits: 3 }
    const step = applyFill(closed, trade("sell", "1", "11"))
    assert.deepStrictEqual(shown(step.position), { quantity: "-1", average: "11", realised: "2", epoch: 2 })
    assert.deepStrictEqual([step.change, step.position.exits], ["opened", 0])
  })

  it("that flips closes one epoch and opens the next at the price of the fill", () => {
    const step = applyFill({ ...after(trade("buy", "2", "10")), exits: 2 }, trade("sell", "5", "12"))
    assert.deepStrictEqual(shown(step.position), { quantity: "-3", average: "12", realised: "4", epoch: 2 })
    assert.deepStrictEqual(
      [step.change, formatDecimal(step.realisedPnl), step.position.exits],
      ["flipped", "4", 0]
    )
  })

  it("is exact where binary numbers are not", () => {
    assert.strictEqual(
      formatDecimal(after(trade("buy", "0.1", "1"), trade("buy", "0.2", "1")).quantity),
      "0.3"
    )
  })

  it("is not changed by a fill of nothing: that is a bug", () => {
    assert.throws(
      () => applyFill(flatPosition, { ...trade("buy", "1", "1"), quantity: zero }),
      /invariant violated/
    )
  })
})

const fills = Arbitrary.array(
  Arbitrary.map(
    Arbitrary.schema(
      Schema.Struct({
        side: Schema.Literals(["buy", "sell"]),
        quantity: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5_000 })),
        price: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9_000_000 }))
      })
    ),
    ({ side, quantity, price }): Fill => ({
      side,
      quantity: BigDecimal.make(BigInt(quantity), 3),
      price: BigDecimal.make(BigInt(price), 4),
      fee: zero
    })
  ),
  { maxLength: 20 }
)
const cashOf = (list: ReadonlyArray<Fill>) =>
  BigDecimal.negate(
    BigDecimal.sumAll(list.map((fill) => BigDecimal.multiply(signedQuantity(fill), fill.price)))
  )

describe("any fills", () => {
  it.prop(
    "add up to the quantity of the position, in any order",
    [fills],
    ([list]) => {
      const sum = BigDecimal.sumAll(list.map(signedQuantity))
      assert.isTrue(BigDecimal.equals(after(...list).quantity, sum))
      assert.isTrue(BigDecimal.equals(after(...list.toReversed()).quantity, sum))
    },
    { arbitrary: { runs: 300, seed: 81 } }
  )

  it.prop(
    "move as much cash as was realised plus what is left at cost",
    [fills],
    ([list]) => {
      const position = after(...list)
      const atCost = BigDecimal.multiply(position.quantity, position.averagePrice)
      const explained = BigDecimal.subtract(position.realisedPnl, atCost)
      const error = BigDecimal.abs(BigDecimal.subtract(explained, cashOf(list)))
      // One rounding of at most half a unit of the 18th digit per fill, times the most that can be open: 20 x 5.
      assert.isTrue(
        BigDecimal.isLessThanOrEqualTo(error, BigDecimal.make(BigInt(list.length) * 100n, 18)),
        formatDecimal(error)
      )
    },
    { arbitrary: { runs: 500, seed: 82 } }
  )

  it("of an option contract realise the profit of its hundred units", () => {
    const open = applyFill(flatPosition, trade("buy", "2", "3"), decimal("100")).position
    const step = applyFill(open, trade("sell", "1", "4.5"), decimal("100"))
    assert.strictEqual(formatDecimal(step.realisedPnl), "150")
    assert.strictEqual(formatDecimal(step.position.averagePrice), "3")
  })

  it.prop(
    "realise in sum what their steps say, and open one epoch each time the position leaves flat or flips",
    [fills],
    ([list]) => {
      let position = flatPosition
      let realised = zero
      let openings = 0
      for (const fill of list) {
        const step = applyFill(position, fill)
        const [before, next] = [BigDecimal.sign(position.quantity), BigDecimal.sign(step.position.quantity)]
        if (next !== 0 && next !== before) openings += 1
        realised = BigDecimal.sum(realised, step.realisedPnl)
        assert.strictEqual(isFlat(step.position), step.change === "closed")
        assert.strictEqual(BigDecimal.isZero(step.position.averagePrice), isFlat(step.position))
        position = step.position
      }
      assert.strictEqual(position.epoch, openings)
      assert.isTrue(BigDecimal.equals(position.realisedPnl, realised))
    },
    { arbitrary: { runs: 300, seed: 83 } }
  )

  it.prop(
    "give the same position when the history is replayed from the start",
    [fills],
    ([list]) => {
      assert.deepStrictEqual(shown(after(...list)), shown(after(...list)))
      const half = Math.floor(list.length / 2)
      const resumed = list.slice(half).reduce((position, fill) => applyFill(position, fill).position, {
        ...after(...list.slice(0, half)),
        // As it comes back from its row: text and numbers only.
        quantity: decimal(formatDecimal(after(...list.slice(0, half)).quantity)),
        averagePrice: decimal(formatDecimal(after(...list.slice(0, half)).averagePrice))
      })
      assert.deepStrictEqual(shown(resumed), shown(after(...list)))
    },
    { arbitrary: { runs: 200, seed: 84 } }
  )
})
