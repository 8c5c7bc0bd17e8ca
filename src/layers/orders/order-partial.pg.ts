/**
 * Entries that end partly filled, as rows: which are to be judged, and the close of what one has brought.
 *
 * Such a close is an exit like every other one: numbered under the lock of its position, one alive at a time, bounded when it
 * leaves by what is held and confirmed then (order-exit.pg.ts). Its id follows from the order that ended short and from what that had
 * filled, and the mark that it is judged is written in the same transaction, so a kill anywhere leaves both or neither.
 *
 * Promises: the same fills are closed once, and the alert of it is stored with it; only of the share's opening that they were part of; a fill that comes later makes the
 * entry due again (fills-store.pg.ts), and what a close left that ended short itself is closed again.
 * Never: decides the policy (domain/orders/partial.ts), or sends.
 * Failure: `DatabaseUnavailable`; each transaction may be tried again. A fault is a bug and dies.
 */
import { BigDecimal, Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { decimal, type Decimal, formatDecimal, zero } from "../../domain/kernel/decimal.ts"
import { compensationOrderId, exitClientOrderId, positionId } from "../../domain/kernel/ids.ts"
import { executionLimits } from "../../domain/kernel/limits-execution.ts"
import { FIRST_EVENT, OPEN } from "../../domain/orders/order.ts"
import {
  CLOSE_SHORT_ENDS,
  COMPENSATION,
  leftToClose,
  type PartialMark,
  SHORT_ENDS,
  UNSENT_ENDS
} from "../../domain/orders/partial.ts"
import type { DatabaseService } from "../database/database.port.ts"
import { FAULT_POINTS, faultPoint } from "../platform/fault-point.ts"
import { storeAlertsIn } from "../alerts/alerts-store.pg.ts"
import { columnsOf } from "./order-row.pg.ts"
import type {
  CompensationOutcome,
  OrdersStoreService,
  PartialOrder,
  StoredOrder
} from "./orders-store.port.ts"

type Partials = Pick<OrdersStoreService, "partials" | "notePartial" | "compensate">

/** One look; what is left over is found by the next one. */
const PARTIALS_MAX = 256

/** Written so that the index `orders_partial` answers it. */
const ended = (sql: SqlClient) => sql`(partial = 'due' OR (partial IS NULL AND (
  (intent = 'entry' AND filled_quantity > 0 AND ${sql.in("status", [...SHORT_ENDS])})
  OR (compensates IS NOT NULL AND ${sql.in("status", [...CLOSE_SHORT_ENDS])}))))`

/**
 * Whether the fills of an order that ended are all there are, or will never be: only then it is judged. What the venue refused has
 * none: a close of it that waited for the venue's count would leave the share open for minutes.
 */
const isOver = (sql: SqlClient, table: "orders" | "c") => sql`(${sql(table)}.settled_at IS NOT NULL
  OR ${sql.in(`${table}.status`, [...UNSENT_ENDS])} OR ${sql(table)}.settle_looks >= ${executionLimits.settleLooksMax}::int
  OR (${sql(table)}.status = 'rejected' AND ${sql(table)}.filled_quantity = 0))`

const partials =
  (database: DatabaseService): Partials["partials"] =>
  (accounts) =>
    database
      .run(
        "orders.partials",
        (sql) => sql<StoredOrder & Omit<PartialOrder, "order">>`
          SELECT ${columnsOf(sql)}, compensates IS NOT NULL AS "isCompensation", status <> 'partially_filled' AS "isOver",
            (extract(epoch FROM hf_clock() - updated_at) * 1000)::float8 AS "idleMs"
          FROM orders WHERE account = ANY (${[...accounts]}::text[]) AND (
            (${ended(sql)} AND ${isOver(sql, "orders")})
            OR (status = 'partially_filled' AND intent = 'entry' AND partial IS NULL))
          ORDER BY seq LIMIT ${PARTIALS_MAX}`
      )
      .pipe(
        Effect.map((rows) =>
          rows.map(({ idleMs, isCompensation, isOver, ...order }): PartialOrder => {
            return { order, isOver, isCompensation, idleMs }
          })
        ),
        Effect.catchTag("DatabaseFault", Effect.die)
      )

const mark = (sql: SqlClient, orderId: string, as: PartialMark) =>
  sql<{ readonly id: string }>`
    UPDATE orders SET partial = ${as} WHERE id = ${orderId} AND (partial IS NULL OR partial = 'due') RETURNING id`

const notePartial =
  (database: DatabaseService): Partials["notePartial"] =>
  (orderId, as, alert) =>
    database
      .transact("orders.note_partial", (sql) =>
        Effect.map(mark(sql, orderId, as), (rows) => rows.length === 1).pipe(
          Effect.tap((isMarked) => (isMarked && alert !== null ? storeAlertsIn(sql, [alert]) : Effect.void))
        )
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die))

