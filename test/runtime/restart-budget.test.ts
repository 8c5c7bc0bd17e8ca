/** The sliding window of restarts, against the definition counted by hand. */
import { assert, it } from "@effect/vitest"
import { Schema } from "effect"
import { RestartWindow } from "../../src/runtime/restart-budget.ts"

const Gap = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 400 }))

it.prop(
  "allows a restart exactly when the window holds at most max, counted by hand [gaps, max]",
  [Schema.Array(Gap), Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 }))],
  ([gaps, max]) => {
    const budget = { max, withinMs: 1_000 }
    const window = new RestartWindow()
    const times: Array<number> = []
    let now = 0
    for (const gap of gaps) {
      now += gap
      times.push(now)
      const inside = times.filter((time) => now - time <= budget.withinMs).length
      assert.strictEqual(window.spend(budget, now), inside <= max)
      assert.strictEqual(window.used(budget, now), inside)
    }
  },
  { arbitrary: { runs: 200, seed: 3 } }
)

it("an unlimited budget keeps no memory, and a cleared window starts over", () => {
  const window = new RestartWindow()
  for (let index = 0; index < 1_000; index++)
    assert.isTrue(window.spend({ max: Number.POSITIVE_INFINITY, withinMs: 1 }, index))
  assert.strictEqual(window.used({ max: 1, withinMs: 10 }, 1_000), 0)
  assert.isTrue(window.spend({ max: 1, withinMs: 10 }, 0))
  assert.isFalse(window.spend({ max: 1, withinMs: 10 }, 1))
  window.clear()
  assert.isTrue(window.spend({ max: 1, withinMs: 10 }, 2))
})
