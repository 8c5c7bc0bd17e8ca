/**
 * The round trip of a create, and what its response means for the order.
 *
 * Only a refusal that the venue documents is a rejection. Everything else that is not an order in the response leaves
 * the order `unknown`: it may exist, and only a look-up shows. The lease is checked by the adapter, through the permit,
 * right before the bytes go to the socket; a process that was frozen past its lease sends nothing when it resumes.
 *
 * Promises: every outcome is stored under the fence before anything else is sent; a refusal because the client order
 * id is taken is never a rejection, because an order of ours exists then; a missing response notifies every account of the broker.
 * Never: retries, or sends for an order that is not `submitting`.
 */
import { FAULT_POINTS, faultPoint } from "../../layers/platform/fault-point.ts"
import { reconcileBell, resolveBell } from "../../layers/platform/bells.ts"
import { BigDecimal, Effect, Result } from "effect"
import { accountsAt, CANARY, executedAccount } from "../../domain/kernel/canary.ts"
import { decimal } from "../../domain/kernel/decimal.ts"
import { invariant } from "../../domain/kernel/invariant.ts"
import { type OrderEvent, reportedEvent, type VenueStatus } from "../../domain/orders/order.ts"
import type { LeaseGuard } from "../../layers/accounts/accounts-lease.port.ts"
import { type CreateOrder, SendPermit, type VenueOrder } from "../../layers/venues/broker.port.ts"
import { Breakers } from "../../layers/orders/breakers.port.ts"
import { Config } from "../../layers/platform/config.port.ts"
import {
  type Moved,
  type OrderNote,
  OrdersStore,
  type StoredOrder
} from "../../layers/orders/orders-store.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { type AccountDesk, LeaseLost } from "./account-desk.ts"
import { type Alert, Alerts } from "../../layers/alerts/alerts.port.ts"
import { committedAlert } from "../../layers/alerts/committed-alert.ts"
import { alertIllegal, orderAlert, resolveNeedsOperator, traceOrder } from "./order-trace.ts"
import { noteAcked, noteEnded, noteSent } from "./stage-times.ts"

/** Where something happens: enough to apply what a venue reports, with or without an executor. */
export type Place = Pick<AccountDesk, "account" | "path">

/** How a round trip ended, for the one who decides what to do next. */
export type SendOutcome =
  | { readonly _tag: "Stored" }
  /** Stored as unknown: the broker did not answer, or nothing reached it. */
  | { readonly _tag: "NoAnswer"; readonly reason: string }

const createOf = (order: StoredOrder): CreateOrder => ({
  clientOrderId: order.clientOrderId,
  account: order.account,
  symbol: order.symbol,
  side: order.side,
  type: order.type,
  quantity: order.quantity,
  limitPrice: order.limitPrice,
  stopPrice: order.stopPrice,
  timeInForce: order.timeInForce
})

/** Fails with `LeaseLost` when the grant is void, and logs and alerts what did not fit. */
export const applyEvent = (
  desk: Place,
  guard: LeaseGuard,
  order: StoredOrder,
  event: OrderEvent,
  note: OrderNote = {}
) =>
  Effect.gen(function* () {
    const orders = yield* OrdersStore
    const moved = yield* orders.apply(guard.grant, order, event, note)
    if (moved._tag === "StaleFence") return yield* new LeaseLost({ account: desk.account, while: event })
    yield* alertIllegal(desk.path, moved)
    if (moved._tag === "Moved") yield* resolveNeedsOperator(moved.from, moved.order)
    return moved
  })

/** The same with the alert about the step in its commit: it happens once, and nobody would find it again. */
export const applyAlerted = (
  desk: Place,
  guard: LeaseGuard,
  order: StoredOrder,
  event: OrderEvent,
  note: OrderNote,
  alertOf: (order: StoredOrder) => Alert
) =>
  Effect.gen(function* () {
    const alert = yield* committedAlert(alertOf)
    const moved = yield* applyEvent(desk, guard, order, event, { ...note, alertOf: alert.stored })
    if (moved._tag === "Moved") yield* alert.raise(moved.order)
    return moved
  })

