/** The component of the journal: what it stores and when, while the database is away, refuses a row, or a stop comes. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { journalActor } from "../../../src/actors/health/journal.actor.ts"
import { recordReports, recordTransitions } from "../../../src/actors/health/journal-record.ts"
import { journalLimits } from "../../../src/domain/kernel/limits-kept.ts"
import { journalFact } from "../../../src/domain/platform/journal.ts"
import { type Alert, Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"
import { Database, DatabaseFault, DatabaseUnavailable } from "../../../src/layers/database/database.port.ts"
import { JournalStore, type JournalStoreService } from "../../../src/layers/health/journal-store.port.ts"
import { Figures } from "../../../src/layers/platform/figures.port.ts"
import { Journal } from "../../../src/layers/platform/journal.port.ts"
import { makeJournal } from "../../../src/layers/platform/journal.ring.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"
import { makeMemoryJournalStore } from "../../support/journal-store.memory.ts"

const nothing = Effect.die("not part of this test")
const capacity = 1_024
const boot = "c0000000-0000-4000-8000-000000000000"
const away = new DatabaseUnavailable({
  operation: "journal.store",
  reason: "server",
  outcome: "not_applied",
  cause: "test"
})
const refused = new DatabaseFault({
  operation: "journal.store",
  cause: "test",
  sqlState: "22021",
  uniqueViolation: undefined
})

const openWorld = Effect.gen(function* () {
  const availability = makeAvailability()
  const journal = makeJournal(boot, 0, capacity)
  const memory = makeMemoryJournalStore()
  const batches: Array<number> = []
  const alerts: Array<Alert> = []
  const world: { store: JournalStoreService["store"] } = { store: memory.store }
  const services = yield* Layer.build(
    Layer.mergeAll(
      Figures.layer,
      Layer.succeed(Journal, journal),
      Layer.succeed(Database, {
        run: () => nothing,
        transact: () => nothing,
        probe: nothing,
        availability,
        stats: () => assert.fail("not part of this test")
      }),
      Layer.succeed(JournalStore, {
        ...memory,
        store: (of, entries) =>
          Effect.suspend(() => {
            batches.push(entries.length)
            return world.store(of, entries)
          })
      }),
      Layer.succeed(Alerts, {
        raise: (alert) => Effect.sync(() => void alerts.push(alert)),
        resolve: () => Effect.void,
        resolveAllBut: () => Effect.void,
        draft: Effect.die("nothing is committed with its alert"),
        takePending: () => [],
        putBack: () => undefined,
        counts: () => ({ raised: 0, pending: 0, dropped: 0 })
      })
    )
  )
  const mask = (text: string): string => text
  const tree = yield* startTree(
    supervisor({
      id: "root",
      strategy: "one_for_one",
      children: [worker({ id: "journal", start: journalActor, stopBudgetMs: 2_000 })]
    }),
    {
      stopDeadlineMs: 5_000,
      observers: [recordReports(journal, mask)],
      transitionObservers: [recordTransitions(journal, mask)]
    }
  ).pipe(Effect.provide(services))
  const record = (count: number, event = "x"): void => {
    for (let index = 0; index < count; index += 1)
      journal.record(journalFact({ type: "alert", at: index, path: "root/x", event }))
  }
  const node = () => tree.snapshot().children[0] ?? assert.fail("no such component")
  const figures = yield* Effect.provide(Figures, services)
  const figure = (name: string) => figures.read(0).find((family) => family.name === name)?.samples[0]?.value
  return { alerts, availability, batches, figure, journal, memory, node, record, tree, world }
})

/** Turns for a fiber that has much to do and lets others go first in between. */
const turns = Effect.forEach(Array.from({ length: 50 }), () => TestClock.adjust(1), { discard: true })

