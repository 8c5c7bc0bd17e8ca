/**
 * Recording fills: the one way from a venue's trade into the store, whatever its source.
 *
 * The stream delivers fills as they happen, a catch-up those it missed. Both end here, so both log the same
 * events and ring the same bells, and a fill that both deliver is one fill.
 *
 * Promises: a catch-up records everything after the account's cursor in the venue's order and moves the cursor only
 * over what is stored, and over what the gate set aside, which a full one finds when it is right; a full one fetches everything, whatever the cursor is (T10); a trade that contradicts the one
 * that is stored under its key raises an alert, which like that about a trade that is not ours is committed with it.
 * Never: drops a fill: what could not be stored is fetched again.
 */
import { FAULT_POINTS, faultPoint } from "../../layers/platform/fault-point.ts"
import { ordersBell, reconcileBell } from "../../layers/platform/bells.ts"
import { Clock, Effect } from "effect"
import { CANARY } from "../../domain/kernel/canary.ts"
import { executionLimits } from "../../domain/kernel/limits-execution.ts"
import { BLOCKS_SYMBOL } from "../../domain/orders/order.ts"
import { termsOf } from "../../domain/orders/protection.ts"
import { isProtected, movingTermsOf } from "../../domain/orders/trailing.ts"
import { Protection } from "../../layers/orders/protection.port.ts"
import type { Alert } from "../../layers/alerts/alerts.port.ts"
import { committedAlert } from "../../layers/alerts/committed-alert.ts"
import type { VenueFill } from "../../domain/orders/fill.ts"
import type { BrokerConnection } from "../../layers/venues/broker.port.ts"
import { Config } from "../../layers/platform/config.port.ts"
import {
  type ContradictingFill,
  type ExternalFill,
  FillsStore,
  isAlerted,
  type RecordedFill
} from "../../layers/orders/fills-store.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { correlationOf } from "../../layers/orders/orders-store.port.ts"
import { alertIllegalEvent, lineLevel, resolveNeedsOperator, traceOrder } from "./order-trace.ts"
import { noteFilled } from "./stage-times.ts"

/** Whether a source of this strategy is configured to send metadata with its signals; otherwise none is missing. */
const promisesMetadata = (strategy: string) =>
  Effect.map(Config, ({ sources, strategies }) =>
    (strategies[strategy]?.sources ?? []).some((source) => sources[source]?.metadata === true)
  )

const tradeOf = (fill: VenueFill, tradeRecordId: string) => ({
  symbol: fill.symbol,
  side: fill.side,
  quantity: fill.quantity,
  price: fill.price,
  trade_id: fill.tradeId,
  trade_record_id: tradeRecordId
})

const logFill = (component: string, fill: VenueFill, recorded: RecordedFill) =>
  Effect.gen(function* () {
    const { order } = recorded
    const trade = tradeOf(fill, recorded.tradeRecordId)
    const correlation = order === null ? {} : { correlation_id: correlationOf(order), order_id: order.id }
    const fields = { component, ...correlation, account: fill.account, source: recorded.source, ...trade }
    if (order === null) {
      yield* logEvent("warn", "trade.external", "a trade that is not ours", fields)
    } else {
      const event = order.status === "filled" ? "order.filled" : "order.partially_filled"
      yield* traceOrder(
        "info",
        event,
        `filled ${order.filledQuantity} of ${order.quantity}`,
        component,
        order,
        trade
      )
      yield* logEvent(lineLevel(fill.account, "info"), "linkage.created", `linked to ${order.strategy}`, {
        ...fields,
        strategy: order.strategy
      })
    }
    if (recorded.metadata._tag === "Linked") {
      const { snapshotId } = recorded.metadata
      yield* logEvent("info", "metadata.linked", "metadata linked", { ...fields, snapshot_id: snapshotId })
    } else if (order !== null && (yield* promisesMetadata(order.strategy))) {
      yield* logEvent("info", "metadata.missing", recorded.metadata.why, {
        ...fields,
        why: recorded.metadata.why
      })
    }
    if (order !== null && recorded.illegal !== null)
      yield* alertIllegalEvent(component, { order, ...recorded.illegal })
    if (order !== null) yield* resolveNeedsOperator(recorded.from, order)
    if (recorded.surprise !== null)
      yield* logEvent(lineLevel(fill.account, "info"), "order.surprise", recorded.surprise, fields)
  })

