/**
 * Orders store on PostgreSQL: steps of an order as guarded statements.
 *
 * The guard of T4 is one statement: it takes the account's row FOR SHARE, so that a takeover must wait for it or is
 * seen by it, and updates the order only where status and fence still hold. Read and write in two statements would
 * let a takeover slip between them.
 *
 * Promises: the event row is written by the same statement as the step; statuses move only as domain/orders/order.ts allows;
 * numbers leave without trailing zeros.
 * Never: updates a status without naming the one it comes from.
 * Failure: `DatabaseUnavailable`; a step whose response was lost may have happened, which every caller must assume: the
 * next look finds it in the row. A fault of a statement is a bug and dies.
 */
import { Effect, Layer, Result } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { accountLimits } from "../../domain/kernel/limits-execution.ts"
import { ageLimits } from "../../domain/kernel/limits-signals.ts"
import { invariant, InvariantViolated } from "../../domain/kernel/invariant.ts"
import { nextStatus, OPEN, type OrderEvent, type OrderStatus, SETTLES } from "../../domain/orders/order.ts"
import { storeAlertsIn } from "../alerts/alerts-store.pg.ts"
import { type ContextTerms, contextTerms } from "./account-book.pg.ts"
import type { AccountGrant } from "../accounts/accounts-store.port.ts"
import { Config } from "../platform/config.port.ts"
import { inBatches } from "../database/collapse.ts"
import { Database, type DatabaseService } from "../database/database.port.ts"
import { intendExit } from "./order-exit.pg.ts"
import { partialFills } from "./order-partial.pg.ts"
import { givenUp } from "./order-resting.pg.ts"
import { columnsOf, settledWhen } from "./order-row.pg.ts"
import { settling } from "./order-settle.pg.ts"
import { lapseApprovals } from "./order-approve.pg.ts"
import { endUnconfigured } from "./order-unconfigured.pg.ts"
import { expireStale, nextWork, submit } from "./order-submit.pg.ts"
import {
  type IllegalEvent,
  type Moved,
  type OrderBacklog,
  type OrderNote,
  OrdersStore,
  type OrdersStoreService,
  type StoredOrder,
  type UnresolvedOrder
} from "./orders-store.port.ts"

/** A row that changes under us this often has two competing writers, which the fence excludes. */
const LOOKS_MAX = 8

const readOrder = (sql: SqlClient, id: string) =>
  Effect.map(
    sql<StoredOrder>`SELECT ${columnsOf(sql)} FROM orders WHERE id = ${id}`,
    ([order]) => order ?? null
  )

const holdsFence = (sql: SqlClient, grant: AccountGrant) =>
  Effect.map(
    sql<{ readonly id: string }>`
      SELECT id FROM accounts WHERE id = ${grant.account} AND owner = ${grant.owner} AND fence = ${grant.fence}`,
    (rows) => rows.length === 1
  )

const detailOf = (note: OrderNote): string =>
  JSON.stringify({
    ...note.detail,
    ...(note.reason === undefined ? {} : { reason: note.reason }),
    ...(note.venueOrderId === undefined ? {} : { venueOrderId: note.venueOrderId }),
    ...(note.venueFilled === undefined ? {} : { venueFilled: note.venueFilled })
  })

/** A reason explains the status it came with, and ends with it; only an order being looked up still has it. */
const keepsReason = (from: OrderStatus, to: OrderStatus): boolean => from === to || to === "resolving"

interface Step {
  readonly grant: AccountGrant
  readonly orderId: string
  readonly event: OrderEvent
  readonly from: OrderStatus
  readonly to: OrderStatus
  readonly note: OrderNote
}

