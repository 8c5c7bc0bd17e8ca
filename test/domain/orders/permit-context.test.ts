/** What the permit looks at when an order leaves, and the numbers it records. */
import { plainFlags } from "../../../src/domain/kernel/flags.ts"
import { assert, describe, it } from "@effect/vitest"
import { plainInstruments } from "../../../src/domain/kernel/instruments.ts"
import type { ScopeLimits } from "../../../src/domain/kernel/settings.ts"
import {
  type PlanAccount,
  type PlanQuote,
  type PlanSettings,
  priceFor,
  tradingOf
} from "../../../src/domain/orders/plan-context.ts"
import {
  type Permit,
  type PermitContext,
  type PermitOrder,
  permitToSend,
  OPERATOR_CLOSE
} from "../../../src/domain/orders/permit.ts"
import type { RiskLimits } from "../../../src/domain/orders/risk-input.ts"
import type { ScopeFigures } from "../../../src/domain/orders/risk-scope.ts"
import { plainPanel } from "../../support/panel.ts"
import type { TradingStateName } from "../../../src/domain/kernel/trading-state.ts"

const nowMs = Date.parse("2026-11-23T15:00:00Z")
const off: RiskLimits = {
  openPositionsMax: null,
  openPositionsPerSymbolMax: null,
  quantityMax: null,
  notionalMax: null,
  exposureMax: null,
  buyingPowerMultiple: null
}
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
const strategy = {
  sources: ["default"],
  accounts: ["paper-1"],
  engine: "A",
  shadow: null,
  voter: null,
  split: null,
  sidePolicy: "both",
  symbols: null,
  quantity: "1",
  options: null,
  sizing: null,
  stopLossPct: null,
  profitTargetPct: null,
  exits: null,
  onPartialFill: "keep",
  partialFillMsMax: null,
  timeInForce: null,
  approval: null,
  stage: "live",
  demotion: null
} as const
const settings: PlanSettings = {
  version: "0123456789abcdef",
  mode: "PRACTICE",
  symbols: {},
  instruments: plainInstruments,
  panel: plainPanel,
  voters: {},
  flags: plainFlags,
  brokers: {},
  sources: {},
  strategies: { s: strategy },
  accounts: { "paper-1": { broker: "practice", calendar: "24x7" } },
  limits: off,
  scopes: {}
}
const limited = (limits: Partial<RiskLimits>): PlanSettings => ({
  ...settings,
  limits: { ...off, ...limits }
})
const scoped = (scope: string, limits: Partial<ScopeLimits>): PlanSettings => ({
  ...settings,
  scopes: { [scope]: { ...unlimited, ...limits } }
})
const account: PlanAccount = {
  id: "paper-1",
  venue: "practice",
  enabled: true,
  reconciledAtMs: nowMs,
  calendar: "24x7",
  startingCash: "1000",
  realisedPnl: "0",
  balance: null,
  positions: [
    {
      symbol: "SPY",
      quantity: "2",
      averagePrice: "100",
      confirmed: "2",
      disputed: false,
      shares: [{ strategy: "s", quantity: "2" }]
    }
  ],
  orders: []
}
const unconfirmed: PlanAccount = {
  ...account,
  positions: account.positions.map((position) => ({ ...position, confirmed: null }))
}
const quote: PlanQuote = { symbol: "SPY", bid: "99", ask: "101", last: "100", atMs: nowMs }
const entry: PermitOrder = {
  account: "paper-1",
  strategy: "s",
  symbol: "SPY",
  signalId: "1",
  exitKind: null,
  source: "webhook",
  intent: "entry",
  sizing: "fixed",
  wanted: "2",
  side: "buy",
  type: "market",
  limitPrice: null,
  stopPrice: null,
  timeInForce: "gtc",
  quantity: "2",
  sends: 0
}
const close: PermitOrder = { ...entry, intent: "reduce", sizing: "share", wanted: null, side: "sell" }
interface Given extends Partial<PermitContext> {
  readonly settings?: PlanSettings
  readonly quote?: PlanQuote | null
  readonly figures?: Partial<ScopeFigures>
}
const permitOf = (order: PermitOrder, given: Given = {}): Permit => {
  const { figures, quote: quoted = quote, settings: read = settings, ...context } = given
  return permitToSend({
    order,
    context: {
      nowMs,
      trading: new Map(),
      account,
      stale: false,
      superseded: false,
      openingOver: false,
      givenPrice: null,
      rates: [],
      breakers: new Map(),
      stages: new Map(),
      ...context
    },
    settings: read,
    quoteOf: (symbol) => (symbol === order.symbol ? quoted : null),
    figuresOf: () =>
      figures === undefined
        ? null
        : {
            atMs: nowMs,
            day: "2026-11-23",
            dayLoss: "0",
            drawdown: "0",
            losses: 0,
            lastLossAtMs: null,
            crashedAtMs: null,
            sinceMs: 0,
            tripped: null,
            ...figures
          }
  })
}
const outcome = (order: PermitOrder, given?: Given): string => {
  const permit = permitOf(order, given)
  return permit._tag === "Send" ? `Send ${permit.quantity}` : `${permit._tag} ${permit.code}`
}
const holding = { position: "2", confirmed: "2", share: "2", live_buy: "0", live_sell: "0" }

