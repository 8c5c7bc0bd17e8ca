/** Sampling the queue: its age is visible when the pipeline does not run. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { queueWatch } from "../../../src/actors/operators/queue-watch.ts"
import { claimLimits } from "../../../src/domain/kernel/limits-signals.ts"
import { Database, DatabaseUnavailable } from "../../../src/layers/database/database.port.ts"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"
import { SignalQueue } from "../../../src/layers/decision/signal-queue.port.ts"
import { type Backlog, SignalsStore } from "../../../src/layers/decision/signals-store.port.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"

const away = new DatabaseUnavailable({
  operation: "test",
  reason: "slow",
  outcome: "not_applied",
  cause: "slow"
})

const start = Effect.gen(function* () {
  const availability = makeAvailability()
  const state = {
    looks: 0,
    backlog: Effect.succeed({ open: 1, oldestMs: 2, expired: 3, dead: 4, waiting: true }) as Effect.Effect<
      Backlog,
      DatabaseUnavailable
    >
  }
  const queue = yield* SignalQueue.pipe(Effect.provide(SignalQueue.layer))
  const wake = yield* Wake.pipe(Effect.provide(Wake.layer))
  yield* Effect.forkChild(
    queueWatch.pipe(
      Effect.provide(
        Layer.mergeAll(
          Layer.succeed(SignalQueue, queue),
          Layer.succeed(Wake, wake),
          Layer.mock(Database, { availability, stats: () => assert.fail("nobody asks") }),
          Layer.mock(SignalsStore, {
            releaseOwn: () => Effect.die("nobody asks"),
            claim: () => Effect.die("nobody asks"),
            expire: () => Effect.die("nobody asks"),
            decide: () => Effect.die("nobody asks"),
            recordMetadata: () => Effect.die("nobody asks"),
            fail: () => Effect.die("nobody asks"),
            backlog: Effect.suspend(() => {
              state.looks += 1
              return state.backlog
            })
          })
        )
      )
    ),
    { startImmediately: true }
  )
  return { availability, queue, state, wake }
})

describe("the queue of signals", () => {
  it.effect("is looked at as soon as the database is there, then once a second", () =>
    Effect.gen(function* () {
      const { availability, queue, state } = yield* start
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(state.looks, 0)
      assert.isNull(queue.current())
      availability.mark("available")
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(queue.current(), { open: 1, oldestMs: 2, expired: 3, dead: 4, waiting: true })
      yield* TestClock.adjust(10 * claimLimits.backlogEveryMs)
      assert.strictEqual(state.looks, 11)
    })
  )

  it.effect("is unknown while the database is away, and nobody asks for it", () =>
    Effect.gen(function* () {
      const { availability, queue, state } = yield* start
      availability.mark("available")
      yield* TestClock.adjust(0)
      availability.mark("unavailable")
      yield* TestClock.adjust("1 minute")
      assert.isNull(queue.current())
      assert.strictEqual(state.looks, 1)
    })
  )

  it.effect("is looked at again after a look that failed, also by a bug", () =>
    Effect.gen(function* () {
      const { availability, queue, state } = yield* start
      const works = state.backlog
      for (const trouble of [Effect.fail(away), Effect.die(new Error("a bug"))]) {
        state.backlog = trouble
        availability.mark("available")
        yield* TestClock.adjust(claimLimits.backlogEveryMs)
        assert.isNull(queue.current())
        state.backlog = works
        yield* TestClock.adjust(claimLimits.backlogEveryMs)
        assert.isNotNull(queue.current())
      }
    })
  )

  it.effect("rings for whoever decides while something waits or nobody knows, canaries included", () =>
    Effect.gen(function* () {
      const { availability, state, wake } = yield* start
      let rings = 0
      wake.listen("signals", () => (rings += 1))
      const canaryAlone = { open: 0, oldestMs: 0, expired: 0, dead: 0, waiting: true }
      state.backlog = Effect.succeed(canaryAlone)
      availability.mark("available")
      yield* TestClock.adjust(0)
      assert.strictEqual(rings, 1)
      state.backlog = Effect.succeed({ ...canaryAlone, waiting: false })
      yield* TestClock.adjust(10 * claimLimits.backlogEveryMs)
      assert.strictEqual(rings, 1)
      state.backlog = Effect.fail(away)
      yield* TestClock.adjust(claimLimits.backlogEveryMs)
      assert.strictEqual(rings, 2)
    })
  )
})
