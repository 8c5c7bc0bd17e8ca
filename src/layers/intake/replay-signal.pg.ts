/**
 * Back to the queue: a signal that made no order is undecided again.
 *
 * Promises: only a signal that was rejected because nobody knew its strategy; never one with an order, nor one that is
 * older than its source allows; its decision goes, because there is one per signal.
 * Never: runs outside of a transaction of its caller, who marks why.
 * Failure: errors of the SQL client pass through.
 */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { ageLimits } from "../../domain/kernel/limits-signals.ts"
import type { Settings } from "../../domain/kernel/settings.ts"

/** What a replay needs. `nowMs` judges the age of a post, as at the intake; a signal's is judged by the database. */
export interface ReplayRound {
  readonly ids: ReadonlyArray<string>
  readonly by: string
  readonly settings: Settings
  readonly nowMs: number
}

export interface SignalStanding {
  readonly id: string
  readonly source: string
  readonly strategy: string | null
  /** It may go back: not too old by the limit of its source; metadata never is. */
  readonly young: boolean
  /** It is where its last decision left it, and made no order. */
  readonly left: boolean
}

/** How the signals stand, with their rows locked: whoever decides one now is waited for. */
export const standingOf = (sql: SqlClient, settings: Settings, ids: ReadonlyArray<string>) =>
  Effect.map(
    sql<SignalStanding>`
      SELECT s.id, s.source, s.strategy,
        s.kind = 'metadata' OR coalesce(s.expires_from, s.received_at) >= hf_clock()
          - coalesce(ages.ms, ${ageLimits.signalAgeMsDefault}::float8) * interval '1 millisecond' AS young,
        s.status = 'rejected' AND s.reason = 'strategy_unknown'
          AND NOT EXISTS (SELECT FROM orders o WHERE o.signal_id = s.id) AS left
      FROM signals s LEFT JOIN unnest(${Object.keys(settings.sources)}::text[],
        ${Object.values(settings.sources).map(({ ageMaxMs }) => ageMaxMs)}::float8[]) AS ages (source, ms)
        ON ages.source = s.source
      WHERE s.id = ANY (${ids}::uuid[]) ORDER BY s.seq FOR UPDATE OF s`,
    (rows) => new Map(rows.map((row) => [row.id, row]))
  )

/** Puts signals back that stand as they should; the caller has looked, in the same transaction. */
export const requeue = (sql: SqlClient, ids: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    if (ids.length === 0) return
    yield* sql`DELETE FROM enriched_signals WHERE signal_id = ANY (${ids}::uuid[])`
    yield* sql`DELETE FROM decisions WHERE signal_id = ANY (${ids}::uuid[])`
    yield* sql`
      UPDATE signals SET status = 'received', reason = NULL, decided_at = NULL, attempts = 0, claim = NULL, lease_until = NULL
      WHERE id = ANY (${ids}::uuid[])`
  })
