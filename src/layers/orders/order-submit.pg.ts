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
import { invariant } from "../../domain/invariant.ts"
import { AT_VENUE, BLOCKS_SYMBOL, nextStatus, type OrderEvent } from "../../domain/order.ts"
import type { AccountGrant } from "../accounts/accounts-store.ts"
import type { DatabaseService } from "../database/database.ts"
import { columnsOf } from "./order-row.pg.ts"
import type {
  LookFor,
  OrdersStoreService,
  OrderWork,
  StoredOrder,
  Submitted,
  SubmitRefusal
} from "./orders-store.ts"

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

/**
 * Too old to be sent. What was sent before under its id (an operator vouched that it is not there) is not judged by the
 * age of its first intent; what is held was never sent.
 */
const stale = (sql: SqlClient): Fragment => sql`coalesce(
  o.valid_until <= clock_timestamp() AND (o.sends = 0 OR o.status = 'held'), false)`

/**
 * The choice costs one walk over what waits, whatever else there is: what blocks, what is shut and what is enabled is
 * read once (hashed subplans and one materialized list), because a burst that waits must not slow down the cancel
 * or the exit that overtakes it.
 */
const choice = (
  sql: SqlClient,
  account: string,
  { notCancels = [], reducesOnly = false, closed = false }: LookFor
): Fragment => sql`
  WITH shut AS MATERIALIZED (
    SELECT scope, state FROM trading_state
    WHERE state <> 'ACTIVE' AND (scope IN ('global', ${`account:${account}`}) OR scope LIKE 'strategy:%')
  ), blocking AS MATERIALIZED (
    SELECT DISTINCT symbol, side FROM orders
    WHERE account = ${account} AND ${sql.in("status", [...BLOCKS_SYMBOL])}
  ), waiting AS MATERIALIZED (
    SELECT o.id, o.seq, o.status, o.intent, o.symbol, o.side, ${stale(sql)} AS stale,
      o.intent = 'reduce' AND ${closed}::boolean AS waits,
      NOT EXISTS (SELECT FROM shut s
        WHERE s.scope IN ('global', 'account:' || o.account, 'strategy:' || o.strategy)
          AND (s.state = 'HALTED' OR o.intent = 'entry'))
      AND (o.intent = 'reduce' OR coalesce((SELECT enabled FROM accounts WHERE id = ${account}), false)) AS let_out
    FROM orders o
    WHERE o.account = ${account} AND o.status IN ('pending_cancel', 'held', 'intended')
      AND (NOT ${reducesOnly}::boolean OR o.intent = 'reduce' OR o.status = 'pending_cancel' OR ${stale(sql)})
  )
  SELECT w.id, CASE
      WHEN w.status = 'pending_cancel' THEN 'cancel'
      WHEN w.stale THEN 'expire'
      WHEN w.status = 'held' THEN 'release'
      WHEN w.waits THEN 'hold'
      ELSE 'send' END AS work
  FROM waiting w
  WHERE CASE w.status
    WHEN 'pending_cancel' THEN NOT (w.id = ANY(${[...notCancels]}::uuid[]))
    -- What is stale is handed out whatever blocks it: it is about to expire, not to be sent.
    WHEN 'held' THEN w.stale OR (w.let_out AND NOT w.waits)
    -- Nothing that blocks it is unresolved: for an entry its symbol, for a reduce its symbol and side.
    ELSE w.stale OR w.waits OR (w.let_out AND CASE w.intent
      WHEN 'entry' THEN w.symbol NOT IN (SELECT symbol FROM blocking)
      ELSE (w.symbol, w.side) NOT IN (SELECT symbol, side FROM blocking) END) END
  ORDER BY w.status = 'pending_cancel' DESC, w.intent = 'reduce' DESC, w.status = 'held' DESC, w.seq
  LIMIT 1`

export const nextWork =
  (database: DatabaseService): OrdersStoreService["next"] =>
  (account, lookFor = {}) =>
    database
      .run(
        "orders.next",
        (sql) => sql<StoredOrder & Pick<OrderWork, "work">>`
          SELECT ${columnsOf(sql)}, work FROM (${choice(sql, account, lookFor)}) chosen JOIN orders USING (id)`
      )
      .pipe(
        Effect.map(([row]): OrderWork | null => {
          if (row === undefined) return null
          const { work, ...order } = row
          return { order, work }
        }),
        Effect.catchTag("DatabaseFault", Effect.die)
      )

/** One statement's worth of stale orders: a burst of thousands expires in a few steps. */
const EXPIRED_MAX = 256

export const expireStale =
  (database: DatabaseService): OrdersStoreService["expireStale"] =>
  (grant) =>
    database
      .run("orders.expire_stale", (sql) =>
        Effect.gen(function* () {
          const expired = yield* sql<StoredOrder>`
            WITH own AS (
              SELECT id FROM accounts
              WHERE id = ${grant.account} AND owner = ${grant.owner} AND fence = ${grant.fence}
              FOR SHARE
            ), due AS MATERIALIZED (
              SELECT o.id, o.status FROM orders o
              WHERE o.account = ${grant.account} AND o.status IN ('intended', 'held') AND ${stale(sql)}
              ORDER BY o.seq LIMIT ${EXPIRED_MAX}
            ), moved AS (
              UPDATE orders SET status = 'expired_unsent', updated_at = clock_timestamp(),
                reason = coalesce('held too long: ' || CASE due.status WHEN 'held' THEN orders.reason END,
                  'stale: valid_until has passed')
              FROM own, due
              WHERE orders.id = due.id AND orders.account = own.id AND orders.status = due.status
              RETURNING orders.*, due.status AS from_status
            ), logged AS (
              INSERT INTO order_events (order_id, event, from_status, to_status, fence, detail)
              SELECT id, 'order.expired_unsent', from_status, 'expired_unsent', ${grant.fence},
                jsonb_build_object('reason', reason) FROM moved
            )
            SELECT ${columnsOf(sql)} FROM moved ORDER BY seq`
          if (expired.length > 0) return expired
          const own = yield* sql`
            SELECT id FROM accounts
            WHERE id = ${grant.account} AND owner = ${grant.owner} AND fence = ${grant.fence}`
          return own.length === 1 ? expired : null
        })
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die))

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
