/**
 * Risk store: the port to what limits are measured by: profits and open positions, marks, closes, equity, venues' balances.
 *
 * Promises: `read` describes one moment in one statement; marks are only ever moved forward, whoever writes them, unless a
 * resume begins them anew; a rule stops a scope once, with its reason, its mark and its line of the journal in one commit,
 * and never loosens what an operator made stricter.
 * Never: knows a price.
 */
import { Context, type Effect } from "effect"
import type { RiskNumbers } from "../../domain/orders/risk-verdict.ts"
import type { ScopeLimits } from "../../domain/kernel/settings.ts"
import type { TradingStateName } from "../../domain/kernel/trading-state.ts"
import type { Holdings } from "../../domain/orders/profit.ts"
import type { Marks } from "../../domain/orders/risk-marks.ts"
import type { LossRule } from "../../domain/orders/risk-scope.ts"
import type { AccountGrant } from "../accounts/accounts-store.port.ts"
import type { DatabaseUnavailable } from "../database/database.port.ts"

/** What an account or a strategy holds; one that never traded is left out. */
export interface AccountHoldings extends Holdings {
  readonly account: string
  readonly startingCash: string
  /** What the venue said last, null when it is not known. */
  readonly cash: string | null
}

/** Closes of a scope that its limits ask for. */
export interface Closes {
  readonly losses: number
  readonly lastLossAtMs: number | null
}

/** What is known at one moment. Money is text. */
export interface RiskReading {
  readonly nowMs: number
  readonly crashedAtMs: number | null
  readonly accounts: ReadonlyArray<AccountHoldings>
  readonly strategies: ReadonlyArray<Holdings & { readonly strategy: string }>
  readonly marks: ReadonlyMap<string, Marks>
  readonly trading: ReadonlyMap<string, TradingStateName>
  readonly closes: ReadonlyMap<string, Closes>
}

/** Marks to be written. `resumed`: they begin anew, if nobody else has begun them. */
export interface MarksChange {
  readonly scope: string
  readonly marks: Marks
  readonly resumed: boolean
}

/** A rule that was broken. */
export interface Trip {
  readonly scope: string
  readonly rule: LossRule
  readonly state: TradingStateName
  readonly reason: string
  readonly numbers: RiskNumbers
}

/** Equity of an account at a minute. */
export interface EquitySample {
  readonly account: string
  readonly atMs: number
  readonly cash: string | null
  readonly realised: string
  readonly fees: string
  readonly unrealised: string | null
  readonly equity: string | null
  readonly dayPnl: string | null
  readonly drawdown: string | null
}

export interface VenueMoney {
  readonly cash: string
  readonly buyingPower: string
}

export interface RiskStoreService {
  readonly read: (
    accounts: ReadonlyArray<string>,
    scopes: Readonly<Record<string, ScopeLimits>>
  ) => Effect.Effect<RiskReading, DatabaseUnavailable>
  readonly saveMarks: (changes: ReadonlyArray<MarksChange>) => Effect.Effect<void, DatabaseUnavailable>
  /** `Tripped`: by this call, with whether the state moved. `Known`: the rule of somebody else was first. */
  readonly trip: (
    trip: Trip
  ) => Effect.Effect<
    { readonly _tag: "Tripped"; readonly moved: boolean } | { readonly _tag: "Known" },
    DatabaseUnavailable
  >
  /** One row per account and minute: the first that is told stays. Old ones of these accounts go. */
  readonly sample: (samples: ReadonlyArray<EquitySample>) => Effect.Effect<void, DatabaseUnavailable>
  /** The book of an account right before its venue is asked for money: quantities by symbol. */
  readonly book: (account: string) => Effect.Effect<Readonly<Record<string, string>>, DatabaseUnavailable>
  /** Stores what the venue said over that book, or, null, that nothing is known. A void grant changes nothing. */
  readonly noteBalance: (
    grant: AccountGrant,
    money: (VenueMoney & { readonly book: Readonly<Record<string, string>> }) | null
  ) => Effect.Effect<void, DatabaseUnavailable>
}

export class RiskStore extends Context.Service<RiskStore, RiskStoreService>()("holdfast/layers/RiskStore") {}
