/**
 * Settling: checking ended orders with the venue until its count and our books agree, and alerting when they
 * never will.
 *
 * The fills were fetched right before, so what is missing now is missing at the venue too, or late. After several checks
 * with growing pauses a human is alerted to what does not add up, once per order, and the checks continue rarely: a fill
 * that turns up after all settles the order without help.
 *
 * Promises: an order whose fills we lack is never marked settled; one for which the venue never gave a count and that it
 * no longer lists is settled by our own books only when they are complete, and with an alert.
 * Never: writes a fill, a position or a status.
 */
import { Clock, Effect, Option } from "effect"
import { executionLimits } from "../../domain/kernel/limits-execution.ts"
import type { VenueOrder } from "../../layers/venues/broker.port.ts"
import {
  OrdersStore,
  type StoredOrder,
  type Unsettled,
  type VenueWord
} from "../../layers/orders/orders-store.port.ts"
import type { Alert } from "../../layers/alerts/alerts.port.ts"
import { committedAlert } from "../../layers/alerts/committed-alert.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { logEvent } from "../../runtime/log-event.ts"
import type { AccountDesk } from "./account-desk.ts"
import { hasFilledMore } from "./account-send.ts"
import { catchUpFills } from "./fill-record.ts"
import { orderAlert } from "./order-trace.ts"

const wordOf = (venue: Option.Option<VenueOrder>): VenueWord =>
  Option.match(venue, {
    onNone: () => "not_listed",
    onSome: ({ filledQuantity, status }) => ({
      over: status !== "open" && status !== "partially_filled",
      filled: filledQuantity
    })
  })

/** What does not add up, for people. */
const differenceOf = (word: VenueWord, { ours, unlinked, venues }: Unsettled): string => {
  const have = `we have stored ${ours}`
  const links = unlinked === 0 ? "" : `; ${unlinked} of its trades have no position or no link`
  if (word !== "not_listed") {
    const verb = word.over ? "counts" : "still works on it and counts"
    return `the venue ${verb} ${word.filled} filled, ${have}${links}`
  }
  const last = venues === null ? "it never gave a count" : `it last reported ${venues} filled`
  return `the venue no longer lists it, ${last}, ${have}${links}`
}

/** The alert about a check that settled nothing, or settled without the venue's word; null when neither is worth one yet. */
const unsettledAlert = (
  desk: AccountDesk,
  order: StoredOrder,
  word: VenueWord,
  left: Unsettled
): Alert | null => {
  const detail = { looks: left.looks, ours: left.ours, venues: left.venues, unlinked: left.unlinked }
  const difference = differenceOf(word, left)
  if (left.settled && left.venues !== null) return null
  if (left.settled) {
    const message = `an order is settled by our own books alone: ${difference}`
    return orderAlert("HIGH", "order.settled_unattested", message, desk.path, order, detail)
  }
  if (left.looks < executionLimits.settleLooksMax) return null
  const message = `an order has ended and does not add up after ${left.looks} checks: ${difference}`
  return orderAlert("HIGH", "order.unsettled", message, desk.path, order, detail)
}

/** Counts a check that did not settle an order, with the alert that it may be worth. */
const noteLeft = (desk: AccountDesk, order: StoredOrder, word: VenueWord) =>
  Effect.gen(function* () {
    const orders = yield* OrdersStore
    const committed = yield* committedAlert((alert: Alert) => alert)
    const left = yield* orders.noteUnsettled(order.id, word, (found) => {
      const alert = unsettledAlert(desk, order, word, found)
      return alert === null ? null : committed.stored(alert)
    })
    const alert = left === null ? null : unsettledAlert(desk, order, word, left)
    if (alert !== null) yield* committed.raise(alert)
  })

/** Fetches all fills of the account, unless that was done a moment ago. */
export const lookAtAllFills = (desk: AccountDesk) =>
  Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    if (nowMs < desk.fullLookAt) return 0
    desk.fullLookAt = nowMs + executionLimits.fullLookEveryMs
    const fresh = yield* catchUpFills(desk.path, desk.broker, desk.account, true)
    yield* logEvent(
      "warn",
      "account.fills_asked_again",
      `books differ: all fills were fetched, ${fresh} were new`,
      {
        component: desk.path,
        account: desk.account,
        fresh
      }
    )
    return fresh
  })

/** Checks every order of the account that has ended, is not settled, and is due. Call it after the fills were fetched. */
export const settleOrders = (desk: AccountDesk) =>
  Effect.gen(function* () {
    const orders = yield* OrdersStore
    const unsettled = yield* orders.unsettled(desk.account)
    for (const order of unsettled) {
      const venue = yield* desk.broker.findByClientOrderId(desk.account, order.clientOrderId)
      const word = wordOf(venue)
      // Fills that the venue counts and we lack may lie before the cursor.
      if (Option.isSome(venue) && hasFilledMore(venue.value, order)) yield* lookAtAllFills(desk)
      if (word !== "not_listed" && word.over && (yield* orders.settle(order.id, word.filled))) continue
      yield* noteLeft(desk, order, word)
    }
    // What a partly filled entry comes to is judged when all of its fills are known.
    if (unsettled.length > 0) (yield* Wake).notify("positions")
  })
