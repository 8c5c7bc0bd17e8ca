/**
 * signal-status: the life of a stored signal, as a table.
 *
 * The rows move in SQL, several at a time and under locks, so no statement reads this table. What keeps the two in step is
 * the test database: its rows refuse every step that is not here (test/support/signal-guard.ts), so the whole suite over
 * PostgreSQL is the proof.
 *
 * Promises: every status that is not terminal has an exit; nothing leads out of a terminal one, so a signal is decided once. What
 * was buried was not decided: an operator may have it tried again, and so may a signal whose strategy was unknown when it was
 * `rejected` (layers/intake/replay-signal.pg.ts).
 * Never: defines who may take a step (claims and leases are the store's).
 */

/** In the order of a life; `done` and `rejected` are terminal, `dead` waits for an operator. */
export const SIGNAL_STATUSES = ["buffered", "received", "processing", "done", "rejected", "dead"] as const
export type SignalStatus = (typeof SIGNAL_STATUSES)[number]

export type SignalEvent =
  /** The wave that it belongs to is due. */
  | "released"
  /** Its wave has ended, or was processed without it. */
  | "over"
  /** A pipeline claimed it; again, when the previous lease has expired. */
  | "claimed"
  /** Returned undecided by a pipeline that stops. */
  | "given_back"
  /** Ordered, held or ignored. */
  | "decided"
  | "denied"
  /** Too old to be traded. */
  | "expired"
  /** It failed too often: a dead letter. */
  | "buried"
  /** An operator lets a dead letter, or a signal of an unknown strategy, be tried again. */
  | "replayed"

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
  rejected: { replayed: "received" },
  dead: { replayed: "received" }
}
