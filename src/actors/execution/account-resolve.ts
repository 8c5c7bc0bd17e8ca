/**
 * Resolving orders whose outcome is unknown, by truth table T5 and never by guessing.
 *
 * Each unresolved order gets a fiber of its own, because the wait for a venue's propagation must not hold up other
 * symbols. The fiber queries by client order id on a widening schedule. "Not found" counts only after several answers
 * that agree, after the venue's propagation window, and after its list of open and recent orders agrees as well. Then
 * the rule of the venue decides: where client order ids are unique for good (U, R) the same id goes out again; where
 * they are not (O, N) a human decides.
 *
 * Promises: a create under a known id is repeated only for an order the venue never confirmed; at most `sendsMax` times;
 * a broker that cannot be queried leaves the order unresolved and raises an alert.
 * Never: sends under another id, sends where ids are not unique for good, or takes silence for an answer.
 */
import { ordersBell, resolveBell } from "../../layers/platform/bells.ts"
import { Clock, Effect, FiberMap, Option } from "effect"
import { executionLimits, lookupLimits } from "../../domain/kernel/limits-execution.ts"
import type { Permit } from "../../domain/orders/permit.ts"
import type { LeaseGuard } from "../../layers/accounts/accounts-lease.port.ts"
import type { VenueOrder } from "../../layers/venues/broker.port.ts"
import { OrdersStore, type StoredOrder, type UnresolvedOrder } from "../../layers/orders/orders-store.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { type AccountDesk, usableGuard } from "./account-desk.ts"
import { clearTheWay } from "./account-resting.ts"
import { adoptVenueOrder, applyAlerted, applyEvent } from "./account-send.ts"
import { submitAndSend } from "./account-step.ts"
import { catchUpFills } from "./fill-record.ts"
import { alertOrder, orderAlert, traceOrder } from "./order-trace.ts"

const escalate = (desk: AccountDesk, guard: LeaseGuard, order: StoredOrder, reason: string) =>
  Effect.gen(function* () {
    const note = { reason, ifStill: "resolving" } as const
    const message = `an order needs an operator: ${reason}`
    const moved = yield* applyAlerted(desk, guard, order, "order.escalated", note, (escalated) =>
      orderAlert("HIGH", "order.needs_operator", message, desk.path, escalated)
    )
    if (moved._tag === "Moved") yield* traceOrder("error", "order.needs_operator", reason, desk.path, order)
  })

const adopt = (desk: AccountDesk, guard: LeaseGuard, unresolved: UnresolvedOrder, venue: VenueOrder) =>
  Effect.gen(function* () {
    const moved = yield* adoptVenueOrder(desk, guard, unresolved.order, venue)
    yield* traceOrder(
      "info",
      "order.adopted",
      `found at the venue as ${venue.status}`,
      desk.path,
      moved.order
    )
    const alive = moved.order.status === "acked" || moved.order.status === "partially_filled"
    if (unresolved.cancelWanted && alive)
      yield* applyEvent(desk, guard, moved.order, "order.cancel_requested", { ifStill: moved.order.status })
    yield* catchUpFills(desk.path, desk.broker, desk.account)
    const wake = yield* Wake
    wake.notify(ordersBell(desk.account))
  })

/** The look-up by id has found nothing often enough; the venue's lists of orders must agree. */
const findInLists = (desk: AccountDesk, order: StoredOrder) =>
  Effect.gen(function* () {
    const open = yield* desk.broker.openOrders(desk.account)
    const since = order.sentAt ?? new Date(0)
    // Our clock and the venue's may differ; starting the list a little too early costs nothing.
    const recent = yield* desk.broker.recentOrders(
      desk.account,
      new Date(since.getTime() - lookupLimits.clockSkewMsMax)
    )
    return Option.fromNullishOr(
      [...open, ...recent].find((venue) => venue.clientOrderId === order.clientOrderId)
    )
  })

const cancelWantedPermit = { _tag: "Withdraw", code: "cancel_wanted", numbers: {} } as const

