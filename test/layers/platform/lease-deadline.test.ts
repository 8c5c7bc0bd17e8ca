import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { instantOf, makeLeaseDeadline, overdueStatus } from "../../../src/layers/platform/lease-deadline.ts"

describe("the report of a holder", () => {
  const overdue = {
    state: "Overdue",
    ready: false,
    lastError: "the lease has expired by our clock and was not renewed"
  }

  it("is its own while its lease lasts, and Overdue from the moment it does not", () => {
    assert.deepStrictEqual(overdueStatus({ remainingMs: () => 1 }), {})
    assert.deepStrictEqual(overdueStatus({ remainingMs: () => 0 }), overdue)
    assert.deepStrictEqual(overdueStatus({ remainingMs: () => -1 }), overdue)
  })

  it("is Overdue without a lease", () => {
    assert.deepStrictEqual(overdueStatus(null), overdue)
  })
})

describe("a lease deadline", () => {
  it.effect("has nothing left from the moment it is given up, however long the lease had to run", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const deadline = makeLeaseDeadline(clock, { leaseMs: 10_000, marginMs: 1_000 }, instantOf(clock))
      assert.strictEqual(deadline.remainingMs(), 9_000)
      deadline.giveUp()
      assert.strictEqual(deadline.remainingMs(), 0)
      yield* TestClock.adjust(20_000)
      assert.strictEqual(deadline.remainingMs(), 0)
    })
  )
})
