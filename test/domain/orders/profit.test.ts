import { assert, describe, it } from "@effect/vitest"
import { decimal, formatDecimal } from "../../../src/domain/kernel/decimal.ts"
import { profitOf, sumOfProfits, unrealisedOf } from "../../../src/domain/orders/profit.ts"

const valuation = { marketPrice: () => "110", multiplierOf: () => decimal("50") }
const long = { symbol: "SPY", quantity: "2", averagePrice: "100" }
const short = { symbol: "QQQ", quantity: "-1", averagePrice: "100" }

describe("profits of several accounts", () => {
  it("add up part by part: realised, fees, what is open, and what is left of it", () => {
    const sum = sumOfProfits([
      profitOf({ realised: "5", fees: "1", open: [long] }, valuation),
      profitOf({ realised: "-7", fees: "2", open: [short] }, valuation),
      profitOf({ realised: "0", fees: "0", open: [] }, valuation)
    ])
    const text = (value: typeof sum.net) => (value === null ? null : formatDecimal(value))
    assert.deepStrictEqual(
      [text(sum.realised), text(sum.fees), text(sum.unrealised), text(sum.net)],
      ["-2", "3", "500", "495"]
    )
  })

  it("of open positions count each with its side and its contract size", () => {
    const unrealised = unrealisedOf([long, short], valuation)
    assert.deepStrictEqual(unrealised === null ? null : formatDecimal(unrealised), "500")
  })
})
