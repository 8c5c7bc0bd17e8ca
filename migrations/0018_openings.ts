/**
 * 0018 openings: which signal opened what an exit closes (E5).
 *
 * An exit belongs to a position and to no signal, so the trace of a signal ended where its position was left, and the exit's
 * log lines correlated with nothing else. From now on a share carries the signal that opened it; every fill that touches the
 * share and every order that closes it repeat that name. Rejected: finding the exits of a signal by position and time, because
 * a strategy may leave a position and enter it again while others still hold it.
 *
 * Shares that are open, and their exits under way, get theirs from the fills that made them; what is over keeps none.
 *
 * Promises: no quantity and no status changes; a signal may be removed without its name (no reference: T13).
 * Never: drops or rewrites rows that are over; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`ALTER TABLE position_shares ADD COLUMN opened_by uuid`,
      sql`ALTER TABLE trade_strategy_link ADD COLUMN opened_by uuid`,
      sql`ALTER TABLE orders ADD COLUMN opened_by uuid`,
      // The opening fill is stored in the transaction that opens the share, so it is the last one that came before.
      sql`UPDATE position_shares h SET opened_by = f.signal_id
        FROM (SELECT DISTINCT ON (s.position_id, s.strategy) s.position_id, s.strategy, l.signal_id
          FROM position_shares s JOIN trade_records t ON t.position_id = s.position_id AND t.recorded_at <= s.opened_at
            JOIN trade_strategy_link l ON l.trade_record_id = t.id AND l.strategy = s.strategy
          WHERE s.quantity <> 0 ORDER BY s.position_id, s.strategy, t.seq DESC) AS f
        WHERE h.position_id = f.position_id AND h.strategy = f.strategy`,
      sql`UPDATE trade_strategy_link l SET opened_by = h.opened_by FROM trade_records t, position_shares h
        WHERE l.trade_record_id = t.id AND t.position_id = h.position_id AND l.strategy = h.strategy
          AND h.opened_by IS NOT NULL AND (l.signal_id = h.opened_by OR t.recorded_at >= h.opened_at)`,
      sql`UPDATE orders o SET opened_by = h.opened_by FROM position_shares h
        WHERE o.position_id = h.position_id AND o.strategy = h.strategy AND h.opened_by IS NOT NULL
          AND o.created_at >= h.opened_at`,
      sql`CREATE INDEX orders_by_opening ON orders (opened_by) WHERE opened_by IS NOT NULL`,
      sql`CREATE INDEX trade_strategy_link_opening ON trade_strategy_link (opened_by) WHERE opened_by IS NOT NULL`
    ],
    { discard: true }
  )
)
