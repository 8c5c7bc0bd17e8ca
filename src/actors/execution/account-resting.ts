/**
 * Orders that rest at the venue: taking them back when they are over, and out of the way of one that has to leave.
 *
 * An order that rests is not stuck: it waits for its price and nothing is sent again. What ends it early is either in the rows
 * (order-resting.pg.ts), or another order that could not be as large as it has to be while this one counts as live.
 *
 * Promises: a cancel is requested in the row and sent like every other; the order that waits leaves after the venue has
 * confirmed it, so that the two are never more than what is held.
 * Never: takes back an order at market.
 */
import { Effect } from "effect"
import { canRest } from "../../domain/orders/order-terms.ts"
import type { LeaseGuard } from "../../layers/accounts/accounts-lease.port.ts"
import { OrdersStore, type StoredOrder } from "../../layers/orders/orders-store.port.ts"
import type { AccountDesk } from "./account-desk.ts"
import { applyEvent } from "./account-send.ts"
import { traceOrder } from "./order-trace.ts"

/** Requests the cancel of an order that is over; the executor sends it next. */
export const giveUp = (
  desk: AccountDesk,
  guard: LeaseGuard,
  order: StoredOrder,
  reason: string,
  by?: string
) =>
  Effect.gen(function* () {
    const moved = yield* applyEvent(desk, guard, order, "order.cancel_requested", {
      reason,
      ifStill: order.status,
      ...(by === undefined ? {} : { detail: { for: by } })
    })
    if (moved._tag !== "Moved") return false
    yield* traceOrder("info", "order.cancel_requested", reason, desk.path, moved.order)
    return true
  })

/** Whether `other` rests in the way of `order`, which waits for `code`. */
const isInTheWay = (order: StoredOrder, other: StoredOrder, code: string): boolean => {
  if (other.symbol !== order.symbol || other.id === order.id || !canRest(other)) return false
  const isOwn = other.strategy === order.strategy
  // A close at a price waits for what an entry brings; one at market wants to be out.
  if (code === "opening_works")
    return order.type === "market" && isOwn && other.intent === "entry" && other.side !== order.side
  return other.intent === "reduce" ? other.side === order.side || isOwn : isOwn && order.intent === "entry"
}

/** Takes back what an order waits for that rests; whether there was any that was not being cancelled already. */
export const clearTheWay = (desk: AccountDesk, guard: LeaseGuard, order: StoredOrder, code: string) =>
  Effect.gen(function* () {
    if (code !== "resting_order" && code !== "opening_works") return false
    const orders = yield* OrdersStore
    let cleared = false
    for (const other of yield* orders.working(desk.account)) {
      if (other.status === "pending_cancel" || !isInTheWay(order, other, code)) continue
      cleared = (yield* giveUp(desk, guard, other, "makes_way", order.id)) || cleared
    }
    return cleared
  })