type Ended = StoredOrder & {
  readonly compensates: string | null
  readonly due: boolean
  readonly opened: string | null
  readonly closed: string
}

/**
 * The order, locked, if it is still to be judged; `closed`: how much of its entry's fills closes have taken over, its own part
 * included. One that ended short counts with what it filled; until that is known, and its rest is closed by one that follows it,
 * with all that it was to close.
 */
const lockEnded = (sql: SqlClient, orderId: string) =>
  Effect.map(
    sql<Ended>`
      SELECT ${columnsOf(sql)}, compensates, partial IS NOT NULL AS due,
        (SELECT trim_scale(e.opened_quantity)::text FROM orders e
          WHERE e.id = coalesce(orders.compensates, orders.id)) AS opened,
        trim_scale((SELECT coalesce(sum(CASE WHEN ${sql.in("c.status", [...CLOSE_SHORT_ENDS])}
            AND (c.id = orders.id OR c.partial IS NOT NULL OR ${isOver(sql, "c")})
          THEN c.filled_quantity ELSE c.wanted END), 0)
          FROM orders c WHERE c.compensates = coalesce(orders.compensates, orders.id)))::text AS closed
      FROM orders WHERE id = ${orderId} AND ${ended(sql)} FOR UPDATE`,
    ([order]) => order
  )

const leftOf = (order: Ended): Decimal =>
  leftToClose(
    { opened: decimal(order.opened ?? "0"), closed: decimal(order.closed) },
    order.compensates === null
      ? null
      : { wanted: decimal(order.wanted ?? order.quantity), filled: decimal(order.filledQuantity) }
  )

interface Held {
  readonly epoch: number
  readonly exits: number
  readonly venue: string
  readonly quantity: string
  readonly openedBy: string | null
}

/** The share that the entry's fills are part of, if it was not closed since. */
const heldOf = (sql: SqlClient, entryId: string, position: string, strategy: string) =>
  Effect.map(
    sql<Held>`
      SELECT p.epoch, p.exits, a.venue, h.opened_by AS "openedBy", trim_scale(h.quantity)::text AS quantity
      FROM positions p JOIN accounts a ON a.id = p.account
        JOIN position_shares h ON h.position_id = p.id AND h.strategy = ${strategy} AND h.quantity <> 0
        JOIN orders e ON e.id = ${entryId} AND e.opened_seq = h.opened_seq
      WHERE p.id = ${position}`,
    ([held]) => held
  )

/**
 * What is to end before another exit may be stored. After a close that was withdrawn also the strategy's own close: it may have
 * taken the whole share, and until it has ended the next one would be withdrawn as well.
 */
const aliveOf = (sql: SqlClient, { account, status, strategy, symbol }: Ended, position: string) =>
  sql`
    SELECT id FROM orders WHERE account = ${account} AND symbol = ${symbol} AND intent = 'reduce'
      AND ${sql.in("status", [...OPEN])} AND (position_id = ${position}
        OR (${status === "withdrawn"}::boolean AND strategy = ${strategy})) LIMIT 1`

