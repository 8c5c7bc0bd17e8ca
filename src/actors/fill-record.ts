/**
 * Recording fills: the one way from a venue's trade into the store, whoever brings it.
 *
 * The stream brings fills as they happen, a catch-up brings those it missed. Both end here, so both say the same
 * things aloud and ring the same bells, and a fill that both bring is one fill.
 *
 * Promises: a catch-up records everything after the account's cursor in the venue's order and moves the cursor only
 * over what is stored; a venue whose sequence starts anew is noticed and asked for everything.
 * Never: drops a fill: what could not be stored is fetched again.
 */
import { BigDecimal, Effect } from "effect"
import { decimal } from "../domain/decimal.ts"
import { executionLimits } from "../domain/limits.ts"
import { Alerts } from "../layers/alerts/alerts.ts"
import type { BrokerConnection, VenueFill } from "../layers/broker/broker.ts"
import { FillsStore, type RecordedFill } from "../layers/orders/fills-store.ts"
import { Wake } from "../layers/process/wake.ts"
import { logEvent } from "../runtime/log-event.ts"
import { alertOrder, correlationOf, traceOrder } from "./order-trace.ts"

const say = (component: string, fill: VenueFill, recorded: RecordedFill) =>
  Effect.gen(function* () {
    const { order } = recorded
    const trade = {
      symbol: fill.symbol,
      side: fill.side,
      quantity: fill.quantity,
      price: fill.price,
      trade_id: fill.tradeId,
      trade_record_id: recorded.tradeRecordId
    }
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
      yield* logEvent("info", "linkage.created", `linked to ${order.strategy}`, {
        ...fields,
        strategy: order.strategy
      })
    }
    if (recorded.metadata._tag === "Linked") {
      const { snapshotId } = recorded.metadata
      yield* logEvent("info", "metadata.linked", "metadata linked", { ...fields, snapshot_id: snapshotId })
    } else {
      yield* logEvent("info", "metadata.missing", recorded.metadata.why, {
        ...fields,
        why: recorded.metadata.why
      })
    }
    if (order !== null && recorded.illegal !== null) {
      const { status, event } = recorded.illegal
      const message = `a fill (${event}) of an order that was ${status}: stored, and to be looked at`
      yield* alertOrder("HIGH", "order.illegal_fill", message, component, order, { event, status })
    }
    if (recorded.surprise !== null) yield* logEvent("info", "order.surprise", recorded.surprise, fields)
  })

/** Stores one fill, logs it and rings the bells. Fails only with `DatabaseUnavailable`. */
export const recordFill = (component: string, broker: BrokerConnection, fill: VenueFill) =>
  Effect.gen(function* () {
    const fills = yield* FillsStore
    const wake = yield* Wake
    const outcome = yield* fills.record(broker.venue, fill)
    if (outcome._tag === "AlreadyKnown") return outcome
    yield* say(component, fill, outcome)
    wake.notify("fills")
    wake.notify("positions")
    // A symbol may be free again, and an exit may have found its end.
    wake.notify(`orders:${fill.account}`)
    return outcome
  })

/**
 * Records every fill of the account after its cursor. Answers how many were new. The stream has stored most of them
 * already, so what is known is asked in one statement; the cursor follows in steps, so that a catch-up that is cut by
 * its deadline goes on where it was.
 */
export const catchUpFills = (component: string, broker: BrokerConnection, account: string) =>
  Effect.gen(function* () {
    const fills = yield* FillsStore
    const since = yield* broker.fillsSince(account, yield* fills.cursor(account))
    let fresh = 0
    for (let from = 0; from < since.length; from += executionLimits.catchUpFillsMax) {
      const some = since.slice(from, from + executionLimits.catchUpFillsMax)
      for (const fill of yield* fills.missing(broker.venue, some)) {
        const outcome = yield* recordFill(component, broker, fill)
        if (outcome._tag === "Recorded") fresh += 1
      }
      const last = some.at(-1)
      if (last !== undefined) yield* fills.advance(account, last.sequence)
    }
    return fresh
  })

/**
 * Forgets the cursor when the venue's newest sequence lies before it: the venue was set up anew, and asking for what
 * comes after the old cursor would miss everything. `cursor` was read before the venue said its sequence: one that
 * was read later may have moved past it in between.
 */
export const checkCursor = (
  component: string,
  account: string,
  cursor: string | null,
  lastSequence: string | null
) =>
  Effect.gen(function* () {
    const fills = yield* FillsStore
    const alerts = yield* Alerts
    if (cursor === null) return
    if (lastSequence !== null && !BigDecimal.isLessThan(decimal(lastSequence), decimal(cursor))) return
    yield* fills.rewind(account)
    yield* alerts.raise({
      severity: "HIGH",
      kind: "broker.sequence_reset",
      dedupKey: `broker.sequence_reset:${account}`,
      message: `the venue's fills of ${account} end at ${lastSequence ?? "nothing"}, before ${cursor} which is stored`,
      component,
      detail: { account, cursor, last_sequence: lastSequence }
    })
  })
