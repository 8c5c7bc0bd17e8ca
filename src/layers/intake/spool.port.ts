/**
 * Spool: the port to the files that take posts while the database cannot (T3).
 *
 * An alert that comes during an outage comes once: TradingView hangs up after three seconds. So what the database does not take
 * in time is written to local files, answered 202, and stored in the order of arrival when the database is back.
 *
 * A post is written by `append` and answered after its fsync, those that wait for one together. What is there is taken out by
 * `next` and `drained`: a record leaves its file only after the database has committed it, so a crash in between stores it a
 * second time, which its identity makes the same signal.
 *
 * Promises: `Spooled` is the answer only to a post that is on the disk; an identity that the spool holds gets the answer it got
 * before; never more posts or bytes than the settings allow.
 * Never: discards a post that was answered 202, or holds up one that the database could take once the spool is empty.
 */
import { Context, type Effect } from "effect"
import type { SpoolFaultKind } from "../../domain/intake/spool.ts"
import type { IntakeRow } from "../signals/intake-store.port.ts"
import type { PostResult, SettledPost } from "./intake-queue.port.ts"
import type { DiskFault } from "./spool-disk.port.ts"

/** A post in the spool. Its row has the time at which it was received. */
export interface SpooledPost {
  readonly row: IntakeRow & { readonly receivedAtMs: number }
}

/** What was found in one of its files. `unreadable`: it could not be read, or contains nothing known. */
export interface SpoolFinding {
  readonly what: "torn" | "damaged" | "unreadable"
  readonly file: string
  readonly detail: string
}

export interface SpoolFault {
  readonly kind: SpoolFaultKind
  readonly message: string
}

export interface SpoolLook {
  /** `opening`: what a life before left is not known yet; `closed`: this process has no spool. */
  readonly phase: "opening" | "open" | "closed"
  /** Why it takes nothing now; null when it does. */
  readonly fault: SpoolFault | null
  /** Posts it holds, those that wait for their write included, and bytes of its files. */
  readonly posts: number
  readonly bytes: number
  readonly segments: number
  /** When the oldest post it holds was received, epoch milliseconds. */
  readonly oldestAtMs: number | null
  /** Posts spooled since it was last empty. */
  readonly sinceEmpty: number
  /** Since start: posts answered 202, refused by the spool, and taken out again. */
  readonly spooled: number
  readonly refused: number
  readonly drained: number
  /** Files that could not be read and were put aside, since start. */
  readonly damaged: number
}

export interface SpoolService {
  /**
   * Takes a post; false when it cannot, and then `done` is never called. `done` gets `Spooled` after the fsync, or
   * `Duplicate` and `Conflict` of an identity that the spool holds, or `Unavailable`: the disk did not take it, or not in time.
   * `waitedMs`: how long its sender waits already, 0 when left out.
   */
  readonly append: (row: IntakeRow, done: (result: PostResult) => void, waitedMs?: number) => boolean
  /** Whether a post of usual size would be taken: append, health and what the intake says of itself all ask this. */
  readonly takes: () => boolean
  /** Whether every new post must go through the spool, because it holds some and is not about to be empty. */
  readonly takesAll: () => boolean
  /** Whether nothing that came earlier is still to be stored: the database may be given posts directly. */
  readonly isEmpty: () => boolean
  readonly look: () => SpoolLook
  /** Calls `changed` after every change of what `look` reports. Returns how to end it. */
  readonly listen: (changed: () => void) => () => void
  /** Reads what is there, again when this process has read it before. Only the holder of DATA_DIR may. */
  readonly open: Effect.Effect<void, DiskFault>
  /** The life of its writes: run it in one fiber that somebody owns. While nobody does nothing is taken, and that is its fault. */
  readonly writer: Effect.Effect<never>
  /** The oldest posts, at most one batch; empty when there is none. Taken again until they are drained. */
  readonly next: Effect.Effect<ReadonlyArray<SpooledPost>, DiskFault>
  /** The database has these, the last ones given by `next`. */
  readonly drained: Effect.Effect<void, DiskFault>
  /** The last batch is about to go: new posts wait in memory for the spool to be empty, instead of making it longer. */
  readonly handOver: (on: boolean) => void
  /** Logs and alerts what became of posts that were drained, as the intake does for its own. */
  readonly settle: (posts: ReadonlyArray<SettledPost>) => Effect.Effect<void>
  /** Keeps posts that the database will never take in a file apart, for a person. */
  readonly putAside: (posts: ReadonlyArray<SpooledPost>) => Effect.Effect<void, DiskFault>
  /**
   * Proves by a write whether it can take posts, which begins or ends its fault; removes before that what failed writes have left, or
   * reads what is there, if that failed.
   */
  readonly prove: Effect.Effect<void>
  /** Waits for the posts that wait for their write. */
  readonly flush: Effect.Effect<void>
}

export class Spool extends Context.Service<Spool, SpoolService>()("holdfast/layers/Spool") {}
