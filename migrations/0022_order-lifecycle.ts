/**
 * 0022 order lifecycle: entries that end partly filled, and closes that two commands share.
 *
 * `partial` is what was done about an entry of which only a part has traded; null: nothing was, or had to be. `opened_seq` is the
 * opening of its strategy's share after its last fill, so that a close of those fills never meets a later opening.
 * `opened_quantity` is what its fills added to that share: one that turns a position around opens less than it fills.
 * `compensates` names the order whose fills an exit closes; no reference, because each is removed in its own time (T13).
 *
 * A command may name a close of another command that waits already and does the same. Until now only a close that it made
 * itself carried its id, so that the command given again, after that other close had traded, closed as much once more.
 *
 * Promises: entries that ended before are over: no setting closes them now.
 * Never: drops or rewrites a fact; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`ALTER TABLE orders
        ADD COLUMN partial text CHECK (partial IN ('kept', 'closed', 'left', 'due')),
        ADD COLUMN opened_seq bigint,
        ADD COLUMN opened_quantity numeric NOT NULL DEFAULT 0,
        ADD COLUMN compensates uuid`,
      sql`UPDATE orders SET partial = 'kept' WHERE intent = 'entry' AND filled_quantity > 0
        AND status IN ('cancelled', 'expired', 'rejected')`,
      // Entries that work across the upgrade and had their last fill before it: of the open share, if that fill opened it or came later.
      sql`UPDATE orders o SET opened_seq = h.opened_seq, opened_quantity = least(o.filled_quantity, abs(h.quantity)) FROM positions p JOIN position_shares h ON h.position_id = p.id
        WHERE o.intent = 'entry' AND o.filled_quantity > 0 AND o.status NOT IN ('filled', 'cancelled', 'expired', 'rejected')
          AND p.account = o.account AND p.symbol = o.symbol AND h.strategy = o.strategy AND h.quantity <> 0
          AND (SELECT max(t.seq) FROM trade_records t WHERE t.order_id = o.id)
            >= (SELECT max(t.seq) FROM trade_records t JOIN trade_strategy_link l ON l.trade_record_id = t.id
              WHERE t.position_id = p.id AND l.strategy = h.strategy AND t.recorded_at <= h.opened_at)`,
      // Small: what is judged leaves it.
      sql`CREATE INDEX orders_partial ON orders (account)
        WHERE partial = 'due' OR (partial IS NULL AND (
          (intent = 'entry' AND filled_quantity > 0 AND status IN ('cancelled', 'expired', 'rejected'))
          OR (compensates IS NOT NULL AND status IN ('cancelled', 'expired', 'rejected', 'expired_unsent', 'withdrawn'))))`,
      sql`CREATE INDEX orders_compensates ON orders (compensates) WHERE compensates IS NOT NULL`,
      // What did not fit is rare, and looked for among millions that did.
      sql`CREATE INDEX order_events_illegal ON order_events (at) WHERE NOT legal`,
      sql`CREATE TABLE command_orders (
        command_id uuid NOT NULL,
        order_id uuid NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
        PRIMARY KEY (command_id, order_id)
      )`,
      sql`CREATE INDEX command_orders_order ON command_orders (order_id)`
    ],
    { discard: true }
  )
)
