import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Metric } from "effect"
import { TestClock } from "effect/testing"
import { intakeLimits } from "../../../src/domain/kernel/limits-signals.ts"
import { Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { DatabaseFault, DatabaseUnavailable } from "../../../src/layers/database/database.port.ts"
import { IntakeQueueBatch } from "../../../src/layers/intake/intake-queue.batch.ts"
import { IntakeQueue, type PostResult } from "../../../src/layers/intake/intake-queue.port.ts"
import { makeMemoryIntakeStore } from "../../support/intake-store.memory.ts"
import {
  type IntakeRow,
  IntakeStore,
  type IntakeStoreService
} from "../../../src/layers/signals/intake-store.port.ts"
import { Spool } from "../../../src/layers/intake/spool.port.ts"
import { spoolClosed } from "../../../src/layers/intake/spool.closed.ts"
import { Metrics } from "../../../src/layers/platform/metrics.port.ts"
import { rungOf } from "../../support/bells.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"

const row = (n: number, body = "{}"): IntakeRow => ({
  id: `id-${n}`,
  kind: "signal",
  source: "default",
  identity: `event:${n}`,
  identityKind: "explicit",
  neighbourIdentities: [],
  bodyHash: `hash-${n}`,
  body,
  mapped: null,
  symbol: "SPY",
  action: null,
  direction: "LONG",
  timeframe: "5m",
  firedAtMs: 0,
  expiresFromMs: 0,
  quantity: null,
  price: null,
  strategy: null,
  strike: null,
  expiration: null,
  intent: null,
  positionSize: null,
  marketPosition: null,
  prevMarketPosition: null,
  marketPositionSize: null,
  orderType: null,
  limitPrice: null,
  stopPrice: null,
  timeInForce: null,
  requestId: `request-${n}`,
  experimentId: "default",
  variant: "A",
  answer: {
    status: "ACCEPTED",
    signal_id: `id-${n}`,
    experiment_id: "default",
    variant: "A",
    request_id: `request-${n}`
  },
  status: "received",
  reason: null
})

const silentAlerts = Layer.succeed(Alerts, {
  raise: () => Effect.void,
  draft: Effect.die("nothing is committed with its alert"),
  takePending: () => [],
  resolve: () => Effect.void,
  resolveAllBut: () => Effect.void,
  putBack: () => undefined,
  counts: () => ({ raised: 0, pending: 0, dropped: 0 })
})

/** Runs `test` with a queue over `store` whose worker runs; `batches` sees the size of every call of the store. */
const withQueue = <A>(
  store: IntakeStoreService["store"],
  test: (world: {
    readonly queue: IntakeQueue["Service"]
    readonly batches: ReadonlyArray<number>
    readonly results: Map<string, PostResult>
    readonly submit: (n: number, body?: string) => boolean
    /** Samples of the counter of refused posts, by reason. */
    readonly refusals: Effect.Effect<ReadonlyArray<string>>
    readonly worker: Fiber.Fiber<never>
  }) => Effect.Effect<A, never, Wake>,
  {
    available = () => true,
    spool = spoolClosed
  }: { available?: () => boolean; spool?: typeof spoolClosed } = {}
) =>
  Effect.gen(function* () {
    const batches: Array<number> = []
    const watched: IntakeStoreService = {
      available,
      store: (rows) =>
        Effect.andThen(
          Effect.sync(() => batches.push(rows.length)),
          store(rows)
        )
    }
    const layer = IntakeQueueBatch.pipe(
      Layer.provide(Layer.mergeAll(Layer.succeed(IntakeStore, watched), silentAlerts, Metrics.layer)),
      Layer.provide(spool),
      Layer.provideMerge(Wake.layer)
    )
    return yield* Effect.gen(function* () {
      const queue = yield* IntakeQueue
      const worker = yield* Effect.forkChild(queue.worker, { startImmediately: true })
      const results = new Map<string, PostResult>()
      const submit = (n: number, body?: string): boolean =>
        queue.submit(row(n, body), (result) => results.set(`id-${n}`, result))
      const refusals = Effect.map(Metric.snapshot, (all) =>
        all.flatMap((one) =>
          one.id === "holdfast_intake_refused_total" && one.type === "Counter"
            ? [`${one.attributes?.["why"] ?? ""}: ${one.state.count}`]
            : []
        )
      )
      const answer = yield* test({ queue, batches, results, submit, refusals, worker })
      yield* Fiber.interrupt(worker)
      return answer
    }).pipe(Effect.provide(layer))
  }).pipe(
    // A registry of its own, so that a count is this test's.
    Effect.provide(Layer.sync(Metric.MetricRegistry, () => new Map()))
  )

const tagsOf = (results: Map<string, PostResult>): ReadonlyArray<string> =>
  [...results.values()].map(({ _tag }) => _tag)
const unavailable = (reason: "connection" | "contention") =>
  Effect.fail(new DatabaseUnavailable({ operation: "t", reason, outcome: "not_applied", cause: "test" }))

describe("the intake queue", () => {
  it.effect("stores a lone post at once, without a timer", () =>
    withQueue(makeMemoryIntakeStore().store, ({ batches, results, submit }) =>
      Effect.gen(function* () {
        assert.isTrue(submit(1))
        yield* Effect.yieldNow
        yield* TestClock.adjust(0)
        assert.deepStrictEqual(tagsOf(results), ["Stored"])
        assert.deepStrictEqual(batches, [1])
      })
    )
  )

  it.effect(
    "rings for the pipeline after the commit of a new signal, and not for one that was seen before",
    () =>
      withQueue(makeMemoryIntakeStore().store, ({ results, submit }) =>
        Effect.gen(function* () {
          submit(1)
          yield* TestClock.adjust(0)
          assert.deepStrictEqual([tagsOf(results), yield* rungOf(["signals"])], [["Stored"], ["signals"]])
          submit(1)
          yield* TestClock.adjust(0)
          assert.deepStrictEqual([tagsOf(results), yield* rungOf(["signals"])], [["Duplicate"], []])
        })
      )
  )

  it.effect(`takes what waited behind a commit as one batch, ${intakeLimits.batchRowsMax} rows at most`, () =>
    withQueue(
      (rows) => Effect.andThen(Effect.sleep(10), makeMemoryIntakeStore().store(rows)),
      ({ batches, results, submit }) =>
        Effect.gen(function* () {
          submit(0)
          yield* TestClock.adjust(1)
          for (let n = 1; n <= intakeLimits.batchRowsMax + 44; n += 1) submit(n)
          yield* TestClock.adjust(100)
          assert.deepStrictEqual(batches, [1, intakeLimits.batchRowsMax, 44])
          assert.strictEqual(results.size, intakeLimits.batchRowsMax + 45)
        })
    )
  )

  it.effect("answers late at the deadline while the store hangs, and goes on when it wakes", () =>
    Effect.suspend(() => {
      const memory = makeMemoryIntakeStore()
      let calls = 0
      const store: IntakeStoreService["store"] = (rows) =>
        Effect.andThen((calls += 1) === 1 ? Effect.sleep(3_000) : Effect.void, memory.store(rows))
      return withQueue(store, ({ queue, results, submit }) =>
        Effect.gen(function* () {
          submit(1)
          yield* TestClock.adjust(500)
          submit(2)
          yield* TestClock.adjust(intakeLimits.commitMsMax - 501)
          assert.strictEqual(results.size, 0)
          assert.isFalse(queue.stalled())
          assert.strictEqual(Math.round(queue.oldestMs()), intakeLimits.commitMsMax - 1)
          yield* TestClock.adjust(1)
          assert.deepStrictEqual([...results.keys()], ["id-1"])
          yield* TestClock.adjust(500)
          assert.deepStrictEqual(tagsOf(results), ["Late", "Late"])
          assert.strictEqual(queue.depth(), 0)
          assert.isTrue(queue.stalled())
          assert.isFalse(submit(9))
          yield* TestClock.adjust(1_000)
          assert.isFalse(queue.stalled())
          submit(3)
          yield* TestClock.adjust(10)
          assert.strictEqual(results.get("id-3")?._tag, "Stored")
          // What was given to the store is stored late; what was answered before its turn is not stored at all.
          assert.deepStrictEqual(
            memory.rows().map(({ id }) => id),
            ["id-1", "id-3"]
          )
        })
      )
    })
  )

  it.effect("refuses what is beyond its bound, and takes again when there is room", () =>
    withQueue(
      (rows) => Effect.andThen(Effect.sleep(10), makeMemoryIntakeStore().store(rows)),
      ({ queue, submit }) =>
        Effect.gen(function* () {
          let taken = 0
          while (submit(taken)) taken += 1
          assert.strictEqual(taken, intakeLimits.waitingPostsMax)
          assert.strictEqual(queue.depth(), intakeLimits.waitingPostsMax)
          yield* TestClock.adjust(20)
          assert.isTrue(submit(taken))
        })
    )
  )

  it.effect("refuses bodies beyond its bound of bytes, until the store is done with others", () =>
    withQueue(
      (rows) => Effect.andThen(Effect.sleep(10), makeMemoryIntakeStore().store(rows)),
      ({ queue, refusals, submit }) =>
        Effect.gen(function* () {
          const large = "x".repeat(intakeLimits.bodyBytesMax)
          const fitting = intakeLimits.waitingBytesMax / intakeLimits.bodyBytesMax
          submit(0, large)
          yield* TestClock.adjust(5)
          let taken = 1
          while (taken < 2 * fitting && submit(taken, large)) taken += 1
          // The one the store has now is held as well.
          assert.strictEqual(taken, fitting)
          assert.strictEqual(queue.bytes(), intakeLimits.waitingBytesMax)
          assert.isFalse(submit(taken), "two bytes are too many as well")
          assert.strictEqual(queue.accepts(), "refuse")
          assert.deepStrictEqual(yield* refusals, ["bytes: 2"])
          yield* TestClock.adjust(5)
          assert.isTrue(submit(taken, large))
          yield* TestClock.adjust(100)
          assert.strictEqual(queue.bytes(), 0)
          assert.strictEqual(queue.accepts(), "store")
        })
    )
  )

  it.effect("holds no more bytes than its bound while the store hangs, and none of them afterwards", () =>
    Effect.suspend(() => {
      const memory = makeMemoryIntakeStore()
      let hung = true
      const store: IntakeStoreService["store"] = (rows) =>
        Effect.suspend(() => (hung ? Effect.sleep(5_000) : Effect.void)).pipe(
          Effect.andThen(memory.store(rows))
        )
      return withQueue(store, ({ queue, submit }) =>
        Effect.gen(function* () {
          const large = "é".repeat(intakeLimits.bodyBytesMax / 2)
          for (let n = 0; n < 500; n += 1) {
            submit(n, large)
            yield* TestClock.adjust(2)
          }
          assert.isAtMost(queue.bytes(), intakeLimits.waitingBytesMax)
          assert.isAbove(queue.bytes(), intakeLimits.waitingBytesMax / 2)
          // All are answered `Late` and still held: the store has the first, the others wait behind it.
          yield* TestClock.adjust(intakeLimits.commitMsMax)
          assert.isAbove(queue.bytes(), intakeLimits.waitingBytesMax / 2)
          hung = false
          yield* TestClock.adjust(10_000)
          assert.strictEqual(queue.bytes(), 0)
        })
      )
    })
  )

  it.effect("never holds more than its bound, although late posts are answered", () =>
    withQueue(
      () => Effect.never,
      ({ submit }) =>
        Effect.gen(function* () {
          let taken = 0
          for (let round = 0; round < 3; round += 1) {
            while (submit(taken)) taken += 1
            yield* TestClock.adjust(intakeLimits.commitMsMax)
          }
          assert.isAtMost(taken, intakeLimits.waitingPostsMax + intakeLimits.batchRowsMax)
        })
    )
  )

  it.effect("answers unavailable without the database, and tries contention once more", () =>
    Effect.suspend(() => {
      const memory = makeMemoryIntakeStore()
      const failures = [unavailable("connection"), unavailable("contention")]
      return withQueue(
        (rows) => Effect.suspend(() => failures.shift() ?? memory.store(rows)),
        ({ results, submit }) =>
          Effect.gen(function* () {
            submit(1)
            yield* TestClock.adjust(1)
            submit(2)
            yield* TestClock.adjust(1)
            assert.deepStrictEqual(tagsOf(results), ["Unavailable", "Stored"])
          })
      )
    })
  )

  const refused = new DatabaseFault({
    operation: "t",
    cause: "bad",
    sqlState: "22P05",
    uniqueViolation: undefined
  })
  const failures: ReadonlyArray<readonly [string, Effect.Effect<never, DatabaseFault>]> = [
    ["refuses", Effect.fail(refused)],
    ["dies of", Effect.die(new Error("a bug"))]
  ]
  for (const [what, failure] of failures) {
    it.effect(`stores everything but the one row the database ${what}`, () =>
      Effect.suspend(() => {
        const memory = makeMemoryIntakeStore()
        const store: IntakeStoreService["store"] = (rows) =>
          rows.some(({ id }) => id === "id-3") ? Effect.andThen(Effect.sleep(1), failure) : memory.store(rows)
        return withQueue(store, ({ results, submit }) =>
          Effect.gen(function* () {
            for (let n = 0; n < 6; n += 1) submit(n)
            yield* TestClock.adjust(100)
            assert.strictEqual(results.get("id-3")?._tag, "Broken")
            assert.lengthOf(
              tagsOf(results).filter((tag) => tag === "Stored"),
              5
            )
            submit(6)
            yield* TestClock.adjust(10)
            assert.strictEqual(results.get("id-6")?._tag, "Stored")
          })
        )
      })
    )
  }

  it.effect("tells everybody who waits when its worker ends, and takes nothing without it", () =>
    withQueue(
      () => Effect.never,
      ({ queue, results, submit, worker }) =>
        Effect.gen(function* () {
          submit(1)
          yield* TestClock.adjust(1)
          submit(2)
          yield* Fiber.interrupt(worker)
          assert.deepStrictEqual(tagsOf(results), ["Late", "Late"])
          assert.isFalse(queue.alive())
          assert.isFalse(submit(3))
        })
    )
  )

  it.effect("is not stalled by a commit whose worker ended: the next worker takes posts at once", () =>
    Effect.suspend(() => {
      const memory = makeMemoryIntakeStore()
      let hangs = true
      return withQueue(
        (rows) => Effect.suspend(() => (hangs ? Effect.never : memory.store(rows))),
        ({ queue, results, submit, worker }) =>
          Effect.gen(function* () {
            submit(1)
            yield* TestClock.adjust(intakeLimits.commitMsMax)
            assert.isTrue(queue.stalled())
            yield* Fiber.interrupt(worker)
            hangs = false
            yield* Effect.forkChild(queue.worker, { startImmediately: true })
            assert.isFalse(queue.stalled())
            assert.isTrue(submit(2))
            yield* TestClock.adjust(1)
            assert.strictEqual(results.get("id-2")?._tag, "Stored")
          })
      )
    })
  )
})

/** A spool that is empty, and takes or does not. */
const emptySpool = (takes: boolean, taken: Array<string> = []) =>
  Layer.mock(Spool, {
    takes: () => takes,
    takesAll: () => false,
    isEmpty: () => true,
    listen: () => () => undefined,
    handOver: () => undefined,
    look: () => ({
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
    }),
    append: ({ id }, done) => {
      if (!takes) return false
      taken.push(id)
      done({ _tag: "Spooled" })
      return true
    }
  })

describe("the intake queue beside a spool", () => {
  it.effect("spools a post that hangs in an INSERT before a younger one that finds the database away", () =>
    Effect.suspend(() => {
      const taken: Array<string> = []
      let isThere = true
      return withQueue(
        () => Effect.andThen(Effect.sleep(1_000), unavailable("connection")),
        ({ results, submit }) =>
          Effect.gen(function* () {
            submit(1)
            submit(2)
            yield* TestClock.adjust(10)
            submit(3)
            isThere = false
            submit(4)
            assert.deepStrictEqual(taken, ["id-1", "id-2", "id-3", "id-4"])
            yield* TestClock.adjust(5_000)
            assert.lengthOf(taken, 4, "each once")
            assert.deepStrictEqual(tagsOf(results), ["Spooled", "Spooled", "Spooled", "Spooled"])
          }),
        { available: () => isThere, spool: emptySpool(true, taken) }
      )
    })
  )

  it.effect("spools a batch that the database did not take, and what waited behind it, in their order", () =>
    Effect.suspend(() => {
      const taken: Array<string> = []
      return withQueue(
        () => Effect.andThen(Effect.sleep(10), unavailable("connection")),
        ({ batches, results, submit }) =>
          Effect.gen(function* () {
            submit(1)
            yield* TestClock.adjust(1)
            submit(2)
            submit(3)
            yield* TestClock.adjust(20)
            assert.deepStrictEqual(batches, [1], "the others are not given to a database that is away")
            assert.deepStrictEqual(taken, ["id-1", "id-2", "id-3"])
            assert.deepStrictEqual(tagsOf(results), ["Spooled", "Spooled", "Spooled"])
          }),
        { spool: emptySpool(true, taken) }
      )
    })
  )

  it.effect("says of itself what a post would get: a spool that is open and takes nothing is a refusal", () =>
    withQueue(
      makeMemoryIntakeStore().store,
      ({ queue, submit }) =>
        Effect.sync(() => {
          assert.isFalse(submit(1))
          assert.strictEqual(queue.accepts(), "refuse")
        }),
      { available: () => false, spool: emptySpool(false) }
    )
  )

  it.effect("knows of a commit that is overdue although the clock of the machine is set back", () =>
    withQueue(
      () => Effect.never,
      ({ queue, submit }) =>
        Effect.gen(function* () {
          yield* TestClock.adjust(60_000)
          submit(1)
          yield* TestClock.adjust(intakeLimits.commitMsMax)
          assert.isTrue(queue.stalled())
          yield* TestClock.setTime(1_000)
          assert.isTrue(queue.stalled())
        })
    )
  )
})
