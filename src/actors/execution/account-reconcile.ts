/**
 * Reconciling an account with its broker: at every activation, after every reconnect, and now and then.
 *
 * Boot and recovery are one path. Fills first, because they are facts and everything else follows from them; then the
 * orders that may be alive, then the positions, then the orders that wait to be settled, then the balance. Orders with an unknown
 * outcome are not handled here: their resolver looks them up on its own schedule and blocks nothing but their symbol.
 *
 * This file is the one owner of reconciliation. The reconciler component only rings for it and watches that it is done.
 *
 * Promises: `reconciled_at` is set only after all of it; a position that differs is compared again, with all fills
 * fetched in between, before it is disputed and an alert; a difference is never repaired by hand.
 * Never: sends an order or a cancel, or writes a position's quantity.
 */
import { Effect, Option } from "effect"
import type { OrderStatus } from "../../domain/orders/order.ts"
import { AccountsStore } from "../../layers/accounts/accounts-store.port.ts"
import type { LeaseGuard } from "../../layers/accounts/accounts-lease.port.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import type { VenueOrder } from "../../layers/venues/broker.port.ts"
import { OrdersStore, type StoredOrder } from "../../layers/orders/orders-store.port.ts"
import type { PositionMismatch } from "../../layers/orders/positions-store.port.ts"
import { ordersBell } from "../../layers/platform/bells.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { askBalance } from "./account-balance.ts"
import { type AccountDesk, LeaseLost, usableGuard } from "./account-desk.ts"
import { adoptVenueOrder, applyEvent, hasFilledMore } from "./account-send.ts"
import { lookAtAllFills, settleOrders } from "./account-settle.ts"
import { confirmPositions } from "./account-step.ts"
import { catchUpFills } from "./fill-record.ts"
import { alertIllegalEvent, alertOrder, traceOrder } from "./order-trace.ts"

/**
 * Compares our working orders with the venue's open ones; what is no longer open there is looked up by its id. Returns
 * whether the venue has filled more of one than we have stored.
 */
const reconcileWorking = (desk: AccountDesk, guard: LeaseGuard, open: ReadonlyArray<VenueOrder>) =>
  Effect.gen(function* () {
    const orders = yield* OrdersStore
    const byClientId = new Map(open.map((venue) => [venue.clientOrderId, venue]))
    let behind = false
    for (const order of yield* orders.working(desk.account)) {
      const listed = byClientId.get(order.clientOrderId)
      const venue =
        listed === undefined
          ? yield* desk.broker.findByClientOrderId(desk.account, order.clientOrderId)
          : Option.some(listed)
      if (Option.isSome(venue)) {
        const moved = yield* adoptVenueOrder(desk, guard, order, venue.value)
        behind ||= hasFilledMore(venue.value, moved.order)
      } else {
        const message = "the venue acknowledged this order and no longer shows it"
        yield* alertOrder("HIGH", "order.vanished", message, desk.path, order)
      }
    }
    return behind
  })

/** Statuses whose orders are handled elsewhere: the working list, the resolver, a round trip in flight. */
const lookedAfter: ReadonlySet<OrderStatus> = new Set<OrderStatus>([
  "submitting",
  "unknown",
  "resolving",
  "acked",
  "partially_filled",
  "pending_cancel"
])

/** Open orders of the venue that we believe ended or never sent, or that we do not know. */
const reconcileOpen = (desk: AccountDesk, guard: LeaseGuard, open: ReadonlyArray<VenueOrder>) =>
  Effect.gen(function* () {
    const orders = yield* OrdersStore
    for (const venue of open) {
      const known: StoredOrder | null =
        venue.clientOrderId === null ? null : yield* orders.byClientOrderId(venue.clientOrderId)
      if (known === null || known.account !== desk.account) {
        yield* logEvent("warn", "order.external", "an open order at the venue is not ours", {
          component: desk.path,
          account: desk.account,
          symbol: venue.symbol,
          venue_order_id: venue.venueOrderId
        })
      } else if (!lookedAfter.has(known.status)) {
        // For `needs_operator` this ends the doubt; for an order that was never sent it is illegal and alerted.
        yield* adoptVenueOrder(desk, guard, known, venue)
      }
    }
  })

