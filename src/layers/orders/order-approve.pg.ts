/**
 * What becomes of an entry that a human is asked about: a press, or the deadline (G9).
 *
 * A press is judged where it takes effect: the order, its position and what was asked are locked, and the permit is asked by
 * the book, the settings and the price of this moment. What is approved stays `held` and is released by the executor of its
 * account, as everything is that was held; what may not be sent any more ends here, so that nobody waits for it.
 *
 * Promises: of all presses, commands and the deadline one decides; none that comes after the deadline by the database's clock; a
 * repetition of the command that decided finds what it did.
 * Never: sends; releases.
 * Failure: errors of the SQL client pass through; `lapseApprovals` has those of its port.
 */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import {
  APPROVAL,
  type ApprovalDecision,
  BY_DEADLINE,
  DECLINED,
  LAPSED,
  lapsed,
  pressed
} from "../../domain/orders/approval.ts"
import type { OrderEvent, OrderStatus } from "../../domain/orders/order.ts"
import type { Permit } from "../../domain/orders/permit.ts"
import type { DatabaseService } from "../database/database.port.ts"
import { storeAlertsIn } from "../alerts/alerts-store.pg.ts"
import type { ContextTerms } from "./account-book.pg.ts"
import type { ApprovalPress, Answered } from "./order-commands.port.ts"
import { stepLocked } from "./order-operate.pg.ts"
import { columnsOf } from "./order-row.pg.ts"
import { judgeLocked } from "./order-submit.pg.ts"
import type { LapsedOrder, OrdersStoreService, StoredOrder } from "./orders-store.port.ts"

interface AskedRow {
  readonly status: OrderStatus
  readonly decision: ApprovalDecision | null
  readonly by: string | null
  readonly commandId: string | null
  readonly isLate: boolean
  readonly price: string | null
  readonly priceMovePctMax: string | null
}

/** Takes the position's row, the order's and what was asked, in the order in which a send and a fill take them. */
const lockAsked = (sql: SqlClient, orderId: string) =>
  Effect.gen(function* () {
    yield* sql`SELECT p.id FROM positions p JOIN orders o ON o.account = p.account AND o.symbol = p.symbol
      WHERE o.id = ${orderId}::uuid FOR UPDATE OF p`
    const [order] =
      yield* sql<StoredOrder>`SELECT ${columnsOf(sql)} FROM orders WHERE id = ${orderId}::uuid FOR UPDATE`
    if (order === undefined) return null
    const [asked] = yield* sql<AskedRow>`
      SELECT o.status, p.decision, p.decided_by AS by, p.command_id AS "commandId",
        p.deadline <= hf_clock() OR coalesce(o.valid_until <= hf_clock(), false) AS "isLate",
        trim_scale(p.price)::text AS price, trim_scale(p.price_move_pct_max)::text AS "priceMovePctMax"
      FROM approvals p JOIN orders o ON o.id = p.order_id WHERE p.order_id = ${orderId}::uuid FOR UPDATE OF p`
    return { order, asked: asked ?? null }
  })

const decide = (sql: SqlClient, { by, commandId, decision, orderId, price, reason }: ApprovalPress) =>
  sql`UPDATE approvals SET decision = ${decision}, decided_at = hf_clock(), decided_by = ${by},
      command_id = ${commandId}::uuid, note = ${reason}, price = coalesce(${price}::numeric, price)
    WHERE order_id = ${orderId}::uuid`

/** What ends an order that was approved and may not be sent any more. */
const endsBy = (permit: Permit): OrderEvent | null => {
  switch (permit._tag) {
    case "Deny":
      return "order.denied"
    case "Withdraw":
      return "order.withdrawn"
    case "Expire":
      return "order.expired_unsent"
    case "Send":
    case "Wait":
    case "Hold":
      return null
  }
}

const approve = (sql: SqlClient, terms: ContextTerms, press: ApprovalPress, order: StoredOrder) =>
  Effect.gen(function* () {
    const permit = yield* judgeLocked(sql, terms, order, press.judge)
    yield* decide(sql, press)
    const event = endsBy(permit)
    if (event === null) return { _tag: "Approved", order, permit, price: press.price } satisfies Answered
    const ended = yield* stepLocked(sql, order, event, { reason: "code" in permit ? permit.code : APPROVAL })
    return { _tag: "Refused", order: ended, permit, price: press.price } satisfies Answered
  })

