import { assert, describe, it } from "@effect/vitest"
import { plainInstruments } from "../../../src/domain/kernel/instruments.ts"
import { feeOf, type VenueFees } from "../../../src/domain/kernel/venue-fee.ts"

const fees: VenueFees = {
  equity: { perUnit: "0.005", pct: "0", minimum: "1" },
  option: { perUnit: "0.65", pct: "0", minimum: "0" },
  crypto: { perUnit: "0", pct: "0.1", minimum: "0" },
  future: { perUnit: "2", pct: "0.001", minimum: "0" }
}
const fee = (symbol: string, quantity: string, price: string, of: VenueFees = fees) =>
  feeOf(of, plainInstruments.of(symbol), { quantity, price })

describe("what a trade costs", () => {
  it.each([
    ["SPY", "10", "600", "1"],
    ["SPY", "200", "600", "1"],
    ["SPY", "1000", "600", "5"],
    ["SPY 2026-12-18 C 600", "3", "4.2", "1.95"],
    ["BTC-USD", "0.5", "60000", "30"],
    ["BTC-USD", "0.00000001", "3", "0"],
    // Fifty units of money for each point of its price.
    ["ESZ6", "2", "6000", "10"],
    ["EUR/USD", "1000", "1.1", "0"]
  ])("%s: %s at %s costs %s", (symbol, quantity, price, wanted) => {
    assert.strictEqual(fee(symbol, quantity, price), wanted)
  })

  it("is nothing where the settings say nothing", () => {
    assert.strictEqual(fee("SPY", "10", "600", {}), "0")
  })
})
