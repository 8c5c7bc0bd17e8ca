/**
 * Paced looks: polling that never takes a large share of the time.
 *
 * Deriving health walks the tree, which is nothing for thirty components and tens of milliseconds for ten thousand; four
 * of those a second would be the largest load of an idle process.
 *
 * Promises: the next look is due `everyMs` after the previous one, or after a multiple of the time that one took,
 * as the look requests, and within five seconds in any case.
 * Never: two looks at once.
 */
import { Clock, Effect } from "effect"

/** However long a look took: the process itself may have been suspended. */
const PAUSE_MS_MAX = 5_000

/** The pause before the next look: a number of milliseconds, or a multiple of the time this one took. */
export interface Pause {
  readonly everyMs: number
  readonly times: number
}

/** A twentieth of a core at most, for what runs as long as the process does. */
export const ALL_THE_TIME = 20
/** A quarter of one, for what somebody waits for and ends soon. */
export const FOR_A_MOMENT = 3

/** Runs `look` forever; each look returns the pause it requests. */
export const pacedLook = <E, R>(look: Effect.Effect<Pause, E, R>): Effect.Effect<never, E, R> =>
  Effect.forever(
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const began = clock.monotonicTimeNanosUnsafe()
      const { everyMs, times } = yield* look
      const tookMs = Number((clock.monotonicTimeNanosUnsafe() - began) / 1_000_000n)
      yield* Effect.sleep(Math.max(everyMs, Math.min(PAUSE_MS_MAX, times * tookMs)))
    })
  )
