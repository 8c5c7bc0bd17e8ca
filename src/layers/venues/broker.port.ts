/**
 * Broker: the port through which orders reach a venue and through which the venue's facts come back.
 *
 * The port is narrow on purpose: one create that is tried once, look-ups that only read, and one stream of
 * facts. What an outcome means for an order (`rejected`, `unknown`, resend) is decided by the order machine
 * and truth table T5; an adapter only reports truthfully which of the outcomes below it saw.
 *
 * Promises: every call settles within a deadline of its adapter; money, prices and quantities are decimal
 * strings; only a refusal that the venue documents is a `BrokerRefused`, everything doubtful is
 * `BrokerOutcomeUnknown`; building an adapter does no I/O.
 * Never: retries a create or a cancel, invents a response, or ends a stream silently.
 */
import { Context, Data, type Effect, type Option, type Scope } from "effect"
import type { VenueFill } from "../../domain/orders/fill.ts"
import type { VenueStatus } from "../../domain/orders/order.ts"
import type { OrderType, TimeInForce } from "../../domain/signals/order-type.ts"
import type { Side } from "../../domain/signals/signal.ts"

/**
 * What the venue does with a client order id it has seen before:
 * `U` returns the existing order, `R` refuses for good, `O` is unique among open orders only, `N` creates another.
 */
export type ClientOrderIdRule = "U" | "R" | "O" | "N"

export type VenueOrderType = OrderType
export type VenueTimeInForce = TimeInForce
export type VenueOrderStatus = VenueStatus

/** The complete order as it is put on the wire. Quantity is positive; a price is null unless the type has it. */
export interface CreateOrder {
  readonly clientOrderId: string
  readonly account: string
  readonly symbol: string
  readonly side: Side
  readonly type: VenueOrderType
  readonly quantity: string
  readonly limitPrice: string | null
  readonly stopPrice: string | null
  readonly timeInForce: VenueTimeInForce
}

/** An order as the venue's book has it. `clientOrderId` is null for orders that were placed without one. */
export interface VenueOrder {
  readonly venueOrderId: string
  readonly clientOrderId: string | null
  readonly account: string
  readonly symbol: string
  readonly side: Side
  readonly type: VenueOrderType
  readonly quantity: string
  readonly limitPrice: string | null
  readonly stopPrice: string | null
  readonly timeInForce: VenueTimeInForce
  readonly status: VenueOrderStatus
  readonly filledQuantity: string
  readonly averagePrice: string | null
  readonly createdAt: Date
  readonly updatedAt: Date
}

/**
 * Quantity is signed: negative is short. A flat symbol may be absent or have quantity "0". `problem`: the row is in quarantine
 * (broker.gate.ts), with why; its quantity is null when that is what is wrong, which is unknown and never flat.
 */
export interface VenuePosition {
  readonly account: string
  readonly symbol: string
  readonly quantity: string | null
  readonly averagePrice: string
  readonly problem?: string
}

/** `cash` is settled money; `buyingPower` is what a new entry may use. Both in the account's currency. */
export interface VenueBalance {
  readonly account: string
  readonly cash: string
  readonly buyingPower: string
}

/**
 * What the venue has of one account, in short: orders that are open, symbols with a position, and the cursor of its newest
 * fill, null without any.
 */
export interface VenueActivity {
  readonly account: string
  readonly openOrders: number
  readonly positions: number
  readonly lastFill: string | null
}

/**
 * What the stream delivers. `Connected` comes exactly once, first, when the venue has sent its hello: whatever happened
 * before it is not replayed, so it is the moment to fetch `fillsSince`.
 */
export type BrokerEvent =
  | { readonly _tag: "Connected" }
  | { readonly _tag: "OrderUpdated"; readonly order: VenueOrder }
  | { readonly _tag: "Filled"; readonly fill: VenueFill }

/**
 * A refusal the venue documents: the request created nothing. `code` is the venue's code.
 * `duplicate` is true when the reason is that the client order id is taken: then an order under this id exists or
 * existed, so the order is looked up and adopted, never stored as `rejected`.
 */
export class BrokerRefused extends Data.TaggedError("BrokerRefused")<{
  readonly broker: string
  readonly code: string
  readonly message: string
  readonly duplicate: boolean
}> {}

/** Timeout, 5xx, a cut connection, an unparsable response: the order may exist. `reason` is for the log. */
export class BrokerOutcomeUnknown extends Data.TaggedError("BrokerOutcomeUnknown")<{
  readonly broker: string
  readonly reason: string
  readonly cause?: unknown
}> {}

