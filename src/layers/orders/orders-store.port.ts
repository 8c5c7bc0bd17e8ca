/**
 * Orders store: the port to the order rows, the memory of what was, is and may be at a venue.
 *
 * An order is written in full before a broker hears of it, and every later step is one guarded statement: the row
 * must still be in the status the step starts from, and the writer must still own the account (T4). Which step is
 * legal is not decided here; the table in domain/orders/order.ts is the only judge, and what it refuses is stored as an
 * illegal event instead of being forced on the row.
 *
 * Promises: a step and its row in `order_events` are committed together; a writer with an older fence changes
 * nothing; `submit` is the only way to `submitting`, counts every send and decides the quantity of a reduce.
 * Never: talks to a broker; forgets an event that did not fit.
 */
import { Context, type Effect } from "effect"
import type { ApprovalDecision } from "../../domain/orders/approval.ts"
import type { OrderEvent, OrderStatus } from "../../domain/orders/order.ts"
import type { OPERATOR_CLOSE, Permit, PermitContext } from "../../domain/orders/permit.ts"
import type { StopBy } from "../../domain/orders/trailing.ts"
import type { OrderType, TimeInForce } from "../../domain/signals/order-type.ts"
import type { Sizing } from "../../domain/orders/sizing.ts"
import type { PendingAlert } from "../alerts/alerts.port.ts"
import type { AccountGrant } from "../accounts/accounts-store.port.ts"
import type { DatabaseUnavailable } from "../database/database.port.ts"

export type OrderIntent = "entry" | "reduce"

/** One order row. Money and quantities are decimal strings. */
export interface StoredOrder {
  readonly id: string
  readonly clientOrderId: string
  /** Null for exits, which belong to a position, and for what an operator closes. */
  readonly signalId: string | null
  readonly account: string
  readonly strategy: string
  readonly leg: number
  readonly intent: OrderIntent
  /** How its quantity follows from what is held when it is sent, and from what was requested. */
  readonly sizing: Sizing
  readonly wanted: string | null
  readonly symbol: string
  readonly side: "buy" | "sell"
  readonly type: OrderType
  readonly quantity: string
  readonly limitPrice: string | null
  readonly stopPrice: string | null
  readonly timeInForce: TimeInForce
  /** When the session of a `day` order that can rest is over; null before it was sent. */
  readonly expiresAt: Date | null
  readonly status: OrderStatus
  readonly attempt: number
  /** The origin of requirement A3: webhook, wave, exit_monitor, ... */
  readonly source: string
  readonly venue: string
  readonly venueOrderId: string | null
  readonly filledQuantity: string
  readonly averagePrice: string | null
  readonly reason: string | null
  /** The fence under which it was last submitted, null before the first time. */
  readonly fence: bigint | null
  /** How often a create was allowed to leave under the current client order id. */
  readonly sends: number
  readonly positionId: string | null
  readonly positionEpoch: number | null
  readonly exitNumber: number | null
  readonly exitKind: string | null
  /** The command that made it. */
  readonly commandId: string | null
  /** The signal that opened the share which an exit, or an operator's close, closes. */
  readonly openedBy: string | null
  readonly validUntil: Date | null
  readonly createdAt: Date
  readonly sentAt: Date | null
  readonly settledAt: Date | null
}

/**
 * Why a position is closed: its stop, its target, or a close that the venue refused before, of its strategy or of an operator,
 * whose close passes while trading is HALTED also when it is tried again.
 */
export type StoredExitKind = StopBy | "profit_target" | "time_stop" | "close_again" | typeof OPERATOR_CLOSE

/** A reduce to be stored as `intended`; the id follows from position, epoch and exit number (T4). */
export interface ExitIntent {
  readonly account: string
  readonly positionId: string
  readonly positionEpoch: number
  readonly exitKind: StoredExitKind
  /** Whose share it closes. */
  readonly strategy: string
  /** At most this much of it, null for all. */
  readonly quantity: string | null
}

export type ExitOutcome =
  | { readonly _tag: "Intended"; readonly order: StoredOrder }
  /** An exit of this position is alive already, or the position is closed, reopened or not confirmed. */
  | { readonly _tag: "NotNeeded"; readonly why: string }