/** The guarded statement of T4. No row: the status changed or the grant is void. */
const step = (sql: SqlClient, { grant, orderId, event, from, to, note }: Step) =>
  sql<StoredOrder>`
    WITH own AS (
      SELECT id FROM accounts
      WHERE id = ${grant.account} AND owner = ${grant.owner} AND fence = ${grant.fence}
      FOR SHARE
    ), moved AS (
      UPDATE orders SET
        status = ${to},
        venue_order_id = coalesce(${note.venueOrderId ?? null}::text, venue_order_id),
        reason = CASE WHEN ${keepsReason(from, to)}::boolean THEN coalesce(${note.reason ?? null}::text, reason) ELSE ${note.reason ?? null}::text END,
        resolve_until = CASE WHEN ${note.resolveAfterMs ?? null}::int IS NULL THEN resolve_until
          ELSE hf_clock() + ${note.resolveAfterMs ?? null}::int * interval '1 millisecond' END,
        venue_filled = coalesce(${note.venueFilled ?? null}::numeric, venue_filled),
        valid_until = CASE WHEN ${event === "order.released"}::boolean AND intent = 'entry' THEN least(valid_until,
          hf_clock() + ${ageLimits.orderUnsentMsMax}::int * interval '1 millisecond') ELSE valid_until END,
        settled_at = CASE WHEN ${SETTLES.has(to)}::boolean AND ${settledWhen(sql, note.venueFilled ?? null)}
          THEN hf_clock() ELSE settled_at END,
        updated_at = hf_clock()
      FROM own
      WHERE orders.id = ${orderId} AND orders.account = own.id AND orders.status = ${from}
      RETURNING orders.*
    ), logged AS (
      INSERT INTO order_events (order_id, event, from_status, to_status, fence, detail)
      SELECT id, ${event}, ${from}, ${to}, ${grant.fence}, ${detailOf(note)}::text::jsonb FROM moved
    )
    SELECT ${columnsOf(sql)} FROM moved`

const illegal = (
  sql: SqlClient,
  order: StoredOrder,
  grant: AccountGrant,
  event: OrderEvent,
  note: OrderNote
) =>
  sql`
    INSERT INTO order_events (order_id, event, from_status, to_status, legal, fence, detail)
    VALUES (${order.id}, ${event}, ${order.status}, ${order.status}, false, ${grant.fence},
      ${detailOf(note)}::text::jsonb)`

const addsNothing = (order: StoredOrder, to: OrderStatus, note: OrderNote): boolean =>
  order.status === to &&
  (note.venueOrderId === undefined || note.venueOrderId === order.venueOrderId) &&
  (note.venueFilled === undefined || order.settledAt !== null || !SETTLES.has(to))

const applyIn = (
  sql: SqlClient,
  grant: AccountGrant,
  known: StoredOrder,
  event: OrderEvent,
  note: OrderNote
) =>
  Effect.gen(function* () {
    let order = known
    for (let look = 0; look < LOOKS_MAX; look += 1) {
      if (note.ifStill !== undefined && order.status !== note.ifStill) {
        return { _tag: "Unchanged", order } satisfies Moved
      }
      const next = nextStatus(order.status, event)
      if (Result.isFailure(next)) {
        // The caller's copy may be old: what is illegal is judged by the row as it is.
        const fresh = yield* readOrder(sql, order.id)
        if (fresh !== null && fresh.status !== order.status) {
          order = fresh
          continue
        }
        yield* illegal(sql, order, grant, event, note)
        return { _tag: "Illegal", order, event } satisfies Moved
      }
      const to = next.success
      if (addsNothing(order, to, note)) return { _tag: "Unchanged", order } satisfies Moved
      const from = order.status
      const [moved] = yield* step(sql, { grant, orderId: order.id, event, from, to, note })
      if (moved !== undefined) {
        if (note.alertOf !== undefined) yield* storeAlertsIn(sql, [note.alertOf(moved)])
        return { _tag: "Moved", from, order: moved } satisfies Moved
      }
      if (!(yield* holdsFence(sql, grant))) return { _tag: "StaleFence" } satisfies Moved
      const fresh = yield* readOrder(sql, order.id)
      invariant(fresh !== null, "an order that was read exists", { order: order.id })
      order = fresh
    }
    // Each look lost against a committed step of somebody else; under one fence that cannot go on.
    const details = { order: order.id, event }
    return yield* Effect.die(new InvariantViolated("an order is moved by one writer at a time", details))
  })