/** Whether an order that is not found was ever there: then it is not sent again, whatever the venue's rule. */
const wasAttested = (order: StoredOrder): boolean =>
  order.venueOrderId !== null || order.filledQuantity !== "0"

/** What a confirmed "not found" leads to (T5). Returns whether the order is settled for this fiber. */
const notFound = (desk: AccountDesk, guard: LeaseGuard, { cancelWanted, order }: UnresolvedOrder) =>
  Effect.gen(function* () {
    const { rule } = desk.broker
    if (wasAttested(order))
      return yield* escalate(desk, guard, order, "the venue had it and no longer shows it")
    if (rule === "O" || rule === "N") {
      const reason = `not found, and the venue (rule ${rule}) would take its id twice`
      return yield* escalate(desk, guard, order, reason)
    }
    // Whoever wanted it cancelled has that: it is not there, and nobody sends it again (K9).
    if (cancelWanted) return yield* notSentAgain(desk, guard, order, cancelWantedPermit)
    if (order.sends >= executionLimits.sendsMax) {
      return yield* escalate(desk, guard, order, `not found after ${order.sends} sends`)
    }
    yield* traceOrder(
      "warn",
      "order.resubmitting",
      "confirmed not found: the same id again",
      desk.path,
      order
    )
    const done = yield* submitAndSend(desk, order)
    if (done._tag === "Sent") return yield* catchUpFills(desk.path, desk.broker, desk.account)
    if (done._tag === "Refused")
      // Moved by a fill in between, or owned by another: the row decides what is next.
      return yield* traceOrder("info", "order.resubmit_waits", done.why, desk.path, order)
    return yield* notSentAgain(desk, guard, order, done.permit)
  })

/**
 * It is not at the venue, and what was right when it was first sent is no longer right: too old, not allowed, nothing
 * left to do. It ends here, and a human is alerted, because it was reported as sent (T5 K4). Only while something
 * is not known yet, such as what the account holds, does it wait.
 */
const notSentAgain = (
  desk: AccountDesk,
  guard: LeaseGuard,
  order: StoredOrder,
  permit: Exclude<Permit, { readonly _tag: "Send" }>
) =>
  Effect.gen(function* () {
    const { code, numbers } = permit
    if (permit._tag === "Wait") {
      yield* clearTheWay(desk, guard, order, code)
      return yield* traceOrder("info", "order.resubmit_waits", code, desk.path, order)
    }
    const reason = `not at the venue and not sent again: ${code}`
    const note = { reason, detail: numbers, ifStill: "resolving" } as const
    const moved = yield* applyAlerted(desk, guard, order, "order.expired_unsent", note, (ended) =>
      orderAlert("HIGH", "order.expired_unsent", `an order is ${reason}`, desk.path, ended, {
        code,
        ...numbers
      })
    )
    if (moved._tag !== "Moved") return
    yield* traceOrder("warn", "order.expired_unsent", reason, desk.path, moved.order, { code })
    const wake = yield* Wake
    wake.notify(ordersBell(desk.account))
  })

/** Brings an order into `resolving` from wherever it was found. */
const begin = (desk: AccountDesk, guard: LeaseGuard, order: StoredOrder) =>
  Effect.gen(function* () {
    let current = order
    if (current.status === "submitting") {
      // Not in flight at this moment and still `submitting` when read after that: nobody here is sending it.
      if (desk.inFlight.has(order.id)) return current
      const orders = yield* OrdersStore
      current = (yield* orders.byId(order.id)) ?? current
    }
    if (current.status === "submitting") {
      // Its sender is gone (K4, K5): nobody here knows whether the bytes left.
      const lost = yield* applyEvent(desk, guard, current, "order.outcome_lost", {
        reason: "its sender is gone",
        ifStill: "submitting",
        resolveAfterMs: desk.broker.propagationMs
      })
      current = lost.order
    }
    if (current.status === "unknown") {
      current = (yield* applyEvent(desk, guard, current, "order.lookup_started", { ifStill: "unknown" }))
        .order
    }
    return current
  })

const delayOf = (desk: AccountDesk, tries: number): number =>
  desk.pace.lookupDelaysMs[Math.min(tries, desk.pace.lookupDelaysMs.length - 1)] ?? 0

