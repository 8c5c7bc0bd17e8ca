/** What would go unnoticed unless somebody asked: a database that stays away. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { troubleWatch } from "../../../src/actors/operators/trouble-watch.ts"
import { databaseActorLimits } from "../../../src/domain/kernel/limits.ts"
import { type Alert, Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { Database } from "../../../src/layers/database/database.port.ts"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"
import { HealthSource } from "../../../src/layers/health/health-source.port.ts"
import { RefusedPosts } from "../../../src/layers/intake/refused-posts.port.ts"
import { IntakeQueue } from "../../../src/layers/intake/intake-queue.port.ts"
import { Spool, type SpoolLook } from "../../../src/layers/intake/spool.port.ts"
import { Lifecycle } from "../../../src/layers/platform/lifecycle.port.ts"

const closedLook: SpoolLook = {
  phase: "open",
  fault: null,
  posts: 0,
  bytes: 0,
  segments: 0,
  oldestAtMs: null,
  sinceEmpty: 0,
  spooled: 0,
  refused: 0,
  drained: 0,
  damaged: 0
}

const start = Effect.gen(function* () {
  const availability = makeAvailability()
  const alerts: Array<Alert> = []
  const state = {
    cause: "connect ECONNREFUSED",
    attempt: 0,
    stalled: false,
    stopping: false,
    refused: 0,
    spool: { spooled: 0, sinceEmpty: 0 }
  }
  yield* Effect.forkChild(
    troubleWatch.pipe(
      Effect.provide(
        Layer.mergeAll(
          Layer.succeed(Alerts, {
            raise: (alert) => Effect.sync(() => void alerts.push(alert)),
            resolve: () => Effect.void,
            resolveAllBut: () => Effect.void,
            draft: Effect.die("nothing is committed with its alert"),
            takePending: () => [],
            putBack: () => undefined,
            counts: () => assert.fail("nobody asks")
          }),
          Layer.mock(Database, { availability, stats: () => assert.fail("nobody asks") }),
          Layer.mock(HealthSource, {
            actors: () => [],
            timers: () => [],
            handEvents: () => [],
            send: () => Effect.void,
            health: () =>
              ({
                component: (path: string) =>
                  path === "root/database"
                    ? { last_error: state.cause, detail: { attempt: state.attempt } }
                    : assert.fail(`nobody asks for ${path}`)
              }) as never
          }),
          Layer.succeed(IntakeQueue, {
            submit: () => false,
            worker: Effect.never,
            alive: () => true,
            stalled: () => state.stalled,
            accepts: () => "store",
            bytes: () => 0,
            depth: () => 0,
            oldestMs: () => 0,
            totals: () => ({ batches: 0, rows: 0 })
          }),
          Layer.mock(Spool, {
            append: () => false,
            takes: () => false,
            takesAll: () => false,
            isEmpty: () => true,
            listen: () => () => undefined,
            handOver: () => undefined,
            look: () => ({ ...closedLook, ...state.spool })
          }),
          Layer.mock(Lifecycle, {
            stopping: () => state.stopping,
            stoppingSince: () => null,
            announceStop: () => undefined
          }),
          Layer.succeed(RefusedPosts, {
            note: () => undefined,
            sumUp: () => Effect.void,
            unavailable: () => ({ total: state.refused, inRow: 0 })
          })
        )
      )
    ),
    { startImmediately: true }
  )
  return { availability, alerts, state }
})
const said = (alerts: ReadonlyArray<Alert>) =>
  alerts.map(({ kind, message, severity }) => [severity, kind, message])
const waitMs = databaseActorLimits.awayMsMax + 1_000

describe("a database that is away", () => {
  it.effect("is a HIGH alert while it lasts and again when it is over, in one row", () =>
    Effect.gen(function* () {
      const { alerts, availability, state } = yield* start
      availability.mark("available")
      yield* TestClock.adjust(1_000)
      availability.mark("unavailable")
      yield* TestClock.adjust(waitMs)
      state.refused = 12
      state.spool = { spooled: 40, sinceEmpty: 40 }
      yield* TestClock.adjust("1 minute")
      availability.mark("available")
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(said(alerts), [
        ["HIGH", "database.away", "the database has been away for more than 5 s: connect ECONNREFUSED"],
        [
          "HIGH",
          "database.away",
          "the database was away for 66 s: connect ECONNREFUSED; 40 posts were spooled and 12 posts were refused meanwhile"
        ]
      ])
      assert.strictEqual(alerts[0]?.dedupKey, alerts[1]?.dedupKey)
      availability.mark("unavailable")
      yield* TestClock.adjust(waitMs)
      assert.lengthOf(alerts, 3)
      assert.notStrictEqual(alerts[2]?.dedupKey, alerts[0]?.dedupKey)
    })
  )

  it.effect("for a moment is none, frozen is the same as gone", () =>
    Effect.gen(function* () {
      const { alerts, availability, state } = yield* start
      availability.mark("available")
      yield* TestClock.adjust(1_000)
      state.stalled = true
      yield* TestClock.adjust(databaseActorLimits.awayMsMax - 1_000)
      state.stalled = false
      yield* TestClock.adjust(10_000)
      assert.deepStrictEqual(alerts, [])
      state.stalled = true
      yield* TestClock.adjust(waitMs)
      assert.lengthOf(alerts, 1)
    })
  )

  it.effect("is told from the first failed attempt of a start, and not while one only takes long", () =>
    Effect.gen(function* () {
      const { alerts, state } = yield* start
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(alerts, [])
      state.attempt = 1
      yield* TestClock.adjust(waitMs)
      assert.lengthOf(alerts, 1)
    })
  )

  it.effect("because the process stops is none", () =>
    Effect.gen(function* () {
      const { alerts, availability, state } = yield* start
      availability.mark("available")
      yield* TestClock.adjust(1_000)
      state.stopping = true
      availability.mark("unavailable")
      yield* TestClock.adjust(waitMs)
      assert.deepStrictEqual(alerts, [])
    })
  )
})
