/**
 * order: the life of an order as a table, and the questions asked about its states.
 *
 * The table is data, so that the order machine, the store's guarded updates, the diagrams and the tests read one
 * source. An event that a state has no row for is not an error to catch but a value (`IllegalTransition`): the
 * store keeps it as an illegal event and raises an alert, and the order stays where it is.
 *
 * Promises: no order leaves a terminal status, except that a fill may complete one that was cancelled or had
 * expired at the venue (legal surprise); every status set below agrees with the indexes of the schema.
 * Never: decides to send, to look up or to give up; it only defines what may follow what.
 */
import { Data, Result } from "effect"

/** Every status, in the order of a life: before the wire, on the wire, unknown, ended. */
export const ORDER_STATUSES = [
  "intended",
  "held",
  "submitting",
  "acked",
  "partially_filled",
  "pending_cancel",
  "unknown",
  "resolving",
  "needs_operator",
  "denied",
  "withdrawn",
  "expired_unsent",
  "rejected",
  "filled",
  "cancelled",
  "expired"
] as const
export type OrderStatus = (typeof ORDER_STATUSES)[number]

/** What we do to an order before, while and after it is sent. Facts, written after they were committed. */
export const OWN_EVENTS = [
  /** A check refused it, at the decision or again before sending. */
  "order.denied",
  /** It waits: trading is halted, or the market is closed. */
  "order.held",
  /** What held it has ended. */
  "order.released",
  /** It was not sent in time, or may not go out again, and will not be (T5). */
  "order.expired_unsent",
  /** It is withdrawn before it was sent: nothing is left for it to do (T10), or a newer alert replaces it. */
  "order.withdrawn",
  /** `submitting` is committed; from here on the venue may know it. */
  "order.submitted",
  /** A cancel is about to be sent. */
  "order.cancel_requested",
  /** A create or cancel has no usable answer: timeout, 5xx, disconnect, unparsable, a crash in between. */
  "order.outcome_lost",
  /** The venue is being asked about it. */
  "order.lookup_started",
  /** Confirmed not found where ids are unique for good: the same id goes out again (T5, rules U and R). */
  "order.resubmitted",
  /** Look-ups did not settle it: a human has to (F3; T5, rules O and N). */
  "order.escalated",
  /** An operator found it at the venue. */
  "order.resolved_placed",
  /** An operator vouches that it is not there: it may go out once more, under the next attempt. */
  "order.resolved_not_placed",
  /** An operator vouches that it has ended at the venue, or never was there and is no longer wanted. */
  "order.resolved_over"
] as const

/** What an operator may decide of an order whose outcome nobody knows. */
export const RESOLUTIONS = ["placed", "not_placed", "over"] as const
export type Resolution = (typeof RESOLUTIONS)[number]

/** What the venue reports about an order: in a response, on the stream, or in a look-up. */
export const VENUE_EVENTS = [
  "order.acked",
  "order.partially_filled",
  "order.filled",
  "order.cancelled",
  "order.expired",
  "order.rejected",
  /** The venue did not cancel it. Usually it had already ended, so it is looked up and never assumed (K9). */
  "order.cancel_refused"
] as const

/** Fills that were stored. They are facts: the trade is kept even where the event is illegal. */
export const FILL_EVENTS = [
  /** The order has more to fill. */
  "fill.partial",
  /** The fills add up to the order's quantity. */
  "fill.complete",
  /** The fills add up to more than was ordered. Legal nowhere: always stored, always alerted. */
  "fill.excess"
] as const

export const ORDER_EVENTS = [...OWN_EVENTS, ...VENUE_EVENTS, ...FILL_EVENTS] as const
export type OrderEvent = (typeof ORDER_EVENTS)[number]

/**
 * The first event of an order that no signal decided: an exit, or what an operator closes. It leads from nothing, so it is not
 * in the table below; the trace of a signal states how its orders began.
 */
export const FIRST_EVENT = "order.intended"

type Row = { readonly [event in OrderEvent]?: OrderStatus }

/** What the venue may report, and what fills may do, while it has an order of ours or may have one. */
const ATTESTED: Row = {
  "order.acked": "acked",
  "order.partially_filled": "partially_filled",
  "order.filled": "filled",
  "order.cancelled": "cancelled",
  "order.expired": "expired",
  "order.rejected": "rejected",
  "fill.partial": "partially_filled",
  "fill.complete": "filled"
}

