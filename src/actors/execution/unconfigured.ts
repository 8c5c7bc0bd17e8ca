/**
 * Ends the entries that wait for a strategy or an account that is no longer in the settings.
 *
 * Promises: one line per order, and one alert per look, which is committed with what it is about.
 * Never: decides which these are (order-unconfigured.pg.ts).
 */
import { Effect } from "effect"
import type { Alert } from "../../layers/alerts/alerts.port.ts"
import { committedAlert } from "../../layers/alerts/committed-alert.ts"
import { OrdersStore, type StoredOrder } from "../../layers/orders/orders-store.port.ts"
import { traceOrder } from "./order-trace.ts"

/** What is not there any more, once each. */
const goneOf = (ended: ReadonlyArray<StoredOrder>): ReadonlyArray<string> => [
  ...new Set(
    ended.map(({ account, reason, strategy }) =>
      reason === "account_removed" ? `account ${account}` : `strategy ${strategy}`
    )
  )
]

const alertOf =
  (component: string) =>
  (ended: ReadonlyArray<StoredOrder>): Alert => {
    const gone = goneOf(ended).join(", ")
    return {
      severity: "MEDIUM",
      kind: "order.unconfigured",
      dedupKey: `order.unconfigured:${gone}`,
      message: `${ended.length} entries that waited were ended, because the settings have no ${gone} any more`,
      component,
      detail: { count: ended.length, gone, first_order_id: ended[0]?.id }
    }
  }

export const endUnconfigured = (component: string, life: string) =>
  Effect.gen(function* () {
    const orders = yield* OrdersStore
    const alert = yield* committedAlert(alertOf(component))
    const ended = yield* orders.endUnconfigured(life, alert.stored)
    for (const order of ended)
      yield* traceOrder("warn", `order.${order.status}`, order.reason ?? "", component, order)
    if (ended.length > 0) yield* alert.raise(ended)
  })
