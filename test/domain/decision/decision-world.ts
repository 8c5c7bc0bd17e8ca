/**
 * One strategy in one account, for tests of decisions.
 *
 * Promises: what a test does not say is an installation that trades: everything agrees and nothing is limited.
 * Never: asserts more than that a decision was made.
 */
import { plainFlags } from "../../../src/domain/kernel/flags.ts"
import { assert } from "@effect/vitest"
import type { StrategySettings } from "../../../src/domain/kernel/settings.ts"
import { planSignal, type Plan } from "../../../src/domain/decision/decision.ts"
import { plainInstruments } from "../../../src/domain/kernel/instruments.ts"
import type { DecisionSignal, PlanInput } from "../../../src/domain/decision/plan-input.ts"
import { plainPanel } from "../../support/panel.ts"
import {
  type PlanAccount,
  type PlanContext,
  type PlanSettings
} from "../../../src/domain/orders/plan-context.ts"

export const nowMs = Date.parse("2026-11-23T15:00:00Z")
export const signal: DecisionSignal = {
  id: "11111111-1111-8111-8111-111111111111",
  source: "default",
  symbol: "SPY",
  action: null,
  direction: "LONG",
  quantity: null,
  price: null,
  strike: null,
  expiration: null,
  intent: null,
  positionSize: null,
  marketPosition: null,
  prevMarketPosition: null,
  marketPositionSize: null,
  orderType: null,
  limitPrice: null,
  stopPrice: null,
  timeInForce: null,
  strategy: null,
  experimentId: null,
  variant: null,
  expiresFromMs: nowMs - 1_000
}
export const strategy = {
  sources: ["default", "wave"],
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
export const settings: PlanSettings = {
  mode: "PAPER",
  symbols: {},
  version: "0123456789abcdef",
  instruments: plainInstruments,
  panel: plainPanel,
  voters: {},
  flags: plainFlags,
  brokers: {},
  sources: { default: { ageMaxMs: 300_000 } },
  strategies: { default: strategy },
  accounts: {
    "paper-1": { broker: "practice", calendar: "24x7" },
    "paper-2": { broker: "practice", calendar: "24x7" }
  },
  limits: {
    openPositionsMax: null,
    openPositionsPerSymbolMax: null,
    quantityMax: null,
    notionalMax: null,
    exposureMax: null,
    buyingPowerMultiple: null
  },
  scopes: {}
}
export const account = (id: string, given: Partial<PlanAccount> = {}): PlanAccount => ({
  id,
  venue: "practice",
  enabled: true,
  reconciledAtMs: nowMs - 60_000,
  calendar: "24x7",
  startingCash: "100000",
  realisedPnl: "0",
  balance: null,
  positions: [],
  orders: [],
  ...given
})
export const contextOf = (
  given: Partial<PlanContext> = {},
  ...accounts: ReadonlyArray<PlanAccount>
): PlanContext => ({
  nowMs,
  trading: new Map([["global", "ACTIVE"]]),
  accounts: new Map((accounts.length > 0 ? accounts : [account("paper-1")]).map((it) => [it.id, it])),
  orderIds: new Set(),
  rates: [],
  breakers: new Map(),
  stages: new Map(),
  ...given
})
export const plan = (given: Partial<PlanInput> = {}): Plan =>
  planSignal({
    signal,
    settings,
    context: contextOf(),
    quoteOf: () => null,
    figuresOf: () => null,
    votes: null,
    voters: null,
    chain: null,
    mayDefer: true,
    ...given
  })
export const decided = (given: Partial<PlanInput> = {}) => {
  const answer = plan(given)
  return answer._tag === "Decided" ? answer : assert.fail(`deferred: ${answer.codes.join()}`)
}
export const with2 = (...strategies: ReadonlyArray<Partial<StrategySettings>>): PlanSettings => ({
  ...settings,
  strategies: Object.fromEntries(
    strategies.map((given, index) => [`s${index + 1}`, { ...strategy, ...given }])
  )
})
