/**
 * The step to `submitting`: the last statement before an order may reach a wire, and the choice of that order.
 *
 * Everything that must be true at the moment of sending is judged in one statement on the server: the status, the
 * fence, the lease on the database's clock, the age of the intent, the trading state, and for a reduce the quantity.
 * The quantity of a reduce is what our book and the broker's confirmation both have, less what other orders of the
 * same side may still take. Each of the three can lag behind the others by a fill in flight; taking the smaller book
 * and counting open orders in full is short by at most that fill, and never flips a position.
 *
 * Promises: a row that this moved to `submitting` has sends + 1, sent_at and the fence of its sender.
 * Never: sends; decides what a refusal means for the order (see the executor).
 * Failure: `DatabaseUnavailable`; when the answer was lost the row may be `submitting` with nothing sent, which
 * is crash point K4 and resolved like it.
 */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { invariant } from "../domain/invariant.ts"
import { AT_VENUE, BLOCKS_SYMBOL, nextStatus, type OrderEvent } from "../domain/order.ts"
import type { AccountGrant } from "./accounts-store.ts"
import type { DatabaseService } from "./database.ts"
import { columnsOf } from "./order-row.pg.ts"
import type { OrdersStoreService, OrderWork, StoredOrder, Submitted, SubmitRefusal } from "./orders-store.ts"

/**
 * Whether the trading state lets an order of this intent out (T6): the most restrictive of the states that concern it
 * decides, a scope without a row is ACTIVE. An operator's flatten, which passes HALTED, comes with its endpoint.
 */
const letOut = (sql: SqlClient): Fragment => sql`(
  NOT EXISTS (SELECT FROM trading_state s
    WHERE s.scope IN ('global', 'account:' || o.account, 'strategy:' || o.strategy)
      AND (s.state = 'HALTED' OR (s.state = 'REDUCING' AND o.intent = 'entry')))
  AND (o.intent = 'reduce' OR EXISTS (SELECT FROM accounts e WHERE e.id = o.account AND e.enabled)))`

/** What a reduce may close now; zero when nothing. The side of the order and the sign of both books must agree. */
const reducible = (sql: SqlClient): Fragment => sql`coalesce((
  SELECT CASE
      WHEN o.side = 'sell' THEN least(p.quantity, p.confirmed_quantity)
      ELSE least(-p.quantity, -p.confirmed_quantity) END
    - coalesce((
      SELECT sum(w.quantity - w.filled_quantity) FROM orders w
      WHERE w.account = o.account AND w.symbol = o.symbol AND w.side = o.side AND w.id <> o.id
        AND ${sql.in("w.status", [...AT_VENUE])}), 0)
  FROM positions p
  WHERE p.id = o.position_id AND p.epoch = o.position_epoch AND p.confirmed_quantity IS NOT NULL), 0)`

/**
 * The quantity to send. A resend keeps to what was sent before: under its client order id the venue may already have
 * an order of that size.
 */
const quantityToSend = (sql: SqlClient): Fragment => sql`CASE
  WHEN o.intent = 'entry' THEN o.quantity
  WHEN o.sends = 0 THEN ${reducible(sql)}
  ELSE least(o.quantity, ${reducible(sql)}) END`

/** Nothing that blocks it is unresolved: for an entry its symbol, for a reduce its symbol and side. */
const unblocked = (sql: SqlClient): Fragment => sql`NOT EXISTS (
  SELECT FROM orders b
  WHERE b.account = o.account AND b.symbol = o.symbol AND b.id <> o.id
    AND ${sql.in("b.status", [...BLOCKS_SYMBOL])}
    AND (o.intent = 'entry' OR b.side = o.side))`

