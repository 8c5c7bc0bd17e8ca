import { assert, describe, it } from "@effect/vitest"
import { contractMultiplier } from "../../../src/domain/kernel/option-contract.ts"
import { riskLimits } from "../../../src/domain/kernel/risk-limits.ts"
import type { ScopeLimits } from "../../../src/domain/kernel/settings.ts"
import { evaluateRisk } from "../../../src/domain/orders/risk.ts"
import type { KnownBalance, RiskInput } from "../../../src/domain/orders/risk-input.ts"
import { type ScopeFigures, scopeStates, type ScopeState } from "../../../src/domain/orders/risk-scope.ts"

const nowMs = Date.parse("2026-11-23T15:00:00Z")
const unlimited: ScopeLimits = {
  ordersPerMinuteMax: null,
  priceCollarPct: null,
  priceCollarReducePct: null,
  cooldownAfterLossMs: null,
  cooldownAfterCrashMs: null,
  dailyLossMax: null,
  drawdownMax: null,
  lossStreakMax: null,
  onBreach: "REDUCING"
}
const calm: ScopeFigures = {
  atMs: nowMs - 2_000,
  day: "2026-11-23",
  dayLoss: "-5",
  drawdown: "0",
  losses: 0,
  lastLossAtMs: null,
  crashedAtMs: null,
  sinceMs: nowMs - 60_000,
  tripped: null
}
const scope = (
  limits: Partial<ScopeLimits>,
  figures: Partial<ScopeFigures> | null = {},
  name = "global",
  rate = { sent: 0, waiting: 0 }
): ScopeState => ({
  scope: name,
  limits: { ...unlimited, ...limits },
  rate,
  figures: figures === null ? null : { ...calm, ...figures }
})
const base: RiskInput = {
  column: "entry",
  step: "decide",
  nowMs,
  trading: { state: "ACTIVE", scope: "global" },
  byOperator: false,
  account: {
    enabled: true,
    reconciledAtMs: nowMs,
    calendar: "24x7",
    startingCash: "1000",
    realisedPnl: "0",
    balance: null,
    positions: [],
    orders: []
  },
  positionConfirmed: true,
  order: { symbol: "SPY", strategy: "default", side: "buy", quantity: "1", price: "100", given: null },
  quote: { last: "100" },
  scopes: [],
  breakers: [],
  origin: { expiresFromMs: nowMs, ageMaxMs: 1, alreadyOrdered: false, sidePolicy: "both", symbols: null },
  limits: {
    openPositionsMax: null,
    openPositionsPerSymbolMax: null,
    quantityMax: null,
    notionalMax: null,
    exposureMax: null,
    buyingPowerMultiple: null
  },
  marketPrice: () => "100",
  multiplierOf: contractMultiplier
}
const judge = (given: Partial<RiskInput>): string => {
  const { outcome } = evaluateRisk({ ...base, ...given })
  return outcome._tag === "Passed" ? "Passed" : `${outcome._tag} ${outcome.code}`
}
const scoped = (...scopes: ReadonlyArray<ScopeState>) => judge({ scopes })
const numbers = (check: string, given: Partial<RiskInput>) =>
  evaluateRisk({ ...base, ...given }).verdicts.find((it) => it.check === check)?.numbers
const reduce = { column: "reduce", origin: null, step: "send" } as const
/** Holds the opposite, so that the order only closes. */
const closing = {
  account: {
    ...base.account,
    positions: [
      { symbol: "SPY", quantity: "-2", averagePrice: "100", confirmed: "-2", disputed: false, shares: [] }
    ]
  }
}

describe("orders per minute", () => {
  const at = (sent: number, waiting: number, step: RiskInput["step"] = "decide") =>
    judge({ step, scopes: [scope({ ordersPerMinuteMax: 3 }, null, "global", { sent, waiting })] })
  it.each([
    [2, 0, "Passed"],
    [1, 1, "Passed"],
    [3, 0, "Denied orders_per_minute"],
    [1, 2, "Denied orders_per_minute"]
  ])("with %i sent and %i waiting a new one is %s", (sent, waiting, expected) =>
    assert.strictEqual(at(sent, waiting), expected)
  )
  it("one that leaves counts only what has left, and waits for the minute to pass", () => {
    assert.strictEqual(at(2, 9, "send"), "Passed")
    assert.strictEqual(at(3, 0, "send"), "Deferred orders_per_minute")
  })
  it("says what the order would make of it", () =>
    assert.deepStrictEqual(
      numbers("orders_per_minute", {
        scopes: [scope({ ordersPerMinuteMax: 3 }, null, "account:a", { sent: 2, waiting: 1 })]
      }),
      { scope: "account:a", before: 3, after: 4, limit: 3 }
    ))
})

