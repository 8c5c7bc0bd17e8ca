/**
 * Steps of an order that an operator asks for: cancelling it, and settling what became of it.
 *
 * The executor guards its steps by its grant. An operator has none, so a step here takes the account's row FOR SHARE and is
 * written under the fence that is current then: an executor that sends at the same time holds the order's row, and sees
 * afterwards that its status is another (order-submit.pg.ts).
 *
 * Promises: `from` is the status in the statement that moves the row; every step is legal by domain/orders/order.ts.
 * Never: moves what is on its way, or what nobody knows the outcome of.
 * Failure: errors of the SQL client pass through.
 */
import { Effect, Result } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { invariant } from "../../domain/kernel/invariant.ts"
import { clientOrderId, closeAgainClientOrderId, exitClientOrderId } from "../../domain/kernel/ids.ts"
import {
  nextStatus,
  type OrderEvent,
  type OrderStatus,
  type Resolution,
  resolutionEvents
} from "../../domain/orders/order.ts"
import type { Stepped } from "./order-commands.port.ts"
import { columnsOf } from "./order-row.pg.ts"
import type { StoredOrder } from "./orders-store.port.ts"

interface Note {
  readonly reason: string
  readonly venueOrderId?: string | null
  /** It may be sent again, under this id of the next attempt. */
  readonly nextClientOrderId?: string
}

/** Locks the order, after which its status is what it is until the transaction ends. */
export const lockOrder = (sql: SqlClient, id: string) =>
  Effect.map(
    sql<StoredOrder>`SELECT ${columnsOf(sql)} FROM orders WHERE id = ${id}::uuid FOR UPDATE`,
    ([order]) => order ?? null
  )

/** Moves a locked order. The event must be legal from its status: the caller has looked. */
export const stepLocked = (sql: SqlClient, order: StoredOrder, event: OrderEvent, note: Note) =>
  Effect.gen(function* () {
    const next = nextStatus(order.status, event)
    invariant(Result.isSuccess(next), "an operator's step is legal", { order: order.id, event })
    const again = note.nextClientOrderId !== undefined
    const detail = {
      reason: note.reason,
      by: "operator",
      ...(typeof note.venueOrderId !== "string" ? {} : { venueOrderId: note.venueOrderId }),
      ...(again ? { clientOrderIdBefore: order.clientOrderId } : {})
    }
    const [moved] = yield* sql<StoredOrder>`
      WITH own AS (
        SELECT id, fence FROM accounts WHERE id = ${order.account} FOR SHARE
      ), moved AS (
        UPDATE orders SET
          status = ${next.success},
          reason = ${note.reason},
          venue_order_id = CASE WHEN ${again}::boolean THEN NULL
            ELSE coalesce(${note.venueOrderId ?? null}::text, venue_order_id) END,
          client_order_id = coalesce(${note.nextClientOrderId ?? null}::text, client_order_id),
          attempt = CASE WHEN ${again}::boolean THEN attempt + 1 ELSE attempt END,
          sends = CASE WHEN ${again}::boolean THEN 0 ELSE sends END,
          updated_at = hf_clock()
        FROM own WHERE orders.id = ${order.id} AND orders.account = own.id AND orders.status = ${order.status}
        RETURNING orders.*
      ), logged AS (
        INSERT INTO order_events (order_id, event, from_status, to_status, fence, detail)
        SELECT moved.id, ${event}, ${order.status}, ${next.success}, own.fence,
          ${JSON.stringify(detail)}::text::jsonb FROM moved, own
      )
      SELECT ${columnsOf(sql)} FROM moved`
    invariant(moved !== undefined, "a locked order is moved by who locked it", { order: order.id })
    return moved
  })