/** No byte of the request left this process (refused connection, name not found, venue not started). */
export class BrokerNotSent extends Data.TaggedError("BrokerNotSent")<{
  readonly broker: string
  readonly reason: string
  readonly cause?: unknown
}> {}

/** A read did not get a usable response within its deadline. Proves nothing about any order. */
export class BrokerUnavailable extends Data.TaggedError("BrokerUnavailable")<{
  readonly broker: string
  readonly operation: string
  readonly reason: string
  readonly cause?: unknown
}> {}

/**
 * The stream ended, or never came up. `code` is the WebSocket close code (1000 included: a clean close is an end
 * like any other), or null when no close frame came. `reason` is never empty.
 */
export class BrokerStreamEnded extends Data.TaggedError("BrokerStreamEnded")<{
  readonly broker: string
  readonly code: number | null
  readonly reason: string
}> {}

/**
 * Called synchronously by an adapter right before the bytes of a create or a cancel are handed to the socket; false means
 * that the sender lost the right to send (its lease has expired) and the call ends as `BrokerNotSent` with nothing written. It is
 * a reference and not an argument because it must be read after connecting, queueing and serialising, when the caller
 * is long out of the way: a process frozen anywhere before the write may not send when it resumes (T4).
 */
export const SendPermit = Context.Reference<() => boolean>("holdfast/layers/SendPermit", {
  defaultValue: () => () => true
})

/** One connection to one venue. All reads answer for one account; times are the venue's clock. */
export interface BrokerConnection {
  readonly name: string
  readonly venue: string
  readonly rule: ClientOrderIdRule
  /** Milliseconds within which a created order must be visible to look-ups; "not found" earlier proves nothing. */
  readonly propagationMs: number
  /** One attempt. With rule U a known id returns the existing order, in whatever status it has by now. */
  readonly create: (
    order: CreateOrder
  ) => Effect.Effect<VenueOrder, BrokerRefused | BrokerOutcomeUnknown | BrokerNotSent>
  /** One attempt. `BrokerNotSent` means that no byte left; `BrokerOutcomeUnknown` that it may have been cancelled. */
  readonly cancel: (
    account: string,
    venueOrderId: string
  ) => Effect.Effect<VenueOrder, BrokerRefused | BrokerOutcomeUnknown | BrokerNotSent>
  /** The newest order under this client order id, in any status. */
  readonly findByClientOrderId: (
    account: string,
    clientOrderId: string
  ) => Effect.Effect<Option.Option<VenueOrder>, BrokerUnavailable>
  readonly openOrders: (account: string) => Effect.Effect<ReadonlyArray<VenueOrder>, BrokerUnavailable>
  /** Orders of any status created or updated at or after `since`, oldest first. */
  readonly recentOrders: (
    account: string,
    since: Date
  ) => Effect.Effect<ReadonlyArray<VenueOrder>, BrokerUnavailable>
  /**
   * Fills after that position, all of them when null, in the order in which they became visible; all pages are fetched. The
   * cursor is opaque: only the adapter that made it reads it. It saves work and proves nothing, since a venue that was
   * reset may be anywhere; an adapter therefore returns a few fills from before it as well.
   */
  readonly fillsSince: (
    account: string,
    cursor: string | null
  ) => Effect.Effect<ReadonlyArray<VenueFill>, BrokerUnavailable>
  readonly positions: (account: string) => Effect.Effect<ReadonlyArray<VenuePosition>, BrokerUnavailable>
  readonly balance: (account: string) => Effect.Effect<VenueBalance, BrokerUnavailable>
  /** Every account of which the venue has anything to report: one query for thousands. One that is absent is untouched. */
  readonly activity: Effect.Effect<ReadonlyArray<VenueActivity>, BrokerUnavailable>
  /**
   * Connects and hands every event to `onEvent`, one at a time, in order; ends only by failing. A slow `onEvent`
   * fills a bounded buffer; a full buffer ends the stream, because a gap is refetched and a dropped fill is not.
   */
  readonly stream: <R>(
    onEvent: (event: BrokerEvent) => Effect.Effect<void, never, R>
  ) => Effect.Effect<never, BrokerStreamEnded, R | Scope.Scope>
}

export interface BrokersService {
  /**
   * The connection configured under `name` now; of a broker that was removed the one it had, until `release`. An unknown
   * name is a bug of the caller: configuration was validated.
   */
  readonly get: (name: string) => BrokerConnection
  /** Closes the connections that a reload has replaced or removed, once nobody uses them any more. */
  readonly release: Effect.Effect<void>
}

export class Brokers extends Context.Service<Brokers, BrokersService>()("holdfast/layers/Brokers") {}
