/**
 * How an order row leaves PostgreSQL, and when it counts as settled: shared by the statements of the orders store.
 *
 * Promises: the columns match `StoredOrder` name by name, numbers without trailing zeros; settled means that the
 * venue's own filled quantity, ours, the sum of the trades, their position and their link all agree.
 * Never: runs a statement.
 * Failure: that of the statement these are parts of.
 */
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"

const columns = `id, client_order_id AS "clientOrderId", signal_id AS "signalId", account, strategy, leg, intent,
  sizing, trim_scale(wanted) AS wanted, symbol,
  side, type, trim_scale(quantity) AS quantity, trim_scale(limit_price) AS "limitPrice",
  trim_scale(stop_price) AS "stopPrice", expires_at AS "expiresAt",
  time_in_force AS "timeInForce", status, attempt, source, venue, venue_order_id AS "venueOrderId",
  trim_scale(filled_quantity) AS "filledQuantity", trim_scale(average_price) AS "averagePrice", reason, fence, sends,
  position_id AS "positionId", position_epoch AS "positionEpoch", exit_number AS "exitNumber",
  exit_kind AS "exitKind", command_id AS "commandId", opened_by AS "openedBy", valid_until AS "validUntil", created_at AS "createdAt", sent_at AS "sentAt", settled_at AS "settledAt"`

/** The select list of a `StoredOrder` from `orders` or from a CTE that returned `orders.*`. */
export const columnsOf = (sql: SqlClient): Fragment => sql.literal(columns)

/**
 * True for a row of `orders` whose fills are complete by the venue's own count and all of whose trades carry a
 * position and a link. `venueFilled` null: the venue's count is not known, so nothing is settled.
 */
export const settledWhen = (sql: SqlClient, venueFilled: string | null): Fragment =>
  settledBy(sql, sql`${venueFilled}::numeric`)

/**
 * The same for an order that this statement fills with `filled` and whose trade `linked` it links: rows that a statement writes are
 * not seen by itself.
 */
export const settledWith = (sql: SqlClient, filled: string, linked: string): Fragment => sql`(
  orders.quantity = ${filled}::numeric
  AND orders.quantity = (
    SELECT coalesce(sum(t.quantity), 0) FROM trade_records t WHERE t.order_id = orders.id)
  AND NOT EXISTS (
    SELECT FROM trade_records t LEFT JOIN trade_strategy_link l ON l.trade_record_id = t.id
    WHERE t.order_id = orders.id AND (t.position_id IS NULL OR (l.trade_record_id IS NULL AND t.id <> ${linked}::uuid))))`

/** The same by a count that is in a column. */
export const settledBy = (sql: SqlClient, filled: Fragment): Fragment => sql`(
  orders.filled_quantity = ${filled}
  AND orders.filled_quantity = (
    SELECT coalesce(sum(t.quantity), 0) FROM trade_records t WHERE t.order_id = orders.id)
  AND NOT EXISTS (
    SELECT FROM trade_records t LEFT JOIN trade_strategy_link l ON l.trade_record_id = t.id
    WHERE t.order_id = orders.id AND (t.position_id IS NULL OR l.trade_record_id IS NULL)))`