const alertUnresolved = (desk: AccountDesk, order: StoredOrder, rounds: number) =>
  alertOrder(
    "HIGH",
    "order.unresolved",
    `the broker cannot be queried about an order (${rounds} times)`,
    desk.path,
    order
  )

/** Queries until the order is found, or confirmed not to be there. */
const resolveOne = (desk: AccountDesk, unresolved: UnresolvedOrder) =>
  Effect.gen(function* () {
    const guard = yield* usableGuard(desk, "resolving")
    const wasOrphan = unresolved.order.status === "submitting"
    const order = yield* begin(desk, guard, unresolved.order)
    if (order.status !== "resolving") return
    const began = yield* Clock.currentTimeMillis
    const countsAfterMs = wasOrphan ? desk.broker.propagationMs : unresolved.propagationLeftMs
    let absent = 0
    let unanswered = 0
    // By id or by list: a broker that does not answer leaves the order's symbol blocked, which somebody must know.
    const noAnswer = Effect.suspend(() => {
      unanswered += 1
      return unanswered % desk.pace.lookupDelaysMs.length === 0
        ? alertUnresolved(desk, order, unanswered)
        : Effect.void
    })
    for (let tries = 0; ; tries += 1) {
      yield* Effect.sleep(delayOf(desk, tries))
      const usable = yield* usableGuard(desk, "resolving")
      const answer = yield* Effect.option(desk.broker.findByClientOrderId(desk.account, order.clientOrderId))
      if (Option.isNone(answer)) {
        yield* noAnswer
        continue
      }
      if (Option.isSome(answer.value))
        return yield* adopt(desk, usable, { ...unresolved, order }, answer.value.value)
      absent += 1
      const elapsedMs = (yield* Clock.currentTimeMillis) - began
      if (absent < lookupLimits.notFoundAnswersMin || elapsedMs < countsAfterMs) continue
      const listed = yield* Effect.option(findInLists(desk, order))
      if (Option.isNone(listed)) {
        yield* noAnswer
        continue
      }
      if (Option.isSome(listed.value))
        return yield* adopt(desk, usable, { ...unresolved, order }, listed.value.value)
      yield* notFound(desk, usable, { ...unresolved, order })
      return
    }
  }).pipe(
    // The rows record where it stands; the next pass, or the next owner, continues from there.
    Effect.catchTag(["DatabaseUnavailable", "LeaseLost", "BrokerUnavailable"], (interrupted) =>
      traceOrder("warn", "order.resolve_interrupted", interrupted.message, desk.path, unresolved.order)
    )
  )

/** Implements the slot `resolveUnknown`: finds unresolved orders and gives each a fiber, at most `resolversMax` at once. */
export const resolveUnknown = (desk: AccountDesk, report: (count: number) => void) =>
  Effect.scoped(
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const wake = yield* Wake
      const fibers = yield* FiberMap.make<string, void, never>()
      const pass = Effect.gen(function* () {
        yield* usableGuard(desk, "looking for unresolved orders")
        const found = yield* orders.unresolved(desk.account)
        report(found.filter(({ order }) => !desk.inFlight.has(order.id)).length)
        for (const unresolved of found) {
          if ((yield* FiberMap.size(fibers)) >= executionLimits.resolversMax) break
          yield* FiberMap.run(fibers, unresolved.order.id, Effect.asVoid(resolveOne(desk, unresolved)), {
            onlyIfMissing: true
          })
        }
      }).pipe(
        // The machine learns of a lost lease or database from those who watch them; here there is just nothing to do.
        Effect.catchTag(["DatabaseUnavailable", "LeaseLost"], () => Effect.void)
      )
      const passes = Effect.forever(
        // The bell rings every second for what is unresolved, even right after a start.
        Effect.andThen(wake.wait(resolveBell(desk.account), executionLimits.reconcileEveryMs), pass)
      )
      // A defect of a resolver is a bug and crashes the executor; without the join it would vanish.
      return yield* Effect.raceFirst(passes, FiberMap.join(fibers))
    })
  )