/** Answers what was asked about one order. */
export const answerIn = (sql: SqlClient, terms: ContextTerms, press: ApprovalPress) =>
  Effect.gen(function* () {
    const found = yield* lockAsked(sql, press.orderId)
    if (found === null) return { _tag: "Missing" } satisfies Answered
    const { asked, order } = found
    if (asked === null) return { _tag: "NotAsked" } satisfies Answered
    switch (pressed({ ...asked, decidedBy: asked.commandId }, press)) {
      case "over":
        return { _tag: "Over", status: order.status } satisfies Answered
      case "late":
        return { _tag: "Late" } satisfies Answered
      case "decided":
        return {
          _tag: "Decided",
          decision: asked.decision ?? "declined",
          by: asked.by ?? BY_DEADLINE
        } satisfies Answered
      case "repeat":
        return { _tag: "Again", decision: press.decision, order, price: asked.price } satisfies Answered
      case "price_unknown":
        return { _tag: "PriceUnknown" } satisfies Answered
      case "price_moved": {
        yield* sql`UPDATE approvals SET price = ${press.price}::numeric WHERE order_id = ${press.orderId}::uuid`
        return { _tag: "PriceMoved", order, from: asked.price, to: press.price ?? "" } satisfies Answered
      }
      case "take": {
        if (press.decision === "approved") return yield* approve(sql, terms, press, order)
        yield* decide(sql, press)
        const ended = yield* stepLocked(sql, order, "order.denied", { reason: DECLINED })
        return { _tag: "Declined", order: ended } satisfies Answered
      }
    }
  })

/** One statement's worth. */
const LAPSED_MAX = 256

const byDefault = (otherwise: "allow" | "deny"): ApprovalDecision => lapsed({ otherwise })

export const lapseApprovals =
  (database: DatabaseService): OrdersStoreService["lapseApprovals"] =>
  (grant, alertOf) =>
    database
      .transact("orders.lapse_approvals", (sql) =>
        Effect.gen(function* () {
          const rows = yield* sql<StoredOrder & { readonly decision: ApprovalDecision }>`
            WITH own AS (
              SELECT id FROM accounts
              WHERE id = ${grant.account} AND owner = ${grant.owner} AND fence = ${grant.fence}
              FOR SHARE
            ), due AS MATERIALIZED (
              SELECT o.id, CASE p.otherwise WHEN 'allow' THEN ${byDefault("allow")}::text
                ELSE ${byDefault("deny")}::text END AS decision
              FROM approvals p JOIN orders o ON o.id = p.order_id JOIN own ON own.id = o.account
              WHERE o.status = 'held' AND p.decision IS NULL AND p.deadline <= hf_clock()
              ORDER BY p.seq LIMIT ${LAPSED_MAX} FOR UPDATE OF o, p
            ), decided AS (
              UPDATE approvals SET decision = due.decision, decided_at = hf_clock(), decided_by = ${BY_DEADLINE}
              FROM due WHERE approvals.order_id = due.id
            ), moved AS (
              UPDATE orders SET
                status = CASE due.decision WHEN 'declined' THEN 'denied' ELSE orders.status END,
                reason = CASE due.decision WHEN 'declined' THEN ${LAPSED} ELSE orders.reason END,
                updated_at = hf_clock()
              FROM due WHERE orders.id = due.id
              RETURNING orders.*, due.decision
            ), logged AS (
              INSERT INTO order_events (order_id, event, from_status, to_status, fence, detail)
              SELECT id, 'order.denied', 'held', 'denied', ${grant.fence}, jsonb_build_object('reason', reason)
              FROM moved WHERE decision = 'declined'
            )
            SELECT ${columnsOf(sql)}, decision FROM moved ORDER BY seq`
          if (rows.length > 0) {
            const lapsed = rows.map(({ decision, ...order }): LapsedOrder => ({ order, decision }))
            yield* storeAlertsIn(sql, [alertOf(lapsed)])
            return lapsed
          }
          const own = yield* sql`
            SELECT id FROM accounts
            WHERE id = ${grant.account} AND owner = ${grant.owner} AND fence = ${grant.fence}`
          return own.length === 1 ? [] : null
        })
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die))
