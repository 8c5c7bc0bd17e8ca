/**
 * Order commands: the port to what an operator may do to orders and positions (T14).
 *
 * An operator is not the executor of an account, and may speak through another process. So nothing here needs a lease: what
 * was not sent yet is taken back, what is at the venue is asked to be cancelled, a close is an order that its account's
 * executor sizes and sends like every other one (decision 0014). The table in domain/orders/order.ts judges each step.
 *
 * Promises: reduces, and lets out what a human was asked about, once, in time and judged again; a step and its event are committed together, under the fence that is current then; what one
 * command makes is made in one transaction and found again by its `commandId`.
 * Never: talks to a venue; moves an order whose outcome is not known, except by `resolve`.
 */
import { Context, type Effect } from "effect"
import type { ApprovalDecision, Press } from "../../domain/orders/approval.ts"
import type { OrderStatus, Resolution } from "../../domain/orders/order.ts"
import type { Permit } from "../../domain/orders/permit.ts"
import type { DatabaseUnavailable } from "../database/database.port.ts"
import type { Judge, StoredOrder } from "./orders-store.port.ts"

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

/** The answer to what a human was asked about an entry. */
export interface ApprovalPress extends Press {
  readonly orderId: string
  /** As the audit names who answers. */
  readonly by: string
  readonly reason: string | null
  /** The permit of this moment. */
  readonly judge: Judge
}

export type Answered =
  /** It is released by the executor of its account. `Wait` and `Hold` of the permit: not at once. */
  | {
      readonly _tag: "Approved"
      readonly order: StoredOrder
      readonly permit: Permit
      readonly price: string | null
    }
  | { readonly _tag: "Declined"; readonly order: StoredOrder }
  /** It was approved, and may not be sent any more: it has ended. */
  | {
      readonly _tag: "Refused"
      readonly order: StoredOrder
      readonly permit: Permit
      readonly price: string | null
    }
  /** The same command did it before. */
  | {
      readonly _tag: "Again"
      readonly decision: ApprovalDecision
      readonly order: StoredOrder
      readonly price: string | null
    }
  /** It was decided before; nothing was done. */
  | { readonly _tag: "Decided"; readonly decision: ApprovalDecision; readonly by: string }
  /** After the deadline: nothing was done. */
  | { readonly _tag: "Late" }
  /** It waits no more. */
  | { readonly _tag: "Over"; readonly status: OrderStatus }
  /** Nobody is asked about it. */
  | { readonly _tag: "NotAsked" }
  | { readonly _tag: "PriceUnknown" }
  /** The new price counts as shown from now on. */
  | {
      readonly _tag: "PriceMoved"
      readonly order: StoredOrder
      readonly from: string | null
      readonly to: string
    }
  | { readonly _tag: "Missing" }

export interface OrderCommandsService {
  /** Answers what a human was asked about an entry. */
  readonly answer: (press: ApprovalPress) => Effect.Effect<Answered, DatabaseUnavailable>
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
