/**
 * One step of an account's executor: the next cancel, the next order, or nothing.
 *
 * Cancels go first, then reduces, then entries, each oldest first; what may go is judged by domain/orders/permit.ts in the
 * transaction that commits it. A reduce fetches the position from the broker right before, because its quantity is what the
 * broker confirms and not what we believe.
 *
 * Promises: at most one round trip per step; an order that can no longer go (stale, denied, nothing left to reduce) ends
 * here with its reason instead of being retried forever; one that has to wait holds up no other.
 * Never: sends an order that `submit` did not commit as `submitting` under the current grant.
 */
import { FAULT_POINTS, faultPoint } from "../../layers/platform/fault-point.ts"
import { ordersBell } from "../../layers/platform/bells.ts"
import { Clock, Effect } from "effect"
import { isOpen, nextOpenMs } from "../../domain/kernel/calendar.ts"
import { instrumentsOf } from "../../domain/kernel/instruments.ts"
import { executionLimits } from "../../domain/kernel/limits-execution.ts"
import { LAPSED } from "../../domain/orders/approval.ts"
import { type PermitContext, type Permit, permitToSend } from "../../domain/orders/permit.ts"
import { type Alert, Alerts } from "../../layers/alerts/alerts.port.ts"
import { committedAlert } from "../../layers/alerts/committed-alert.ts"
import type { LeaseGuard } from "../../layers/accounts/accounts-lease.port.ts"
import { Config, snapshotOf } from "../../layers/platform/config.port.ts"
import { Market } from "../../layers/market/market.port.ts"
import {
  correlationOf,
  type LapsedOrder,
  OrdersStore,
  type OrderWork,
  type StoredOrder,
  type SubmitRefusal
} from "../../layers/orders/orders-store.port.ts"
import { RiskFigures } from "../../layers/orders/risk-figures.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { PositionsStore } from "../../layers/orders/positions-store.port.ts"
import type { StepOutcome } from "../../machines/execution/account.machine.ts"
import { sendCancel } from "./account-cancel.ts"
import { type AccountDesk, LeaseLost, usableGuard } from "./account-desk.ts"
import { applyEvent, sendAndStore } from "./account-send.ts"
import { clearTheWay, giveUp } from "./account-resting.ts"
import { catchUpFills } from "./fill-record.ts"
import { traceOrder } from "./order-trace.ts"
import { freshQuote, planSettingsOf } from "./plan-input.ts"

/** The reason of a reduce that waits for its market. */
const MARKET_CLOSED = "market_closed"

const worked: StepOutcome = { _tag: "Worked" }

type Refusal = Exclude<Permit, { readonly _tag: "Send" }>

/** What an alert about several orders of one account says of the first of them. */
const firstOf = ([first]: ReadonlyArray<StoredOrder>) => ({
  symbol: first?.symbol ?? "",
  ...(first === undefined ? {} : { correlationId: correlationOf(first) }),
  id: first?.id
})

const expiredAlert = (desk: AccountDesk, expired: ReadonlyArray<StoredOrder>): Alert => {
  const { id, symbol, ...correlation } = firstOf(expired)
  return {
    severity: "HIGH",
    kind: "order.expired_unsent",
    dedupKey: `order.expired_unsent:${desk.account}`,
    message: `${expired.length} accepted orders of ${desk.account} were too old to be sent, first ${symbol}`,
    component: desk.path,
    ...correlation,
    detail: { account: desk.account, count: expired.length, first_order_id: id }
  }
}

const lapsedAlert = (desk: AccountDesk, found: ReadonlyArray<LapsedOrder>): Alert => {
  const denied = found.filter(({ decision }) => decision === "declined").length
  const { id, symbol, ...correlation } = firstOf(found.map(({ order }) => order))
  return {
    severity: "MEDIUM",
    kind: "order.approval_lapsed",
    dedupKey: `order.approval_lapsed:${desk.account}`,
    message: `nobody answered about ${found.length} entries of ${desk.account} in time: ${denied} were not sent, ${found.length - denied} are sent unasked; first ${symbol}`,
    component: desk.path,
    ...correlation,
    detail: { account: desk.account, count: found.length, denied, first_order_id: id }
  }
}