describe("a permit records", () => {
  it("the holding it was given against, and the quantity", () =>
    assert.deepStrictEqual(permitOf(entry), {
      _tag: "Send",
      quantity: "2",
      expiresAtMs: null,
      numbers: { ...holding, quantity: "2" }
    }))

  it("the holding that an order waits for, or that leaves it nothing to do", () => {
    assert.deepStrictEqual(permitOf(close, { account: unconfirmed }), {
      _tag: "Wait",
      code: "position_not_confirmed",
      numbers: { ...holding, confirmed: null }
    })
    assert.deepStrictEqual(permitOf({ ...close, side: "buy" }), {
      _tag: "Withdraw",
      code: "nothing_to_close",
      numbers: holding
    })
  })

  it("the numbers of the check that refuses", () => {
    assert.deepStrictEqual(permitOf(entry, { settings: limited({ quantityMax: "1" }) }), {
      _tag: "Deny",
      code: "quantity",
      numbers: { quantity: "2", limit: "1" }
    })
    assert.deepStrictEqual(permitOf({ ...entry, strategy: "gone" }), {
      _tag: "Deny",
      code: "strategy_unknown",
      numbers: { strategy: "gone" }
    })
  })

  it("no numbers where it looked at none", () => {
    assert.deepStrictEqual(permitOf(entry, { stale: true }), { _tag: "Expire", code: "stale", numbers: {} })
    assert.deepStrictEqual(permitOf(entry, { superseded: true }).numbers, {})
    assert.deepStrictEqual(permitOf(close, { openingOver: true }).numbers, {})
  })
})

describe("a permit is judged by", () => {
  it("the side of the quote at which the order would trade, times its instrument's size", () => {
    const bounded = { settings: limited({ notionalMax: "200" }) }
    assert.deepStrictEqual(permitOf(entry, bounded).numbers, { notional: "202", limit: "200" })
    assert.strictEqual(outcome({ ...entry, side: "sell", wanted: "2" }, bounded), "Send 2")
    assert.strictEqual(
      outcome(entry, { ...bounded, quote: { ...quote, ask: null } }),
      "Send 2",
      "else by the last"
    )
    const option = { ...entry, symbol: "SPY 2026-12-18 C 450", wanted: "1" }
    assert.deepStrictEqual(permitOf(option, bounded).numbers, { notional: "10100", limit: "200" })
  })

  it("the market's last price where positions are valued", () => {
    const rising = { quote: { ...quote, last: "110" }, settings: limited({ exposureMax: "439" }) }
    assert.deepStrictEqual(permitOf(entry, rising).numbers, { before: "220", after: "440", limit: "439" })
  })

  it("no price where nothing is quoted: then a limit in money waits", () => {
    assert.strictEqual(outcome(entry, { quote: null }), "Send 2")
    assert.strictEqual(
      outcome(entry, { quote: null, settings: limited({ notionalMax: "9999" }) }),
      "Wait price_missing"
    )
  })

  it("the price that its alert gave, and the last of its market", () => {
    const collar = { settings: scoped("global", { priceCollarPct: "5" }) }
    assert.strictEqual(outcome(entry, collar), "Send 2")
    assert.strictEqual(outcome(entry, { ...collar, givenPrice: "150" }), "Deny price_collar")
    assert.strictEqual(outcome(entry, { ...collar, quote: null }), "Wait quote_missing")
  })

  it("what its scopes have sent and lost", () => {
    const rate = { account: "paper-1", strategy: "s", sent: 1, waiting: 5 }
    const perMinute = scoped("strategy:s", { ordersPerMinuteMax: 1 })
    assert.strictEqual(outcome(entry, { settings: perMinute }), "Send 2")
    assert.strictEqual(outcome(entry, { settings: perMinute, rates: [rate] }), "Wait orders_per_minute")
    const losing = scoped("account:paper-1", { dailyLossMax: "10" })
    assert.strictEqual(outcome(entry, { settings: losing, figures: { dayLoss: "9" } }), "Send 2")
    assert.strictEqual(outcome(entry, { settings: losing, figures: { dayLoss: "10" } }), "Deny daily_loss")
    assert.strictEqual(outcome(entry, { settings: losing }), "Wait figure_unknown")
  })

  it("the symbols that its strategy may trade by now", () => {
    const other = { ...settings, strategies: { s: { ...strategy, symbols: ["QQQ"] } } }
    assert.strictEqual(outcome(entry, { settings: other }), "Deny symbol_not_listed")
    assert.strictEqual(outcome(close, { settings: other }), "Send 2", "a close asks for no list")
  })

  it("the money that the venue reports, and not only by that of the account", () => {
    assert.strictEqual(
      outcome(entry, { settings: limited({ buyingPowerMultiple: "9" }) }),
      "Wait figure_unknown"
    )
  })
})

