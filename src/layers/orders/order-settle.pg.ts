/**
 * Settling ended orders: which are due for a check, and what a check that settled nothing leaves in the row.
 *
 * What does not add up may never do so: a venue forgets its orders, and a fill can be lost to both of us. Such rows
 * are checked ever more rarely, so that they take no place in a pass from those that still settle, and they count
 * their checks, so that a human is alerted. Money is at stake, so an order of which the venue once counted more than we have
 * is never settled automatically; only where the venue never gave a count do our own complete books count for it.
 *
 * Promises: a row that was checked is not due again before its pause; the venue's last report survives the venue's
 * memory; a fill that arrives makes the row due at once (fills-store.pg.ts).
 * Never: settles against a count of the venue; checks a fence, since whether fills add up is a fact.
 * Failure: `DatabaseUnavailable`; a check that is counted twice only delays the next one. A fault is a bug and dies.
 */
import { Effect } from "effect"
import { executionLimits } from "../../domain/kernel/limits-execution.ts"
import { SETTLES } from "../../domain/orders/order.ts"
import { storeAlertsIn } from "../alerts/alerts-store.pg.ts"
import type { DatabaseService } from "../database/database.port.ts"
import { columnsOf, settledBy, settledWhen } from "./order-row.pg.ts"
import type { OrdersStoreService, StoredOrder, Unsettled } from "./orders-store.port.ts"

/** One pass of the reconciler; what is left over is found by the next one. */
const UNSETTLED_MAX = 256

type Settling = Pick<OrdersStoreService, "unsettled" | "unsettledCounts" | "settle" | "noteUnsettled">

const settle =
  (database: DatabaseService): Settling["settle"] =>
  (orderId, venueFilled) =>
    database
      .run(
        "orders.settle",
        (sql) => sql<{ readonly id: string }>`
          UPDATE orders SET settled_at = hf_clock()
          WHERE id = ${orderId} AND settled_at IS NULL AND ${sql.in("status", [...SETTLES])}
            AND ${settledWhen(sql, venueFilled)}
          RETURNING id`
      )
      .pipe(
        Effect.map((rows) => rows.length === 1),
        Effect.catchTag("DatabaseFault", Effect.die)
      )

/**
 * `known` is the venue's last report: its answer now, a stored one, or what follows from the row alone (a filled
 * order is filled completely, one that was never sent not at all).
 */
const noteUnsettled =
  (database: DatabaseService): Settling["noteUnsettled"] =>
  (orderId, word, alertOf) => {
    const filled = word === "not_listed" ? null : word.filled
    const alive = word !== "not_listed" && !word.over
    return database
      .transact("orders.note_unsettled", (sql) =>
        sql<Unsettled>`
          WITH known AS (
            SELECT id, coalesce(${filled}::numeric, venue_filled, CASE WHEN status = 'filled' THEN quantity
              WHEN sends = 0 AND attempt = 1 THEN 0 END) AS filled
            FROM orders WHERE id = ${orderId} AND settled_at IS NULL AND ${sql.in("status", [...SETTLES])}
          )
          UPDATE orders SET
            venue_filled = coalesce(${filled}::numeric, venue_filled),
            settle_looks = settle_looks + 1,
            settle_due = hf_clock() + least(${executionLimits.settleAgainMsMax}::float8,
              ${executionLimits.settleAgainFirstMs}::float8 * power(2, least(settle_looks, 30)))
              * interval '1 millisecond',
            settled_at = CASE
              WHEN ${alive}::boolean THEN NULL
              WHEN ${settledBy(sql, sql`known.filled`)} THEN hf_clock()
              WHEN known.filled IS NULL AND settle_looks + 1 >= ${executionLimits.settleLooksMax}::int
                AND ${settledBy(sql, sql`orders.filled_quantity`)} THEN hf_clock() END
          FROM known WHERE orders.id = known.id
          RETURNING settled_at IS NOT NULL AS settled, settle_looks AS looks,
            trim_scale(orders.filled_quantity) AS ours, trim_scale(known.filled) AS venues,
            (SELECT count(*) FROM trade_records t LEFT JOIN trade_strategy_link l ON l.trade_record_id = t.id
              WHERE t.order_id = orders.id AND (t.position_id IS NULL OR l.trade_record_id IS NULL))::int AS unlinked`.pipe(
          Effect.map(([row]) => row ?? null),
          Effect.tap((left) => {
            const alert = left === null ? null : alertOf(left)
            return alert === null ? Effect.void : storeAlertsIn(sql, [alert])
          })
        )
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die))
  }

/** The part of the orders store that handles ended orders. */
export const settling = (database: DatabaseService): Settling => ({
  settle: settle(database),
  noteUnsettled: noteUnsettled(database),
  unsettled: (account) =>
    database
      .run(
        "orders.unsettled",
        (sql) => sql<StoredOrder>`
          SELECT ${columnsOf(sql)} FROM orders
          WHERE account = ${account} AND settled_at IS NULL AND ${sql.in("status", [...SETTLES])}
            AND (settle_due IS NULL OR settle_due <= hf_clock())
          ORDER BY settle_due NULLS FIRST, updated_at LIMIT ${UNSETTLED_MAX}`
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die)),
  unsettledCounts: (accounts) =>
    database
      .run(
        "orders.unsettled_counts",
        (sql) => sql<{ readonly account: string; readonly all: number; readonly due: number }>`
          SELECT account, count(*)::int AS all,
            (count(*) FILTER (WHERE settle_due IS NULL OR settle_due <= hf_clock()))::int AS due
          FROM orders
          WHERE account = ANY (${[...accounts]}::text[]) AND settled_at IS NULL AND ${sql.in("status", [...SETTLES])}
          GROUP BY account`
      )
      .pipe(
        Effect.map((rows) => new Map(rows.map(({ account, ...counts }) => [account, counts]))),
        Effect.catchTag("DatabaseFault", Effect.die)
      )
})