/**
 * What a former life left undone: a cancel whose doubt was ended by a fill, and alerts that died with their process. Both
 * are in the rows, and nobody else looks for them.
 */
const reconcileLeft = (desk: AccountDesk, guard: LeaseGuard) =>
  Effect.gen(function* () {
    const orders = yield* OrdersStore
    const wake = yield* Wake
    const lost = yield* orders.cancelsLost(desk.account)
    for (const order of lost) {
      yield* applyEvent(desk, guard, order, "order.cancel_requested", { ifStill: order.status })
      yield* traceOrder("info", "order.cancel_again", "its cancel was in doubt", desk.path, order)
    }
    if (lost.length > 0) wake.notify(ordersBell(desk.account))
    for (const illegal of yield* orders.illegalUnalerted(desk.account))
      yield* alertIllegalEvent(desk.path, illegal)
  })

const alertMismatches = (desk: AccountDesk, mismatches: ReadonlyArray<PositionMismatch>) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    for (const { symbol, ours, brokers } of mismatches) {
      yield* alerts.raise({
        severity: "HIGH",
        kind: "position.mismatch",
        dedupKey: `position.mismatch:${desk.account}:${symbol}`,
        message: `${desk.account} ${symbol}: our fills add up to ${ours}, the broker reports ${brokers}`,
        component: desk.path,
        detail: { account: desk.account, symbol, ours, brokers },
        standing: true
      })
    }
    const still = mismatches.map(({ symbol }) => `position.mismatch:${desk.account}:${symbol}`)
    yield* alerts.resolveAllBut(`position.mismatch:${desk.account}:`, still, "fills and broker agree")
  })

/**
 * Where positions or filled quantities differ, fills are missing here or late there. First those after the cursor are
 * fetched again; then all of them, because a cursor proves nothing about a venue that was reset (T10). The latter
 * is expensive and may never resolve the difference, so it has a pause. What differs after it is disputed.
 */
const reconcilePositions = (desk: AccountDesk, guard: LeaseGuard, behind: boolean) =>
  Effect.gen(function* () {
    if ((yield* confirmPositions(desk, guard)).length === 0 && !behind)
      return yield* alertMismatches(desk, [])
    // A fill may have happened between the two queries.
    yield* catchUpFills(desk.path, desk.broker, desk.account)
    if ((yield* confirmPositions(desk, guard)).length === 0 && !behind)
      return yield* alertMismatches(desk, [])
    return yield* stillDiffers(desk, guard)
  })

const stillDiffers = (desk: AccountDesk, guard: LeaseGuard) =>
  Effect.gen(function* () {
    yield* lookAtAllFills(desk)
    yield* alertMismatches(desk, yield* confirmPositions(desk, guard, true))
  })

/** Implements the slot `reconcile`. Fails with `BrokerUnavailable`, `DatabaseUnavailable` or `LeaseLost`. */
export const reconcileAccount = (desk: AccountDesk) =>
  Effect.gen(function* () {
    const accounts = yield* AccountsStore
    const guard = yield* usableGuard(desk, "reconciling")
    const fresh = yield* catchUpFills(desk.path, desk.broker, desk.account)
    const open = yield* desk.broker.openOrders(desk.account)
    const behind = yield* reconcileWorking(desk, guard, open)
    yield* reconcileOpen(desk, guard, open)
    yield* reconcileLeft(desk, guard)
    yield* reconcilePositions(desk, guard, behind)
    yield* settleOrders(desk)
    yield* askBalance(desk.path, desk.account, desk.broker, guard)
    const marked = yield* accounts.markReconciled(guard.grant)
    if (!marked) return yield* new LeaseLost({ account: desk.account, while: "reconciling" })
    yield* logEvent(
      "info",
      "account.reconciled",
      "orders, fills and positions agree as far as can be determined",
      {
        component: desk.path,
        account: desk.account,
        fills_caught_up: fresh
      }
    )
  })