describe("a permit knows", () => {
  it("a one-sided strategy: its opening waits for what may yet put the position on the other side", () => {
    const sell = {
      symbol: "SPY",
      strategy: "other",
      side: "sell",
      intent: "entry",
      status: "acked",
      count: 1,
      quantity: "1",
      filledQuantity: "0",
      price: null
    } as const
    const flat = { account: { ...account, positions: [], orders: [sell] } }
    const opening = { ...entry, sizing: "open" } as const
    const long = { ...settings, strategies: { s: { ...strategy, sidePolicy: "long_only" as const } } }
    assert.strictEqual(outcome(opening, { ...flat, settings: long }), "Wait other_side_works")
    assert.strictEqual(outcome(opening, flat), "Send 3")
  })

  it("an operator's close by the mark in its row: it takes from its own share alone", () => {
    assert.strictEqual(OPERATOR_CLOSE, "operator", "rows of running systems carry it")
    const [held] = account.positions
    assert(held !== undefined)
    const shared = {
      account: { ...account, positions: [{ ...held, quantity: "7", confirmed: "7" }] }
    }
    const some = { ...close, sizing: "fixed", wanted: "5" } as const
    assert.strictEqual(outcome(some, shared), "Send 5")
    assert.strictEqual(outcome({ ...some, exitKind: OPERATOR_CLOSE }, shared), "Send 2")
  })
})

describe("the context of a plan", () => {
  const states = (...entries: ReadonlyArray<readonly [string, TradingStateName]>) =>
    tradingOf({ trading: new Map(entries) }, "s", "a")

  it("has the strictest state that concerns an order, of the widest scope that has it", () => {
    assert.deepStrictEqual(states(), { scope: "global", state: "ACTIVE" })
    assert.deepStrictEqual(states(["strategy:s", "REDUCING"]), { scope: "strategy:s", state: "REDUCING" })
    assert.deepStrictEqual(states(["account:a", "HALTED"], ["strategy:s", "REDUCING"]), {
      scope: "account:a",
      state: "HALTED"
    })
    assert.deepStrictEqual(states(["global", "REDUCING"], ["account:a", "REDUCING"]), {
      scope: "global",
      state: "REDUCING"
    })
    assert.deepStrictEqual(states(["account:b", "HALTED"], ["strategy:t", "HALTED"]).state, "ACTIVE")
  })

  it("prices a buy at the ask and a sell at the bid, else at the last, else not", () => {
    assert.deepStrictEqual([priceFor(quote, "buy"), priceFor(quote, "sell")], ["101", "99"])
    assert.deepStrictEqual(
      [priceFor({ ...quote, ask: null }, "buy"), priceFor({ ...quote, bid: null }, "sell")],
      ["100", "100"]
    )
    assert.isNull(priceFor({ ...quote, ask: null, last: null }, "buy"))
    assert.isNull(priceFor(null, "sell"))
  })
})
