/** Memory that runs out on a virtual clock: features are given up in order, and returned in the reverse one (E9, C5). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { resourcesActor } from "../../../src/actors/operators/resources.actor.ts"
import { resourceLimits } from "../../../src/domain/kernel/limits-kept.ts"
import { SHED_ORDER } from "../../../src/domain/platform/resources.ts"
import { type Alert, Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"
import { Database, DatabaseUnavailable } from "../../../src/layers/database/database.port.ts"
import { SignalQueue } from "../../../src/layers/decision/signal-queue.port.ts"
import { IntakeQueue, type IntakeQueueService } from "../../../src/layers/intake/intake-queue.port.ts"
import { type ResourceSample, ResourceStore } from "../../../src/layers/operators/resource-store.port.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { Figures } from "../../../src/layers/platform/figures.port.ts"
import { Instance } from "../../../src/layers/platform/instance.port.ts"
import { Resources } from "../../../src/layers/platform/resources.port.ts"
import { Shedding } from "../../../src/layers/platform/shedding.port.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"
import { heldInstance } from "../../support/instance.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const EVERY_MS = 5_000
const MB = 1_048_576
const few = resourceLimits.overReadings * EVERY_MS
const many = resourceLimits.calmReadings * EVERY_MS

const openWorld = Effect.gen(function* () {
  const availability = makeAvailability()
  const alerts: Array<Alert | string> = []
  const samples: Array<ResourceSample> = []
  const world = { rssMb: 100, diskFreePct: 50, stores: true }
  const nothing = Effect.die("not part of this test")
  const stats = { waiting: 0 } as ReturnType<Database["Service"]["stats"]>
  const services = Layer.mergeAll(
    Figures.layer,
    Shedding.layer,
    SignalQueue.layer,
    Layer.succeed(Instance, heldInstance("node-1", "boot-1")),
    Layer.succeed(
      Config,
      settingsFrom({ resources: { everyMs: EVERY_MS, rssHighMb: 200, rssCriticalMb: 400 } })
    ),
    Layer.succeed(Database, {
      run: () => nothing,
      transact: () => nothing,
      probe: nothing,
      availability,
      stats: () => stats
    }),
    Layer.succeed(IntakeQueue, { oldestMs: () => 0 } as IntakeQueueService),
    Layer.succeed(Resources, {
      memoryBytes: 1_000 * MB,
      read: Effect.sync(() => ({
        rssBytes: world.rssMb * MB,
        heapUsedBytes: 1,
        heapLimitBytes: 100,
        loopMs: 0,
        diskFreePct: world.diskFreePct
      }))
    }),
    Layer.succeed(ResourceStore, {
      add: (all) =>
        Effect.suspend(() => {
          if (!world.stores)
            return Effect.fail(
              new DatabaseUnavailable({
                operation: "resources.add",
                reason: "slow",
                outcome: "not_applied",
                cause: "test"
              })
            )
          samples.push(...all)
          return Effect.void
        })
    }),
    Layer.succeed(Alerts, {
      raise: (alert) => Effect.sync(() => void alerts.push(alert)),
      resolve: (key) => Effect.sync(() => void alerts.push(String(key))),
      resolveAllBut: () => Effect.void,
      draft: Effect.die("nothing is committed with its alert"),
      takePending: () => [],
      putBack: () => undefined,
      counts: () => ({ raised: 0, pending: 0, dropped: 0 })
    })
  )
  const context = yield* Layer.build(services)
  const shedding = yield* Effect.provide(Shedding, context)
  const local = { backoff: { firstMs: 1, factor: 1, maxMs: 1, jitter: "none", resetAfterMs: 1 } } as const
  const tree = yield* startTree(
    supervisor({
      id: "root",
      strategy: "one_for_one",
      children: [worker({ ...local, id: "resources", start: resourcesActor, stopBudgetMs: 1_000 })]
    }),
    { stopDeadlineMs: 1_000 }
  ).pipe(Effect.provide(context))
  const node = () => tree.snapshot().children[0] ?? assert.fail("no such component")
  const raised = () => alerts.filter((alert) => typeof alert !== "string")
  return { alerts, availability, node, raised, samples, shedding, tree, world }
})

describe("[E9, C5] resources", () => {
  it.effect("are read quietly while all is well, and a burst of one reading changes nothing", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { node, raised, shedding, tree, world } = yield* openWorld
        yield* TestClock.adjust(10 * EVERY_MS)
        const before = tree.inspection.total
        yield* TestClock.adjust(100 * EVERY_MS)
        assert.strictEqual(tree.inspection.total, before, "a healthy process writes nothing into its journal")
        world.rssMb = 250
        yield* TestClock.adjust(2 * EVERY_MS)
        world.rssMb = 100
        yield* TestClock.adjust(10 * EVERY_MS)
        assert.deepStrictEqual([node().state, shedding.shed(), raised()], ["Normal", [], []])
      })
    )
  )

  it.effect(
    "over the first limit: one feature after another, in order; back one after another, in reverse",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { alerts, node, raised, shedding, world } = yield* openWorld
          world.rssMb = 250
          for (let count = 1; count <= SHED_ORDER.length; count += 1) {
            yield* TestClock.adjust(few)
            assert.deepStrictEqual(shedding.shed(), SHED_ORDER.slice(0, count))
            assert.strictEqual(node().state, "Shedding")
          }
          assert.isTrue(node().ready)
          assert.include(node().tags, "degraded")
          assert.isFalse(shedding.may("console"))
          assert.strictEqual(shedding.refused().get("console"), 1)
          yield* TestClock.adjust(10 * few)
          assert.lengthOf(shedding.shed(), SHED_ORDER.length, "there is nothing else to give up")
          assert.lengthOf(raised(), 1, "a condition that lasts is one alert")
          assert.deepInclude(raised()[0], {
            kind: "resources.over_limit",
            severity: "MEDIUM",
            standing: true
          })
          // On the limit, and a little below it: no recovery.
          world.rssMb = 185
          yield* TestClock.adjust(4 * many)
          assert.lengthOf(shedding.shed(), SHED_ORDER.length)
          world.rssMb = 150
          for (let count = SHED_ORDER.length - 1; count >= 0; count -= 1) {
            yield* TestClock.adjust(many)
            assert.deepStrictEqual(shedding.shed(), SHED_ORDER.slice(0, count))
          }
          assert.strictEqual(node().state, "Normal")
          assert.isTrue(shedding.may("console"))
          assert.strictEqual(alerts.at(-1), "resources.over_limit:rss:node-1")
        })
      )
  )

  it.effect("critical: everything that can be given up is, at once; it returns through Shedding", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { node, raised, shedding, world } = yield* openWorld
        world.rssMb = 500
        yield* TestClock.adjust(few)
        assert.strictEqual(node().state, "Critical")
        assert.deepStrictEqual(shedding.shed(), SHED_ORDER)
        assert.deepInclude(raised().at(-1), { severity: "HIGH" })
        world.rssMb = 250
        yield* TestClock.adjust(many)
        assert.strictEqual(node().state, "Shedding")
        assert.deepStrictEqual(shedding.shed(), SHED_ORDER)
        world.rssMb = 100
        yield* TestClock.adjust(SHED_ORDER.length * many)
        assert.strictEqual(node().state, "Normal")
      })
    )
  )

  it.effect("have a history by the minute with the worst of it, which an absent database does not lose", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, node, samples, world } = yield* openWorld
        world.rssMb = 190
        yield* TestClock.adjust(EVERY_MS)
        world.rssMb = 100
        yield* TestClock.adjust(resourceLimits.sampleMs)
        assert.deepInclude(node().detail, { samples_waiting: 1 })
        availability.mark("available")
        world.stores = false
        yield* TestClock.adjust(resourceLimits.sampleMs)
        world.stores = true
        yield* TestClock.adjust(resourceLimits.sampleMs)
        assert.deepStrictEqual(
          samples.map(({ rssBytes }) => rssBytes / MB),
          [190, 100, 100]
        )
        assert.deepInclude(samples[0], { node: "node-1", state: "Normal", shed: [] })
        availability.mark("unavailable")
        yield* TestClock.adjust((resourceLimits.samplesWaitingMax + 5) * resourceLimits.sampleMs)
        assert.deepInclude(node().detail, {
          samples_waiting: resourceLimits.samplesWaitingMax,
          samples_lost: 5
        })
      })
    )
  )
})
