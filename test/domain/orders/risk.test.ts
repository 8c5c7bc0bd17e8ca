import type { TradingStateName } from "../../../src/domain/kernel/trading-state.ts"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { formatDecimal } from "../../../src/domain/kernel/decimal.ts"
import { contractMultiplier } from "../../../src/domain/kernel/option-contract.ts"
import { evaluateRisk, riskTable } from "../../../src/domain/orders/risk.ts"
import {
  type BookOrder,
  type BookPosition,
  exposureOf,
  withOrder,
  worstQuantity
} from "../../../src/domain/orders/risk-book.ts"
import type { RiskAccount, RiskInput, RiskLimits } from "../../../src/domain/orders/risk-input.ts"

const nowMs = Date.parse("2026-11-23T15:00:00Z")
const limits: RiskLimits = {
  openPositionsMax: null,
  openPositionsPerSymbolMax: null,
  quantityMax: null,
  notionalMax: null,
  exposureMax: null,
  buyingPowerMultiple: null
}
const account = (given: Partial<RiskAccount> = {}): RiskAccount => ({
  enabled: true,
  reconciledAtMs: nowMs - 1_000,
  calendar: "24x7",
  startingCash: "1000",
  realisedPnl: "0",
  balance: null,
  positions: [],
  orders: [],
  ...given
})
const held = (symbol: string, quantity: string, averagePrice = "100"): BookPosition => ({
  symbol,
  quantity,
  averagePrice,
  confirmed: quantity,
  disputed: false,
  shares: [{ strategy: "default", quantity }]
})
const open = (given: Partial<BookOrder>): BookOrder => ({
  symbol: "SPY",
  strategy: "default",
  side: "buy",
  intent: "entry",
  status: "acked",
  count: 1,
  quantity: "1",
  filledQuantity: "0",
  price: "100",
  ...given
})
const base: RiskInput = {
  column: "entry",
  step: "decide",
  nowMs,
  trading: { state: "ACTIVE", scope: "global" },
  byOperator: false,
  account: account(),
  positionConfirmed: true,
  order: { symbol: "SPY", strategy: "default", side: "buy", quantity: "1", price: "100", given: null },
  quote: { last: "100" },
  scopes: [],
  breakers: [],
  origin: {
    expiresFromMs: nowMs - 5_000,
    ageMaxMs: 300_000,
    alreadyOrdered: false,
    sidePolicy: "both",
    symbols: null
  },
  limits,
  marketPrice: () => "100",
  multiplierOf: contractMultiplier
}
const origin = base.origin ?? assert.fail("an entry has an origin")
const outcome = (given: Partial<RiskInput>): string => {
  const { outcome } = evaluateRisk({ ...base, ...given })
  return outcome._tag === "Passed" ? "Passed" : `${outcome._tag} ${outcome.code}`
}
const verdict = (check: string, given: Partial<RiskInput>) =>
  evaluateRisk({ ...base, ...given }).verdicts.find((it) => it.check === check)

describe("T6, column by column", () => {
  it("names every check of an entry, in the order in which denials are named", () => {
    assert.deepStrictEqual(
      evaluateRisk(base).verdicts.map(({ check }) => check),
      [
        "trading_state",
        "account_enabled",
        "reconciled",
        "calendar",
        "age",
        "duplicate",
        "side_policy",
        "symbol_list",
        "symbol_resolved",
        "position_agrees",
        "open_positions",
        "per_symbol",
        "orders_per_minute",
        "quantity",
        "price",
        "notional",
        "exposure",
        "price_collar",
        "buying_power",
        "breaker",
        "cooldown",
        "daily_loss",
        "drawdown",
        "loss_streak"
      ]
    )
    assert.isTrue(evaluateRisk(base).verdicts.every(({ ok, code }) => ok && code === null))
  })
  it("asks a reduce only for trading state, a confirmed position, the calendar and the price", () => {
    assert.deepStrictEqual(
      evaluateRisk({ ...base, column: "reduce", origin: null }).verdicts.map(({ check }) => check),
      ["trading_state", "reconciled", "calendar", "price_collar"]
    )
  })
  it("asks a cancel nothing, whatever the state", () => {
    const cancel = {
      ...base,
      column: "cancel",
      origin: null,
      trading: { state: "HALTED", scope: "global" }
    } as const
    assert.deepStrictEqual(evaluateRisk(cancel), { outcome: { _tag: "Passed" }, verdicts: [] })
  })
  it("has a row for nothing but entries and reduces", () => {
    assert.isFalse(riskTable.some(({ columns }) => columns.includes("cancel")))
  })
})

