/**
 * signal-status: the life of a stored signal, as a table.
 *
 * The rows move in SQL, several at a time and under locks, so no statement asks this table. What holds the two together is
 * the test database: its rows refuse every step that is not here (test/support/signal-guard.ts), so the whole suite over
 * PostgreSQL is the proof.
 *
 * Promises: every status that is not the end has a way out; nothing leads out of an end, so that a signal is decided once.
 * Never: says who may take a step (claims and leases are the store's).
 */

/** In the order of a life; the last three are its ends. */
export const SIGNAL_STATUSES = ["buffered", "received", "processing", "done", "rejected", "dead"] as const
export type SignalStatus = (typeof SIGNAL_STATUSES)[number]

export type SignalEvent =
  /** The wave that it belongs to is due. */
  | "released"
  /** Its wave is over, or went without it. */
  | "over"
  /** A pipeline took it; again, when the lease of the one before has ended. */
  | "claimed"
  /** Undecided, by a pipeline that stops. */
  | "given_back"
  /** Ordered, held or ignored. */
  | "decided"
  | "denied"
  /** Too old to be traded. */
  | "expired"
  /** It could not be handled, again and again: a dead letter. */
  | "buried"

type Row = { readonly [event in SignalEvent]?: SignalStatus }

export const SIGNAL_TRANSITIONS: { readonly [status in SignalStatus]: Row } = {
  buffered: { released: "received", over: "rejected" },
  received: { claimed: "processing", expired: "rejected" },
  processing: {
    claimed: "processing",
    given_back: "received",
    decided: "done",
    denied: "rejected",
    expired: "rejected",
    buried: "dead"
  },
  done: {},
  rejected: {},
  dead: {}
}