/** Ends what is too old to be sent, and alerts: these orders were reported as accepted. */
const expire = (desk: AccountDesk, guard: LeaseGuard) =>
  Effect.gen(function* () {
    const orders = yield* OrdersStore
    const alert = yield* committedAlert((expired: ReadonlyArray<StoredOrder>) => expiredAlert(desk, expired))
    const expired = yield* orders.expireStale(guard.grant, alert.stored)
    if (expired === null) return yield* new LeaseLost({ account: desk.account, while: "expiring" })
    for (const order of expired)
      yield* traceOrder("warn", "order.expired_unsent", "too old to be sent", desk.path, order)
    if (expired.length > 0) yield* alert.raise(expired)
    return worked
  })

/** Decides what nobody answered about in time, by the default that it was asked with. */
const lapse = (desk: AccountDesk, guard: LeaseGuard) =>
  Effect.gen(function* () {
    const orders = yield* OrdersStore
    const alert = yield* committedAlert((lapsed: ReadonlyArray<LapsedOrder>) => lapsedAlert(desk, lapsed))
    const found = yield* orders.lapseApprovals(guard.grant, alert.stored)
    if (found === null) return yield* new LeaseLost({ account: desk.account, while: "lapsing" })
    for (const { decision, order } of found)
      yield* traceOrder(
        "warn",
        decision === "approved" ? "order.approval_allowed" : "order.denied",
        decision === "approved" ? "nobody answered in time, and it is sent unasked" : LAPSED,
        desk.path,
        order
      )
    if (found.length > 0) yield* alert.raise(found)
    return worked
  })

/** What a refused submit means for the executor. */
const refused = (desk: AccountDesk, why: SubmitRefusal) =>
  why === "status_changed"
    ? // Something moved it in between; the next look sees it as it is.
      Effect.succeed(worked)
    : Effect.fail(new LeaseLost({ account: desk.account, while: "submitting" }))

/** How often a reduce queries the venue again while a fill is between its book and ours, before it takes the smaller one. */
const CONFIRM_LOOKS = 3

const collared = (desk: AccountDesk, order: StoredOrder, { numbers }: Refusal) =>
  Alerts.use((alerts) =>
    alerts.raise({
      severity: "HIGH",
      kind: "exit.collared",
      dedupKey: `exit.collared:${order.id}`,
      message: `${desk.account} cannot close ${order.symbol} yet: its price differs from the market by ${String(numbers["deviation"])} %, limit ${String(numbers["limit"])} % (${String(numbers["scope"])})`,
      component: desk.path,
      correlationId: correlationOf(order),
      detail: { account: desk.account, symbol: order.symbol, order_id: order.id, ...numbers }
    })
  )

/** What a refused permit means for an order that was not sent yet. */
const notPermitted = (desk: AccountDesk, guard: LeaseGuard, order: StoredOrder, permit: Refusal) =>
  Effect.gen(function* () {
    const { code } = permit
    switch (permit._tag) {
      case "Expire":
        return yield* expire(desk, guard)
      case "Hold":
      case "Wait": {
        const cleared = yield* clearTheWay(desk, guard, order, code)
        // Cancels go first: after theirs it is looked at again at once.
        if (!cleared) desk.dueAt.set(order.id, (yield* Clock.currentTimeMillis) + desk.pace.pollMs)
        yield* traceOrder("debug", "order.waits", code, desk.path, order, permit.numbers)
        // It waits until the price returns, while its position stays open, so operators are alerted.
        if (order.intent === "reduce" && code === "price_collar") yield* collared(desk, order, permit)
        return worked
      }
      case "Withdraw":
      case "Deny": {
        // `submit` has ended it already, under the locks under which it was judged.
        const event = permit._tag === "Withdraw" ? "order.withdrawn" : "order.denied"
        const level = permit._tag === "Withdraw" ? "info" : "warn"
        yield* traceOrder(level, event, code, desk.path, order, permit.numbers)
        return worked
      }
    }
  })

