/**
 * IntakeQueue: the one place between many posts and one commit.
 *
 * A single worker takes whatever waits, stores it with one INSERT, answers, and takes again. The previous commit sets
 * the size of the batch, never a timer: a lone post waits for nothing, and under load a commit is shared by hundreds. What the
 * database does not take in time goes to the spool, and so does what comes until the spool is empty again: order is kept.
 *
 * Promises: every accepted post gets its result exactly once, `late` at the latest `commitMsMax` after it was
 * accepted; the queue never holds more than `waitingPostsMax` posts or `waitingBytesMax` bytes of bodies, those the store
 * has now included; a client that goes away stops nothing; a post that the store cannot process fails alone.
 * Never: stores a post twice by itself, waits to fill a batch, or lets a failure of the store end the worker.
 */
import { Context, type Effect } from "effect"
import type { IntakeOutcome, IntakeRow } from "../signals/intake-store.port.ts"

/**
 * The result of a post. `Spooled`: it is in the local spool, and stored when the database is back. `Late`: not known to be stored within the deadline; it may still be. `Unavailable`: the
 * database could not take it. `Broken`: storing this post fails for a reason that retrying does not change.
 */
export type PostResult =
  | IntakeOutcome
  | { readonly _tag: "Spooled" }
  | { readonly _tag: "Late" }
  | { readonly _tag: "Unavailable" }
  | { readonly _tag: "Broken"; readonly cause: unknown }

export interface IntakeQueueService {
  /**
   * Accepts a post, for the database or, while that takes none and until the spool is empty again, for the spool. False when neither
   * can take it or there is no worker, and then `done` is never called.
   */
  readonly submit: (row: IntakeRow, done: (result: PostResult) => void) => boolean
  /** The life of the queue: run it in one fiber that somebody owns. */
  readonly worker: Effect.Effect<never>
  /** Whether the worker runs. */
  readonly alive: () => boolean
  /**
   * Whether the commit in progress is overdue: the database makes nothing durable now, whatever it is believed to be. Ends when the
   * store answers, one way or the other.
   */
  readonly stalled: () => boolean
  /** What another post of ordinary size would get now: the database, the spool, or a 503. */
  readonly accepts: () => "store" | "spool" | "refuse"
  /** Bytes of the bodies that are held: those that wait, and those the store has now. */
  readonly bytes: () => number
  /** Posts not answered yet, and the age of the oldest in milliseconds (0 when there is none). */
  readonly depth: () => number
  readonly oldestMs: () => number
  /** Batches and rows since start. */
  readonly totals: () => { readonly batches: number; readonly rows: number }
}

/** A post and its result. */
export interface SettledPost {
  readonly row: IntakeRow
  readonly result: PostResult
}

export class IntakeQueue extends Context.Service<IntakeQueue, IntakeQueueService>()(
  "holdfast/layers/IntakeQueue"
) {}
