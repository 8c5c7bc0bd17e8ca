/** The pipeline after an outage or a defect: whose patience starts over, whose claim is released. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { claimLimits } from "../../../src/domain/kernel/limits-signals.ts"
import { claimedSignal as signal, nowMs, startPipeline as start } from "../../support/pipeline.ts"

describe("a signal that was put off", () => {
  it.effect("is denied when its account is not ready in time, counted from when it came", () =>
    Effect.gen(function* () {
      const { availability, state } = yield* start
      state.reconciled = false
      state.databaseMs = nowMs
      state.rows.push(signal("a"))
      availability.mark("available")
      yield* TestClock.adjust(0)
      state.databaseMs = nowMs + claimLimits.deferMsMax - 1
      yield* TestClock.adjust(claimLimits.deferMs)
      assert.lengthOf(state.decided, 0)
      state.databaseMs = nowMs + claimLimits.deferMsMax
      yield* TestClock.adjust(claimLimits.deferMs)
      assert.deepStrictEqual(
        state.decided.map(({ decision }) => [decision.outcome, decision.reason]),
        [["denied", "account_not_reconciled"]]
      )
    })
  )

  it.effect("loses none of its patience to an outage: it starts at the recovery", () =>
    Effect.gen(function* () {
      const { availability, state } = yield* start
      state.reconciled = false
      state.rows.push(signal("a"))
      availability.mark("available")
      yield* TestClock.adjust(0)
      availability.mark("unavailable")
      yield* TestClock.adjust("2 minutes")
      const backMs = nowMs + 120_000
      state.databaseMs = backMs
      availability.mark("available")
      yield* TestClock.adjust(0)
      assert.lengthOf(state.decided, 0, "just back")
      state.databaseMs = backMs + claimLimits.deferMsMax - 1
      yield* TestClock.adjust(claimLimits.deferMs)
      assert.lengthOf(state.decided, 0, "the executors still reconcile")
      state.databaseMs = backMs + claimLimits.deferMsMax
      yield* TestClock.adjust(claimLimits.deferMs)
      assert.lengthOf(state.decided, 1)
    })
  )

  it.effect("by a process that has just started has its whole patience, however long it lay there", () =>
    Effect.gen(function* () {
      const { availability, state } = yield* start
      state.reconciled = false
      state.databaseMs = nowMs + 4 * 60_000
      state.rows.push(signal("of a former life"))
      availability.mark("available")
      yield* TestClock.adjust(0)
      assert.lengthOf(state.decided, 0)
    })
  )
})

describe("claims that an outage interrupted", () => {
  const started = Effect.gen(function* () {
    const world = yield* start
    world.state.rows.push(signal("a"))
    return world
  })
  const outage = (availability: { readonly mark: (state: "available" | "unavailable") => void }) =>
    Effect.gen(function* () {
      availability.mark("unavailable")
      yield* TestClock.adjust(0)
      availability.mark("available")
      yield* TestClock.adjust(0)
    })

  it.effect("give their attempt back when the decision failed, and when it was cut off", () =>
    Effect.gen(function* () {
      const { availability, state } = yield* started
      state.decideFor = Effect.suspend(() => {
        state.available = false
        state.decideFor = Effect.void
        return state.fails
      })
      availability.mark("available")
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(state.released, ["crash"], "what a former incarnation had may have ended it")
      state.available = true
      yield* TestClock.adjust(claimLimits.retryMs)
      assert.deepStrictEqual(state.released, ["crash", "outage"])
      state.rows.push(signal("b"))
      state.decideFor = Effect.suspend(() => {
        state.decideFor = Effect.void
        return Effect.never
      })
      yield* TestClock.adjust(claimLimits.pollMs)
      yield* outage(availability)
      assert.deepStrictEqual(state.released, ["crash", "outage", "outage"])
    })
  )

  it.effect("give it back when the claim was cut off, whose token nobody has", () =>
    Effect.gen(function* () {
      const { availability, state } = yield* started
      state.claimFor = Effect.suspend(() => {
        state.claimFor = Effect.void
        return Effect.never
      })
      availability.mark("available")
      yield* TestClock.adjust(0)
      yield* outage(availability)
      assert.deepStrictEqual(state.released, ["crash", "outage"])
    })
  )

  it.effect("keep it when the decision did not finish in time", () =>
    Effect.gen(function* () {
      const { availability, state } = yield* started
      state.decideFor = Effect.suspend(() => {
        state.decideFor = Effect.void
        return Effect.never
      })
      availability.mark("available")
      yield* TestClock.adjust(claimLimits.leaseMs)
      yield* TestClock.adjust(claimLimits.retryMs)
      assert.deepStrictEqual(state.released, ["crash", "crash"])
    })
  )
})

describe("a defect in a fiber of the pipeline", () => {
  for (const [where, slot] of [
    ["releasing claims", "releaseFor"],
    ["ending what is too old", "expireFor"],
    ["claiming", "claimFor"],
    ["deciding", "decideFor"]
  ] as const) {
    it.effect(`is a restart and not a pipeline that stands still [${where}]`, () =>
      Effect.gen(function* () {
        const { availability, pipeline, state } = yield* start
        state[slot] = Effect.suspend(() => {
          state[slot] = Effect.void
          return Effect.die(new Error("a bug"))
        })
        state.rows.push(signal("a"))
        availability.mark("available")
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(pipeline().restarts, 1)
        assert.strictEqual(pipeline().state, "Idle")
        state.rows.push(signal("b"))
        yield* TestClock.adjust(claimLimits.pollMs)
        assert.include(
          state.decided.map(({ id }) => id),
          "b"
        )
      })
    )
  }
})