/** Commits `submitting` and sends, as one turn: nobody else of this account talks to the broker in between. */
export const submitAndSend = (desk: AccountDesk, order: StoredOrder) =>
  desk.roundTrip(
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const judge = yield* judgeNow
      faultPoint(FAULT_POINTS.orderIntended, order.symbol)
      const guard = yield* usableGuard(desk, "waiting for its turn")
      desk.inFlight.add(order.id)
      if (order.intent === "reduce") yield* confirmFor(desk, guard, order.symbol)
      const submitted = yield* orders.submit(guard.grant, order, judge)
      switch (submitted._tag) {
        case "NotSubmitted":
          return { _tag: "Refused", why: submitted.why } as const
        case "NotPermitted":
          return { _tag: "NotPermitted", guard, permit: submitted.permit } as const
        case "Submitting":
          return { _tag: "Sent", outcome: yield* sendAndStore(desk, guard, submitted.order) } as const
      }
    }).pipe(Effect.ensuring(Effect.sync(() => desk.inFlight.delete(order.id))))
  )

/**
 * The rules of the decision, with the settings and quotes of this moment, for the transaction that commits `submitting`.
 */
export const judgeNow = Effect.gen(function* () {
  const settings = planSettingsOf(yield* Config)
  const quoteOf = freshQuote(yield* Market, yield* Clock.currentTimeMillis)
  const { of: figuresOf } = yield* RiskFigures
  return (order: StoredOrder, context: PermitContext) =>
    permitToSend({ order, context, settings, quoteOf, figuresOf })
})

/**
 * Asks the broker what the account holds, which bounds every reduce. Where a symbol's answer differs from our fills, a
 * fill is in flight or was missed: fills are fetched and the broker is asked again, so that a close is not cut by a
 * fill that is merely late. What still differs is left to the smaller of both books.
 */
const confirmFor = (desk: AccountDesk, guard: LeaseGuard, symbol: string) =>
  Effect.gen(function* () {
    for (let looks = 1; ; looks += 1) {
      const mismatches = yield* confirmPositions(desk, guard)
      if (looks >= CONFIRM_LOOKS || !mismatches.some((mismatch) => mismatch.symbol === symbol)) return
      // A venue that reports what is held but not what was traded still bounds the order.
      const caughtUp = yield* catchUpFills(desk.path, desk.broker, desk.account).pipe(
        Effect.as(true),
        Effect.catchTag("BrokerUnavailable", () => Effect.succeed(false))
      )
      if (!caughtUp) return
    }
  })

/** Asks the broker what the account holds and stores it next to ours; returns where the two differ. */
export const confirmPositions = (desk: AccountDesk, guard: LeaseGuard, dispute = false) =>
  Effect.gen(function* () {
    const positions = yield* PositionsStore
    const clock = yield* Clock.Clock
    const sent = clock.monotonicTimeNanosUnsafe()
    const reported = yield* desk.broker.positions(desk.account)
    const confirmed = yield* positions.confirm(
      guard.grant,
      reported,
      dispute,
      () => Number(clock.monotonicTimeNanosUnsafe() - sent) / 1_000_000
    )
    if (confirmed._tag === "StaleFence")
      return yield* new LeaseLost({ account: desk.account, while: "confirming" })
    return confirmed.mismatches
  })

const sendNext = (desk: AccountDesk, order: StoredOrder) =>
  Effect.gen(function* () {
    const done = yield* submitAndSend(desk, order)
    if (done._tag === "Refused") return yield* refused(desk, done.why)
    if (done._tag === "NotPermitted") return yield* notPermitted(desk, done.guard, order, done.permit)
    return done.outcome._tag === "NoAnswer"
      ? ({ _tag: "BrokerAway", reason: done.outcome.reason } satisfies StepOutcome)
      : worked
  })

/** Orders that are not due yet; the search for work skips them. */
const notDue = (desk: AccountDesk, nowMs: number): ReadonlyArray<string> => {
  for (const [id, dueMs] of desk.dueAt) if (dueMs <= nowMs) desk.dueAt.delete(id)
  return [...desk.dueAt.keys()]
}

const isClosed = (desk: AccountDesk, nowMs: number) =>
  Effect.map(Config, ({ accounts }) => {
    const calendar = accounts[desk.account]?.calendar
    return calendar !== undefined && !isOpen(calendar, nowMs)
  })

/** When the market of an order's symbol is open: now, or the next time. By the symbol's own calendar, else by the account's. */
const opensAt = (desk: AccountDesk, { symbol }: StoredOrder, nowMs: number) =>
  Effect.map(Config, (settings) => {
    const own = instrumentsOf(snapshotOf(settings)).ownCalendar(symbol)
    const calendar = own ?? settings.accounts[desk.account]?.calendar
    return calendar === undefined ? nowMs : nextOpenMs(calendar, nowMs)
  })

