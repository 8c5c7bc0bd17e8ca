/**
 * Feed backlog: the signals of one connection between the socket and the database, and who waits for them.
 *
 * A batch of ten thousand arrives faster than it is stored. The backlog is bounded by not reading the socket any
 * further, so the peer's TCP waits with us and nothing is dropped.
 *
 * Promises: order is kept; a waiter is released when everything that was in the backlog with its answer is stored.
 * Never: loses a signal it took.
 */
import { Effect } from "effect"
import type { UnusableSignal, WaveSignal } from "../../domain/feeds/feed-wire.ts"
import { feedLimits } from "../../domain/kernel/limits-feeds.ts"

type Resume = (effect: Effect.Effect<void>) => void

/** What is recorded: a signal, or that one arrived that cannot be traded. */
export type FeedItem = WaveSignal | UnusableSignal

export interface Backlog {
  readonly size: () => number
  /** Adds signals in order. */
  readonly offer: (signals: ReadonlyArray<FeedItem>) => void
  /** Waits for signals and gives at most one statement's worth, without removing them. */
  readonly next: Effect.Effect<ReadonlyArray<FeedItem>>
  /** The first `count` are stored. */
  readonly stored: (count: number) => void
  /** Waits for the next answer to get_signals to be stored. */
  readonly answer: Effect.Effect<void>
  /** An answer was put into the backlog, or was empty. */
  readonly answered: () => void
}

export const makeBacklog = (): Backlog => {
  let signals: Array<FeedItem> = []
  let offered = 0
  let done = 0
  let bell: (() => void) | null = null
  // A waiter has a mark as soon as its answer is in the backlog: the count of stored signals that releases it.
  const waiters = new Map<Resume, number | null>()
  const release = (): void => {
    for (const [resume, mark] of waiters) {
      if (mark === null || mark > done) continue
      waiters.delete(resume)
      resume(Effect.void)
    }
  }
  const filled = Effect.callback<void>((resume) => {
    if (signals.length > 0) return resume(Effect.void)
    bell = () => resume(Effect.void)
    return Effect.sync(() => {
      bell = null
    })
  })
  return {
    size: () => signals.length,
    offer: (more) => {
      for (const signal of more) signals.push(signal)
      offered += more.length
      if (more.length === 0) return
      bell?.()
      bell = null
    },
    next: Effect.map(filled, () => signals.slice(0, feedLimits.storeRowsMax)),
    stored: (count) => {
      // A new array each time: a shifted one would keep what was taken.
      signals = signals.slice(count)
      done += count
      release()
    },
    answer: Effect.callback<void>((resume) => {
      waiters.set(resume, null)
      return Effect.sync(() => void waiters.delete(resume))
    }),
    answered: () => {
      for (const [resume, mark] of waiters) if (mark === null) waiters.set(resume, offered)
      release()
    }
  }
}
