/**
 * Paced looks: something that is looked at all the time, and never for a large part of the time.
 *
 * A look at health walks the tree, which is nothing for thirty components and tens of milliseconds for ten thousand; four
 * of those a second would be the largest load of an idle process.
 *
 * Promises: the next look is due `everyMs` after the one before, or when as many times as long as that one took have
 * passed as the look asks for, and within five seconds in any case.
 * Never: two looks at once.
 */
import { Clock, Effect } from "effect"

/** However long a look took: it may have been the process that stood still. */
const PAUSE_MS_MAX = 5_000

/** What is to pass before the next look: so many milliseconds, or so many times what this one took. */
export interface Pause {
  readonly everyMs: number
  readonly times: number
}

/** A twentieth of a core at most, for what goes on for as long as the process does. */
export const ALL_THE_TIME = 20
/** A quarter of one, for what somebody waits for and is over soon. */
export const FOR_A_MOMENT = 3

/** Runs `look`, which answers the pause it asks for, for ever. */
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
