/**
 * One step of an account's executor: the next cancel, the next order, or nothing.
 *
 * Cancels go first, then reduces, then entries, each oldest first; what may go is decided by the store in the
 * statement that commits it. A reduce asks the broker for the position right before, because its quantity is what the
 * broker confirms and not what we believe.
 *
 * Promises: at most one round trip per step; an order that cannot go any more (stale, nothing left to reduce) ends here
 * with its reason instead of being looked at for ever.
 * Never: sends an order that `submit` did not commit as `submitting` under the present grant.
 */
import { Clock, Effect } from "effect"
import { isOpen } from "../domain/calendar.ts"
import { executionLimits } from "../domain/limits.ts"
import { Alerts } from "../layers/alerts/alerts.ts"
import type { LeaseGuard } from "../layers/accounts/accounts-lease.ts"
import { Config } from "../layers/config/config.ts"
import { OrdersStore, type StoredOrder, type SubmitRefusal } from "../layers/orders/orders-store.ts"
import { PositionsStore } from "../layers/accounts/positions-store.ts"
import type { StepOutcome } from "../machines/account.machine.ts"
import { cancelsUnderWay, sendCancel } from "./account-cancel.ts"
import { type AccountDesk, LeaseLost, usableGuard } from "./account-desk.ts"
import { applyEvent, sendAndStore } from "./account-send.ts"
import { correlationOf, traceOrder } from "./order-trace.ts"

/** The reason of a reduce that waits for its market. */
const MARKET_CLOSED = "market_closed"

const worked: StepOutcome = { _tag: "Worked" }

/** Ends what is too old to be sent, and says it aloud: somebody was told that these were accepted. */
const expire = (desk: AccountDesk, guard: LeaseGuard) =>
  Effect.gen(function* () {
    const orders = yield* OrdersStore
    const alerts = yield* Alerts
    const expired = yield* orders.expireStale(guard.grant)
    if (expired === null) return yield* new LeaseLost({ account: desk.account, while: "expiring" })
    for (const order of expired)
      yield* traceOrder("warn", "order.expired_unsent", "too old to be sent", desk.path, order)
    const [oldest] = expired
    if (oldest === undefined) return worked
    yield* alerts.raise({
      severity: "HIGH",
      kind: "order.expired_unsent",
      dedupKey: `order.expired_unsent:${desk.account}`,
      message: `${expired.length} accepted orders of ${desk.account} were too old to be sent, first ${oldest.symbol}`,
      component: desk.path,
      correlationId: correlationOf(oldest),
      detail: { account: desk.account, count: expired.length, first_order_id: oldest.id }
    })
    return worked
  })

/** What a refused submit means for the order. */
const refused = (desk: AccountDesk, guard: LeaseGuard, order: StoredOrder, why: SubmitRefusal) =>
  Effect.gen(function* () {
    switch (why) {
      case "stale_fence":
      case "lease_over":
        return yield* new LeaseLost({ account: desk.account, while: "submitting" })
      case "stale":
        return yield* expire(desk, guard)
      case "nothing_to_reduce":
        yield* applyEvent(desk, guard, order, "order.denied", {
          reason: "the broker confirms nothing to reduce"
        })
        yield* traceOrder("warn", "order.denied", "the broker confirms nothing to reduce", desk.path, order)
        return worked
      // Somebody moved it or trading was halted in between; the next look sees it as it is.
      case "halted":
      case "status_changed":
        return worked
    }
  })

/** Commits `submitting` and sends, as one turn: nobody else of this account talks to the broker in between. */
export const submitAndSend = (desk: AccountDesk, order: StoredOrder) =>
  desk.roundTrip(
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const guard = yield* usableGuard(desk, "waiting for its turn")
      desk.inFlight.add(order.id)
      const submitted = yield* orders.submit(guard.grant, order)
      if (submitted._tag === "NotSubmitted") return { _tag: "Refused", guard, why: submitted.why } as const
      return { _tag: "Sent", outcome: yield* sendAndStore(desk, guard, submitted.order) } as const
    }).pipe(Effect.ensuring(Effect.sync(() => desk.inFlight.delete(order.id))))
  )