describe("the component of the journal", () => {
  it.effect("stores what waited for the database, in bounded batches, and then twice a second", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, batches, journal, memory, node, record } = yield* openWorld
        record(600)
        yield* TestClock.adjust(10_000)
        assert.deepStrictEqual([node().state, batches], ["WaitingForDatabase", []])
        availability.mark("available")
        yield* turns
        assert.isTrue(batches.every((size) => size <= journalLimits.batchMax))
        assert.isAtLeast(batches.length, 2)
        yield* TestClock.adjust(journalLimits.flushEveryMs)
        assert.strictEqual(journal.counts().waiting, 0)
        const before = batches.length
        for (let turn = 0; turn < 4; turn += 1) {
          record(10)
          yield* TestClock.adjust(journalLimits.flushEveryMs)
        }
        assert.deepStrictEqual(batches.slice(before), [10, 10, 10, 10])
        const seqs = memory.rows.map(({ seq }) => seq)
        assert.deepStrictEqual(
          seqs,
          Array.from({ length: journal.head() }, (_one, index) => index + 1)
        )
      })
    )
  )

  it.effect("stores its own transitions and then rests: what it does is no reason to do it again", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, batches, memory } = yield* openWorld
        availability.mark("available")
        yield* TestClock.adjust(5_000)
        const quiet = batches.length
        yield* TestClock.adjust(60_000)
        assert.strictEqual(batches.length, quiet)
        assert.includeMembers(
          memory.rows.map(({ event }) => event),
          ["component.starting", "xstate.init", "database.available"]
        )
      })
    )
  )

  it.effect("takes a batch again that could not be stored, and shows the failure until then", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, journal, memory, node, record, world } = yield* openWorld
        const { store } = world
        world.store = () => Effect.fail(away)
        availability.mark("available")
        record(3)
        yield* TestClock.adjust(journalLimits.flushEveryMs)
        assert.strictEqual(node().state, "BackingOff")
        assert.include(node().lastError, "database unavailable")
        world.store = store
        yield* TestClock.adjust(journalLimits.retryMs + journalLimits.flushEveryMs)
        assert.deepStrictEqual(
          [node().state, node().lastError, journal.counts().lost],
          ["Storing", undefined, 0]
        )
        assert.strictEqual(memory.rows.length, journal.head())
      })
    )
  )

  it.effect("counts what makes room behind a batch that could not be stored, that batch included", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, journal, node, record, world } = yield* openWorld
        world.store = () => Effect.fail(away)
        availability.mark("available")
        record(3)
        yield* TestClock.adjust(journalLimits.flushEveryMs)
        assert.strictEqual(node().state, "BackingOff")
        record(2 * capacity)
        const { lost, recorded, stored, waiting } = journal.counts()
        assert.deepStrictEqual([stored, waiting, lost], [0, capacity, recorded - capacity])
      })
    )
  )

  it.effect("loses only the entry that the database refuses, counts it and raises an alert", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { alerts, availability, figure, journal, memory, node, record, world } = yield* openWorld
        const { store } = world
        world.store = (of, entries) =>
          entries.some(({ event }) => event === "poison") ? Effect.fail(refused) : store(of, entries)
        record(5)
        record(1, "poison")
        record(5)
        availability.mark("available")
        yield* TestClock.adjust(2_000)
        assert.strictEqual(memory.rows.length, journal.head() - 1)
        assert.deepInclude(node().detail, { lost: 1, waiting: 0 })
        assert.strictEqual(figure("holdfast_journal_lost_total"), 1)
        assert.deepStrictEqual(
          alerts.map(({ kind }) => kind),
          ["journal.lost"]
        )
      })
    )
  )

  it.effect("counts what memory had no room for while the database was away, and raises one alert", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { alerts, availability, figure, journal, memory, record } = yield* openWorld
        yield* TestClock.adjust(1)
        record(capacity + 500)
        assert.isAtLeast(Number(figure("holdfast_journal_lost_total")), 500)
        availability.mark("available")
        yield* turns
        yield* TestClock.adjust(5_000)
        const { lost, stored } = journal.counts()
        assert.strictEqual(stored, memory.rows.length)
        assert.strictEqual(lost + stored, journal.head())
        assert.deepStrictEqual(
          alerts.map(({ detail, kind }) => [kind, detail]),
          [["journal.lost", { lost }]]
        )
        // Another outage loses nothing, and is no news of the former loss.
        availability.mark("unavailable")
        yield* turns
        record(3)
        yield* TestClock.adjust(5_000)
        availability.mark("available")
        yield* turns
        yield* TestClock.adjust(5_000)
        assert.strictEqual(journal.counts().stored, memory.rows.length)
        assert.strictEqual(alerts.length, 1)
      })
    )
  )

  it.effect("stores what waits at a stop", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, memory, record, tree } = yield* openWorld
        availability.mark("available")
        yield* TestClock.adjust(1_000)
        record(700, "last")
        yield* tree.stop
        assert.strictEqual(memory.rows.filter(({ event }) => event === "last").length, 700)
      })
    )
  )
})
