/**
 * Paced looks: something that is looked at all the time, and never for a large part of the time.
 *
 * A look at health walks the tree, which is nothing for thirty components and tens of milliseconds for ten thousand; four
 * of those a second would be the largest load of an idle process.
 *
 * Promises: the next look is due `everyMs` after the one before, or when twenty times as long as that one took have passed,
 * and within five seconds in any case.
 * Never: two looks at once.
 */
import { Clock, Effect } from "effect"

/** However long a look took: it may have been the process that stood still. */
const PAUSE_MS_MAX = 5_000
/** How many times its own length a look is followed by a pause: a twentieth of a core at most. */
const PAUSES = 20

/** Runs `look`, which answers the pause it asks for in milliseconds, for ever. */
export const pacedLook = <E, R>(look: Effect.Effect<number, E, R>): Effect.Effect<never, E, R> =>
  Effect.forever(
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const began = clock.monotonicTimeNanosUnsafe()
      const everyMs = yield* look
      const tookMs = Number((clock.monotonicTimeNanosUnsafe() - began) / 1_000_000n)
      yield* Effect.sleep(Math.max(everyMs, Math.min(PAUSE_MS_MAX, PAUSES * tookMs)))
    })
  )
