/** Random hierarchies under random operations with faults in every hook; HOLDFAST_FUZZ_SEED replays one run. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { runFuzz } from "./hierarchy-fuzz.ts"

const replay = process.env["HOLDFAST_FUZZ_SEED"]
const seeds = replay === undefined ? [1, 2, 3] : [Number(replay)]

describe("hierarchy fuzz", () => {
  for (const seed of seeds) {
    it.effect(
      `no orphan, no hang, no lost answer [seed ${seed}]`,
      () =>
        Effect.gen(function* () {
          const result = yield* runFuzz({ seed, components: 300, operations: 4_000 })
          assert.deepStrictEqual(result.violations, [], `replay: HOLDFAST_FUZZ_SEED=${seed}`)
          assert.deepStrictEqual(result.leaked, [])
          assert.isAbove(result.restarts, 100)
        }),
      120_000
    )
  }
})