/** A held order whose market is closed is looked at again this often, because settings may give it another calendar. */
const HELD_LOOK_MS = 60_000

const passOver = (desk: AccountDesk, order: StoredOrder, untilMs: number): StepOutcome => {
  desk.dueAt.set(order.id, untilMs)
  return worked
}

/** A reduce while the calendar of its account is closed. Its symbol may have one of its own, by which it is sent. */
const holdOrSend = (desk: AccountDesk, guard: LeaseGuard, { free, order }: OrderWork, nowMs: number) =>
  Effect.gen(function* () {
    if ((yield* opensAt(desk, order, nowMs)) <= nowMs)
      return free ? yield* sendNext(desk, order) : passOver(desk, order, nowMs + desk.pace.pollMs)
    yield* applyEvent(desk, guard, order, "order.held", { reason: MARKET_CLOSED })
    yield* traceOrder("warn", "order.held", "its market is closed", desk.path, order)
    return worked
  })

const release = (desk: AccountDesk, guard: LeaseGuard, order: StoredOrder, nowMs: number) =>
  Effect.gen(function* () {
    const fromMs = order.intent === "reduce" ? yield* opensAt(desk, order, nowMs) : nowMs
    if (fromMs > nowMs) return passOver(desk, order, Math.min(fromMs, nowMs + HELD_LOOK_MS))
    yield* applyEvent(desk, guard, order, "order.released")
    yield* traceOrder("info", "order.released", `held order: ${order.reason ?? ""}`, desk.path, order)
    return worked
  })

/**
 * Implements the slot `executeNext`; `reducesOnly` takes no exposure. Fails with `DatabaseUnavailable`; everything else is an
 * outcome.
 */
export const executeNext = (desk: AccountDesk, reducesOnly = false) =>
  Effect.gen(function* () {
    const orders = yield* OrdersStore
    const guard = yield* usableGuard(desk, "looking for work")
    const nowMs = yield* Clock.currentTimeMillis
    const next = yield* orders.next(desk.account, {
      passOver: notDue(desk, nowMs),
      reducesOnly,
      closed: yield* isClosed(desk, nowMs)
    })
    if (next === null) return { _tag: "Nothing" } satisfies StepOutcome
    const { order, work } = next
    switch (work) {
      case "cancel":
        return yield* sendCancel(desk, order, nowMs)
      case "give_up":
        yield* giveUp(desk, guard, order, next.gone ?? "given_up")
        return worked
      case "send":
        return yield* sendNext(desk, order)
      case "expire":
        return yield* expire(desk, guard)
      case "lapse":
        return yield* lapse(desk, guard)
      case "hold":
        return yield* holdOrSend(desk, guard, next, nowMs)
      case "release":
        return yield* release(desk, guard, order, nowMs)
    }
  }).pipe(
    Effect.catchTag("LeaseLost", () => Effect.succeed<StepOutcome>({ _tag: "LeaseOver" })),
    Effect.catchTag("BrokerUnavailable", (away) =>
      Effect.succeed<StepOutcome>({ _tag: "BrokerAway", reason: `${away.operation}: ${away.reason}` })
    )
  )

/**
 * Implements the slot `sendReduces`: cancels and reduces leave while the account is not reconciled, because a venue that
 * answers one query wrong may still take an exit (T6). The broker is asked for the position before each reduce.
 */
export const sendReduces = (desk: AccountDesk) => {
  // The executor's own bell; it rings every second for accounts with waiting work. Thousands of accounts that start at
  // once and look by themselves would keep each other, and the lease of the node, from the database.
  const bell = Wake.use((wake) => wake.wait(ordersBell(desk.account), executionLimits.reconcileEveryMs))
  const step = executeNext(desk, true).pipe(
    Effect.timeoutOption(executionLimits.stepMsMax),
    Effect.map((done) => done._tag === "Some" && done.value._tag === "Worked"),
    // The database watch notifies the machine; here there is just nothing to do.
    Effect.catchTag("DatabaseUnavailable", () => Effect.succeed(false))
  )
  return Effect.forever(Effect.andThen(bell, Effect.repeat(step, { while: (more) => more })))
}