const insertExit = (sql: SqlClient, order: Ended, held: Held, left: Decimal) =>
  Effect.gen(function* () {
    const { account, strategy, symbol } = order
    const position = positionId(account, symbol)
    const exitNumber = held.exits + 1
    const key = { account, positionId: position, positionEpoch: held.epoch, exitNumber }
    const entryId = order.compensates ?? order.id
    const quantity = BigDecimal.min(left, BigDecimal.abs(decimal(held.quantity)))
    const [exit] = yield* sql<StoredOrder>`
      INSERT INTO orders (id, client_order_id, account, strategy, intent, sizing, wanted, symbol, side, type, quantity,
        time_in_force, status, source, venue, position_id, position_epoch, exit_number, exit_kind, compensates, opened_by)
      VALUES (${compensationOrderId(order.id, order.filledQuantity)}, ${exitClientOrderId(key, 1)}, ${account},
        ${strategy}, 'reduce', 'fixed', ${formatDecimal(left)}::numeric, ${symbol},
        ${held.quantity.startsWith("-") ? "buy" : "sell"}, 'market', ${formatDecimal(quantity)}::numeric, 'day',
        'intended', 'exit_monitor', ${held.venue}, ${position}, ${held.epoch}, ${exitNumber}, ${COMPENSATION}, ${entryId},
        ${held.openedBy}::uuid)
      ON CONFLICT DO NOTHING RETURNING ${columnsOf(sql)}`
    if (exit === undefined) return null
    yield* sql`UPDATE positions SET exits = ${exitNumber} WHERE id = ${position}`
    yield* sql`
      INSERT INTO order_events (order_id, event, from_status, to_status, detail)
      VALUES (${exit.id}, ${FIRST_EVENT}, 'intended', 'intended', ${JSON.stringify({ compensates: entryId })}::text::jsonb)`
    return exit
  })

type AlertOf = Parameters<Partials["compensate"]>[1]

const compensateIn = (sql: SqlClient, orderId: string, alertOf: AlertOf) =>
  Effect.gen(function* () {
    const [row] = yield* sql<{ readonly account: string; readonly symbol: string }>`
      SELECT account, symbol FROM orders WHERE id = ${orderId}`
    if (row === undefined) return { _tag: "Later", why: "no such order" } satisfies CompensationOutcome
    const position = positionId(row.account, row.symbol)
    // As fills do: the position first, then the order.
    yield* sql`SELECT id FROM positions WHERE id = ${position} FOR UPDATE`
    const order = yield* lockEnded(sql, orderId)
    if (order === undefined) return { _tag: "Later", why: "it is judged" } satisfies CompensationOutcome
    const nothing = (why: string) =>
      Effect.as(mark(sql, orderId, "closed"), { _tag: "Nothing", why } satisfies CompensationOutcome)
    const left = leftOf(order)
    if (!BigDecimal.isGreaterThan(left, zero)) return yield* nothing("its fills are closed")
    // All of it has traded after all, and nothing of it was closed: it is what was wanted.
    const isComplete = order.status === "filled" && order.compensates === null && order.closed === "0"
    if (isComplete) return yield* nothing("it is filled after all")
    const held = yield* heldOf(sql, order.compensates ?? orderId, position, order.strategy)
    const opened = order.compensates === null ? order.side : order.side === "buy" ? "sell" : "buy"
    if (held === undefined || held.quantity.startsWith("-") !== (opened === "sell"))
      return yield* nothing("nothing of it is held any more")
    const [alive] = yield* aliveOf(sql, order, position)
    if (alive !== undefined)
      return { _tag: "Later", why: "an exit of its position is alive" } satisfies CompensationOutcome
    const exit = yield* insertExit(sql, order, held, left)
    if (exit === null) return { _tag: "Later", why: "its close exists" } satisfies CompensationOutcome
    yield* mark(sql, orderId, "closed")
    if (alertOf !== null) yield* storeAlertsIn(sql, [alertOf(exit)])
    faultPoint(FAULT_POINTS.compensationInTransaction, exit.symbol)
    return { _tag: "Intended", order: exit } satisfies CompensationOutcome
  })

export const partialFills = (database: DatabaseService): Partials => ({
  partials: partials(database),
  notePartial: notePartial(database),
  compensate: (orderId, alertOf) =>
    database
      .transact("orders.compensate", (sql) => compensateIn(sql, orderId, alertOf), { retry: "idempotent" })
      .pipe(Effect.catchTag("DatabaseFault", Effect.die))
})
