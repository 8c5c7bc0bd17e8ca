/**
 * 0021 live settings: under which settings a decision was made, and which accounts no process executes any more.
 *
 * A decision names its version without a reference: the version is stored as soon as the database takes it, which may be
 * after the decision. An account that a reload removes keeps its row with its orders and fills; `retired_at` is since when no
 * process executes it, until somebody takes it again. A node id is shared
 * by the copies of a DATA_DIR, so a row of settings names the life that runs under them.
 *
 * Promises: additive; older rows have NULL, which is: not known.
 * Never: rewrites a row.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`ALTER TABLE decisions ADD COLUMN settings_version text`,
      sql`ALTER TABLE accounts ADD COLUMN retired_at timestamptz`,
      sql`ALTER TABLE settings_changes ADD COLUMN life text`
    ],
    { discard: true }
  )
)
