/** What each check records, and which checks look at the book: an operator reads the numbers, not only the outcome (T6). */
import { assert, describe, it } from "@effect/vitest"
import { contractMultiplier } from "../../../src/domain/kernel/option-contract.ts"
import { evaluateRisk } from "../../../src/domain/orders/risk.ts"
import type { BookOrder, BookPosition } from "../../../src/domain/orders/risk-book.ts"
import type { RiskInput } from "../../../src/domain/orders/risk-input.ts"

const nowMs = Date.parse("2026-11-23T15:00:00Z")
const position = (given: Partial<BookPosition> = {}): BookPosition => ({
  symbol: "SPY",
  quantity: "2",
  averagePrice: "90",
  confirmed: "2",
  disputed: false,
  shares: [],
  ...given
})
const working = (given: Partial<BookOrder> = {}): BookOrder => ({
  symbol: "QQQ",
  strategy: "s",
  side: "sell",
  intent: "entry",
  status: "acked",
  count: 1,
  quantity: "4",
  filledQuantity: "1",
  price: "50",
  ...given
})
const origin = {
  expiresFromMs: nowMs - 5_000,
  ageMaxMs: 300_000,
  alreadyOrdered: false,
  sidePolicy: "long_only",
  symbols: ["SPY", "QQQ"]
} as const
const limits = {
  openPositionsMax: 9,
  openPositionsPerSymbolMax: 8,
  quantityMax: "7",
  notionalMax: "6000",
  exposureMax: "5000",
  buyingPowerMultiple: "4"
}
const off = {
  openPositionsMax: null,
  openPositionsPerSymbolMax: null,
  quantityMax: null,
  notionalMax: null,
  exposureMax: null,
  buyingPowerMultiple: null
}
/** Long 2 SPY, a sell of 4 QQQ of which 1 is filled, and 3 SPY to buy. SPY is quoted, QQQ is not. */
const base: RiskInput = {
  column: "entry",
  step: "decide",
  nowMs,
  trading: { state: "ACTIVE", scope: "account:a" },
  byOperator: false,
  account: {
    enabled: true,
    reconciledAtMs: nowMs - 1_000,
    calendar: "24x7",
    startingCash: "1000",
    realisedPnl: "-100",
    balance: { buyingPower: "5000", atMs: nowMs, book: { SPY: "1" } },
    positions: [position()],
    orders: [working()]
  },
  positionConfirmed: true,
  order: { symbol: "SPY", strategy: "s", side: "buy", quantity: "3", price: "101", given: null },
  quote: { last: "100" },
  scopes: [],
  breakers: [],
  origin,
  limits,
  marketPrice: (symbol) => (symbol === "SPY" ? "100" : null),
  multiplierOf: contractMultiplier
}
const numbersOf = (given: Partial<RiskInput> = {}) =>
  Object.fromEntries(
    evaluateRisk({ ...base, ...given }).verdicts.map(({ check, numbers }) => [check, numbers])
  )
const outcome = (given: Partial<RiskInput> = {}): string => {
  const { outcome } = evaluateRisk({ ...base, ...given })
  return outcome._tag === "Passed" ? "Passed" : `${outcome._tag} ${outcome.code}`
}
const account = (given: Partial<RiskInput["account"]>) => ({ account: { ...base.account, ...given } })
const order = (given: Partial<RiskInput["order"]>) => ({ order: { ...base.order, ...given } })