/** A step is one statement and needs no transaction around it; with its alert there are more. */
const apply =
  (database: DatabaseService): OrdersStoreService["apply"] =>
  (grant, known, event, note = {}) => {
    const steps = (sql: SqlClient) => applyIn(sql, grant, known, event, note)
    return (
      note.alertOf === undefined
        ? database.run("orders.apply", steps)
        : database.transact("orders.apply", steps)
    ).pipe(Effect.catchTag("DatabaseFault", Effect.die))
  }

/** Reads one or more orders; `rest` is what follows FROM orders. */
const list = (database: DatabaseService, operation: string, rest: (sql: SqlClient) => Fragment) =>
  database
    .run(operation, (sql) => sql<StoredOrder>`SELECT ${columnsOf(sql)} FROM orders ${rest(sql)}`)
    .pipe(Effect.catchTag("DatabaseFault", Effect.die))

/** Whether the last thing that was asked of an order's row is its cancel. */
const cancelWanted = (sql: SqlClient): Fragment => sql`(
  SELECT e.event FROM order_events e WHERE e.order_id = orders.id AND e.legal
    AND e.event IN ('order.cancel_requested', 'order.submitted', 'order.resubmitted')
    ORDER BY e.seq DESC LIMIT 1) IS NOT DISTINCT FROM 'order.cancel_requested'`

const reads = (
  database: DatabaseService
): Pick<OrdersStoreService, "working" | "cancelsLost" | "byId" | "byClientOrderId"> => ({
  cancelsLost: (account) =>
    list(
      database,
      "orders.cancels_lost",
      (sql) => sql`
        WHERE account = ${account} AND status IN ('acked', 'partially_filled') AND ${cancelWanted(sql)} ORDER BY seq`
    ),
  working: (account) =>
    list(
      database,
      "orders.working",
      (sql) => sql`
        WHERE account = ${account} AND status IN ('acked', 'partially_filled', 'pending_cancel') ORDER BY seq`
    ),
  byId: (id) =>
    Effect.map(
      list(database, "orders.by_id", (sql) => sql`WHERE id = ${id}`),
      ([order]) => order ?? null
    ),
  byClientOrderId: (id) =>
    Effect.map(
      list(database, "orders.by_client_order_id", (sql) => sql`WHERE client_order_id = ${id}`),
      ([order]) => order ?? null
    )
})

const unresolved =
  (database: DatabaseService): OrdersStoreService["unresolved"] =>
  (account) =>
    database
      .run(
        "orders.unresolved",
        (sql) => sql<StoredOrder & Omit<UnresolvedOrder, "order">>`
          SELECT ${columnsOf(sql)},
            ${cancelWanted(sql)} AS "cancelWanted",
            coalesce(greatest(0, extract(epoch FROM (resolve_until - hf_clock())) * 1000), 0)::float8
              AS "propagationLeftMs"
          FROM orders
          WHERE account = ${account} AND status IN ('submitting', 'unknown', 'resolving')
          ORDER BY seq`
      )
      .pipe(
        Effect.map((rows) =>
          rows.map(({ propagationLeftMs, cancelWanted, ...order }): UnresolvedOrder => {
            return { order, propagationLeftMs: Math.ceil(propagationLeftMs), cancelWanted }
          })
        ),
        Effect.catchTag("DatabaseFault", Effect.die)
      )

/** Younger ones may be on their way to the table of alerts; older ones somebody has seen, or nobody will. */
const illegalUnalerted =
  (database: DatabaseService): OrdersStoreService["illegalUnalerted"] =>
  (account) =>
    database
      .run(
        "orders.illegal_unalerted",
        (sql) => sql<StoredOrder & Omit<IllegalEvent, "order" | "status"> & { readonly was: OrderStatus }>`
          SELECT ${columnsOf(sql)}, e.event, e.from_status AS was FROM (
            SELECT DISTINCT ON (e.order_id) e.order_id, e.event, e.from_status, e.at FROM order_events e
            WHERE NOT e.legal AND e.at > hf_clock() - interval '1 day' AND e.at < hf_clock() - interval '30 seconds'
            ORDER BY e.order_id, e.seq DESC) e
          JOIN orders ON orders.id = e.order_id
          WHERE account = ${account} AND NOT EXISTS (SELECT FROM alerts a
            WHERE a.dedup_key IN ('order.illegal_event:' || e.order_id, 'order.illegal_fill:' || e.order_id)
              AND a.last_at >= e.at - interval '5 seconds')`
      )
      .pipe(
        Effect.map((rows) =>
          rows.map(({ event, was, ...order }): IllegalEvent => ({ order, event, status: was }))
        ),
        Effect.catchTag("DatabaseFault", Effect.die)
      )

