/**
 * What operators see of an order's life: one log line per step with the signal as correlation id, and the alerts.
 *
 * Promises: every line carries order, client order id, account and symbol under the same names everywhere; what no
 * order should ever go through is an alert with the order as its key, so that it is one row however often it happens.
 * Never: changes an order.
 */
import { Effect } from "effect"
import { CANARY } from "../../domain/kernel/canary.ts"
import type { OrderStatus } from "../../domain/orders/order.ts"
import { type Alert, Alerts, type Severity } from "../../layers/alerts/alerts.port.ts"
import {
  correlationOf,
  type IllegalEvent,
  type Moved,
  type StoredOrder
} from "../../layers/orders/orders-store.port.ts"
import { type LogLevelName, logEvent } from "../../runtime/log-event.ts"

const fieldsOf = (order: StoredOrder): Record<string, unknown> => ({
  correlation_id: correlationOf(order),
  order_id: order.id,
  client_order_id: order.clientOrderId,
  account: order.account,
  symbol: order.symbol,
  side: order.side,
  quantity: order.quantity
})

/** What becomes of a canary is one line in all (T11), so its steps are for whoever looks for them. */
export const lineLevel = (account: string, level: LogLevelName): LogLevelName =>
  account === CANARY && level === "info" ? "debug" : level

/** Logs one step of an order: `order.acked`, `order.rejected`, ... */
export const traceOrder = (
  level: LogLevelName,
  event: string,
  msg: string,
  component: string,
  order: StoredOrder,
  more: Record<string, unknown> = {}
): Effect.Effect<void> =>
  logEvent(lineLevel(order.account, level), event, msg, { component, ...fieldsOf(order), ...more })

/** An alert about an order, for a transaction that stores it; see `alertOrder`. */
export const orderAlert = (
  severity: Severity,
  kind: string,
  message: string,
  component: string,
  order: StoredOrder,
  detail: Record<string, unknown> = {}
): Alert => ({
  severity,
  kind,
  dedupKey: `${kind}:${order.id}`,
  message,
  component,
  correlationId: correlationOf(order),
  detail: { ...fieldsOf(order), ...detail }
})

/** Raises an alert about an order. `kind` is dotted; one alert per kind and order. */
export const alertOrder = (
  severity: Severity,
  kind: string,
  message: string,
  component: string,
  order: StoredOrder,
  detail: Record<string, unknown> = {}
): Effect.Effect<void, never, Alerts> =>
  Alerts.use((alerts) => alerts.raise(orderAlert(severity, kind, message, component, order, detail)))

/** The venue confirmed, without its operator, what became of an order that waited for one. */
export const resolveNeedsOperator = (
  from: OrderStatus | null,
  { id, status }: Pick<StoredOrder, "id" | "status">
): Effect.Effect<void, never, Alerts> =>
  from !== "needs_operator" || status === "needs_operator"
    ? Effect.void
    : Alerts.use((alerts) =>
        alerts.resolve(`order.needs_operator:${id}`, `the venue confirmed it: ${status}`)
      )

/** An event that did not fit the table is stored already; here it is logged and alerted. */
export const alertIllegal = (component: string, moved: Moved): Effect.Effect<void, never, Alerts> =>
  moved._tag !== "Illegal"
    ? Effect.void
    : alertIllegalEvent(component, {
        order: moved.order,
        event: moved.event,
        status: moved.order.status
      })

/** The same of a stored event. */
export const alertIllegalEvent = (
  component: string,
  { event, order, status }: IllegalEvent
): Effect.Effect<void, never, Alerts> =>
  event.startsWith("fill.")
    ? alertOrder(
        "HIGH",
        "order.illegal_fill",
        `a fill (${event}) of an order that was ${status}: stored, needs review`,
        component,
        order,
        { event, status }
      )
    : alertOrder(
        "HIGH",
        "order.illegal_event",
        `the event ${event} does not fit an order in ${status}`,
        component,
        order,
        { event, status }
      )
