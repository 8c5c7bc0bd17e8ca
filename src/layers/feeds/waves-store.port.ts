/**
 * WavesStore: the port of the wave ledger, one row per wave of the schedule, whether or not the service was up.
 *
 * A row is created as `expected` before its wave is due, claimed with a lease and an epoch, and ends as `done` or
 * `missed` (T4). Ownership only keeps two processes from doing the same search; that a signal is traded once follows
 * from the signal's own identity, so losing a lease is never dangerous.
 *
 * Promises: a wave that ended is never taken again; whatever happened to its owner, it ends; what was missed has a
 * reason and a cost; leases are judged by the database's clock, the schedule by the caller's.
 * Never: asks a feed, or trades.
 */
import { Context, type Effect } from "effect"
import type { WaveSchedule } from "../../domain/kernel/wave-clock.ts"
import type { DatabaseError } from "../database/database.port.ts"

/**
 * Why a wave was not processed, or not in time. `process_down`: the service was down, or its owner died. `feed_down`: the
 * feed did not answer until its time was over. `database_down`: it could not be claimed. `late`: all was well and no check
 * ran, as after a suspended machine or a stepped clock.
 */
export type MissedReason = "process_down" | "feed_down" | "database_down" | "late"

/** Signals of one wave by what became of them. Skipped ones (denied, too old) are not failures. */
export interface WaveTally {
  readonly found: number
  /** Not decided, or with an order that is not acknowledged yet. */
  readonly pending: number
  readonly successful: number
  readonly failed: number
  readonly skipped: number
}

/** The right to process one wave; every write of its holder names it. */
export interface WaveLease {
  readonly feed: string
  readonly waveMs: number
  readonly owner: string
  readonly epoch: number
}

export interface AccountRequest {
  readonly feed: string
  readonly schedule: WaveSchedule
  /** How long a wave may be processed after it was due. */
  readonly freshMs: number
  readonly nowMs: number
  readonly owner: string
  /** Since when this process keeps the schedule. */
  readonly upSinceMs: number
  /** The database was away since the last accounting. */
  readonly outage: boolean
}

/** A wave whose time was over, and what it ended as. `done`: its signals were traded although its owner did not end it. */
export interface ClosedWave extends WaveTally {
  readonly waveMs: number
  readonly dueAtMs: number
  readonly status: "done" | "missed"
  readonly reason: string
  /** Time without trading, milliseconds. */
  readonly lostMs: number
}

export interface Accounted {
  /** Signals handed to the pipeline: the caller rings its bell. */
  readonly handedOver: number
  /** Rows that were not there. */
  readonly laid: number
  readonly closed: ReadonlyArray<ClosedWave>
  /** Future waves that a clock running ahead had marked missed. */
  readonly reopened: number
  /** Stored signals whose wave has ended. */
  readonly rejectedSignals: number
}

export type Take =
  | { readonly _tag: "Taken"; readonly lease: WaveLease; readonly formerOwner: string | null }
  /** Another owner's lease runs for this long. */
  | { readonly _tag: "Held"; readonly remainingMs: number }
  /** It was released because the feed was away, and the feed still is. */
  | { readonly _tag: "WaitsForFeed" }
  | { readonly _tag: "Ended" }
  /** The ledger began after it. */
  | { readonly _tag: "Unknown" }

export interface WavesStoreService {
  /**
   * Brings the ledger up to the schedule: rows for all waves since the last one and for the next; signals of fresh waves
   * handed over; an end for those that nobody holds and whose signals were traded or whose time is over; new counts for
   * the latest that ended. Doing it twice changes nothing.
   */
  readonly account: (request: AccountRequest) => Effect.Effect<Accounted, DatabaseError>
  /**
   * Hands every stored signal of a wave that is due and fresh to the pipeline, whoever has the wave: a signal goes from
   * `buffered` to `received` once. Returns how many.
   */
  readonly handOver: (feed: string, nowMs: number, freshMs: number) => Effect.Effect<number, DatabaseError>
  /** Claims a wave that is expected, or whose lease has expired, or that a former life of this owner held. */
  readonly take: (
    wave: Omit<WaveLease, "epoch">,
    options: { readonly leaseMs: number; readonly late: boolean; readonly feedLive: boolean }
  ) => Effect.Effect<Take, DatabaseError>
  /** Renews the lease and counts; null when the wave is another's now. */
  readonly look: (lease: WaveLease, leaseMs: number) => Effect.Effect<WaveTally | null, DatabaseError>
  /**
   * Ends the wave as `done` with its counts, `empty` when it had no signals; null when it is another's now, and nothing
   * was written.
   */
  readonly settle: (lease: WaveLease, durationMs: number) => Effect.Effect<WaveTally | null, DatabaseError>
  /** Makes the wave `expected` again, with the reason it was not processed so far. False when it is another's now. */
  readonly giveBack: (lease: WaveLease, reason: MissedReason | null) => Effect.Effect<boolean, DatabaseError>
}

export class WavesStore extends Context.Service<WavesStore, WavesStoreService>()(
  "holdfast/layers/WavesStore"
) {}
