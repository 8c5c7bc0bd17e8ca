/** The component that stores alerts: what waits is stored in its order, and a store that fails or is cut off loses none. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { alertsActor } from "../../../src/actors/alerts/alerts.actor.ts"
import { alertLimits } from "../../../src/domain/kernel/limits.ts"
import { AlertsStore, type AlertsStoreService } from "../../../src/layers/alerts/alerts-store.port.ts"
import { Alerts, type PendingEntry } from "../../../src/layers/alerts/alerts.port.ts"
import { Outbox } from "../../../src/layers/alerts/outbox.port.ts"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"
import { Database, DatabaseUnavailable } from "../../../src/layers/database/database.port.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { Journal } from "../../../src/layers/platform/journal.port.ts"
import { makeJournal } from "../../../src/layers/platform/journal.ring.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"
import { outboxBell } from "../../../src/layers/platform/bells.ts"
import { testSettings } from "../../integration/execution-world.ts"
import { alertsQueue } from "../../support/alerts-queue.ts"

const boot = "c0000000-0000-4000-8000-000000000000"
const away = new DatabaseUnavailable({
  operation: "alerts.store",
  reason: "server",
  outcome: "not_applied",
  cause: "test"
})

const wordOf = (entry: PendingEntry): string =>
  entry._tag === "Outbreak" ? `${entry.dedupKey} ${entry.occurrences}` : "closing"

const openWorld = Effect.gen(function* () {
  const availability = makeAvailability()
  const journal = makeJournal(boot, 0, 64)
  const tried: Array<ReadonlyArray<string>> = []
  const world: { store: AlertsStoreService["store"]; routed: ReadonlyArray<string> } = {
    store: () => Effect.succeed([]),
    routed: []
  }
  const services = yield* Layer.build(
    Layer.mergeAll(
      alertsQueue.pipe(Layer.provideMerge(Wake.layer)),
      Layer.succeed(Journal, journal),
      Layer.succeed(Config, testSettings()),
      Layer.mock(Outbox, { route: () => Effect.sync(() => world.routed) }),
      Layer.mock(Database, { availability, stats: () => assert.fail("nobody asks") }),
      Layer.succeed(AlertsStore, {
        store: (entries) =>
          Effect.suspend(() => {
            tried.push(entries.map(wordOf))
            return world.store(entries)
          })
      })
    )
  )
  const tree = yield* startTree(
    supervisor({
      id: "root",
      strategy: "one_for_one",
      children: [worker({ id: "alerts", start: alertsActor })]
    }),
    { stopDeadlineMs: 5_000 }
  ).pipe(Effect.provide(services))
  const alerts = yield* Effect.provide(Alerts, services)
  const wake = yield* Effect.provide(Wake, services)
  const raise = (dedupKey: string) =>
    alerts.raise({ severity: "HIGH", kind: "broker.away", dedupKey, message: "away" })
  const state = () => tree.snapshot().children[0]?.state
  return { alerts, availability, journal, raise, state, tried, wake, world }
})

/** Turns for fibers that wake each other. */
const turns = Effect.forEach(Array.from({ length: 10 }), () => TestClock.adjust(1), { discard: true })

describe("the component that stores alerts", () => {
  it.effect("stores what waited for the database, and then what is raised at once", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, journal, raise, tried, world } = yield* openWorld
        world.store = () => Effect.succeed([{ dedupKey: "c", by: "it is over" }])
        yield* raise("a")
        yield* raise("b")
        yield* raise("a")
        yield* TestClock.adjust(60_000)
        assert.deepStrictEqual(tried, [])
        availability.mark("available")
        yield* turns
        assert.deepStrictEqual(tried, [["a 2", "b 1"]])
        yield* raise("d")
        yield* turns
        assert.deepStrictEqual(tried.at(-1), ["d 1"])
        // Whether a closing closed anything only the table knows.
        const events = journal.take(64).map(({ detail, event }) => [event, detail?.["dedup_key"]])
        assert.deepInclude(events, ["alert.resolved", "c"])
      })
    )
  )

  it.effect("stores again what the database did not take, before what was raised meanwhile", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { alerts, availability, raise, state, tried, world } = yield* openWorld
        availability.mark("available")
        yield* turns
        world.store = () => Effect.fail(away)
        yield* raise("a")
        yield* turns
        assert.deepStrictEqual([state(), tried.at(-1)], ["BackingOff", ["a 1"]])
        yield* raise("b")
        yield* raise("a")
        world.store = () => Effect.succeed([])
        yield* TestClock.adjust(alertLimits.retryMs)
        yield* turns
        assert.deepStrictEqual(tried.at(-1)?.toSorted(), ["a 2", "b 1"])
        assert.strictEqual(alerts.counts().pending, 0)
      })
    )
  )

  it.effect("rings for the sinks that got something, and for no other", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, raise, wake, world } = yield* openWorld
        const rung: Array<string> = []
        for (const sink of ["desk", "mail"]) wake.listen(outboxBell(sink), () => void rung.push(sink))
        availability.mark("available")
        yield* turns
        world.routed = ["desk"]
        yield* raise("a")
        yield* turns
        assert.deepStrictEqual(rung, ["desk"])
      })
    )
  )

  it.effect("loses nothing of a store that an outage cuts off", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { alerts, availability, raise, state, tried, world } = yield* openWorld
        availability.mark("available")
        yield* turns
        world.store = () => Effect.never
        yield* raise("a")
        yield* turns
        availability.mark("unavailable")
        yield* turns
        assert.deepStrictEqual([state(), alerts.counts().pending], ["WaitingForDatabase", 1])
        world.store = () => Effect.succeed([])
        availability.mark("available")
        yield* turns
        assert.deepStrictEqual(tried.at(-1), ["a 1"])
        assert.strictEqual(alerts.counts().pending, 0)
      })
    )
  )
})