/** Of what the venue calls filled our fills may still be missing, so it is none of these. */
const over: ReadonlySet<VenueStatus> = new Set<VenueStatus>(["cancelled", "expired", "rejected"])

const sameOrder = (order: StoredOrder, venue: VenueOrder): boolean =>
  venue.symbol === order.symbol &&
  venue.side === order.side &&
  BigDecimal.equals(decimal(venue.quantity), decimal(order.quantity))

/** The alert about what the venue reports of an order; null when there is nothing wrong with it. */
const alertOfReport = (desk: Place, order: StoredOrder, venue: VenueOrder) => {
  if (!sameOrder(order, venue)) {
    const theirs = { venue_symbol: venue.symbol, venue_side: venue.side, venue_quantity: venue.quantity }
    const message = "the venue has another order under our client order id"
    return (moved: StoredOrder) => orderAlert("HIGH", "order.contradicted", message, desk.path, moved, theirs)
  }
  // A refused exit leaves its position open, however late the venue refuses it (T10).
  if (venue.status === "rejected" && order.intent === "reduce") {
    const message = "an exit was refused: the venue reports rejected"
    return (moved: StoredOrder) => orderAlert("HIGH", "exit.rejected", message, desk.path, moved)
  }
  return null
}

/** Whether the venue has filled more of an order than we have stored. */
export const hasFilledMore = (venue: VenueOrder, order: StoredOrder): boolean =>
  BigDecimal.isGreaterThan(decimal(venue.filledQuantity), decimal(order.filledQuantity))

/** Counts for the breaker of the order's strategy: whether the venue has it, or refused it or did not respond. */
const countFor = ({ strategy }: StoredOrder, isFailure: boolean) =>
  strategy === CANARY
    ? Effect.void
    : Breakers.use((breakers) =>
        Effect.sync(() => breakers.count(`strategy:${strategy}`, "orders", isFailure))
      )

/** Applies what the venue reports about one of our orders, from a response, a look-up or the stream. */
export const adoptVenueOrder = (desk: Place, guard: LeaseGuard, order: StoredOrder, venue: VenueOrder) =>
  Effect.gen(function* () {
    const wake = yield* Wake
    const event = reportedEvent(venue.status, order.filledQuantity !== "0")
    const isAlive = !over.has(venue.status)
    const note = {
      venueOrderId: venue.venueOrderId,
      ...(isAlive ? {} : { venueFilled: venue.filledQuantity })
    }
    const alertOf = alertOfReport(desk, order, venue)
    const moved =
      alertOf === null
        ? yield* applyEvent(desk, guard, order, event, note)
        : yield* applyAlerted(desk, guard, order, event, note, alertOf)
    // That it is another order holds at every look, whether or not it moved.
    if (moved._tag !== "Moved" && alertOf !== null && !sameOrder(order, venue))
      yield* Alerts.use((alerts) => alerts.raise(alertOf(order)))
    if (moved._tag === "Moved") {
      yield* isAlive ? noteAcked(moved.order) : noteEnded(moved.order)
      // From a response, a look-up or the stream, whichever is first.
      if (event === "order.rejected") yield* countFor(order, true)
      yield* traceOrder("info", event, `the venue reports ${venue.status}`, desk.path, moved.order, {
        venue_order_id: venue.venueOrderId
      })
    }
    // The exits judge what is partly filled; the next look does so in any case.
    if (!isAlive && moved.order.filledQuantity !== "0") wake.notify("positions")
    const behind = hasFilledMore(venue, moved.order)
    // The stream delivers its fills; if it does not, the next reconciliation fetches them.
    if (behind && !isAlive) wake.notify(reconcileBell(desk.account))
    return moved
  })

