/**
 * 0008 alert outbreaks: one row per outbreak, closed by what ended it.
 *
 * An alert stayed open until an operator acknowledged it, so a broker that was back for hours looked as if it were away,
 * its next outage was counted on the old row, and that row's words were overwritten. A row is now open until it is
 * resolved; the words of the last repetition stand beside those of the first.
 *
 * Promises: a row that was acknowledged is over, as it was before; every other one stays open.
 * Never: removes a row; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`ALTER TABLE alerts ADD COLUMN standing boolean NOT NULL DEFAULT false,
        ADD COLUMN resolved_at timestamptz, ADD COLUMN resolved_by text,
        ADD COLUMN acknowledged_by text, ADD COLUMN acknowledged_note text,
        ADD COLUMN last_message text, ADD COLUMN last_detail jsonb, ADD COLUMN last_entry uuid`,
      sql`UPDATE alerts SET resolved_at = acknowledged_at, resolved_by = 'acknowledged'
        WHERE acknowledged_at IS NOT NULL`,
      sql`DROP INDEX alerts_open`,
      sql`CREATE UNIQUE INDEX alerts_open ON alerts (dedup_key) WHERE resolved_at IS NULL`,
      sql`CREATE INDEX alerts_last_entry ON alerts (last_entry)`
    ],
    { discard: true }
  )
)