describe("the price collar", () => {
  const collar = scope({ priceCollarPct: "2", priceCollarReducePct: "10" })
  const at = (price: string | null, last: string | null, given: string | null = null) => ({
    order: { ...base.order, price, given },
    quote: last === null ? null : { last },
    scopes: [collar]
  })
  it.each([
    ["the limit itself passes", at("102", "100"), "Passed"],
    ["a hair more does not", at("102.0000001", "100"), "Denied price_collar"],
    ["nor below", at("97.9", "100"), "Denied price_collar"],
    ["an alert's price counts", at("100", "100", "95"), "Denied price_collar"],
    ["an alert's price within it passes", at("100", "100", "98"), "Passed"],
    ["no quote", at("100", null), "Deferred quote_missing"],
    [
      "a quote without a last price",
      { ...at("100", "100"), quote: { last: null } },
      "Deferred quote_missing"
    ],
    ["a last price of zero", at("100", "0"), "Deferred quote_missing"],
    ["no price", at(null, "100"), "Deferred quote_missing"]
  ])("of an entry: %s", (_, given, expected) => assert.strictEqual(judge(given), expected))
  const terms = (side: "buy" | "sell", limitPrice: string | null, stopPrice: string | null = null) => ({
    ...at(limitPrice ?? stopPrice, "100"),
    order: { ...base.order, side, price: limitPrice ?? stopPrice, terms: { limitPrice, stopPrice } }
  })
  it.each([
    ["a buy far below the market passes", terms("buy", "50"), "Passed"],
    ["a sell far above it passes", terms("sell", "150"), "Passed"],
    ["a buy above it by the limit passes", terms("buy", "102"), "Passed"],
    ["a buy above it by more does not", terms("buy", "102.01"), "Denied price_collar"],
    ["a sell below it by more does not", terms("sell", "97.99"), "Denied price_collar"],
    ["a stop waits at any price", terms("buy", null, "150"), "Passed"],
    ["a stop limit is measured by its stop", terms("buy", "151", "150"), "Passed"],
    ["and denied beyond it", terms("buy", "160", "150"), "Denied price_collar"]
  ])("of an order with a price: %s", (_, given, expected) => assert.strictEqual(judge(given), expected))
  it("of an order with a price: the alert's own still counts", () => {
    const far = terms("buy", "50")
    assert.strictEqual(judge({ ...far, order: { ...far.order, given: "95" } }), "Denied price_collar")
  })
  it.each([
    ["within the wider one it goes", at("109", "100"), "Passed"],
    ["beyond it waits, never denied", at("111", "100"), "Deferred price_collar"],
    ["without a quote it goes", at(null, null), "Passed"],
    ["the price of the alert that asked for it is not its own", at("100", "100", "150"), "Passed"],
    ["an operator has seen the market", { ...at("150", "100"), byOperator: true }, "Passed"]
  ])("of a reduce that leaves: %s", (_, given, expected) =>
    assert.strictEqual(judge({ ...given, ...reduce }), expected)
  )
  it("is not asked of a reduce that is only decided, nor without a collar of its own", () => {
    assert.strictEqual(judge({ ...at("150", "100"), ...reduce, step: "decide" }), "Passed")
    assert.strictEqual(
      judge({ ...at("150", "100"), ...reduce, scopes: [scope({ priceCollarPct: "1" })] }),
      "Passed"
    )
  })
  it("says by how much", () =>
    assert.deepStrictEqual(numbers("price_collar", at("103", "100")), {
      scope: "global",
      limit: "2",
      deviation: "3",
      price: "103",
      given: null,
      last: "100"
    }))
})

describe("a cooldown", () => {
  it.each([
    ["after a loss", { cooldownAfterLossMs: 1_000 }, { lastLossAtMs: nowMs - 999 }, "Denied cooldown"],
    ["after a loss, over", { cooldownAfterLossMs: 1_000 }, { lastLossAtMs: nowMs - 1_000 }, "Passed"],
    ["without a loss", { cooldownAfterLossMs: 1_000 }, {}, "Passed"],
    ["after a crash", { cooldownAfterCrashMs: 1_000 }, { crashedAtMs: nowMs - 999 }, "Denied cooldown"],
    ["after a crash, over", { cooldownAfterCrashMs: 1_000 }, { crashedAtMs: nowMs - 1_000 }, "Passed"],
    [
      "after both, one over",
      { cooldownAfterLossMs: 1_000, cooldownAfterCrashMs: 1_000 },
      { lastLossAtMs: nowMs - 500, crashedAtMs: nowMs - 5_000 },
      "Denied cooldown"
    ],
    ["of nothing known", { cooldownAfterCrashMs: 1_000 }, null, "Deferred figure_unknown"]
  ])("%s", (_, limits, figures, expected) => assert.strictEqual(scoped(scope(limits, figures)), expected))
})

