/**
 * 0009 signals due: the open signals of each source, by the moment their age counts from.
 *
 * Claims walked the open signals by number, so 264,000 that were too old stood in front of a fresh one for 45 s. With
 * this index a claim begins at the oldest that is still young enough, and those before it are ended many at a time.
 * Rejected: a column with the moment a signal expires, which would outlive the setting it was computed from.
 *
 * Promises: holds only signals that are not decided, so its size is that of the backlog.
 * Never: changes a row; later migrations only go forward.
 */
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use(
  (sql) => sql`CREATE INDEX signals_due ON signals (kind, source, (coalesce(expires_from, received_at)), seq)
    WHERE status IN ('received', 'processing')`
)