/**
 * From status x event to status. A missing entry is illegal. An entry that leads back to its own row is a report
 * that arrives late or twice: legal, and changes nothing.
 */
export const ORDER_TRANSITIONS: { readonly [status in OrderStatus]: Row } = {
  // Committed with its decision; no broker has heard of it. A fill here is illegal: nothing was sent.
  intended: {
    "order.denied": "denied",
    "order.held": "held",
    "order.expired_unsent": "expired_unsent",
    "order.withdrawn": "withdrawn",
    "order.submitted": "submitting"
  },
  held: {
    "order.denied": "denied",
    "order.released": "intended",
    "order.expired_unsent": "expired_unsent",
    "order.withdrawn": "withdrawn"
  },
  // Committed before the bytes leave, so that a crash in between is found and looked up. A fill before the ack is a
  // legal surprise: the stream may be faster than the answer.
  submitting: { ...ATTESTED, "order.outcome_lost": "unknown" },
  // The venue has it. A rejection after the ack is rare and documented by some venues.
  acked: { ...ATTESTED, "order.cancel_requested": "pending_cancel" },
  // A late ack or an older report does not undo a fill. A rejection of something that traded is a contradiction.
  partially_filled: {
    "order.acked": "partially_filled",
    "order.partially_filled": "partially_filled",
    "order.filled": "filled",
    "order.cancelled": "cancelled",
    "order.expired": "expired",
    "fill.partial": "partially_filled",
    "fill.complete": "filled",
    "order.cancel_requested": "pending_cancel"
  },
  // A cancel is in flight. Reports that it is still live prove nothing about the cancel, so they leave it here.
  pending_cancel: {
    ...ATTESTED,
    "order.acked": "pending_cancel",
    "order.partially_filled": "pending_cancel",
    "fill.partial": "pending_cancel",
    "order.outcome_lost": "unknown",
    "order.cancel_refused": "unknown"
  },
  // A create or cancel without a response. Its symbol is blocked; anything the venue confirms resolves it.
  unknown: { ...ATTESTED, "order.lookup_started": "resolving", "order.escalated": "needs_operator" },
  // The venue is being queried. `outcome_lost`: the look-up itself was cut off, and starts over. `expired_unsent`: it is
  // not there, and what was right when it was first sent is no longer right (T5 K4).
  resolving: {
    ...ATTESTED,
    "order.outcome_lost": "unknown",
    "order.resubmitted": "submitting",
    "order.expired_unsent": "expired_unsent",
    "order.escalated": "needs_operator"
  },
  // Waits for a human, or for the venue to confirm it after all. `resolved_over` is the way out of an order that the venue
  // had and forgot: `placed` would only ask for it again, and `not_placed` send again what has traded or was to be cancelled.
  needs_operator: {
    ...ATTESTED,
    "order.lookup_started": "resolving",
    "order.resolved_placed": "acked",
    "order.resolved_not_placed": "intended",
    "order.resolved_over": "cancelled"
  },
  denied: {},
  withdrawn: {},
  expired_unsent: {},
  // The venue refused it, definitively. A fill now contradicts that and must be seen.
  rejected: { "order.rejected": "rejected" },
  // A report from before the fill, or a fill that a look-up had already counted, arrives late.
  filled: {
    "order.acked": "filled",
    "order.partially_filled": "filled",
    "order.filled": "filled",
    "fill.partial": "filled",
    "fill.complete": "filled"
  },
  // A fill after the cancel is a legal surprise: the trade happened first, the message came second. A complete one
  // makes the order filled; a partial one only raises its filled quantity.
  cancelled: {
    "order.acked": "cancelled",
    "order.partially_filled": "cancelled",
    "order.cancelled": "cancelled",
    "order.filled": "filled",
    "fill.partial": "cancelled",
    "fill.complete": "filled"
  },
  // Expiry is the venue's own cancel and races with fills in the same way.
  expired: {
    "order.acked": "expired",
    "order.partially_filled": "expired",
    "order.expired": "expired",
    "order.filled": "filled",
    "fill.partial": "expired",
    "fill.complete": "filled"
  }
}

