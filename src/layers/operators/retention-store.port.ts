/**
 * RetentionStore: the port that removes rows past their retention period (T13), a page at a time.
 *
 * Promises: a page is one short transaction that hardly waits: rows locked by others are left to the next round, and a lock
 * that is not free at once ends it. Nothing is removed early, and no signal while an order or a position of it is open.
 * Never: removes the id of a fill: a venue that is asked for all its fills reports old ones again.
 */
import { Context, type Effect } from "effect"
import type { DatabaseError } from "../database/database.port.ts"

/** A rule in one round. */
export interface RuleRound {
  readonly rule: string
  /** Rows created before this instant are past their period; null: they are kept forever. Epoch milliseconds. */
  readonly cutoffMs: number | null
  /** Rows up to here are more than the table may have; null: no such bound, or fewer rows. */
  readonly beyond: bigint | null
}

/** What became of a page. */
export interface PrunedPage {
  readonly removed: number
  /** Where the next page begins. */
  readonly cursor: bigint
  /** No later page has rows past their period. */
  readonly done: boolean
  /** When the last row it read was created, epoch milliseconds; null when it looked at none. */
  readonly bornMs: number | null
}

export interface RetentionStoreService {
  /** The rules and their bounds as they are now, by the database's clock, in the order in which they are to be carried out. */
  readonly begin: Effect.Effect<ReadonlyArray<RuleRound>, DatabaseError>
  /** The page behind `cursor` (0: the first). Null when another process prunes. */
  readonly prune: (round: RuleRound, cursor: bigint) => Effect.Effect<PrunedPage | null, DatabaseError>
}

export class RetentionStore extends Context.Service<RetentionStore, RetentionStoreService>()(
  "holdfast/layers/RetentionStore"
) {}
