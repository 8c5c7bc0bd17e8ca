/**
 * Partly filled entries, judged by the policy of their strategy at every look of the exits.
 *
 * The policy is read when it is applied, so that changed settings count for what is not judged yet. What was judged is in the row,
 * and so is what is to be closed: a process that dies in between leaves nothing half done, and the next look continues.
 *
 * Promises: only the process that executes the account judges; what is closed or left raises one alert; a rest that works too
 * long is asked to be cancelled, and judged when it has ended.
 * Never: sends; judges an entry whose fills may still come.
 */
import { Clock, Effect } from "effect"
import { exitLimits } from "../../domain/kernel/limits-execution.ts"
import { partialStep, partialTermsOf } from "../../domain/orders/partial.ts"
import { AccountLeases } from "../../layers/accounts/accounts-lease.port.ts"
import { committedAlert } from "../../layers/alerts/committed-alert.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { ordersBell } from "../../layers/platform/bells.ts"
import { FAULT_POINTS, faultPoint } from "../../layers/platform/fault-point.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { OrdersStore, type PartialOrder, type StoredOrder } from "../../layers/orders/orders-store.port.ts"
import { orderAlert, traceOrder } from "./order-trace.ts"

/** When a close that ended short may be followed by the next one, by the entry's account and symbol; bounded below. */
export type PausesUntil = Map<string, { readonly count: number; readonly untilMs: number }>

const REMEMBERED_MAX = 1_024

const filledOf = ({ filledQuantity, quantity, status }: StoredOrder): string =>
  `${filledQuantity} of ${quantity} filled, ${status}`

const keyOf = ({ account, strategy, symbol }: StoredOrder): string => `${account}/${symbol}/${strategy}`

const mayClose = (pauses: PausesUntil, { isCompensation, order }: PartialOrder, nowMs: number): boolean =>
  !isCompensation || (pauses.get(keyOf(order))?.untilMs ?? 0) <= nowMs

/** Closes that fail one after the other are repeated ever more slowly, as exits are. */
const notePause = (pauses: PausesUntil, order: StoredOrder, nowMs: number): void => {
  const count = (pauses.get(keyOf(order))?.count ?? 0) + 1
  const pauseMs = Math.min(exitLimits.againMsMax, exitLimits.againFirstMs * 2 ** Math.min(count - 1, 10))
  if (pauses.size >= REMEMBERED_MAX) pauses.clear()
  pauses.set(keyOf(order), { count, untilMs: nowMs + pauseMs })
}

/** What did not fail again for as long as the longest pause is a new failure the next time. */
const forget = (pauses: PausesUntil, nowMs: number): void => {
  for (const [key, { untilMs }] of pauses) if (untilMs + exitLimits.againMsMax < nowMs) pauses.delete(key)
}

const close = (path: string, partial: PartialOrder, pauses: PausesUntil) =>
  Effect.gen(function* () {
    const orders = yield* OrdersStore
    const wake = yield* Wake
    const { isCompensation, order } = partial
    const nowMs = yield* Clock.currentTimeMillis
    const message = `a partly filled entry is closed by policy: ${filledOf(order)}`
    const alert = yield* committedAlert((exit: StoredOrder) =>
      orderAlert("MEDIUM", "order.partial_closed", message, path, order, { close_id: exit.id })
    )
    // Stored with the close: a process that ends right after the commit has alerted.
    const outcome = yield* orders.compensate(order.id, isCompensation ? null : alert.stored)
    if (outcome._tag === "Later") return
    if (outcome._tag === "Nothing")
      return yield* traceOrder("info", "order.partial_closed", outcome.why, path, order)
    faultPoint(FAULT_POINTS.compensationStored, order.symbol)
    yield* traceOrder("info", "order.intended", "closes a partly filled entry", path, outcome.order, {
      compensates: order.id
    })
    // Only what was tried: one that has to wait for another exit has not failed.
    if (isCompensation) notePause(pauses, order, nowMs)
    else yield* alert.raise(outcome.order)
    wake.notify(ordersBell(order.account))
  })

const keep = (path: string, order: StoredOrder) =>
  Effect.gen(function* () {
    const orders = yield* OrdersStore
    if (yield* orders.notePartial(order.id, "kept", null))
      yield* traceOrder("info", "order.partial_kept", filledOf(order), path, order)
  })

const leave = (path: string, order: StoredOrder) =>
  Effect.gen(function* () {
    const orders = yield* OrdersStore
    const message = `an entry is partly filled and left as it is, by policy: ${filledOf(order)}`
    const alert = yield* committedAlert((left: StoredOrder) =>
      orderAlert("MEDIUM", "order.partial_left", message, path, left)
    )
    if (yield* orders.notePartial(order.id, "left", alert.stored(order))) yield* alert.raise(order)
  })

const cancelRest = (path: string, order: StoredOrder) =>
  Effect.gen(function* () {
    const orders = yield* OrdersStore
    const leases = yield* AccountLeases
    const wake = yield* Wake
    const guard = leases.current(order.account)
    if (guard === null) return
    const reason = "partly filled for too long"
    const moved = yield* orders.apply(guard.grant, order, "order.cancel_requested", {
      reason,
      ifStill: "partially_filled"
    })
    if (moved._tag !== "Moved") return
    yield* traceOrder("info", "order.cancel_requested", reason, path, moved.order)
    wake.notify(ordersBell(order.account))
  })

/** Judges what is to be judged in the accounts that this process executes; returns how many orders that are. */
export const judgePartials = (path: string, accounts: ReadonlyArray<string>, pauses: PausesUntil) =>
  Effect.gen(function* () {
    const leases = yield* AccountLeases
    const owned = accounts.filter((account) => leases.current(account)?.mayWrite() === true)
    if (owned.length === 0) return 0
    const orders = yield* OrdersStore
    const { strategies } = yield* Config
    const nowMs = yield* Clock.currentTimeMillis
    forget(pauses, nowMs)
    const partials = yield* orders.partials(owned)
    for (const partial of partials) {
      const { order } = partial
      const terms = partialTermsOf(strategies[order.strategy])
      // What was begun is finished, whatever the settings are by now.
      const step = partial.isCompensation ? "close" : partialStep(partial, terms)
      if (step === "keep") yield* keep(path, order)
      else if (step === "leave") yield* leave(path, order)
      else if (step === "cancel_rest") yield* cancelRest(path, order)
      else if (step === "close" && mayClose(pauses, partial, nowMs)) yield* close(path, partial, pauses)
    }
    return partials.length
  })
