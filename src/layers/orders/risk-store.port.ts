/**
 * Risk store: the port to the data of loss limits: profits and open positions, marks, closes, equity, venue balances.
 *
 * Promises: `read` returns one consistent snapshot in one statement; marks only move forward, whichever process writes them,
 * unless a resume resets them; a rule stops a scope once, with reason, mark, journal entry, audit row and alert in one commit,
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
import type { ClosedAlert } from "../alerts/alerts-store.port.ts"
import type { PendingAlert } from "../alerts/alerts.port.ts"
import type { DatabaseUnavailable } from "../database/database.port.ts"

/** Profit and open positions of an account; one that never traded is left out. */
export interface AccountHoldings extends Holdings {
  readonly account: string
  readonly startingCash: string
  /** As the venue reported it, null when unknown. */
  readonly cash: string | null
}

/** Closes of a scope, as far as its limits need them. */
export interface Closes {
  readonly losses: number
  readonly lastLossAtMs: number | null
}

/** A consistent snapshot. Money is text. */
export interface RiskReading {
  readonly nowMs: number
  readonly crashedAtMs: number | null
  readonly accounts: ReadonlyArray<AccountHoldings>
  readonly strategies: ReadonlyArray<Holdings & { readonly strategy: string }>
  readonly marks: ReadonlyMap<string, Marks>
  readonly trading: ReadonlyMap<string, TradingStateName>
  readonly closes: ReadonlyMap<string, Closes>
}

/** Marks to be stored. `resumed`: they are reset, unless another process has reset them. */
export interface MarksChange {
  readonly scope: string
  readonly marks: Marks
  readonly resumed: boolean
}

/** A breached rule. */
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
  /**
   * Stops the scope; `alertOf` makes the alert of the stop, which replaces the open one of its key. `Tripped`: by this call;
   * `moved` is false when the state was already as strict. `Known`: it was tripped before, and nothing changes.
   */
  readonly trip: (
    trip: Trip,
    alertOf: (moved: boolean) => PendingAlert
  ) => Effect.Effect<
    | { readonly _tag: "Tripped"; readonly moved: boolean; readonly ended: ReadonlyArray<ClosedAlert> }
    | { readonly _tag: "Known" },
    DatabaseUnavailable
  >
  /** One row per account and minute: the first one stays. Also deletes some rows past their retention. */
  readonly sample: (samples: ReadonlyArray<EquitySample>) => Effect.Effect<void, DatabaseUnavailable>
  /** The book of an account right before its balance is requested: quantities by symbol. */
  readonly book: (account: string) => Effect.Effect<Readonly<Record<string, string>>, DatabaseUnavailable>
  /** Stores the balance with that book, or, null, that it is unknown. A void grant changes nothing. */
  readonly noteBalance: (
    grant: AccountGrant,
    money: (VenueMoney & { readonly book: Readonly<Record<string, string>> }) | null
  ) => Effect.Effect<void, DatabaseUnavailable>
}

export class RiskStore extends Context.Service<RiskStore, RiskStoreService>()("holdfast/layers/RiskStore") {}
