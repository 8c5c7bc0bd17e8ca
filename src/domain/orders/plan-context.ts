/**
 * Plan context: what is known when an order is planned, and again when its permit is checked.
 *
 * Why separate from the plan: a plan asks an engine, a permit judges an existing order; both look at the same account,
 * trading states, prices and settings.
 *
 * Promises: pure; a scope without a row is ACTIVE; the most restrictive scope decides.
 * Never: decides whether an order may be sent (risk.ts and permit.ts do).
 */
import { CANARY } from "../kernel/canary.ts"
import type { FlagSettings } from "../kernel/flags.ts"
import type { Instruments } from "../kernel/instruments.ts"
import { isStricter, type TradingStateName } from "../kernel/trading-state.ts"
import type { StoppedBreaker } from "./breaker.ts"
import type { StrategyStage } from "./stage.ts"
import type { RiskAccount, RiskLimits } from "./risk-input.ts"
import type {
  AccountSettings,
  BrokerSettings,
  PanelSettings,
  ScopeLimits,
  StrategySettings
} from "../kernel/settings.ts"
import type { VenueFees } from "../kernel/venue-fee.ts"
import { type EntryRate, scopesOf } from "./risk-scope.ts"
import type { VoterRule } from "../kernel/settings-voters.ts"
import type { SymbolRules } from "../kernel/symbol-map.ts"

export interface PlanAccount extends RiskAccount {
  readonly id: string
  readonly venue: string
}

/** What the database knows at the moment of the decision. Accounts without a row yet are absent. */
export interface PlanContext {
  readonly nowMs: number
  /** Trading states by scope: `global`, `account:<id>`, `strategy:<name>`. */
  readonly trading: ReadonlyMap<string, TradingStateName>
  readonly accounts: ReadonlyMap<string, PlanAccount>
  /** Orders that exist, as `orderId`: deciding a replayed signal again must find its own. */
  readonly orderIds: ReadonlySet<string>
  /** Entries of the last minute in all accounts; empty unless a limit needs them. */
  readonly rates: ReadonlyArray<EntryRate>
  /** Circuit breakers that are not closed, by id. */
  readonly breakers: ReadonlyMap<string, StoppedBreaker>
  /** Strategies that were demoted, or hold something on paper. */
  readonly stages: ReadonlyMap<string, StrategyStage>
}

export interface PlanQuote {
  readonly symbol: string
  readonly bid: string | null
  readonly ask: string | null
  readonly last: string | null
  readonly atMs: number
}

/** What the configuration defines. */
export interface PlanSettings extends SymbolRules {
  /** The name of the settings these were taken from (settings-change.ts). */
  readonly version: string
  readonly sources: Readonly<Record<string, { readonly ageMaxMs: number }>>
  readonly strategies: Readonly<Record<string, StrategySettings>>
  readonly accounts: Readonly<Record<string, Pick<AccountSettings, "broker" | "calendar">>>
  readonly brokers: Readonly<Record<string, Pick<BrokerSettings, "fees">>>
  readonly limits: RiskLimits
  readonly scopes: Readonly<Record<string, ScopeLimits>>
  readonly instruments: Instruments
  readonly panel: PanelSettings
  readonly flags: FlagSettings
  readonly voters: Readonly<Record<string, VoterRule>>
}

const unlimited: Pick<PlanSettings, "limits" | "scopes"> = {
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

/** The limits that an account is judged by: the canary's moves no money, and is in no limit of anybody (T9). */
export const limitsOf = (settings: PlanSettings, account: string): Pick<PlanSettings, "limits" | "scopes"> =>
  account === CANARY ? unlimited : settings

/** The most restrictive state that concerns an order, and the scope it comes from. */
export const tradingOf = (
  context: Pick<PlanContext, "trading">,
  strategy: string,
  account: string
): { readonly scope: string; readonly state: TradingStateName } =>
  scopesOf(account, strategy)
    .map((scope) => ({ scope, state: context.trading.get(scope) ?? ("ACTIVE" as const) }))
    .reduce((worst, next) => (isStricter(next.state, worst.state) ? next : worst))

/** What the broker of an account takes for a trade. */
export const feesFor = (
  { accounts, brokers }: Pick<PlanSettings, "accounts" | "brokers">,
  account: string
): VenueFees => {
  const broker = Object.hasOwn(accounts, account) ? accounts[account]?.broker : undefined
  return broker !== undefined && Object.hasOwn(brokers, broker) ? (brokers[broker]?.fees ?? {}) : {}
}

export const priceFor = (quote: PlanQuote | null, side: "buy" | "sell"): string | null =>
  (side === "buy" ? quote?.ask : quote?.bid) ?? quote?.last ?? null
