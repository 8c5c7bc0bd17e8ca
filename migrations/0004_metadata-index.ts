/**
 * 0004 metadata index: what the meeting of metadata and trades looks up, as columns with an index.
 *
 * Metadata that never got its fill is never removed, so a look-up that reads all of it inside the fill transaction
 * grows for ever: 252 ms per fill with 50,000 old rows, measured. The compared spelling of a pair and the moment the
 * metadata speaks of become columns; both look-ups, and those by order id, get an index.
 *
 * Promises: rows that exist get the values the queries computed until now.
 * Never: changes what matches; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`ALTER TABLE signal_metadata ADD COLUMN at timestamptz,
        ADD COLUMN pair_key text GENERATED ALWAYS AS (regexp_replace(upper(pair), '[-/_:. ]', '', 'g')) STORED`,
      sql`UPDATE signal_metadata m SET at = coalesce(s.fired_at, m.received_at) FROM signals s WHERE s.id = m.signal_id`,
      sql`ALTER TABLE signal_metadata ALTER COLUMN at SET NOT NULL, ALTER COLUMN at SET DEFAULT now()`,
      sql`DROP INDEX signal_metadata_unlinked`,
      sql`CREATE INDEX signal_metadata_waiting ON signal_metadata (pair_key, at)
        WHERE linked_at IS NULL AND order_id IS NULL`,
      sql`ALTER TABLE trade_records
        ADD COLUMN symbol_key text GENERATED ALWAYS AS (regexp_replace(upper(symbol), '[-/_:. ]', '', 'g')) STORED`,
      sql`CREATE INDEX trade_records_near ON trade_records (symbol_key, order_time)`,
      sql`CREATE INDEX trade_records_client_order ON trade_records (client_order_id) WHERE client_order_id IS NOT NULL`,
      sql`CREATE INDEX trade_records_venue_order ON trade_records (venue_order_id)`
    ],
    { discard: true }
  )
)
