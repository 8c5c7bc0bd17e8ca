/**
 * 0033 list indexes: what consoles ask for every second or two is found without reading whole tables.
 *
 * Every symbol that was ever held has a position, every alert that ever was a row; what is open is few. The newest waves are those
 * of all feeds, and so is the order in which old ones go (T13). Orders and fills are counted by the time they came, and their rows
 * are in that order already: a BRIN index of a few pages is enough, as for signals (0019). Rejected: a B-tree, which every order
 * would pay for at each change of its status.
 *
 * Promises: additive; no row changes.
 * Never: drops or rewrites; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`CREATE INDEX positions_open ON positions (account, symbol) WHERE quantity <> 0`,
      sql`CREATE INDEX alerts_unresolved ON alerts (seq) WHERE resolved_at IS NULL`,
      sql`CREATE INDEX waves_newest ON waves (wave, feed)`,
      sql`CREATE INDEX orders_created ON orders USING brin (created_at) WITH (pages_per_range = 32, autosummarize = on)`,
      sql`CREATE INDEX trade_records_recorded ON trade_records
        USING brin (recorded_at) WITH (pages_per_range = 32, autosummarize = on)`
    ],
    { discard: true }
  )
)
