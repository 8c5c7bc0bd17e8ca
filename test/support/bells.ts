/**
 * Which bells were rung while nobody listened.
 *
 * Promises: asking takes no time, so what a poll would find later is not mistaken for a bell; a bell that was rung is reported once.
 * Never: rings.
 */
import { Effect } from "effect"
import type { Bell } from "../../src/layers/platform/bells.ts"
import { Wake } from "../../src/layers/platform/wake.port.ts"

/** Those of `bells` that were rung since they were last asked for. */
export const rungOf = (bells: ReadonlyArray<Bell>) =>
  Effect.map(Wake, (wake) =>
    bells.filter((bell) => {
      let rung = 0
      wake.listen(bell, () => (rung += 1))()
      return rung > 0
    })
  )