/** A fill is a fact: two that differ under one key mean that our books or the venue's are wrong. */
const contradiction = (fill: VenueFill, { stored, tradeRecordId }: ContradictingFill): Alert => ({
  severity: "CRITICAL",
  kind: "fill.contradiction",
  dedupKey: `fill.contradiction:${tradeRecordId}`,
  message: `the venue reports the trade ${fill.tradeId} of ${fill.account} ${fill.symbol} differently from the stored one, which stays`,
  detail: {
    account: fill.account,
    symbol: fill.symbol,
    trade_record_id: tradeRecordId,
    stored,
    reported: {
      side: fill.side,
      quantity: fill.quantity,
      price: fill.price,
      client_order_id: fill.clientOrderId
    }
  }
})

const external = (fill: VenueFill, { tradeRecordId }: ExternalFill): Alert => ({
  severity: "MEDIUM",
  kind: "trade.external",
  dedupKey: `trade.external:${fill.account}:${fill.symbol}`,
  message: `a trade that no order of ours caused: ${fill.side} ${fill.quantity} ${fill.symbol} in ${fill.account}; the position follows it`,
  detail: { account: fill.account, ...tradeOf(fill, tradeRecordId) }
})

/** The stored trade is known when it comes again, so its alert is committed with it or lost. */
const alertOf =
  (component: string, fill: VenueFill) =>
  (outcome: ExternalFill | ContradictingFill): Alert => ({
    ...(outcome._tag === "Contradicts" ? contradiction(fill, outcome) : external(fill, outcome)),
    component
  })

/** A share that has exit prices from now on would be missing in health if no look of the exits followed. */
const noteOpened = ({ account, symbol }: VenueFill, { change, order }: RecordedFill) =>
  Effect.gen(function* () {
    const protection = yield* Protection
    const { strategies } = yield* Config
    const strategy = strategies[order?.strategy ?? ""]
    const opens = change === "opened" || change === "increased" || change === "flipped"
    if (!opens || !isProtected(termsOf(strategy), movingTermsOf(strategy))) return
    protection.noteOpened(account, symbol, yield* Clock.currentTimeMillis)
  })

/** Stores one fill, logs it and rings the bells. Fails only with `DatabaseUnavailable`. */
export const recordFill = (component: string, broker: BrokerConnection, fill: VenueFill) =>
  Effect.gen(function* () {
    const fills = yield* FillsStore
    const wake = yield* Wake
    faultPoint(FAULT_POINTS.fillReceived, fill.symbol)
    const alert = yield* committedAlert(alertOf(component, fill))
    const outcome = yield* fills.record(broker.venue, fill, alert.stored)
    if (isAlerted(outcome)) yield* alert.raise(outcome)
    if (outcome._tag === "AlreadyKnown") {
      // Another process may have stored it, and its bells ring there.
      wake.notify(ordersBell(fill.account))
      return outcome
    }
    if (outcome._tag === "Contradicts") return outcome
    yield* noteOpened(fill, outcome)
    yield* logFill(component, fill, outcome)
    if (outcome.order !== null) yield* noteFilled(outcome.order)
    // A fill ends a doubt; a cancel that was in doubt is asked for again by the reconciliation.
    if (outcome.from !== null && BLOCKS_SYMBOL.has(outcome.from)) wake.notify(reconcileBell(fill.account))
    if (fill.account === CANARY) wake.notify("canary")
    else wake.notify("positions")
    // A symbol may be free again, and an exit may have found its end.
    wake.notify(ordersBell(fill.account))
    return outcome
  })

/**
 * Records every fill of the account after its cursor, or with `all` every fill there is: a cursor is an optimisation, never a
 * truth. Returns how many were new. The stream has stored most of them already, so what is known is queried in one
 * statement; the cursor follows in steps, so that a catch-up that is cut by its deadline resumes where it was.
 */
export const catchUpFills = (component: string, broker: BrokerConnection, account: string, all = false) =>
  Effect.gen(function* () {
    const fills = yield* FillsStore
    const since = yield* broker.fillsSince(account, all ? null : yield* fills.cursor(account))
    let fresh = 0
    for (let from = 0; from < since.length; from += executionLimits.catchUpFillsMax) {
      const some = since.slice(from, from + executionLimits.catchUpFillsMax)
      for (const fill of yield* fills.missing(broker.venue, some)) {
        const outcome = yield* recordFill(component, broker, fill)
        if (outcome._tag === "Recorded") fresh += 1
      }
      const last = some.at(-1)
      if (last !== undefined) yield* fills.advance(account, last.cursor)
    }
    // A venue without any fill has no position to resume from: the old cursor predates its reset.
    if (all && since.length === 0) yield* fills.advance(account, null)
    return fresh
  })
