/**
 * Storing the intent to close a position: the identity of an exit, and that there is one at a time (T4).
 *
 * The exit is numbered under the lock of its position, so two monitors, or one that restarts, compute the same next
 * number and only one of them can insert it; the unique index over live exits refuses even what slips past that.
 *
 * Promises: an exit belongs to one opening (epoch) of one position, and closes the share of one strategy and names the signal that opened it; its id and client order id follow from position,
 * epoch and number, so storing it again is the same row.
 * Never: decides a price or sends; the quantity stored here is only what is open now, the one that is sent is
 * decided when `submitting` is committed.
 * Failure: `DatabaseUnavailable`; retrying after a lost response finds the exit alive and stores nothing.
 */
import { Effect } from "effect"
import { exitClientOrderId, exitOrderId } from "../../domain/kernel/ids.ts"
import { FIRST_EVENT, OPEN } from "../../domain/orders/order.ts"
import type { DatabaseService } from "../database/database.port.ts"
import { columnsOf } from "./order-row.pg.ts"
import type { ExitOutcome, OrdersStoreService, StoredOrder } from "./orders-store.port.ts"

interface ExitedPosition {
  readonly symbol: string
  readonly venue: string
  readonly exits: number
  readonly side: "buy" | "sell"
  readonly quantity: string
  readonly opened_by: string | null
}

const notNeeded = (why: string): ExitOutcome => ({ _tag: "NotNeeded", why })

export const intendExit =
  (database: DatabaseService): OrdersStoreService["intendExit"] =>
  (exit) =>
    database
      .transact(
        "orders.intend_exit",
        (sql) =>
          Effect.gen(function* () {
            const [position] = yield* sql<ExitedPosition>`
              SELECT p.symbol, a.venue, p.exits, h.opened_by,
                trim_scale(least(abs(h.quantity), ${exit.quantity}::numeric)) AS quantity,
                CASE WHEN h.quantity > 0 THEN 'sell' ELSE 'buy' END AS side
              FROM positions p JOIN accounts a ON a.id = p.account
                JOIN position_shares h ON h.position_id = p.id AND h.strategy = ${exit.strategy}
              WHERE p.id = ${exit.positionId} AND p.epoch = ${exit.positionEpoch} AND h.quantity <> 0
              FOR UPDATE OF p`
            if (position === undefined) return notNeeded("the position is closed or was reopened")
            const alive = yield* sql`
              SELECT id FROM orders WHERE position_id = ${exit.positionId} AND intent = 'reduce'
                AND ${sql.in("status", [...OPEN])} LIMIT 1`
            if (alive.length > 0) return notNeeded("an exit of this position is alive")
            const exitNumber = position.exits + 1
            const key = {
              account: exit.account,
              positionId: exit.positionId,
              positionEpoch: exit.positionEpoch,
              exitNumber
            }
            const [order] = yield* sql<StoredOrder>`
              INSERT INTO orders (id, client_order_id, account, strategy, intent, sizing, wanted, symbol, side, type,
                quantity, time_in_force, status, source, venue, position_id, position_epoch, exit_number, exit_kind,
                opened_by)
              VALUES (${exitOrderId(key)}, ${exitClientOrderId(key, 1)}, ${exit.account}, ${exit.strategy}, 'reduce',
                ${exit.quantity === null ? "share" : "fixed"}, ${exit.quantity}::numeric, ${position.symbol},
                ${position.side}, 'market', ${position.quantity}::numeric, 'day', 'intended', 'exit_monitor', ${position.venue},
                ${exit.positionId}, ${exit.positionEpoch}, ${exitNumber}, ${exit.exitKind}, ${position.opened_by}::uuid)
              ON CONFLICT DO NOTHING
              RETURNING ${columnsOf(sql)}`
            if (order === undefined) return notNeeded("an exit of this position is alive")
            yield* sql`UPDATE positions SET exits = ${exitNumber} WHERE id = ${exit.positionId}`
            yield* sql`
              INSERT INTO order_events (order_id, event, from_status, to_status)
              VALUES (${order.id}, ${FIRST_EVENT}, 'intended', 'intended')`
            return { _tag: "Intended", order } satisfies ExitOutcome
          }),
        { retry: "idempotent" }
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die))
