import { assert, describe, it } from "@effect/vitest"
import { figureLimits } from "../../../src/domain/kernel/risk-limits.ts"
import {
  averageProblem,
  balanceProblem,
  fillProblem,
  heldProblem,
  orderProblem
} from "../../../src/domain/orders/venue-figures.ts"

// Judged inside its test: what runs while tests are collected counts as run by every test of the mutation tester.
const balance =
  (cash: unknown, buyingPower: unknown = "1") =>
  () =>
    balanceProblem({ cash, buyingPower })
const position =
  (quantity: unknown, averagePrice: unknown = "1") =>
  () =>
    heldProblem({ quantity }) ?? averageProblem({ averagePrice })
const fill = (given: object) => () => fillProblem({ quantity: "1", price: "1", fee: "0", ...given })
const order = (given: object) => () =>
  orderProblem({
    quantity: "1",
    filledQuantity: "0",
    limitPrice: null,
    stopPrice: null,
    averagePrice: null,
    ...given
  })

describe("a figure of a venue", () => {
  it.each([
    ["cash", balance("0")],
    ["buying power", balance("1", "0.5")],
    ["a short position", position("-5")],
    ["a flat position", position("0", "0")],
    ["a fill with a rebate", fill({ fee: "-0.1" })],
    ["an order without prices", order({})],
    ["the largest money", balance("999999999999999.99")]
  ])("%s is believed", (_, problem) => assert.isNull(problem()))

  it.each([
    ["cash that is NaN", balance("NaN"), "cash is no number"],
    ["cash that is null", balance(null), "cash is no number: null"],
    ["cash that is missing", balance(undefined), "cash is no number"],
    ["cash that is a double", balance(5), "cash is no number"],
    ["cash that is Infinity", balance("Infinity"), "cash is no number"],
    ["cash below zero", balance("-0.01"), "cash is negative"],
    ["absurd cash", balance(figureLimits.moneyBelow), "cash is absurd"],
    ["buying power below zero", balance("1", "-1"), "buying power is negative"],
    ["a position of NaN", position("NaN"), "quantity is no number"],
    ["an absurd short position", position(`-${figureLimits.quantityBelow}`), "quantity is absurd"],
    ["a position at a negative price", position("1", "-1"), "average price is negative"],
    ["a fill of nothing", fill({ quantity: "0" }), "quantity is zero"],
    ["a fill the other way", fill({ quantity: "-1" }), "quantity is negative"],
    ["a fill for nothing", fill({ price: "0" }), "price is zero"],
    ["a fill at an absurd price", fill({ price: figureLimits.priceBelow }), "price is absurd"],
    ["a fee of NaN", fill({ fee: "NaN" }), "fee is no number"],
    ["an order of nothing", order({ quantity: "0" }), "quantity is zero"],
    ["an order filled by less than nothing", order({ filledQuantity: "-1" }), "filled quantity is negative"],
    ["an order at NaN", order({ averagePrice: "NaN" }), "average price is no number"]
  ])("%s is not", (_, problem, words) => assert.include(problem(), words))
})

describe("a problem of a figure", () => {
  const { moneyBelow, priceBelow, quantityBelow } = figureLimits
  it.each([
    ["text", balance("NaN"), 'cash is no number: "NaN"'],
    ["no text", balance(5), "cash is no number: 5"],
    ["what is missing", balance(undefined), "cash is no number: undefined"],
    ["below zero", balance("1", "-1"), 'buying power is negative: "-1"'],
    ["zero", fill({ quantity: "0" }), "quantity is zero"],
    ["too much", balance("1", moneyBelow), `buying power is absurd: "${moneyBelow}"`]
  ])("names the field and the value as it was received [%s]", (_, problem, expected) =>
    assert.strictEqual(problem(), expected)
  )

  it("shows the beginning of a long value", () => {
    const problem = balance("x".repeat(1_000))()
    assert.strictEqual(problem, `cash is no number: "${"x".repeat(figureLimits.shownMax - 1)}`)
  })

  it("is the first one of several", () => assert.include(balance("NaN", "-1")(), "cash"))

  it.each([
    ["the price of a position", position("1", priceBelow), "average price is absurd"],
    ["the price of a position that is missing", position("1", null), "average price is no number: null"],
    ["a long position", position(quantityBelow), "quantity is absurd"],
    ["a fill", fill({ quantity: quantityBelow }), "quantity is absurd"],
    ["a fee", fill({ fee: moneyBelow }), "fee is absurd"],
    ["a rebate", fill({ fee: `-${moneyBelow}` }), "fee is absurd"],
    ["a fill's price that is missing", fill({ price: null }), "price is no number: null"],
    ["an order", order({ quantity: quantityBelow }), "quantity is absurd"],
    ["an order without a quantity", order({ quantity: null }), "quantity is no number: null"],
    ["what an order has filled", order({ filledQuantity: quantityBelow }), "filled quantity is absurd"],
    ["a limit of zero", order({ limitPrice: "0" }), "limit price is zero"],
    ["a limit below zero", order({ limitPrice: "-1" }), "limit price is negative"],
    ["a limit", order({ limitPrice: priceBelow }), "limit price is absurd"],
    ["an average below zero", order({ averagePrice: "-1" }), "average price is negative"],
    ["an average", order({ averagePrice: priceBelow }), "average price is absurd"]
  ])("is found in every field [%s]", (_, problem, words) => assert.include(problem(), words))

  it.each([
    ["a filled order with its prices", order({ filledQuantity: "1", limitPrice: "10", averagePrice: "9.5" })],
    ["an order whose average is zero until it fills", order({ averagePrice: "0" })],
    ["the largest fee", fill({ fee: "999999999999999" })]
  ])("is not seen where there is none [%s]", (_, problem) => assert.isNull(problem()))
})
