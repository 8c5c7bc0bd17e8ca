/** The component of the spool over a disk that does not let it read what is there. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { spoolActor } from "../../../src/actors/intake/spool.actor.ts"
import { spoolLimits } from "../../../src/domain/kernel/limits-kept.ts"
import type { Settings } from "../../../src/domain/kernel/settings.ts"
import { type Alert, Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"
import { Database } from "../../../src/layers/database/database.port.ts"
import { RefusedStore } from "../../../src/layers/intake/refused-store.port.ts"
import { SpoolDisk } from "../../../src/layers/intake/spool-disk.port.ts"
import { SEGMENT_HEADER } from "../../../src/layers/intake/spool.format.ts"
import { recordOf } from "../../../src/layers/intake/spool.files.ts"
import { Spool } from "../../../src/layers/intake/spool.port.ts"
import { spoolSegments } from "../../../src/layers/intake/spool.segments.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { ControlToken } from "../../../src/layers/platform/control-token.port.ts"
import { Figures } from "../../../src/layers/platform/figures.port.ts"
import { Instance } from "../../../src/layers/platform/instance.port.ts"
import { Metrics } from "../../../src/layers/platform/metrics.port.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { IntakeStore } from "../../../src/layers/signals/intake-store.port.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"
import { layerEntropy } from "../../support/entropy.ts"
import { heldInstance } from "../../support/instance.ts"
import { makeMemoryIntakeStore } from "../../support/intake-store.memory.ts"
import { makeMemoryDisk } from "../../support/spool-disk.memory.ts"
import { spoolRow } from "../../support/spool-world.ts"

const openWorld = Effect.gen(function* () {
  const disk = makeMemoryDisk()
  for (const n of [1, 2])
    disk.files.set(`00000000000${n}.spool`, Buffer.concat([SEGMENT_HEADER, recordOf(spoolRow(n), 1_000 + n)]))
  const availability = makeAvailability()
  const database = makeMemoryIntakeStore()
  const alerts: Array<Alert> = []
  /** Files that cannot be read, or renamed. */
  const broken = new Set<string>()
  const spoiled = (operation: string, name: string) =>
    broken.has(name) ? disk.spoil(operation, name) : Effect.void
  const ports = Layer.mergeAll(
    Figures.layer,
    Layer.succeed(SpoolDisk, {
      ...disk,
      read: (name) => Effect.andThen(spoiled("read", name), disk.read(name)),
      rename: (name, to) => Effect.andThen(spoiled("rename", name), disk.rename(name, to))
    }),
    Layer.succeed(IntakeStore, database),
    Layer.succeed(RefusedStore, { open: Effect.succeed(0), store: () => Effect.void }),
    Layer.succeed(Alerts, {
      raise: (alert) => Effect.sync(() => void alerts.push(alert)),
      draft: Effect.die("nothing is committed with its alert"),
      takePending: () => [],
      resolve: () => Effect.void,
      resolveAllBut: () => Effect.void,
      putBack: () => undefined,
      counts: () => ({ raised: 0, pending: 0, dropped: 0 })
    }),
    Layer.mock(Database, { availability, stats: () => assert.fail("nobody asks") }),
    Layer.succeed(Config, {
      spool: { postsMax: 1_000, bytesMax: 1_048_576 },
      sources: {},
      secrets: { hmac: null, webhook: null, admin: null },
      telegram: { token: null },
      alerts: { sinks: {}, heartbeat: null },
      voters: {},
      databaseUrl: null,
      feeds: {},
      brokers: {}
    } as unknown as Settings),
    Layer.mock(ControlToken, { current: () => null, file: null, mask: (text) => text }),
    Layer.succeed(Instance, heldInstance("n", "b")),
    layerEntropy,
    Metrics.layer,
    Wake.layer
  )
  const services = yield* Layer.build(spoolSegments.pipe(Layer.provideMerge(ports)))
  const start = startTree(
    supervisor({
      id: "root",
      strategy: "one_for_one",
      children: [worker({ id: "spool", start: spoolActor, stopBudgetMs: 2_000 })]
    }),
    { stopDeadlineMs: 5_000 }
  ).pipe(
    Effect.provide(services),
    Effect.map((tree) => () => tree.snapshot().children[0] ?? assert.fail("no such component"))
  )
  return {
    alerts,
    availability,
    broken,
    database,
    disk,
    spool: yield* Effect.provide(Spool, services),
    start
  }
})

describe("the component of the spool", () => {
  it.effect(
    "goes on, and leaves the database to new posts, while one of its files can neither be read nor moved",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { alerts, availability, broken, database, spool, start } = yield* openWorld
          broken.add("000000000002.spool")
          const node = yield* start
          yield* TestClock.adjust(1_000)
          assert.strictEqual(node().state, "Failed")
          // What was read before the failure is nothing that could be drained.
          assert.deepInclude(spool.look(), { phase: "opening", posts: 1 })
          availability.mark("available")
          yield* TestClock.adjust(10 * spoolLimits.retryMs)
          assert.strictEqual(node().state, "Failed")
          assert.isTrue(spool.isEmpty())
          assert.isFalse(spool.takes())
          assert.deepStrictEqual(
            alerts.map(({ kind }) => kind).toSorted(),
            ["spool.damaged", "spool.failed"],
            "each is told once"
          )
          broken.clear()
          yield* TestClock.adjust(2 * spoolLimits.retryMs)
          assert.strictEqual(node().state, "Idle")
          assert.deepStrictEqual(
            database.rows().map(({ id }) => id),
            ["id-1", "id-2"]
          )
        })
      )
  )

  it.effect("says whose fault it is that nothing is spooled once it is stopped", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, spool, start } = yield* openWorld
        availability.mark("unavailable")
        yield* Effect.scoped(
          Effect.gen(function* () {
            const node = yield* start
            yield* TestClock.adjust(1_000)
            assert.strictEqual(node().state, "Spooling")
            assert.isTrue(spool.takes())
            assert.isTrue(spool.takesAll())
          })
        )
        assert.isFalse(spool.takes())
        assert.isFalse(spool.takesAll())
        assert.deepInclude(spool.look(), {
          posts: 2,
          fault: { kind: "failed", message: "nobody writes it" }
        })
      })
    )
  )
})
