import { assert, describe, it } from "@effect/vitest"
import type { PlanAccount } from "../../../src/domain/orders/plan-context.ts"
import { account, contextOf, decided, nowMs, signal, with2 } from "./decision-world.ts"

const approval = { deadlineMs: 60_000, otherwise: "deny", priceMovePctMax: "1" } as const
const settings = with2({ approval })
const quote = { symbol: "SPY", bid: "99", ask: "101", last: "100", atMs: nowMs }
const quoteOf = () => quote
const long: Partial<PlanAccount> = {
  positions: [
    {
      symbol: "SPY",
      quantity: "3",
      averagePrice: "100",
      confirmed: "3",
      disputed: false,
      shares: [{ strategy: "s1", quantity: "3" }]
    }
  ]
}
const told = (given: Parameters<typeof decided>[0]) => {
  const { decision } = decided({ settings, quoteOf, ...given })
  return {
    outcome: decision.outcome,
    reason: decision.reason,
    orders: decision.orders.map(
      ({ approval: asks, intent, leg, quantity, reason, side, status }) =>
        `${leg} ${intent} ${side} ${quantity} ${status} ${reason ?? "-"} ${asks === null ? "unasked" : `asked at ${asks.price ?? "?"}`}`
    )
  }
}

describe("a strategy that asks a human first (G9)", () => {
  it("holds what opens, with what is shown to whoever decides, once every check has passed", () => {
    assert.deepStrictEqual(told({}), {
      outcome: "held",
      reason: "approval",
      orders: ["0 entry buy 1 held approval asked at 101"]
    })
    const { decision } = decided({ settings, quoteOf })
    assert.deepInclude(decision.orders[0]?.approval, approval)
    assert.deepInclude(
      decision.checks.find(({ check }) => check === "approval"),
      { code: "approval", numbers: { deadline_ms: 60_000, otherwise: "deny", price: "101" } }
    )
    // It may wait as long as its signal is young enough, and no longer.
    assert.strictEqual(decision.orders[0]?.validUntilMs, signal.expiresFromMs + 300_000)
  })

  it("asks nobody about a close", () => {
    assert.deepStrictEqual(
      told({
        signal: { ...signal, direction: null, intent: "close" },
        context: contextOf({}, account("paper-1", long))
      }),
      { outcome: "ordered", reason: null, orders: ["0 reduce sell 3 intended - unasked"] }
    )
  })

  it("closes its share at once when it reverses, and asks about the rest", () => {
    assert.deepStrictEqual(
      told({ signal: { ...signal, direction: "SHORT" }, context: contextOf({}, account("paper-1", long)) }),
      {
        outcome: "ordered",
        reason: null,
        orders: ["1 reduce sell 3 intended - unasked", "0 entry sell 1 held approval asked at 99"]
      }
    )
  })

  it("asks nobody about what a check denies, and asks as well about what the trading state holds", () => {
    const denied = told({ settings: { ...settings, limits: { ...settings.limits, quantityMax: "0.5" } } })
    assert.deepStrictEqual(denied.orders, ["0 entry buy 1 denied quantity unasked"])
    const halted = told({ context: contextOf({ trading: new Map([["global", "HALTED"]]) }) })
    assert.deepStrictEqual(halted.orders, ["0 entry buy 1 held trading_halted asked at 101"])
  })

  it("counts what waits like any other order that is held", () => {
    const one = { ...settings, limits: { ...settings.limits, openPositionsPerSymbolMax: 1 } }
    const waiting = account("paper-1", {
      orders: [
        {
          symbol: "SPY",
          strategy: "s1",
          side: "buy",
          intent: "entry",
          status: "held",
          count: 1,
          quantity: "1",
          filledQuantity: "0",
          price: null
        }
      ]
    })
    assert.deepStrictEqual(told({ settings: one, context: contextOf({}, waiting) }).outcome, "denied")
  })
})