describe("trading state", () => {
  const state = (state: TradingStateName) => ({ trading: { state, scope: "global" } })
  const reduce = { column: "reduce", origin: null } as const
  it("holds entries while halted or reducing (T2: 201, orders held)", () => {
    assert.strictEqual(outcome(state("HALTED")), "Held trading_halted")
    assert.strictEqual(outcome(state("REDUCING")), "Held trading_reducing")
  })
  it("lets a reduce pass while reducing, and while halted only an operator's", () => {
    assert.strictEqual(outcome({ ...reduce, ...state("REDUCING") }), "Passed")
    assert.strictEqual(outcome({ ...reduce, ...state("HALTED") }), "Held trading_halted")
    assert.strictEqual(outcome({ ...reduce, ...state("HALTED"), byOperator: true }), "Passed")
  })
  it("denies instead of holding when another check denies", () => {
    assert.strictEqual(
      outcome({ ...state("HALTED"), limits: { ...limits, quantityMax: "0.5" } }),
      "Denied quantity"
    )
  })
})

describe("readiness", () => {
  it("denies a disabled account", () =>
    assert.strictEqual(outcome({ account: account({ enabled: false }) }), "Denied account_disabled"))
  it("defers while the account is not reconciled, and reads nothing of its book meanwhile", () => {
    const result = evaluateRisk({
      ...base,
      account: account({ reconciledAtMs: null, orders: [open({ status: "needs_operator" })] })
    })
    assert.deepStrictEqual(result.outcome, { _tag: "Deferred", code: "account_not_reconciled" })
    assert.notInclude(
      result.verdicts.map(({ check }) => check),
      "symbol_resolved"
    )
  })
  it("defers a reduce until the broker confirmed the position", () => {
    assert.strictEqual(
      outcome({ column: "reduce", origin: null, positionConfirmed: false }),
      "Deferred position_not_confirmed"
    )
  })
})

describe("calendar", () => {
  const closed = {
    account: account({ calendar: "XNYS" }),
    nowMs: Date.parse("2026-11-26T15:00:00Z"),
    origin: { ...origin, expiresFromMs: Date.parse("2026-11-26T14:59:59Z") }
  }
  it("denies an entry on a holiday and says when the exchange opens", () => {
    assert.strictEqual(outcome(closed), "Denied market_closed")
    assert.strictEqual(
      verdict("calendar", closed)?.numbers["next_open_ms"],
      Date.parse("2026-11-27T14:30:00Z")
    )
  })
  it("holds a reduce until the exchange opens", () => {
    assert.strictEqual(outcome({ ...closed, column: "reduce", origin: null }), "Held market_closed")
  })
  it("opens nothing when the announced days are over, and lets a close follow the rules", () => {
    const over = { ...closed, nowMs: Date.parse("2029-01-03T15:00:00Z") }
    const entry = { ...over, origin: { ...origin, expiresFromMs: over.nowMs } }
    assert.strictEqual(outcome(entry), "Denied calendar_over")
    assert.strictEqual(outcome({ ...over, column: "reduce", origin: null }), "Passed")
  })
})

describe("what an entry must be", () => {
  it("is young enough: the limit itself passes, a millisecond more does not", () => {
    assert.strictEqual(outcome({ origin: { ...origin, expiresFromMs: nowMs - 300_000 } }), "Passed")
    assert.strictEqual(outcome({ origin: { ...origin, expiresFromMs: nowMs - 300_001 } }), "Denied too_old")
    assert.deepStrictEqual(
      verdict("age", { origin: { ...origin, expiresFromMs: nowMs - 300_001 } })?.numbers,
      { age_ms: 300_001, limit_ms: 300_000 }
    )
  })
  it("is ordered once", () =>
    assert.strictEqual(outcome({ origin: { ...origin, alreadyOrdered: true } }), "Denied duplicate"))
  it("is on the list of symbols, an option by its underlying", () => {
    const listed = { origin: { ...origin, symbols: ["SPY"] } }
    assert.strictEqual(outcome(listed), "Passed")
    assert.strictEqual(
      outcome({ ...listed, order: { ...base.order, symbol: "SPY 2026-12-18 C 450" } }),
      "Passed"
    )
    assert.strictEqual(
      outcome({ ...listed, order: { ...base.order, symbol: "SPYG" } }),
      "Denied symbol_not_listed"
    )
  })
  it("is within the size limit", () => {
    assert.strictEqual(outcome({ limits: { ...limits, quantityMax: "1" } }), "Passed")
    assert.strictEqual(
      outcome({ limits: { ...limits, quantityMax: "0.999999999999999999" } }),
      "Denied quantity"
    )
  })
})