describe("a limit on losses", () => {
  it.each([
    ["a day below it", { dailyLossMax: "100" }, { dayLoss: "99.99" }, "Passed"],
    ["a day that reaches it", { dailyLossMax: "100" }, { dayLoss: "100" }, "Denied daily_loss"],
    ["a day of gains", { dailyLossMax: "100" }, { dayLoss: "-1000" }, "Passed"],
    ["a day that nobody can value", { dailyLossMax: "100" }, { dayLoss: null }, "Deferred figure_unknown"],
    ["a drawdown below it", { drawdownMax: "50" }, { drawdown: "49" }, "Passed"],
    ["a drawdown that reaches it", { drawdownMax: "50" }, { drawdown: "50.0" }, "Denied drawdown"],
    ["an unknown drawdown", { drawdownMax: "50" }, { drawdown: null }, "Deferred figure_unknown"],
    ["a row of two", { lossStreakMax: 3 }, { losses: 2 }, "Passed"],
    ["a row of three", { lossStreakMax: 3 }, { losses: 3 }, "Denied loss_streak"],
    [
      "figures at their age limit",
      { dailyLossMax: "100" },
      { atMs: nowMs - riskLimits.figuresAgeMsMax },
      "Passed"
    ],
    [
      "figures that are older",
      { dailyLossMax: "100" },
      { atMs: nowMs - riskLimits.figuresAgeMsMax - 1 },
      "Deferred figure_unknown"
    ],
    ["no figures at all", { lossStreakMax: 3 }, null, "Deferred figure_unknown"]
  ])("%s", (_, limits, figures, expected) => assert.strictEqual(scoped(scope(limits, figures)), expected))

  it("that was reached holds until a resume, however its figure moves, and only by its own rule", () => {
    const stopped = { tripped: "drawdown", drawdown: "1", dayLoss: "0" }
    assert.strictEqual(scoped(scope({ drawdownMax: "50" }, stopped)), "Denied drawdown")
    assert.strictEqual(
      scoped(scope({ drawdownMax: "50" }, { ...stopped, drawdown: null })),
      "Denied drawdown"
    )
    assert.strictEqual(scoped(scope({ dailyLossMax: "50" }, stopped)), "Passed")
  })

  it("denies nothing that only closes", () => {
    const broken = scope(
      { dailyLossMax: "1", drawdownMax: "1", lossStreakMax: 1, cooldownAfterLossMs: 9_999 },
      { dayLoss: "2", drawdown: "2", losses: 2, lastLossAtMs: nowMs }
    )
    assert.strictEqual(judge({ ...closing, scopes: [broken] }), "Passed")
    assert.strictEqual(judge({ ...closing, ...reduce, scopes: [broken] }), "Passed")
    assert.strictEqual(judge({ scopes: [broken] }), "Denied cooldown")
    // Short 2: what buys more than is left to close opens a long, whatever the worst case of the symbol.
    const buying = (quantity: string, pending = "0") =>
      judge({
        account: {
          ...closing.account,
          orders:
            pending === "0"
              ? []
              : [
                  {
                    symbol: "SPY",
                    strategy: "default",
                    side: "buy",
                    intent: "entry",
                    status: "acked",
                    count: 1,
                    quantity: pending,
                    filledQuantity: "0",
                    price: "100"
                  }
                ]
        },
        order: { ...base.order, quantity },
        scopes: [broken]
      })
    assert.strictEqual(buying("2"), "Passed")
    assert.strictEqual(buying("3"), "Denied cooldown")
    assert.strictEqual(buying("4"), "Denied cooldown", "a reversal of equal size")
    assert.strictEqual(buying("1", "2"), "Denied cooldown", "what is on its way closes already")
  })
})

