/**
 * 0005 settling: what is known of an order that is over and does not add up.
 *
 * A terminal order is settled when the venue's count, our fills, their position and their link agree. One that the
 * venue no longer lists, or whose fills never come, was looked at again and again before every younger one, and nobody
 * was told. The row now remembers the venue's last word, how often it was looked at, and when it is due again.
 *
 * Promises: orders that are unsettled get the last count that was stored with one of their events.
 * Never: settles an order; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`ALTER TABLE orders ADD COLUMN venue_filled numeric, ADD COLUMN settle_looks integer NOT NULL DEFAULT 0,
        ADD COLUMN settle_due timestamptz`,
      sql`UPDATE orders o SET venue_filled = (
          SELECT (e.detail ->> 'venueFilled')::numeric FROM order_events e
          WHERE e.order_id = o.id AND e.legal AND e.detail ->> 'venueFilled' IS NOT NULL ORDER BY e.seq DESC LIMIT 1)
        WHERE o.settled_at IS NULL AND o.status IN ('filled', 'cancelled', 'expired', 'rejected')`
    ],
    { discard: true }
  )
)
