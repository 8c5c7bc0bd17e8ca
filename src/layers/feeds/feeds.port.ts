/**
 * Feeds: the port through which others query a signal feed of this process and its state.
 *
 * The wave scheduler must not know sockets: it asks for the signals, waits for the bell `feed:<name>` and counts what
 * is stored. A feed that runs elsewhere, or not now, is a typed error and no wait.
 *
 * Promises: `requestSignals` ends within its deadline: answered and stored, or `FeedUnavailable` with the reason;
 * `feedBell` is rung after each commit of new signals and after each answered request.
 * Never: connects, or restarts a feed by itself; the feed's machine owns that.
 */
import { Context, Data, Effect, Layer } from "effect"
import type { DatabaseError } from "../database/database.port.ts"
import { FeedBuffer, type FeedBufferService, type WaveCounts } from "./feed-buffer.port.ts"

/** The feed cannot answer now: it is not live, not of this process, or was silent until the deadline. */
export class FeedUnavailable extends Data.TaggedError("FeedUnavailable")<{
  readonly feed: string
  readonly reason: string
}> {}

export type FeedState =
  | "Absent"
  | "Connecting"
  | "Authenticating"
  | "Live"
  | "BackingOff"
  | "CredentialRefused"
  | "Stopped"

/** What the feed's actor publishes while it runs. */
export interface RunningFeed {
  readonly state: () => FeedState
  /** Epoch milliseconds since when it is live without a break, or null. */
  readonly connectedSinceMs: () => number | null
  /** Sends get_signals; ends when the answer is stored. No deadline of its own. */
  readonly requestSignals: Effect.Effect<void, FeedUnavailable>
  /** Drops the connection and makes a new one at once; visible as the reason of the last end. */
  readonly reconnect: (reason: string) => void
}

export interface FeedHandle {
  readonly name: string
  readonly state: () => FeedState
  readonly connectedSince: () => number | null
  readonly requestSignals: (deadlineMs: number) => Effect.Effect<void, FeedUnavailable>
  readonly reconnect: (reason: string) => void
  /** Signals of the wave (ISO 8601, as the feed names it) that are stored. */
  readonly storedFor: (wave: string) => Effect.Effect<WaveCounts, DatabaseError>
}

export interface FeedsService {
  /** The feed of this name, even when it is not running: then its state is `Absent`. */
  readonly get: (name: string) => FeedHandle
  /** Called by the feed's actor; the returned function withdraws it. */
  readonly publish: (name: string, feed: RunningFeed) => () => void
}

const makeFeeds = (buffer: FeedBufferService): FeedsService => {
  const running = new Map<string, RunningFeed>()
  return {
    get: (name) => ({
      name,
      state: () => running.get(name)?.state() ?? "Absent",
      connectedSince: () => running.get(name)?.connectedSinceMs() ?? null,
      requestSignals: (deadlineMs) =>
        Effect.suspend(() => {
          const feed = running.get(name)
          return feed === undefined
            ? Effect.fail(new FeedUnavailable({ feed: name, reason: "it does not run in this process" }))
            : feed.requestSignals
        }).pipe(
          Effect.timeoutOrElse({
            duration: deadlineMs,
            orElse: () =>
              Effect.fail(new FeedUnavailable({ feed: name, reason: `no answer within ${deadlineMs} ms` }))
          })
        ),
      reconnect: (reason) => running.get(name)?.reconnect(reason),
      storedFor: (wave) => buffer.count(name, Date.parse(wave))
    }),
    publish: (name, feed) => {
      running.set(name, feed)
      // The next incarnation may have published itself before this one is quite gone.
      return () => void (running.get(name) === feed && running.delete(name))
    }
  }
}

export class Feeds extends Context.Service<Feeds, FeedsService>()("holdfast/layers/Feeds") {
  static readonly layer: Layer.Layer<Feeds, never, FeedBuffer> = Layer.effect(
    Feeds,
    Effect.map(FeedBuffer, makeFeeds)
  )
}