const busy =
  (database: DatabaseService, terms: ContextTerms): OrdersStoreService["busy"] =>
  (accounts) =>
    database
      .run(
        "orders.busy",
        (sql) => sql<{ readonly account: string; readonly waiting: boolean; readonly unresolved: boolean }>`
          SELECT account, bool_or(status IN ('intended', 'held', 'pending_cancel')) AS waiting,
            bool_or(status IN ('submitting', 'unknown', 'resolving')) AS unresolved
          FROM orders
          WHERE status IN ('intended', 'held', 'pending_cancel', 'submitting', 'unknown', 'resolving')
            AND account = ANY (${[...accounts]}::text[])
          GROUP BY account
          UNION ALL
          SELECT account, true, false FROM (${givenUp(sql, sql`o.account = ANY (${[...accounts]}::text[])`, terms)}) AS resting
          GROUP BY account`
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die))

const backlog =
  (database: DatabaseService): OrdersStoreService["backlog"] =>
  (accounts) =>
    database
      .run(
        "orders.backlog",
        (sql) => sql<OrderBacklog & { readonly account: string }>`
          SELECT account, count(*)::int AS waiting,
            round(extract(epoch FROM hf_clock() - min(created_at)) * 1000)::float8 AS "oldestMs"
          FROM orders WHERE account = ANY (${[...accounts]}::text[]) AND status = 'intended' GROUP BY account`
      )
      .pipe(
        Effect.map((rows) => new Map(rows.map(({ account, ...counts }) => [account, counts]))),
        Effect.catchTag("DatabaseFault", Effect.die)
      )

const quietOnes = (database: DatabaseService) => (accounts: ReadonlyArray<string>) =>
  database
    .run(
      "orders.quiet",
      (sql) => sql<{ readonly id: string; readonly cursor: string | null }>`
        SELECT a.id, a.fills_cursor AS cursor FROM accounts a
        WHERE a.id = ANY (${[...accounts]}::text[])
          AND NOT EXISTS (SELECT FROM orders o WHERE o.account = a.id AND ${sql.in("o.status", [...OPEN])})
          AND NOT EXISTS (SELECT FROM orders o
            WHERE o.account = a.id AND o.settled_at IS NULL AND ${sql.in("o.status", [...SETTLES])})
          AND NOT EXISTS (SELECT FROM positions p WHERE p.account = a.id
            AND (p.quantity <> 0 OR p.confirmed_quantity <> 0 OR p.disputed_at IS NOT NULL))`
    )
    .pipe(Effect.catchTag("DatabaseFault", Effect.die))

const quiet =
  (database: DatabaseService): OrdersStoreService["quiet"] =>
  (accounts) =>
    Effect.map(
      inBatches(accounts, accountLimits.batchMax, quietOnes(database)),
      (rows) => new Map(rows.map(({ cursor, id }) => [id, cursor]))
    )

const make = (database: DatabaseService, terms: ContextTerms): OrdersStoreService => ({
  ...reads(database),
  next: nextWork(database, terms),
  expireStale: expireStale(database),
  lapseApprovals: lapseApprovals(database),
  submit: submit(database, terms),
  apply: apply(database),
  intendExit: intendExit(database),
  unresolved: unresolved(database),
  illegalUnalerted: illegalUnalerted(database),
  busy: busy(database, terms),
  endUnconfigured: endUnconfigured(database, terms),
  quiet: quiet(database),
  backlog: backlog(database),
  ...settling(database),
  ...partialFills(database)
})

export const ordersStorePg: Layer.Layer<OrdersStore, never, Config | Database> = Layer.effect(
  OrdersStore,
  Effect.gen(function* () {
    const database = yield* Database
    return OrdersStore.of(make(database, contextTerms(yield* Config)))
  })
)
