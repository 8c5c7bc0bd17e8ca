/**
 * 0003 wave ledger: what a wave cost, when it was searched for, and the paths to what is still open.
 *
 * A row says what became of its wave; these columns say what that was worth: how many signals it had, how long nothing
 * was traded because of it, whether it was processed after its time. The two partial indexes hold only what is not
 * over, so they stay small while the ledger and the signals grow for good.
 *
 * Promises: rows that exist keep their meaning; the defaults are what is true of them.
 * Never: drops or rewrites; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`ALTER TABLE waves ADD COLUMN signals integer NOT NULL DEFAULT 0, ADD COLUMN late boolean NOT NULL DEFAULT false,
        ADD COLUMN lost_ms bigint NOT NULL DEFAULT 0, ADD COLUMN started_at timestamptz, ADD COLUMN finished_at timestamptz`,
      sql`CREATE INDEX waves_open ON waves (feed, wave) WHERE status IN ('expected', 'processing')`,
      sql`CREATE INDEX waves_due ON waves (feed, due_at)`,
      sql`CREATE INDEX signals_buffered ON signals (feed, wave) WHERE status = 'buffered'`
    ],
    { discard: true }
  )
)