describe("side policy", () => {
  const sell = { ...base.order, side: "sell" } as const
  const long = { ...origin, sidePolicy: "long_only" } as const
  it("denies a short under long_only and a long under short_only, and neither under both", () => {
    assert.strictEqual(outcome({ order: sell, origin: long }), "Denied side_policy")
    assert.strictEqual(outcome({ origin: { ...origin, sidePolicy: "short_only" } }), "Denied side_policy")
    assert.strictEqual(outcome({ order: sell }), "Passed")
  })
  it("lets a sell close what is held, and counts a sell that is open already against it", () => {
    const holding = account({ positions: [held("SPY", "1")] })
    assert.strictEqual(outcome({ order: sell, origin: long, account: holding }), "Passed")
    assert.strictEqual(
      outcome({ order: sell, origin: long, account: { ...holding, orders: [open({ side: "sell" })] } }),
      "Denied side_policy"
    )
  })
  it("does not count a buy that has not filled as something to sell", () => {
    assert.strictEqual(
      outcome({ order: sell, origin: long, account: account({ orders: [open({})] }) }),
      "Denied side_policy"
    )
  })
})

describe("an order whose outcome is unknown", () => {
  for (const status of ["unknown", "resolving"] as const) {
    it(`[${status}] blocks its symbol for now, and its symbol only`, () => {
      const blocked = { account: account({ orders: [open({ status })] }) }
      assert.strictEqual(outcome(blocked), "Deferred symbol_unresolved")
      assert.strictEqual(outcome({ ...blocked, order: { ...base.order, symbol: "QQQ" } }), "Passed")
    })
  }
  it("denies at once when only a human can resolve it", () => {
    assert.strictEqual(
      outcome({ account: account({ orders: [open({ status: "needs_operator" })] }) }),
      "Denied symbol_needs_operator"
    )
  })
  it("counts in full, whatever was reported filled of it (F3)", () => {
    const doubtful = open({ status: "unknown", quantity: "4", filledQuantity: "3" })
    assert.strictEqual(
      formatDecimal(worstQuantity(account({ positions: [held("SPY", "3")], orders: [doubtful] }), "SPY")),
      "7"
    )
    const sure = { ...doubtful, status: "partially_filled" } as const
    assert.strictEqual(
      formatDecimal(worstQuantity(account({ positions: [held("SPY", "3")], orders: [sure] }), "SPY")),
      "4"
    )
  })
})