/** Asks the broker what the account holds: the bound of every reduce. */
export const confirmPositions = (desk: AccountDesk, guard: LeaseGuard) =>
  Effect.gen(function* () {
    const positions = yield* PositionsStore
    const said = yield* desk.broker.positions(desk.account)
    const confirmed = yield* positions.confirm(guard.grant, said)
    if (confirmed._tag === "StaleFence")
      return yield* new LeaseLost({ account: desk.account, while: "confirming" })
    return confirmed.mismatches
  })

const sendNext = (desk: AccountDesk, guard: LeaseGuard, order: StoredOrder) =>
  Effect.gen(function* () {
    if (order.intent === "reduce") yield* confirmPositions(desk, guard)
    const done = yield* submitAndSend(desk, order)
    if (done._tag === "Refused") return yield* refused(desk, done.guard, order, done.why)
    return done.outcome._tag === "NoAnswer"
      ? ({ _tag: "BrokerAway", reason: done.outcome.reason } satisfies StepOutcome)
      : worked
  })

const isClosed = (desk: AccountDesk, nowMs: number) =>
  Effect.map(Config, ({ accounts }) => {
    const calendar = accounts[desk.account]?.calendar
    return calendar !== undefined && !isOpen(calendar, nowMs)
  })

/**
 * Fills the slot `executeNext`; `reducesOnly` takes no exposure. Fails with `DatabaseUnavailable`; everything else is an
 * outcome.
 */
export const executeNext = (desk: AccountDesk, reducesOnly = false) =>
  Effect.gen(function* () {
    const orders = yield* OrdersStore
    const guard = yield* usableGuard(desk, "looking for work")
    const nowMs = yield* Clock.currentTimeMillis
    const next = yield* orders.next(desk.account, {
      notCancels: cancelsUnderWay(desk, nowMs),
      reducesOnly,
      closed: yield* isClosed(desk, nowMs)
    })
    if (next === null) return { _tag: "Nothing" } satisfies StepOutcome
    const { order, work } = next
    switch (work) {
      case "cancel":
        return yield* sendCancel(desk, order, nowMs)
      case "send":
        return yield* sendNext(desk, guard, order)
      case "expire":
        return yield* expire(desk, guard)
      case "hold":
        yield* applyEvent(desk, guard, order, "order.held", { reason: MARKET_CLOSED })
        yield* traceOrder("warn", "order.held", "its market is closed", desk.path, order)
        return worked
      case "release":
        yield* applyEvent(desk, guard, order, "order.released")
        yield* traceOrder("info", "order.released", `held order: ${order.reason ?? ""}`, desk.path, order)
        return worked
    }
  }).pipe(
    Effect.catchTag("LeaseLost", () => Effect.succeed<StepOutcome>({ _tag: "LeaseOver" })),
    Effect.catchTag("BrokerUnavailable", (away) =>
      Effect.succeed<StepOutcome>({ _tag: "BrokerAway", reason: `${away.operation}: ${away.reason}` })
    )
  )

/**
 * Fills the slot `sendReduces`: cancels and reduces leave while the account is not reconciled, because a venue that
 * answers one question wrong may still take an exit (T6). The broker is asked for the position before each reduce.
 */
export const sendReduces = (desk: AccountDesk) =>
  Effect.forever(
    executeNext(desk, true).pipe(
      Effect.timeoutOption(executionLimits.stepMsMax),
      Effect.map((done) => done._tag === "Some" && done.value._tag === "Worked"),
      // Who watches the database says so to the machine; here is only nothing to do.
      Effect.catchTag("DatabaseUnavailable", () => Effect.succeed(false)),
      Effect.flatMap((more) => (more ? Effect.void : Effect.sleep(desk.pace.pollMs)))
    )
  )
