/**
 * Bells: everything that may be rung in this process, as one closed union.
 *
 * A bell means "look again": its sender has written a row, its listener reads the table. The names are written here and
 * nowhere else, so that a misspelled bell, rung or waited for by nobody, cannot exist.
 *
 * Promises: every bell has a ringer and a listener (test/layers/platform/bells.test.ts).
 * Never: carries what happened.
 */

export type Bell =
  /** Signals were stored, or may be decided now. */
  | "signals"
  /** Orders of any account may be sent now: the trading state changed. */
  | "orders"
  /** This process changed the trading state. */
  | "trading-state"
  /** A circuit breaker may change: a call failed, a command or a probe changed one. */
  | "breakers"
  /** A position changed. */
  | "positions"
  /** An alert was raised or resolved. */
  | "alerts"
  /** A refused post waits to be stored. */
  | "refused-posts"
  /** The fill of a canary was stored. */
  | "canary"
  /** Updates of the bot were stored. */
  | "telegram-updates"
  /** The bot has something to send. */
  | "telegram-messages"
  | ReturnType<typeof outboxBell>
  | ReturnType<typeof ordersBell>
  | ReturnType<typeof resolveBell>
  | ReturnType<typeof reconcileBell>
  | ReturnType<typeof venueBell>
  | ReturnType<typeof feedBell>

/** Something waits for the sink. */
export const outboxBell = (sink: string) => `outbox:${sink}` as const
/** There may be an order of the account to send or to cancel. */
export const ordersBell = (account: string) => `orders:${account}` as const
/** An order of the account became unresolved, so that look-ups begin at once. */
export const resolveBell = (account: string) => `resolve:${account}` as const
/** The venue has filled more than we have stored, or the connection to it is up again. */
export const reconcileBell = (account: string) => `reconcile:${account}` as const
/** A broker serves again; its stream need not wait out its backoff, which is the net. */
export const venueBell = (broker: string) => `venue:${broker}` as const
/** Signals of this feed were stored, or its request was answered. */
export const feedBell = (feed: string) => `feed:${feed}` as const