/** Moves locked orders of one account, in one statement however many there are. Returns them in the order given. */
export const stepAllLocked = (
  sql: SqlClient,
  account: string,
  steps: ReadonlyArray<{ readonly order: StoredOrder; readonly event: OrderEvent }>,
  reason: string
) =>
  Effect.gen(function* () {
    if (steps.length === 0) return []
    const rows = steps.map(({ event, order }) => {
      const next = nextStatus(order.status, event)
      invariant(Result.isSuccess(next), "an operator's step is legal", { order: order.id, event })
      return { id: order.id, from: order.status, to: next.success, event }
    })
    const moved = yield* sql<StoredOrder>`
      WITH own AS (
        SELECT id, fence FROM accounts WHERE id = ${account} FOR SHARE
      ), step AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
          AS s (id uuid, "from" text, "to" text, event text)
      ), moved AS (
        UPDATE orders SET status = step."to", reason = ${reason}, updated_at = hf_clock()
        FROM own, step
        WHERE orders.id = step.id AND orders.account = own.id AND orders.status = step."from"
        RETURNING orders.*
      ), logged AS (
        INSERT INTO order_events (order_id, event, from_status, to_status, fence, detail)
        SELECT step.id, step.event, step."from", step."to", own.fence,
          ${JSON.stringify({ reason, by: "operator" })}::text::jsonb
        FROM moved JOIN step ON step.id = moved.id, own ORDER BY moved.seq
      )
      SELECT ${columnsOf(sql)} FROM moved`
    const byId = new Map(moved.map((order) => [order.id, order]))
    return rows.map(({ id }) => {
      const order = byId.get(id)
      invariant(order !== undefined, "a locked order is moved by who locked it", { order: id })
      return order
    })
  })

/** What a cancel does to an order in each status. */
export const cancelStep = (status: OrderStatus): OrderEvent | "done" | "refused" => {
  switch (status) {
    case "intended":
    case "held":
      return "order.withdrawn"
    case "acked":
    case "partially_filled":
      return "order.cancel_requested"
    case "pending_cancel":
    case "cancelled":
    case "withdrawn":
    case "expired_unsent":
      return "done"
    case "submitting":
    case "unknown":
    case "resolving":
    case "needs_operator":
    case "denied":
    case "rejected":
    case "filled":
    case "expired":
      return "refused"
  }
}

export const cancelIn = (sql: SqlClient, orderId: string, reason: string) =>
  Effect.gen(function* () {
    const order = yield* lockOrder(sql, orderId)
    if (order === null) return { _tag: "Missing" } satisfies Stepped
    const event = cancelStep(order.status)
    if (event === "refused") return { _tag: "WrongStatus", status: order.status } satisfies Stepped
    if (event === "done") return { _tag: "Done", order } satisfies Stepped
    return { _tag: "Done", order: yield* stepLocked(sql, order, event, { reason }) } satisfies Stepped
  })

/** The id under which an order goes out at its next attempt: of what it is about, as its first one was. */
const nextClientOrderId = (order: StoredOrder): string => {
  const attempt = order.attempt + 1
  const { account, exitNumber, leg, positionEpoch, signalId, strategy } = order
  if (signalId !== null) return clientOrderId({ signalId, account, strategy, leg }, attempt)
  if (order.positionId !== null && positionEpoch !== null && exitNumber !== null)
    return exitClientOrderId({ account, positionId: order.positionId, positionEpoch, exitNumber }, attempt)
  invariant(order.commandId !== null, "an order comes from a signal, an exit or a command", {
    order: order.id
  })
  return closeAgainClientOrderId(order.id, attempt)
}

export interface ResolveRequest {
  readonly orderId: string
  readonly outcome: Resolution
  readonly venueOrderId: string | null
  readonly reason: string
}

/** `not_placed` is the one way to a second attempt (T5); it is judged again before it leaves. */
export const resolveIn = (sql: SqlClient, { orderId, outcome, reason, venueOrderId }: ResolveRequest) =>
  Effect.gen(function* () {
    const order = yield* lockOrder(sql, orderId)
    if (order === null) return { _tag: "Missing" } satisfies Stepped
    if (order.status !== "needs_operator")
      return { _tag: "WrongStatus", status: order.status } satisfies Stepped
    const events = resolutionEvents(outcome, order.filledQuantity !== "0")
    if (events === null) return { _tag: "HasFills", filledQuantity: order.filledQuantity } satisfies Stepped
    const note =
      outcome === "not_placed"
        ? { reason, nextClientOrderId: nextClientOrderId(order) }
        : { reason, venueOrderId }
    let moved = order
    for (const event of events) moved = yield* stepLocked(sql, moved, event, note)
    return { _tag: "Done", order: moved } satisfies Stepped
  })
