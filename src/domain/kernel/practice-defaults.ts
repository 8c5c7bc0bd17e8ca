/**
 * practice-defaults: what an installation without settings trades with, and the strategy that every other one begins from.
 *
 * A newcomer has no settings, and what is seen after the first fill is a part of the product.
 *
 * Promises: pure; `plainStrategy` has the defaults of the configuration file, field by field (a test compares them); the strategy
 * of practice is the plain one, with a stop and a target where practice mode was asked to show life.
 * Never: applies where the settings name accounts, brokers or strategies of their own, or in another mode.
 */
import type { AccountSettings, BrokerSettings, StrategySettings } from "./settings.ts"

/** A strategy with every choice at its default. It takes nothing and trades nowhere until it is told. */
export const plainStrategy: StrategySettings = {
  sources: [],
  accounts: [],
  engine: "A",
  split: null,
  shadow: null,
  voter: null,
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
}

/** The source of the signals that practice mode sends itself (`practice.signalEveryMs`). */
export const PRACTICE_SOURCE = "practice"

export const practiceAccounts: Readonly<Record<string, AccountSettings>> = {
  "paper-1": { broker: "practice", startingCash: "100000", calendar: "24x7", enabled: true },
  "paper-2": { broker: "practice", startingCash: "100000", calendar: "24x7", enabled: true }
}

export const practiceBrokers: Readonly<Record<string, BrokerSettings>> = {
  practice: { kind: "paper", url: null, rule: "U", propagationMs: 2_000, fees: {} }
}

/** Percent of the average price: seeded prices reach one of them within a few minutes, while somebody is still looking. */
const shown = { stopLossPct: "1.5", profitTargetPct: "2" } as const

/**
 * The one strategy of practice mode, with engine B as its shadow. Where practice mode sends signals of its own it takes them as well, and what it opens is
 * closed by a stop or a target. Elsewhere it has neither: there an alert is one order and nothing follows it, and a position without a
 * stop is none that an outage leaves unprotected, so what a newcomer breaks on purpose is reported as what was broken (T2).
 */
export const practiceStrategies = (sendsItself: boolean): Readonly<Record<string, StrategySettings>> => ({
  default: {
    ...plainStrategy,
    ...(sendsItself ? shown : {}),
    shadow: "B",
    sources: ["default", "wave", ...(sendsItself ? [PRACTICE_SOURCE] : [])],
    accounts: ["paper-1"]
  }
})
