/**
 * TradingStateStore: the port to the rows that decide whether this installation, an account or a strategy trades.
 *
 * Promises: a change is written with who made it and why, in one transaction with its audit line.
 * Never: notifies anybody; whoever changes it rings (bells.ts).
 */
import { Context, type Effect } from "effect"
import type { TradingStateName } from "../../domain/kernel/trading-state.ts"
import type { DatabaseError } from "../database/database.port.ts"

/** The row as it is shown. */
export interface TradingStateRow {
  readonly scope: string
  readonly state: TradingStateName
  readonly reason: string
  readonly changed_by: string
  readonly version: number
  /** ISO 8601, in UTC. */
  readonly changed_at: string
}

export interface TradingStateChange {
  /** `global`, `account:<id>` or `strategy:<name>`. */
  readonly scope: string
  readonly state: TradingStateName
  readonly reason: string
  readonly changedBy: string
}

export interface TradingStateStoreService {
  /** Every scope that was ever set, `global` first. */
  readonly read: Effect.Effect<ReadonlyArray<TradingStateRow>, DatabaseError>
  readonly set: (change: TradingStateChange) => Effect.Effect<TradingStateRow, DatabaseError>
}

export class TradingStateStore extends Context.Service<TradingStateStore, TradingStateStoreService>()(
  "holdfast/layers/TradingStateStore"
) {}