/** What a step may record about itself. Everything given is stored with the event. */
export interface OrderNote {
  readonly venueOrderId?: string
  /** Code and text for people; replaces the former reason of the row. */
  readonly reason?: string
  /**
   * What the venue has filled of the order by its own count, as a decimal string. A terminal order is settled only
   * when our fills add up to it.
   */
  readonly venueFilled?: string
  /**
   * Only while the row is in this status: our own doubt ends the moment the venue confirms something, so an event of
   * doubt that comes second is not an illegal event but no event.
   */
  readonly ifStill?: OrderStatus
  /** "Not found" proves nothing before this many milliseconds from now (database clock). */
  readonly resolveAfterMs?: number
  readonly detail?: Readonly<Record<string, unknown>>
  /** The alert about the step, by the order after it; stored in the same transaction. */
  readonly alertOf?: (order: StoredOrder) => PendingAlert
}

/**
 * The signal or the command an order came from; for an exit the signal that opened what it closes (E5). What closes a share
 * that no signal opened correlates with itself.
 */
export const correlationOf = (
  order: Pick<StoredOrder, "commandId" | "id" | "openedBy" | "signalId">
): string => order.signalId ?? order.commandId ?? order.openedBy ?? order.id

export type Moved =
  | { readonly _tag: "Moved"; readonly from: OrderStatus; readonly order: StoredOrder }
  /** The event matches what the row already records. */
  | { readonly _tag: "Unchanged"; readonly order: StoredOrder }
  /** The table refuses the event in this status; it is stored with `legal = false`. */
  | { readonly _tag: "Illegal"; readonly order: StoredOrder; readonly event: OrderEvent }
  /** The grant is void: another executor owns the account. Nothing was written. */
  | { readonly _tag: "StaleFence" }

export type SubmitRefusal =
  /** The grant is void. */
  | "stale_fence"
  /** The lease has expired on the database's clock. */
  | "lease_over"
  /** The row left the status it was read in. */
  | "status_changed"

/** Judges an order by what is true while its rows are locked. Pure and quick: it runs inside the transaction. */
export type Judge = (order: StoredOrder, context: PermitContext) => Permit

/**
 * What is to be done with an order. `hold` is for reduces while the calendar of their account is closed; `release` for held
 * ones, when the trading state lets them out again and whoever is asked first has approved; `lapse` when nobody answered in time;
 * `expire` for whatever became stale before it was sent; `give_up` for what rests at the venue and should not any more.
 */
export interface OrderWork {
  readonly order: StoredOrder
  readonly work: "cancel" | "give_up" | "hold" | "release" | "expire" | "lapse" | "send"
  /** The trading state lets it out, and no order with an unknown outcome blocks it. */
  readonly free: boolean
  /** Why it is given up, else null. */
  readonly gone: string | null
}

/** An entry that nobody answered about: it is denied, or may be released. */
export interface LapsedOrder {
  readonly order: StoredOrder
  readonly decision: ApprovalDecision
}

export type Submitted =
  | { readonly _tag: "Submitting"; readonly order: StoredOrder }
  | { readonly _tag: "NotSubmitted"; readonly why: SubmitRefusal }
  /** Its permit was refused: not now, or for good. In the latter case an order that was never sent has ended, as `ended`. */
  | {
      readonly _tag: "NotPermitted"
      readonly permit: Exclude<Permit, { readonly _tag: "Send" }>
      readonly ended: StoredOrder | null
    }

/** An order with an unknown outcome, and since when "not found" counts. */
export interface UnresolvedOrder {
  readonly order: StoredOrder
  /** Milliseconds (database clock) until a "not found" may count, zero when it may now. */
  readonly propagationLeftMs: number
  /** A cancel was requested since it was last sent: when it turns out to be alive, it is cancelled again. */
  readonly cancelWanted: boolean
}

/** What `next` may return. */
export interface LookFor {
  /** Orders that are not due again: their cancel was sent, or what they wait for is not there yet. */
  readonly passOver?: ReadonlyArray<string>
  /** Only cancels, reduces and what is stale: what is allowed while the account is not reconciled (T6). */
  readonly reducesOnly?: boolean
  /** The account's market is closed: a reduce waits until it opens (T6). Entries were judged when they were decided. */
  readonly closed?: boolean
}

/** An event that did not fit the status its order was in. */
export interface IllegalEvent {
  readonly order: StoredOrder
  readonly event: OrderEvent
  readonly status: OrderStatus
}

