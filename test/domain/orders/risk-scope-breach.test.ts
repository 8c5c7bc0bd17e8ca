/** Which rule stops a scope, and what the checks of a scope record (T6). */
import { assert, describe, it } from "@effect/vitest"
import { decimal } from "../../../src/domain/kernel/decimal.ts"
import type { ScopeLimits } from "../../../src/domain/kernel/settings.ts"
import { evaluateRisk } from "../../../src/domain/orders/risk.ts"
import type { RiskInput } from "../../../src/domain/orders/risk-input.ts"
import {
  breachOf,
  type ScopeFigures,
  scopeStates,
  type ScopeState
} from "../../../src/domain/orders/risk-scope.ts"

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
const figures = (given: Partial<ScopeFigures> = {}): ScopeFigures => ({
  atMs: nowMs,
  day: "2026-11-23",
  dayLoss: "9",
  drawdown: "19",
  losses: 2,
  lastLossAtMs: null,
  crashedAtMs: null,
  sinceMs: 7,
  tripped: null,
  ...given
})
const scope = (
  limits: Partial<ScopeLimits>,
  known: ScopeFigures | null = figures(),
  name = "global"
): ScopeState => ({
  scope: name,
  limits: { ...unlimited, ...limits },
  rate: { sent: 0, waiting: 0 },
  figures: known
})
const all = { dailyLossMax: "10", drawdownMax: "20", lossStreakMax: 3 }
const breach = (given: Partial<ScopeFigures>, limits: Partial<ScopeLimits> = all) =>
  breachOf(scope(limits), figures(given))

describe("the rule that stops a scope", () => {
  it("is none while every figure is below its limit, or is not known", () => {
    assert.isNull(breach({}))
    assert.isNull(breach({ dayLoss: null, drawdown: null, losses: null }))
  })

  it("is none without a limit, whatever was lost", () =>
    assert.isNull(breach({ dayLoss: "999", drawdown: "999", losses: 99 }, {})))

  it("is the one whose limit is reached, with the numbers it compared", () => {
    assert.deepStrictEqual(breach({ dayLoss: "10" }), {
      rule: "daily_loss",
      numbers: { scope: "global", limit: "10", loss: "10", day: "2026-11-23", since_ms: 7, tripped: false }
    })
    assert.deepStrictEqual(breach({ drawdown: "20" }), {
      rule: "drawdown",
      numbers: { scope: "global", limit: "20", drawdown: "20", since_ms: 7, tripped: false }
    })
    assert.deepStrictEqual(breach({ losses: 3 }), {
      rule: "loss_streak",
      numbers: { scope: "global", limit: 3, losses: 3, since_ms: 7, tripped: false }
    })
  })

  it("is the first of several, in the order of the rules", () => {
    assert.strictEqual(breach({ dayLoss: "10", drawdown: "20", losses: 3 })?.rule, "daily_loss")
    assert.strictEqual(breach({ drawdown: "20", losses: 3 })?.rule, "drawdown")
  })

  it("stays the one that stopped it, though its figure has recovered or is not known", () => {
    assert.deepStrictEqual(breach({ drawdown: null, tripped: "drawdown" }), {
      rule: "drawdown",
      numbers: { scope: "global", limit: "20", drawdown: null, since_ms: 7, tripped: true }
    })
  })
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
  order: { symbol: "SPY", strategy: "s", side: "buy", quantity: "1", price: "100", given: null },
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
  multiplierOf: () => decimal("1")
}
const verdictOf = (check: string, ...scopes: ReadonlyArray<ScopeState>) =>
  evaluateRisk({ ...base, scopes }).verdicts.find((verdict) => verdict.check === check)

describe("an order under several scopes", () => {
  const known = scope({ dailyLossMax: "10" })
  const unknown = scope({ dailyLossMax: "10" }, null, "strategy:s")

  it("waits for the scope whose figure is missing, wherever it comes among those that pass", () => {
    for (const scopes of [
      [known, unknown],
      [unknown, known]
    ]) {
      const { outcome } = evaluateRisk({ ...base, scopes })
      assert.deepStrictEqual(outcome, { _tag: "Deferred", code: "figure_unknown" })
      assert.deepStrictEqual(verdictOf("daily_loss", ...scopes), {
        check: "daily_loss",
        ok: false,
        code: "figure_unknown",
        numbers: { scope: "strategy:s", limit: "10", loss: null, day: null, since_ms: null, tripped: false }
      })
    }
  })

  it("waits under each limit on losses while nothing is known of its scope", () => {
    for (const [check, limits] of [
      ["daily_loss", { dailyLossMax: "10" }],
      ["drawdown", { drawdownMax: "20" }],
      ["loss_streak", { lossStreakMax: 3 }]
    ] as const)
      assert.strictEqual(verdictOf(check, scope(limits, null))?.code, "figure_unknown")
  })

  it("shows the widest that has a limit when all pass", () => {
    const narrow = scope({ dailyLossMax: "99" }, figures(), "strategy:s")
    assert.strictEqual(verdictOf("daily_loss", known, narrow)?.numbers["scope"], "global")
    assert.strictEqual(verdictOf("daily_loss", scope({}), narrow)?.numbers["scope"], "strategy:s")
    assert.isTrue(verdictOf("daily_loss", known, narrow)?.ok)
  })

  it("has no figures of a scope that a rule stopped and that has no state of its own any more", () => {
    const states = (tripped: string | null) =>
      scopeStates({
        scopes: { global: unlimited },
        rates: [],
        trading: new Map(),
        figuresOf: () => figures({ tripped }),
        account: "a",
        strategy: "s"
      }).map(({ figures: shown }) => shown !== null)
    assert.deepStrictEqual([states("drawdown"), states(null)], [[false], [true]])
  })
})

describe("a cooldown records", () => {
  const cooldown = (limits: Partial<ScopeLimits>, known: ScopeFigures | null = figures()) =>
    verdictOf("cooldown", scope(limits, known))?.numbers
  const [loss, crash] = [{ cooldownAfterLossMs: 1_000 }, { cooldownAfterCrashMs: 2_000 }]

  it("what began it, how long it lasts and until when", () => {
    assert.deepStrictEqual(cooldown(loss, figures({ lastLossAtMs: nowMs - 1 })), {
      scope: "global",
      after: "loss",
      limit: 1_000,
      until_ms: nowMs + 999
    })
    assert.deepStrictEqual(cooldown(crash, figures({ crashedAtMs: nowMs - 1 })), {
      scope: "global",
      after: "crash",
      limit: 2_000,
      until_ms: nowMs + 1_999
    })
  })

  it("that nothing began it, and that nothing is known", () => {
    assert.deepStrictEqual(cooldown(loss), { scope: "global", after: "loss", limit: 1_000, until_ms: null })
    assert.deepStrictEqual(cooldown(crash), { scope: "global", after: "crash", limit: 2_000, until_ms: null })
    assert.deepStrictEqual(cooldown(loss, null), { scope: "global", after: "loss", limit: 1_000 })
  })
})