/** An event that a status has no row for: stored as illegal, alerted, and without effect on the order. */
export class IllegalTransition extends Data.TaggedError("IllegalTransition")<{
  readonly status: OrderStatus
  readonly event: OrderEvent
}> {}

/** The status after an event. Fails with the illegal pair; never throws. */
export const nextStatus = (
  status: OrderStatus,
  event: OrderEvent
): Result.Result<OrderStatus, IllegalTransition> => {
  const next = ORDER_TRANSITIONS[status][event]
  return next === undefined ? Result.fail(new IllegalTransition({ status, event })) : Result.succeed(next)
}

/** What a venue says an order is. */
export const VENUE_STATUSES = [
  "open",
  "partially_filled",
  "filled",
  "cancelled",
  "expired",
  "rejected"
] as const
export type VenueStatus = (typeof VENUE_STATUSES)[number]

/**
 * The venue's report on an order as one of our events. Fills are facts of their own, so an order that is filled there is alive
 * here until its fills are stored; one of which we have fills is partly filled, also when it comes back from a doubt that
 * had forgotten them. `hasFills`: by our own books.
 */
export const reportedEvent = (status: VenueStatus, hasFills: boolean): OrderEvent => {
  switch (status) {
    case "open":
    case "partially_filled":
    case "filled":
      return hasFills ? "order.partially_filled" : "order.acked"
    case "cancelled":
      return "order.cancelled"
    case "expired":
      return "order.expired"
    case "rejected":
      return "order.rejected"
  }
}

/**
 * What an operator's word does to an order, as events in their order; null where its fills contradict it. One that is placed
 * and has fills is partly filled, which the word alone would forget. `hasFills`: by our own books.
 */
export const resolutionEvents = (
  outcome: Resolution,
  hasFills: boolean
): readonly [OrderEvent, ...Array<OrderEvent>] | null => {
  switch (outcome) {
    case "placed":
      return hasFills ? ["order.resolved_placed", "order.partially_filled"] : ["order.resolved_placed"]
    case "not_placed":
      return hasFills ? null : ["order.resolved_not_placed"]
    case "over":
      return ["order.resolved_over"]
  }
}

const statuses = (...members: ReadonlyArray<OrderStatus>): ReadonlySet<OrderStatus> => new Set(members)

/** Nothing follows, except a fill that a cancelled or expired order turns out to have had. */
export const TERMINAL = statuses(
  "denied",
  "withdrawn",
  "expired_unsent",
  "rejected",
  "filled",
  "cancelled",
  "expired"
)

/** Not terminal: what the account's executor, the risk checks and the boot reconciliation have to look at. */
export const OPEN = statuses(
  "intended",
  "held",
  "submitting",
  "acked",
  "partially_filled",
  "pending_cancel",
  "unknown",
  "resolving",
  "needs_operator"
)

/** The venue has it, or may have it. Counts in full in risk (F3). */
export const AT_VENUE = statuses(
  "submitting",
  "acked",
  "partially_filled",
  "pending_cancel",
  "unknown",
  "resolving",
  "needs_operator"
)

/** Nobody knows whether the venue has it: blocks new exposure in its symbol, and in its symbol only (T6). */
export const BLOCKS_SYMBOL = statuses("submitting", "unknown", "resolving", "needs_operator")

/** Ended at the venue: gets `settled_at` when fills, position and link agree. */
export const SETTLES = statuses("rejected", "filled", "cancelled", "expired")

/** Legal, and still worth a log line: it happened in an unexpected order. */
export type Surprise = "fill_before_ack" | "fill_after_cancel" | "late_report"

/** The surprise in a legal pair; null in the usual course. */
export const surpriseOf = (status: OrderStatus, event: OrderEvent): Surprise | null => {
  const next = ORDER_TRANSITIONS[status][event]
  const fill = event === "fill.partial" || event === "fill.complete"
  if (next === undefined) return null
  if (fill && status === "submitting") return "fill_before_ack"
  if ((fill || event === "order.filled") && (status === "cancelled" || status === "expired"))
    return "fill_after_cancel"
  const repeat =
    !fill && next === status && !(event === "order.partially_filled" && status === "partially_filled")
  return repeat ? "late_report" : null
}