/** An entry of which only a part has traded, or a close of such a part that ended short itself. */
export interface PartialOrder {
  readonly order: StoredOrder
  /** It has ended, and its fills are known to be all there are, or will never be. */
  readonly isOver: boolean
  /** It closes an entry's fills: what it left is closed again. */
  readonly isCompensation: boolean
  /** Milliseconds since its row changed (database clock). */
  readonly idleMs: number
}

export type CompensationOutcome =
  | { readonly _tag: "Intended"; readonly order: StoredOrder }
  /** Nothing is left to be closed: it is judged. */
  | { readonly _tag: "Nothing"; readonly why: string }
  /** An exit of the position is alive, or somebody else judged it: the next look finds out. */
  | { readonly _tag: "Later"; readonly why: string }

export interface OrderBacklog {
  readonly waiting: number
  readonly oldestMs: number
}

/** What the venue reports of an order that has ended for us; `over`: it has ended there as well. */
export type VenueWord = "not_listed" | { readonly over: boolean; readonly filled: string }

/** A check of an ended order that its count did not settle. */
export interface Unsettled {
  /** It is settled all the same: by the venue's last report, or, when `venues` is null, by our own books alone. */
  readonly settled: boolean
  /** How often it was checked, this time included. */
  readonly looks: number
  /** Decimal strings: what our fills add up to, and the venue's last report, null when it never gave one. */
  readonly ours: string
  readonly venues: string | null
  /** Trades of it without a position or a link. */
  readonly unlinked: number
}

