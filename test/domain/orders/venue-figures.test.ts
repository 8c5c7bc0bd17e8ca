import { assert, describe, it } from "@effect/vitest"
import { figureLimits } from "../../../src/domain/kernel/risk-limits.ts"
import {
  balanceProblem,
  fillProblem,
  orderProblem,
  positionProblem
} from "../../../src/domain/orders/venue-figures.ts"

const balance = (cash: unknown, buyingPower: unknown = "1") => balanceProblem({ cash, buyingPower })
const position = (quantity: unknown, averagePrice: unknown = "1") =>
  positionProblem({ quantity, averagePrice })
const fill = (given: object) => fillProblem({ quantity: "1", price: "1", fee: "0", ...given })
const order = (given: object) =>
  orderProblem({ quantity: "1", filledQuantity: "0", limitPrice: null, averagePrice: null, ...given })

describe("a figure of a venue", () => {
  it.each([
    ["cash", balance("0")],
    ["buying power", balance("1", "0.5")],
    ["a short position", position("-5")],
    ["a flat position", position("0", "0")],
    ["a fill with a rebate", fill({ fee: "-0.1" })],
    ["an order without prices", order({})],
    ["the largest money", balance("999999999999999.99")]
  ])("%s is believed", (_, problem) => assert.isNull(problem))

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
  ])("%s is not", (_, problem, words) => assert.include(problem, words))
})
