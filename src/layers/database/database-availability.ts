/**
 * Database availability: one verdict that many actors watch.
 *
 * A failing call reports "away" at once, so nobody else runs into the same wall; only the database actor's probe reports
 * "back". Calls overlap: one that started before the server came back may fail after it, and must not take the verdict
 * down again. So a call remembers the generation it started in, and its bad news counts only within it.
 *
 * Promises: synchronous reads and marks; every watcher gets the current state first; a throwing or slow watcher affects
 * no other (sliding buffer of 16 states).
 * Never: reports `available` because a call worked.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { Availability, AvailabilityState } from "./database.port.ts"

export interface AvailabilityLedger extends Availability {
  /** Rises with every `mark("available")`. */
  readonly generation: () => number
  /** Bad news of a call that started in `generation`: stale news is dropped. */
  readonly lost: (generation: number) => void
}

export const makeAvailability = (): AvailabilityLedger => {
  let state: AvailabilityState = "unknown"
  let generation = 0
  const watchers = new Set<(state: AvailabilityState) => void>()
  const set = (next: AvailabilityState): void => {
    if (next === state) return
    state = next
    for (const watcher of watchers) watcher(next)
  }
  const changes = Stream.callback<AvailabilityState>(
    (queue) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const watcher = (next: AvailabilityState): void => {
            Queue.offerUnsafe(queue, next)
          }
          watcher(state)
          watchers.add(watcher)
          return watcher
        }),
        (watcher) => Effect.sync(() => watchers.delete(watcher))
      ),
    { bufferSize: 16, strategy: "sliding" }
  )
  return {
    current: () => state,
    changes,
    mark: (next) => {
      if (next === "available") generation += 1
      set(next)
    },
    generation: () => generation,
    lost: (of) => {
      if (of === generation) set("unavailable")
    }
  }
}