const lose = (desk: AccountDesk, guard: LeaseGuard, order: StoredOrder, reason: string) =>
  Effect.gen(function* () {
    const wake = yield* Wake
    const moved: Moved = yield* applyEvent(desk, guard, order, "order.outcome_lost", {
      reason,
      // The stream may have delivered more than the response would have.
      ifStill: "submitting",
      resolveAfterMs: desk.broker.propagationMs
    })
    if (moved._tag !== "Moved") return moved
    yield* traceOrder("warn", "order.unknown", `no usable response: ${reason}`, desk.path, order, { reason })
    wake.notify(resolveBell(desk.account))
    return moved
  })

/**
 * A call that ended without a response is evidence against the broker, for all its accounts: each of them checks it at once
 * and takes no new exposure before it answers. Waiting for the stream to notice would feed a dead socket with creates.
 */
export const askBroker = (desk: AccountDesk) =>
  Effect.gen(function* () {
    const settings = yield* Config
    const wake = yield* Wake
    const broker = executedAccount(settings, desk.account)?.broker
    if (broker === undefined) return
    for (const [id] of accountsAt(settings, broker)) wake.notify(reconcileBell(id))
  })

/** The permit that the adapter checks right before the bytes; the instants on both sides of it are where a freeze is worst. */
const permitOf = (guard: LeaseGuard, order: StoredOrder) => (): boolean => {
  faultPoint(FAULT_POINTS.orderConnected, order.symbol)
  const permitted = guard.mayWrite()
  faultPoint(FAULT_POINTS.orderPermitted, order.symbol)
  return permitted
}

/** Sends an order that was just committed as `submitting`, and stores the outcome. Call it inside a round trip. */
export const sendAndStore = (desk: AccountDesk, guard: LeaseGuard, order: StoredOrder) =>
  Effect.gen(function* () {
    invariant(order.status === "submitting", "only a submitting order is sent", { order: order.id })
    yield* traceOrder("info", "order.submitting", `send ${order.sends}`, desk.path, order, {
      send: order.sends
    })
    yield* noteSent(order)
    faultPoint(FAULT_POINTS.orderSubmitting, order.symbol)
    const answer = yield* desk.broker
      .create(createOf(order))
      .pipe(Effect.provideService(SendPermit, permitOf(guard, order)), Effect.result)
    faultPoint(FAULT_POINTS.orderAnswered, order.symbol)
    if (Result.isSuccess(answer)) {
      yield* adoptVenueOrder(desk, guard, order, answer.success)
      if (answer.success.status !== "rejected") yield* countFor(order, false)
      faultPoint(FAULT_POINTS.orderAcked, order.symbol)
      return { _tag: "Stored" } satisfies SendOutcome
    }
    const failure = answer.failure
    switch (failure._tag) {
      case "BrokerRefused": {
        const reason = `${failure.code}: ${failure.message}`
        // An id that is taken is neither: the order exists.
        if (failure.duplicate) yield* lose(desk, guard, order, reason)
        else {
          yield* countFor(order, true)
          const note = { reason, venueFilled: "0" }
          // A refused exit leaves its position open, which somebody has to know.
          if (order.intent === "reduce")
            yield* applyAlerted(desk, guard, order, "order.rejected", note, (moved) =>
              orderAlert("HIGH", "exit.rejected", `an exit was refused: ${reason}`, desk.path, moved)
            )
          else yield* applyEvent(desk, guard, order, "order.rejected", note)
          yield* noteEnded(order)
          yield* traceOrder("warn", "order.rejected", reason, desk.path, order, { code: failure.code })
        }
        return { _tag: "Stored" } satisfies SendOutcome
      }
      case "BrokerOutcomeUnknown":
        yield* countFor(order, true)
        yield* lose(desk, guard, order, failure.reason)
        yield* askBroker(desk)
        return { _tag: "NoAnswer", reason: failure.reason } satisfies SendOutcome
      case "BrokerNotSent":
        // Without a permit the grant is void and the row stays `submitting`: the next owner looks it up.
        if (!guard.mayWrite()) return yield* new LeaseLost({ account: desk.account, while: "sending" })
        yield* countFor(order, true)
        yield* lose(desk, guard, order, `not sent: ${failure.reason}`)
        yield* askBroker(desk)
        return { _tag: "NoAnswer", reason: failure.reason } satisfies SendOutcome
    }
  })