export const nextWork =
  (database: DatabaseService): OrdersStoreService["next"] =>
  (account, notCancels = []) =>
    database
      .run(
        "orders.next",
        (sql) => sql<StoredOrder & Pick<OrderWork, "work">>`
          SELECT ${columnsOf(sql)}, CASE
              WHEN o.status = 'pending_cancel' THEN 'cancel'
              WHEN o.status = 'intended' THEN 'send'
              WHEN o.valid_until <= clock_timestamp() THEN 'expire'
              ELSE 'release' END AS work
          FROM orders o
          WHERE o.account = ${account} AND o.status IN ('pending_cancel', 'held', 'intended') AND CASE o.status
            WHEN 'pending_cancel' THEN NOT (o.id = ANY(${[...notCancels]}::uuid[]))
            -- What is stale is handed out whatever blocks it: it is about to expire, not to be sent.
            WHEN 'held' THEN o.valid_until <= clock_timestamp() OR ${letOut(sql)}
            ELSE o.valid_until <= clock_timestamp() OR (${letOut(sql)} AND ${unblocked(sql)}) END
          ORDER BY CASE o.status WHEN 'pending_cancel' THEN 0 WHEN 'held' THEN 1 ELSE 2 END,
            (o.intent = 'reduce') DESC, o.seq
          LIMIT 1`
      )
      .pipe(
        Effect.map(([row]): OrderWork | null => {
          if (row === undefined) return null
          const { work, ...order } = row
          return { order, work }
        }),
        Effect.catchTag("DatabaseFault", Effect.die)
      )

/** The guarded statement. No row: something in it is false. */
const move = (sql: SqlClient, grant: AccountGrant, order: StoredOrder, event: OrderEvent) =>
  sql<StoredOrder>`
    WITH own AS (
      SELECT id FROM accounts
      WHERE id = ${grant.account} AND owner = ${grant.owner} AND fence = ${grant.fence}
        AND lease_until > clock_timestamp()
      FOR SHARE
    ), moved AS (
      UPDATE orders AS o SET
        status = 'submitting',
        quantity = ${quantityToSend(sql)},
        sends = o.sends + 1,
        sent_at = clock_timestamp(),
        fence = ${grant.fence},
        updated_at = clock_timestamp()
      FROM own
      WHERE o.id = ${order.id} AND o.account = own.id AND o.status = ${order.status}
        AND (o.sends > 0 OR o.valid_until IS NULL OR o.valid_until > clock_timestamp())
        AND ${letOut(sql)}
        AND ${quantityToSend(sql)} > 0
      RETURNING o.*
    ), logged AS (
      INSERT INTO order_events (order_id, event, from_status, to_status, fence, detail)
      SELECT id, ${event}, ${order.status}, 'submitting', ${grant.fence},
        jsonb_build_object('send', sends, 'quantity', quantity::text) FROM moved
    )
    SELECT ${columnsOf(sql)} FROM moved`

/** Why nothing moved, asked right after: the first reason that still holds, `status_changed` when none does. */
const whyNot = (sql: SqlClient, grant: AccountGrant, order: StoredOrder) =>
  Effect.map(
    sql<{ readonly why: SubmitRefusal }>`
      SELECT CASE
        WHEN a.fence <> ${grant.fence} OR a.owner IS DISTINCT FROM ${grant.owner} THEN 'stale_fence'
        WHEN a.lease_until IS NULL OR a.lease_until <= clock_timestamp() THEN 'lease_over'
        WHEN o.status <> ${order.status} THEN 'status_changed'
        WHEN o.sends = 0 AND o.valid_until <= clock_timestamp() THEN 'stale'
        WHEN NOT ${letOut(sql)} THEN 'halted'
        WHEN NOT (${quantityToSend(sql)} > 0) THEN 'nothing_to_reduce'
        ELSE 'status_changed' END AS why
      FROM orders o JOIN accounts a ON a.id = o.account WHERE o.id = ${order.id}`,
    ([row]): SubmitRefusal => row?.why ?? "status_changed"
  )

export const submit =
  (database: DatabaseService): OrdersStoreService["submit"] =>
  (grant, order) =>
    database
      .run("orders.submit", (sql) =>
        Effect.gen(function* () {
          const event: OrderEvent = order.status === "intended" ? "order.submitted" : "order.resubmitted"
          const legal = nextStatus(order.status, event)
          invariant(legal._tag === "Success", "only an intended or a resolving order is submitted", {
            order: order.id,
            status: order.status
          })
          const [moved] = yield* move(sql, grant, order, event)
          if (moved !== undefined) return { _tag: "Submitting", order: moved } satisfies Submitted
          return { _tag: "NotSubmitted", why: yield* whyNot(sql, grant, order) } satisfies Submitted
        })
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die))
