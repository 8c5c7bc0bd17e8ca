/**
 * Cancelling: requested in the row (`pending_cancel`), carried out by the account's executor before anything else.
 *
 * A cancel is a request, its outcome is a fact. An order that the venue does not cancel has usually ended already, so after
 * a refusal or a lost response the venue is queried and nothing is assumed (K9).
 *
 * Promises: a cancel always passes, even while trading is halted; one that the venue accepted and has not carried out
 * yet is checked again after a pause; an order without a venue id is looked up before it is cancelled; the lease is
 * checked right before the bytes leave, and an expired one is not taken for silence of the broker.
 * Never: treats a cancelled order as if nothing of it had traded.
 */
import { FAULT_POINTS, faultPoint } from "../../layers/platform/fault-point.ts"
import { resolveBell } from "../../layers/platform/bells.ts"
import { Effect, Option, Result } from "effect"
import type { LeaseGuard } from "../../layers/accounts/accounts-lease.port.ts"
import { SendPermit } from "../../layers/venues/broker.port.ts"
import type { StoredOrder } from "../../layers/orders/orders-store.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import type { StepOutcome } from "../../machines/execution/account.machine.ts"
import { type AccountDesk, cancelAgainMs, LeaseLost, usableGuard } from "./account-desk.ts"
import { adoptVenueOrder, applyEvent, askBroker } from "./account-send.ts"
import { traceOrder } from "./order-trace.ts"

const lose = (
  desk: AccountDesk,
  guard: LeaseGuard,
  order: StoredOrder,
  event: "order.outcome_lost" | "order.cancel_refused",
  reason: string
) =>
  Effect.gen(function* () {
    const wake = yield* Wake
    yield* applyEvent(desk, guard, order, event, {
      reason,
      resolveAfterMs: desk.broker.propagationMs,
      ifStill: "pending_cancel"
    })
    yield* traceOrder("warn", event, `the cancel is not confirmed: ${reason}`, desk.path, order)
    wake.notify(resolveBell(desk.account))
  })

const worked: StepOutcome = { _tag: "Worked" }

const venueIdOf = (desk: AccountDesk, order: StoredOrder) =>
  order.venueOrderId !== null
    ? Effect.succeed(Option.some(order.venueOrderId))
    : Effect.map(
        desk.broker.findByClientOrderId(desk.account, order.clientOrderId),
        Option.map((venue) => venue.venueOrderId)
      )

const cancel = (desk: AccountDesk, order: StoredOrder) =>
  desk.roundTrip(
    Effect.gen(function* () {
      const guard = yield* usableGuard(desk, "waiting to cancel")
      const venueOrderId = yield* venueIdOf(desk, order)
      if (Option.isNone(venueOrderId)) {
        yield* lose(desk, guard, order, "order.outcome_lost", "the venue shows no order to cancel")
        return worked
      }
      yield* traceOrder("info", "order.cancelling", "cancel sent", desk.path, order)
      const answer = yield* desk.broker
        .cancel(desk.account, venueOrderId.value)
        .pipe(Effect.provideService(SendPermit, guard.mayWrite), Effect.result)
      faultPoint(FAULT_POINTS.cancelAnswered, order.symbol)
      if (Result.isSuccess(answer)) {
        // Still open in the response: the venue works on it; the row stays `pending_cancel`.
        if (answer.success.status === "open" || answer.success.status === "partially_filled") return worked
        yield* adoptVenueOrder(desk, guard, order, answer.success)
        return worked
      }
      const failure = answer.failure
      switch (failure._tag) {
        case "BrokerNotSent":
          // Nothing was sent, so it is due at once for whoever may send it next.
          desk.dueAt.delete(order.id)
          // Without a permit the broker is not at fault: the account belongs to another process, or to us under a new grant.
          if (!guard.mayWrite()) return yield* new LeaseLost({ account: desk.account, while: "cancelling" })
          return { _tag: "BrokerAway", reason: `cancel: ${failure.reason}` } satisfies StepOutcome
        case "BrokerRefused": {
          const reason = `${failure.code}: ${failure.message}`
          yield* lose(desk, guard, order, "order.cancel_refused", reason)
          return worked
        }
        case "BrokerOutcomeUnknown":
          yield* lose(desk, guard, order, "order.outcome_lost", failure.reason)
          yield* askBroker(desk)
          return { _tag: "BrokerAway", reason: `cancel: ${failure.reason}` } satisfies StepOutcome
      }
    })
  )

/** Sends a cancel; it is due again after a pause if the order is still waiting for it then. */
export const sendCancel = (desk: AccountDesk, order: StoredOrder, nowMs: number) =>
  Effect.suspend(() => {
    desk.dueAt.set(order.id, nowMs + cancelAgainMs)
    return cancel(desk, order)
  })
