/**
 * FeedBuffer: the port through which the signals of a feed become durable, and through which a wave takes them.
 *
 * A wave signal is a row of `signals` like any other, so it is decided, ordered and traced like any other. It comes
 * before its wave is due, so it is stored as `buffered`, which no pipeline claims; the wave that is due makes it
 * `received`. Its identity is (feed, wave, id): two processes, two connections and two waves at once store it once and
 * dispatch it once (T4).
 *
 * Promises: an outcome is reported after its commit; storing the same signal again changes nothing and is counted;
 * `dispatch` hands each signal over exactly once, however often and by whomever it is called.
 * Never: decides what is due, or changes what was stored.
 */
import { Context, type Effect } from "effect"
import type { UnusableSignal, WaveSignal } from "../../domain/feeds/feed-wire.ts"
import type { DatabaseError } from "../database/database.port.ts"

/** A feed and the source its signals are decided under. */
export interface FeedSource {
  readonly feed: string
  readonly source: string
}

/** What became of the signals of one call. */
export interface BufferedCounts {
  /** New rows. */
  readonly stored: number
  /** Stored before with the same content, or twice in this call. */
  readonly duplicates: number
  /** Ids that are stored, or came first in this call, with another symbol or another action: nothing was written. */
  readonly conflicts: ReadonlyArray<string>
  /** Ids the database refuses for good. */
  readonly refused: ReadonlyArray<string>
}

/** How many signals of a wave are stored, by what became of them. */
export interface WaveCounts {
  readonly total: number
  /** Not dispatched yet. */
  readonly buffered: number
}

export interface FeedBufferService {
  /** Stores signals, at most `feedLimits.storeRowsMax` per statement. */
  readonly store: (
    from: FeedSource,
    signals: ReadonlyArray<WaveSignal>
  ) => Effect.Effect<BufferedCounts, DatabaseError>
  /**
   * Records signals that cannot be traded, as `dead` rows that their waves count as failed: of the wave they name,
   * else of the one that is being collected; without either nothing is written. Storing one again changes nothing.
   */
  readonly storeUnusable: (
    from: FeedSource,
    unusable: ReadonlyArray<UnusableSignal>
  ) => Effect.Effect<void, DatabaseError>
  /** The stored signals of one wave; `waveMs` is epoch milliseconds. */
  readonly count: (feed: string, waveMs: number) => Effect.Effect<WaveCounts, DatabaseError>
  /**
   * Hands the buffered signals of a wave to the pipeline and returns the `signals.id` of those this call took. Their age
   * counts from `expiresFromMs` (the moment the wave was due). The caller rings `signals` afterwards.
   */
  readonly dispatch: (
    feed: string,
    waveMs: number,
    expiresFromMs: number
  ) => Effect.Effect<ReadonlyArray<string>, DatabaseError>
  /** Rejects the buffered signals of a wave that is given up; returns their ids. */
  readonly reject: (
    feed: string,
    waveMs: number,
    reason: string
  ) => Effect.Effect<ReadonlyArray<string>, DatabaseError>
}

export class FeedBuffer extends Context.Service<FeedBuffer, FeedBufferService>()(
  "holdfast/layers/FeedBuffer"
) {}
