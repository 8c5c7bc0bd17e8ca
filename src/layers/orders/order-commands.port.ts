/**
 * Order commands: the port to what an operator may do to orders and positions (T14).
 *
 * An operator is not the executor of an account, and may speak through another process. So nothing here needs a lease: what
 * was not sent yet is taken back, what is at the venue is asked to be cancelled, a close is an order that its account's
 * executor sizes and sends like every other one (decision 0014). The table in domain/orders/order.ts judges each step.
 *
 * Promises: only ever reduces; a step and its event are committed together, under the fence that is current then; what one
 * command makes is made in one transaction and found again by its `commandId`.
 * Never: talks to a venue; moves an order whose outcome is not known, except by `resolve`.
 */
import { Context, type Effect } from "effect"
import type { OrderStatus, Resolution } from "../../domain/orders/order.ts"
import type { DatabaseUnavailable } from "../database/database.port.ts"
import type { StoredOrder } from "./orders-store.port.ts"

export type Stepped =
  /** It was moved, or had done before what is asked for. */
  | { readonly _tag: "Done"; readonly order: StoredOrder }
  | { readonly _tag: "Missing" }
  /** Not from this status. */
  | { readonly _tag: "WrongStatus"; readonly status: OrderStatus }
  /** `not_placed` of an order that has fills contradicts them. */
  | { readonly _tag: "HasFills"; readonly filledQuantity: string }

/** Who wants something closed, and what for. */
export interface CloseOrigin {
  readonly commandId: string
  /** `orders.source` (A3). */
  readonly source: string
}

export interface CloseRequest extends CloseOrigin {
  readonly positionId: string
  /** At most so much; null for all. */
  readonly quantity: string | null
}

export interface Flattened {
  readonly _tag: "Flattened"
  /** Closes, and entries that were taken back or asked to be cancelled, as they are now. */
  readonly orders: ReadonlyArray<StoredOrder>
  /** Entries of which nobody knows whether the venue has them. */
  readonly unresolved: ReadonlyArray<string>
}

export type Closed =
  | { readonly _tag: "Closing"; readonly account: string; readonly orders: ReadonlyArray<StoredOrder> }
  | { readonly _tag: "Missing" }
  /** Nothing is held. */
  | { readonly _tag: "Flat" }

export interface OrderCommandsService {
  readonly cancel: (orderId: string, reason: string) => Effect.Effect<Stepped, DatabaseUnavailable>
  readonly resolve: (given: {
    readonly orderId: string
    readonly outcome: Resolution
    readonly venueOrderId: string | null
    readonly reason: string
  }) => Effect.Effect<Stepped, DatabaseUnavailable>
  /** One order for each strategy's share, oldest first. A close that waits already for the same is named instead. */
  readonly close: (request: CloseRequest) => Effect.Effect<Closed, DatabaseUnavailable>
  readonly flatten: (
    account: string,
    origin: CloseOrigin,
    reason: string
  ) => Effect.Effect<Flattened | { readonly _tag: "Missing" }, DatabaseUnavailable>
}

export class OrderCommands extends Context.Service<OrderCommands, OrderCommandsService>()(
  "holdfast/layers/OrderCommands"
) {}