describe("the trace of an order", () => {
  it("has the numbers that each check compared", () => {
    const noLimit = { limit: null }
    assert.deepStrictEqual(numbersOf(), {
      trading_state: { state: "ACTIVE", scope: "account:a" },
      account_enabled: { enabled: true },
      reconciled: { reconciled_at_ms: nowMs - 1_000 },
      calendar: { calendar: "24x7", next_open_ms: null },
      age: { age_ms: 5_000, limit_ms: 300_000 },
      duplicate: { already_ordered: false },
      side_policy: { policy: "long_only", position: "2", quantity: "3" },
      symbol_list: { symbol: "SPY", listed: 2 },
      symbol_resolved: { unresolved: 0, needs_operator: 0 },
      position_agrees: { position: "2", confirmed: "2" },
      open_positions: { open: 2, opens_new: false, limit: 9 },
      per_symbol: { open: 1, limit: 8 },
      orders_per_minute: noLimit,
      quantity: { quantity: "3", limit: "7" },
      price: { price: "101", needed: true },
      notional: { notional: "303", limit: "6000" },
      // 2 SPY at 100 and the 3 QQQ that may still be sold at 50; then 5 SPY.
      exposure: { before: "350", after: "650", limit: "5000" },
      price_collar: noLimit,
      // Of 1 SPY that was held when the venue reported: 4 more at 100, and 3 QQQ at 50.
      buying_power: {
        money: "900",
        multiple: "4",
        after: "650",
        limit: "3600",
        venue_usable: "5000",
        venue_needed: "550"
      },
      breaker: { breaker: null },
      cooldown: noLimit,
      daily_loss: noLimit,
      drawdown: noLimit,
      loss_streak: noLimit
    })
  })

  it("has them where a limit is off, a price is missing or a symbol is not listed, too", () => {
    const numbers = numbersOf({ limits: off, ...order({ symbol: "IWM", price: null }) })
    assert.deepStrictEqual(numbers["symbol_list"], { symbol: "IWM", listed: 2 })
    assert.deepStrictEqual(numbers["position_agrees"], { position: "0", confirmed: null })
    assert.deepStrictEqual(numbers["open_positions"], { open: 2, opens_new: true, limit: null })
    assert.deepStrictEqual(numbers["price"], { price: null, needed: false })
    assert.deepStrictEqual(numbers["notional"], { notional: null, limit: null })
    assert.deepStrictEqual(numbers["buying_power"], {
      money: "900",
      multiple: null,
      after: "350",
      limit: null
    })
    assert.isNull(numbersOf({ origin: { ...origin, symbols: null } })["symbol_list"]?.["listed"])
  })

  it("has what a one-sided strategy may still close", () => {
    const sells = order({ side: "sell", quantity: "2" })
    const half = account({ orders: [working({ symbol: "SPY", quantity: "1", filledQuantity: "0" })] })
    assert.deepStrictEqual(numbersOf({ ...sells, ...half })["side_policy"], {
      policy: "long_only",
      position: "2",
      quantity: "2",
      closable: "1"
    })
  })

  it("has the figures of the venue as missing when they are, or too old", () => {
    for (const balance of [null, { buyingPower: "5000", atMs: 0, book: {} }]) {
      const power = numbersOf(account({ balance }))["buying_power"]
      assert.deepStrictEqual([power?.["venue_usable"], power?.["venue_needed"]], [null, null])
    }
  })

  it("of a reduce has its own", () => {
    const closed = {
      column: "reduce",
      origin: null,
      ...account({ calendar: "XNYS" }),
      nowMs: Date.parse("2026-11-22T15:00:00Z")
    } as const
    assert.deepStrictEqual(numbersOf(closed), {
      trading_state: { state: "ACTIVE", scope: "account:a" },
      reconciled: { confirmed: true },
      calendar: { calendar: "XNYS", next_open_ms: Date.parse("2026-11-23T14:30:00Z") },
      price_collar: { limit: null }
    })
  })

  it("counts orders, and not rows that stand for several", () => {
    const doubtful = account({
      orders: [
        working({ symbol: "SPY", status: "unknown", count: 3 }),
        working({ symbol: "SPY", status: "needs_operator", count: 2 })
      ]
    })
    assert.deepStrictEqual(numbersOf(doubtful)["symbol_resolved"], { unresolved: 3, needs_operator: 2 })
    const entries = account({
      positions: [],
      orders: [working({ symbol: "SPY", count: 3 }), working({ symbol: "SPY", intent: "reduce" }), working()]
    })
    assert.deepStrictEqual(numbersOf(entries)["per_symbol"], { open: 3, limit: 8 })
  })
})

