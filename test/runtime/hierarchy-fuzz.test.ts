/** The fuzz itself: the same seed must make the same run, or a seed that found something cannot be replayed. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { runFuzz } from "./hierarchy-fuzz.ts"

it.effect("the same seed makes the same faults, restarts and kills, another seed makes others", () =>
  Effect.gen(function* () {
    const run = (seed: number) => runFuzz({ seed, components: 60, operations: 500 })
    const [first, again, other] = [yield* run(1), yield* run(1), yield* run(2)]
    assert.deepStrictEqual(first, again)
    assert.notDeepEqual(first, other)
  })
)