export interface OrdersStoreService {
  /**
   * What the executor has to do next: cancels first, then reduces, then held entries that may go or are too old, then
   * the other entries, each oldest first. Entries of a symbol with an unresolved order are skipped, and so is a reduce when
   * an order of its own side is unresolved: either might be the second half of a duplicate. Null: nothing may be done now.
   */
  readonly next: (account: string, lookFor?: LookFor) => Effect.Effect<OrderWork | null, DatabaseUnavailable>
  /**
   * Ends what waits and became stale, oldest first, a few hundred at a time; returns what it ended. Null: the grant is
   * void and nothing was written. `alertOf`: the alert about them, stored in the same transaction.
   */
  readonly expireStale: (
    grant: AccountGrant,
    alertOf: (expired: ReadonlyArray<StoredOrder>) => PendingAlert
  ) => Effect.Effect<ReadonlyArray<StoredOrder> | null, DatabaseUnavailable>
  /**
   * Ends entries that wait and that nobody will send, because their strategy or account is not in the settings any more
   * (order-unconfigured.pg.ts); `life` is the one that asks. A few hundred at a time; returns what it ended. `alertOf`: the alert
   * about them, stored in the same transaction.
   */
  readonly endUnconfigured: (
    life: string,
    alertOf: (ended: ReadonlyArray<StoredOrder>) => PendingAlert
  ) => Effect.Effect<ReadonlyArray<StoredOrder>, DatabaseUnavailable>
  /**
   * Decides what humans were asked about and nobody answered in time, by the default that it was asked with, a few hundred at a
   * time; returns them as they are then. Null: the grant is void and nothing was written.
   */
  readonly lapseApprovals: (
    grant: AccountGrant,
    /** Stored in the same transaction. */
    alertOf: (lapsed: ReadonlyArray<LapsedOrder>) => PendingAlert
  ) => Effect.Effect<ReadonlyArray<LapsedOrder> | null, DatabaseUnavailable>
  /**
   * Commits `submitting`: sends + 1, sent_at, fence and the quantity of its permit; guarded by status, fence and the live
   * lease in the statement that writes it, while the rows `judge` is shown are locked. From `resolving` it is the resend
   * under the same client order id.
   */
  readonly submit: (
    grant: AccountGrant,
    order: StoredOrder,
    judge: Judge
  ) => Effect.Effect<Submitted, DatabaseUnavailable>
  /** Applies `event` by the table, guarded by the fence. Looks again by itself when a fill moved the row meanwhile. */
  readonly apply: (
    grant: AccountGrant,
    order: StoredOrder,
    event: OrderEvent,
    note?: OrderNote
  ) => Effect.Effect<Moved, DatabaseUnavailable>
  /** Orders in `submitting`, `unknown` or `resolving`. Which of the first are in flight now only their sender knows. */
  readonly unresolved: (account: string) => Effect.Effect<ReadonlyArray<UnresolvedOrder>, DatabaseUnavailable>
  /** Orders that may be alive at the venue: acked, partially filled, pending cancel. */
  readonly working: (account: string) => Effect.Effect<ReadonlyArray<StoredOrder>, DatabaseUnavailable>
  /**
   * Orders that are alive although their cancel was asked for since they were last sent: a fill ended the doubt in which
   * the cancel was, and the wish with it.
   */
  readonly cancelsLost: (account: string) => Effect.Effect<ReadonlyArray<StoredOrder>, DatabaseUnavailable>
  /** Events that did not fit, of the last day, whose alert died with the process that was to raise it. */
  readonly illegalUnalerted: (
    account: string
  ) => Effect.Effect<ReadonlyArray<IllegalEvent>, DatabaseUnavailable>
  /** Terminal orders whose fills, position and links are not known to agree, and that are due for a check; a few hundred. */
  readonly unsettled: (account: string) => Effect.Effect<ReadonlyArray<StoredOrder>, DatabaseUnavailable>
  /** How many of them each of `accounts` has in total, and how many are due now; one that has none is left out. */
  readonly unsettledCounts: (
    accounts: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyMap<string, { readonly all: number; readonly due: number }>, DatabaseUnavailable>
  /**
   * Those of `accounts` that have something to do, in one statement: the net under the bells. `waiting` is for the
   * executor, `unresolved` for the resolver.
   */
  readonly busy: (
    accounts: ReadonlyArray<string>
  ) => Effect.Effect<
    ReadonlyArray<{ readonly account: string; readonly waiting: boolean; readonly unresolved: boolean }>,
    DatabaseUnavailable
  >
  /**
   * Those of `accounts` that have nothing to be done or watched by our books: no order that may be alive or is unsettled,
   * no position on either side. With the venue's position up to which their fills are stored (`FillsStore.cursor`).
   */
  readonly quiet: (
    accounts: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyMap<string, string | null>, DatabaseUnavailable>
  /** What of each of `accounts` waits to be sent, and since when (milliseconds, database clock); an empty one is left out. */
  readonly backlog: (
    accounts: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyMap<string, OrderBacklog>, DatabaseUnavailable>
  /** Settles a terminal order if our fills add up to `venueFilled` and are linked. True when it is settled now. */
  readonly settle: (orderId: string, venueFilled: string) => Effect.Effect<boolean, DatabaseUnavailable>
  /**
   * Counts a check that did not settle an order, keeps the venue's report, and makes it due again after a pause that
   * doubles. Where the venue no longer lists it, its last report settles it if our fills add up to that; without any report,
   * and after enough checks, our own complete books do. Null: it was settled or has moved meanwhile.
   */
  readonly noteUnsettled: (
    orderId: string,
    word: VenueWord,
    /** The alert about what was counted, if there is one; stored in the same transaction. */
    alertOf: (left: Unsettled) => PendingAlert | null
  ) => Effect.Effect<Unsettled | null, DatabaseUnavailable>
  /** Stores the next exit of a position, unless one is alive. */
  readonly intendExit: (exit: ExitIntent) => Effect.Effect<ExitOutcome, DatabaseUnavailable>
  /** What of `accounts` is to be judged by the policy for partly filled entries, a few hundred at a time. */
  readonly partials: (
    accounts: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<PartialOrder>, DatabaseUnavailable>
  /** Remembers that the fills of an entry stay. False: it was judged before. */
  readonly notePartial: (
    orderId: string,
    mark: "kept" | "left",
    /** Stored in the same transaction. */
    alert: PendingAlert | null
  ) => Effect.Effect<boolean, DatabaseUnavailable>
  /**
   * Stores the close of what an order that ended short has filled, once for the same fills. `alertOf`: the alert about it, by
   * the close; it is stored in the same transaction.
   */
  readonly compensate: (
    orderId: string,
    alertOf: ((close: StoredOrder) => PendingAlert) | null
  ) => Effect.Effect<CompensationOutcome, DatabaseUnavailable>
  readonly byId: (orderId: string) => Effect.Effect<StoredOrder | null, DatabaseUnavailable>
  readonly byClientOrderId: (clientOrderId: string) => Effect.Effect<StoredOrder | null, DatabaseUnavailable>
}

export class OrdersStore extends Context.Service<OrdersStore, OrdersStoreService>()(
  "holdfast/layers/OrdersStore"
) {}