describe("before an account is reconciled", () => {
  it("only what does not depend on its book is asked of an entry", () => {
    const checks = evaluateRisk({ ...base, ...account({ reconciledAtMs: null }) }).verdicts
    assert.deepStrictEqual(
      checks.map(({ check }) => check),
      [
        "trading_state",
        "account_enabled",
        "reconciled",
        "calendar",
        "age",
        "duplicate",
        "symbol_list",
        "orders_per_minute",
        "quantity",
        "price_collar"
      ]
    )
  })
})

describe("on each side of a boundary", () => {
  it("an entry without an origin is denied", () =>
    assert.strictEqual(outcome({ origin: null }), "Denied origin_missing"))

  it.each([
    ["as many entries of a symbol as are allowed", 2, "Passed"],
    ["one more", 1, "Denied per_symbol"]
  ] as const)("[%s]", (_, openPositionsPerSymbolMax, expected) =>
    assert.strictEqual(outcome({ limits: { ...off, openPositionsPerSymbolMax } }), expected)
  )

  it.each([
    ["buys beside a short", "buy", "-1", "long_only", "Denied side_policy"],
    ["buys from flat", "buy", "0", "long_only", "Passed"],
    ["buys back a part of a short", "buy", "-3", "short_only", "Passed"],
    ["buys back more than a short", "buy", "-2", "short_only", "Denied side_policy"],
    ["sells from flat", "sell", "0", "short_only", "Passed"],
    ["sells beside a long", "sell", "1", "short_only", "Denied side_policy"],
    ["sells more than a long", "sell", "2", "long_only", "Denied side_policy"]
  ] as const)("a one-sided strategy that [%s]", (_, side, quantity, sidePolicy, expected) =>
    assert.strictEqual(
      outcome({
        ...order({ side }),
        ...account({ positions: [position({ quantity, confirmed: quantity })], orders: [] }),
        origin: { ...origin, sidePolicy },
        limits: off
      }),
      expected
    )
  )

  it("a symbol in dispute takes what only closes and nothing else", () => {
    const disputed = { ...account({ positions: [position({ disputed: true })] }), limits: off }
    assert.strictEqual(outcome(disputed), "Deferred position_disputed")
    assert.strictEqual(outcome({ ...disputed, ...order({ side: "sell", quantity: "2" }) }), "Passed")
    assert.strictEqual(outcome({ ...disputed, ...order({ symbol: "QQQ", quantity: "1" }) }), "Passed")
  })

  it("a limit in money waits for the price of the order, unless it only closes", () => {
    const unpriced = order({ price: null })
    for (const [limit, value] of [
      ["notionalMax", "9999"],
      ["exposureMax", "9999"],
      ["buyingPowerMultiple", "9"]
    ])
      assert.strictEqual(
        outcome({ ...unpriced, limits: { ...off, [String(limit)]: value } }),
        "Deferred price_missing"
      )
    assert.strictEqual(outcome({ ...unpriced, limits: off }), "Passed")
    assert.strictEqual(outcome({ ...order({ price: null, side: "sell", quantity: "2" }) }), "Passed")
  })

  it("what only closes passes the limits of one order in money, too", () => {
    const sells = { ...order({ side: "sell", quantity: "2" }), ...account({ balance: null }) }
    assert.strictEqual(outcome({ ...sells, limits: { ...off, notionalMax: "1" } }), "Passed")
    assert.strictEqual(outcome({ ...sells, limits: { ...off, exposureMax: "1" } }), "Passed")
    assert.strictEqual(
      outcome({ ...sells, step: "send", limits: { ...off, buyingPowerMultiple: "0.001" } }),
      "Passed"
    )
  })

  it("the account's own money is named before a figure of the venue that is missing", () => {
    const poor = { ...account({ balance: null }), step: "send" } as const
    assert.strictEqual(
      outcome({ ...poor, limits: { ...off, buyingPowerMultiple: "0.5" } }),
      "Denied buying_power"
    )
    assert.strictEqual(
      outcome({ ...poor, limits: { ...off, buyingPowerMultiple: "5" } }),
      "Deferred figure_unknown"
    )
  })
})