describe("several scopes", () => {
  it("all pass, or the one that denies is named with its numbers", () => {
    const wide = scope({ dailyLossMax: "1000" }, { dayLoss: "100" })
    const narrow = scope({ dailyLossMax: "50" }, { dayLoss: "60" }, "strategy:s")
    assert.strictEqual(scoped(wide), "Passed")
    assert.strictEqual(scoped(wide, narrow), "Denied daily_loss")
    assert.deepStrictEqual(numbers("daily_loss", { scopes: [wide, narrow] }), {
      scope: "strategy:s",
      limit: "50",
      loss: "60",
      day: "2026-11-23",
      since_ms: nowMs - 60_000,
      tripped: false
    })
  })
  it("a denial is named before what is not known", () => {
    const unknown = scope({ dailyLossMax: "1000" }, null)
    assert.strictEqual(
      scoped(unknown, scope({ dailyLossMax: "50" }, { dayLoss: "60" }, "account:a")),
      "Denied daily_loss"
    )
  })
  it("are those of the order, each with the entries of its own", () => {
    const states = scopeStates({
      scopes: { global: unlimited, "account:a": unlimited, "strategy:s": unlimited, "account:b": unlimited },
      rates: [
        { account: "a", strategy: "s", sent: 1, waiting: 0 },
        { account: "a", strategy: "t", sent: 2, waiting: 1 },
        { account: "b", strategy: "s", sent: 4, waiting: 0 },
        { account: "b", strategy: "t", sent: 8, waiting: 0 }
      ],
      trading: new Map(),
      figuresOf: (name) => (name === "account:a" ? calm : null),
      account: "a",
      strategy: "s"
    })
    assert.deepStrictEqual(
      states.map(({ figures, rate, scope: name }) => [name, rate.sent, rate.waiting, figures !== null]),
      [
        ["global", 15, 1, false],
        ["account:a", 3, 1, true],
        ["strategy:s", 5, 0, false]
      ]
    )
  })
})

describe("a resume that the figures do not include yet", () => {
  it.each([
    ["ACTIVE", "drawdown", false],
    ["REDUCING", "drawdown", true],
    ["ACTIVE", null, true]
  ] as const)("in %s with the rule %s: known %s", (state, tripped, known) => {
    const [found] = scopeStates({
      scopes: { global: unlimited },
      rates: [],
      trading: new Map([["global", state]]),
      figuresOf: () => ({ ...calm, tripped }),
      account: "a",
      strategy: "s"
    })
    assert.strictEqual(found?.figures !== null, known)
  })
})

describe("the venue's buying power", () => {
  const checked = { ...base.limits, buyingPowerMultiple: "10" }
  const at = (balance: Partial<KnownBalance> | null, given: Partial<RiskInput> = {}) =>
    judge({
      step: "send",
      limits: checked,
      ...given,
      account: {
        ...(given.account ?? base.account),
        balance: balance === null ? null : { buyingPower: "100", atMs: nowMs, book: {}, ...balance }
      }
    })
  it.each([
    ["enough", {}, "Passed"],
    ["a cent too little", { buyingPower: "99.99" }, "Denied buying_power"],
    ["nothing", { buyingPower: "0" }, "Denied buying_power"],
    ["at its age limit", { atMs: nowMs - riskLimits.balanceAgeMsMax }, "Passed"],
    ["stale", { atMs: nowMs - riskLimits.balanceAgeMsMax - 1 }, "Deferred figure_unknown"],
    ["not known", null, "Deferred figure_unknown"]
  ])("%s", (_, balance, expected) => assert.strictEqual(at(balance), expected))
  it("is needed when the order leaves, and denies a decision only when it is known", () => {
    assert.strictEqual(at(null, { step: "decide" }), "Passed")
    assert.strictEqual(at({ buyingPower: "1" }, { step: "decide" }), "Denied buying_power")
  })
  it("is asked for nothing while the check is off, and of nothing that only closes", () => {
    assert.strictEqual(at(null, { limits: base.limits }), "Passed")
    assert.strictEqual(at({ buyingPower: "0" }, closing), "Passed")
  })
  it("belongs to a book: growth since then is spent", () => {
    const held = (quantity: string) => ({
      ...base.account,
      positions: [
        { symbol: "QQQ", quantity, averagePrice: "100", confirmed: quantity, disputed: false, shares: [] }
      ]
    })
    const order = { account: held("5") }
    assert.strictEqual(at({ buyingPower: "100", book: { QQQ: "5" } }, order), "Passed")
    assert.strictEqual(at({ buyingPower: "199", book: { QQQ: "4" } }, order), "Denied buying_power")
    assert.strictEqual(at({ buyingPower: "200", book: { QQQ: "4" } }, order), "Passed")
    assert.strictEqual(at({ buyingPower: "100", book: { QQQ: "-5" } }, order), "Passed")
  })
})
