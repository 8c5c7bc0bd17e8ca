/** Every relation between limits holds; and the module would not load if one did not. */
import { assert, describe, it } from "@effect/vitest"

import { InvariantViolated, invariant } from "../../../src/domain/kernel/invariant.ts"
import * as Execution from "../../../src/domain/kernel/limits-execution.ts"
import * as Feeds from "../../../src/domain/kernel/limits-feeds.ts"
import * as Kept from "../../../src/domain/kernel/limits-kept.ts"
import * as Signals from "../../../src/domain/kernel/limits-signals.ts"
import * as Process from "../../../src/domain/kernel/limits.ts"
import * as Risk from "../../../src/domain/kernel/risk-limits.ts"

const all = { ...Execution, ...Feeds, ...Kept, ...Process, ...Risk, ...Signals }

describe("limits", () => {
  for (const { rule, holds } of Process.limitRelations) {
    it(`hold: ${rule}`, () => {
      assert.isTrue(holds)
    })
  }

  it("are all positive and finite", () => {
    for (const [group, limits] of Object.entries(all)) {
      if (Array.isArray(limits) || typeof limits !== "object") continue
      for (const [name, value] of Object.entries(limits)) {
        // Money among the limits is text and is read by its own tests.
        for (const number of [value].flat().filter((one) => typeof one === "number")) {
          assert.isTrue(Number.isFinite(number) && number > 0, `${group}.${name}`)
        }
      }
    }
  })
})

describe("an invariant", () => {
  it("that holds says nothing and narrows the type", () => {
    const value: string | null = ["x"].at(0) ?? null
    invariant(value !== null, "a value")
    assert.strictEqual(value.length, 1)
  })

  it("that is broken throws with its rule and the values that broke it", () => {
    try {
      invariant(false, "a lease is held", { fence: 3 })
      assert.fail("it did not throw")
    } catch (error) {
      assert.instanceOf(error, InvariantViolated)
      assert.strictEqual(error.message, "invariant violated: a lease is held")
      assert.deepStrictEqual(error.details, { fence: 3 })
    }
  })
})