describe("limits on positions and money", () => {
  it("counts symbols with a position or an open order", () => {
    const two = {
      account: account({ positions: [held("A", "1"), held("Z", "0")], orders: [open({ symbol: "B" })] })
    }
    assert.strictEqual(outcome({ ...two, limits: { ...limits, openPositionsMax: 3 } }), "Passed")
    assert.strictEqual(
      outcome({ ...two, limits: { ...limits, openPositionsMax: 2 } }),
      "Denied open_positions"
    )
    assert.strictEqual(
      outcome({ ...two, limits: { ...limits, openPositionsMax: 2 }, order: { ...base.order, symbol: "B" } }),
      "Passed"
    )
  })
  it("counts entries of one symbol, and never refuses the order that closes", () => {
    const one = {
      account: account({ positions: [held("SPY", "1")] }),
      limits: { ...limits, openPositionsPerSymbolMax: 1 }
    }
    assert.strictEqual(outcome(one), "Denied per_symbol")
    assert.strictEqual(outcome({ ...one, order: { ...base.order, side: "sell" } }), "Passed")
    assert.strictEqual(
      outcome({ ...one, order: { ...base.order, side: "sell", quantity: "3" } }),
      "Denied per_symbol"
    )
  })
  it("bounds the notional of one order, an option by its hundred", () => {
    assert.strictEqual(outcome({ limits: { ...limits, notionalMax: "100" } }), "Passed")
    assert.strictEqual(outcome({ limits: { ...limits, notionalMax: "99.99" } }), "Denied notional")
    const option = { order: { ...base.order, symbol: "SPY 2026-12-18 C 450", price: "2" } }
    assert.strictEqual(outcome({ ...option, limits: { ...limits, notionalMax: "199" } }), "Denied notional")
  })
  it("bounds the exposure of the account with everything open in it", () => {
    const busy = {
      account: account({ positions: [held("A", "-2")], orders: [open({ symbol: "B", quantity: "3" })] })
    }
    assert.strictEqual(outcome({ ...busy, limits: { ...limits, exposureMax: "600" } }), "Passed")
    assert.strictEqual(outcome({ ...busy, limits: { ...limits, exposureMax: "599" } }), "Denied exposure")
    assert.deepStrictEqual(
      verdict("exposure", { ...busy, limits: { ...limits, exposureMax: "599" } })?.numbers,
      { before: "500", after: "600", limit: "599" }
    )
  })
  it("never refuses for exposure what lowers it, even far above the limit", () => {
    const over = {
      account: account({ positions: [held("SPY", "50")] }),
      limits: { ...limits, exposureMax: "10", notionalMax: "10", buyingPowerMultiple: "1" }
    }
    assert.strictEqual(outcome({ ...over, order: { ...base.order, side: "sell", quantity: "50" } }), "Passed")
  })
  it("bounds exposure by the account's own money, losses deducted", () => {
    const rule = { limits: { ...limits, buyingPowerMultiple: "1" } }
    assert.strictEqual(outcome({ ...rule, order: { ...base.order, quantity: "10" } }), "Passed")
    assert.strictEqual(
      outcome({
        ...rule,
        order: { ...base.order, quantity: "10" },
        account: account({ realisedPnl: "-0.01" })
      }),
      "Denied buying_power"
    )
  })
  it("waits for a price when a limit needs one, and needs none otherwise", () => {
    const blind = { order: { ...base.order, price: null }, marketPrice: () => null }
    assert.strictEqual(outcome(blind), "Passed")
    assert.strictEqual(
      outcome({ ...blind, limits: { ...limits, exposureMax: "1000000" } }),
      "Deferred price_missing"
    )
  })
  it("waits for the price of an open order as well: what has none is not worth nothing", () => {
    const busy = {
      account: account({ orders: [open({ symbol: "B", price: null })] }),
      marketPrice: (symbol: string) => (symbol === "SPY" ? "100" : null)
    }
    for (const limit of ["notionalMax", "exposureMax", "buyingPowerMultiple"])
      assert.strictEqual(
        outcome({ ...busy, limits: { ...limits, [limit]: "1000000" } }),
        "Deferred price_missing"
      )
    assert.strictEqual(outcome(busy), "Passed")
  })
  it("prices open orders of one symbol at the newest of their prices", () => {
    const { total } = exposureOf(
      account({ orders: [open({ price: "7" }), open({ price: "9" }), open({ price: null })] }),
      { marketPrice: () => null, multiplierOf: contractMultiplier }
    )
    assert.strictEqual(formatDecimal(total), "27")
  })
  it("prices a position without a quote at its average, and an order without one at its own price", () => {
    const exposure = exposureOf(
      account({
        positions: [held("A", "2", "30")],
        orders: [open({ symbol: "B", price: "7" }), open({ symbol: "C", price: null })]
      }),
      { marketPrice: () => null, multiplierOf: contractMultiplier }
    )
    assert.strictEqual(formatDecimal(exposure.total), "67")
    assert.deepStrictEqual(exposure.unpriced, ["C"])
  })

  const small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 }))
  const signed = Schema.Int.check(Schema.isBetween({ minimum: -20, maximum: 20 }))
  it.prop(
    "[any book] one more open order never lowers the worst case",
    [signed, small, small, small],
    ([position, buys, sells, more]) => {
      const book = account({
        positions: [held("SPY", String(position))],
        orders: [open({ quantity: String(buys) }), open({ side: "sell", quantity: String(sells) })]
      })
      for (const side of ["buy", "sell"] as const) {
        const after = worstQuantity(withOrder(book, open({ side, quantity: String(more) })), "SPY")
        assert.isTrue(Number(formatDecimal(after)) >= Number(formatDecimal(worstQuantity(book, "SPY"))))
      }
    }
  )
  it.prop(
    "[any book] the worst case is what some subset of fills reaches, and none exceeds",
    [signed, small, small],
    ([position, buys, sells]) => {
      const book = account({
        positions: [held("SPY", String(position))],
        orders: [open({ quantity: String(buys) }), open({ side: "sell", quantity: String(sells) })]
      })
      let worst = 0
      for (let bought = 0; bought <= buys; bought += 1) {
        for (let sold = 0; sold <= sells; sold += 1)
          worst = Math.max(worst, Math.abs(position + bought - sold))
      }
      assert.strictEqual(Number(formatDecimal(worstQuantity(book, "SPY"))), worst)
    }
  )
})
