/** Rounds of retention on a virtual clock: paced, told once, and seen when they are late. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { retentionActor } from "../../../src/actors/operators/retention.actor.ts"
import { retentionLimits } from "../../../src/domain/kernel/limits-kept.ts"
import { type Alert, Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"
import {
  Database,
  DatabaseUnavailable,
  type UnavailableReason
} from "../../../src/layers/database/database.port.ts"
import {
  type PrunedPage,
  RetentionStore,
  type RuleRound
} from "../../../src/layers/operators/retention-store.port.ts"
import { Figures } from "../../../src/layers/platform/figures.port.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"

const day = 86_400_000
const rule = (name: string): RuleRound => ({
  rule: name,
  cutoffMs: 100 * day,
  beyond: null
})
const page = (more: Partial<PrunedPage> = {}): PrunedPage => ({
  removed: 1,
  cursor: 1n,
  done: true,
  bornMs: 90 * day,
  ...more
})
const unavailable = (reason: UnavailableReason) =>
  new DatabaseUnavailable({ operation: "retention.prune", reason, outcome: "not_applied", cause: "test" })

const openWorld = Effect.gen(function* () {
  const availability = makeAvailability()
  const alerts: Array<Alert | string> = []
  const pages: Array<string> = []
  const world = {
    rules: [rule("signals"), rule("alerts")],
    prune: (_rule: string): Effect.Effect<PrunedPage | null, DatabaseUnavailable> => Effect.succeed(page())
  }
  const nothing = Effect.die("not part of this test")
  const services = Layer.mergeAll(
    Figures.layer,
    Layer.succeed(Database, {
      run: () => nothing,
      transact: () => nothing,
      probe: nothing,
      availability,
      stats: () => assert.fail("not part of this test")
    }),
    Layer.succeed(Alerts, {
      raise: (alert) => Effect.sync(() => void alerts.push(alert)),
      resolve: (key) => Effect.sync(() => void alerts.push(String(key))),
      resolveAllBut: () => Effect.void,
      draft: Effect.die("nothing is committed with its alert"),
      takePending: () => [],
      putBack: () => undefined,
      counts: () => ({ raised: 0, pending: 0, dropped: 0 })
    }),
    Layer.succeed(RetentionStore, {
      begin: Effect.sync(() => world.rules),
      prune: ({ rule: name }) =>
        Effect.suspend(() => {
          pages.push(name)
          return world.prune(name)
        })
    })
  )
  const local = { backoff: { firstMs: 1, factor: 1, maxMs: 1, jitter: "none", resetAfterMs: 1 } } as const
  const tree = yield* startTree(
    supervisor({
      id: "root",
      strategy: "one_for_one",
      children: [worker({ ...local, id: "retention", start: retentionActor, stopBudgetMs: 1_000 })]
    }),
    { stopDeadlineMs: 1_000 }
  ).pipe(Effect.provide(services))
  const node = () => tree.snapshot().children[0] ?? assert.fail("no such component")
  return { availability, alerts, node, pages, world }
})

describe("retention", () => {
  it.effect("asks nothing of a database that is away, and begins when it is there", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, node, pages } = yield* openWorld
        yield* TestClock.adjust(retentionLimits.roundEveryMs)
        assert.deepStrictEqual([node().state, pages], ["WaitingForDatabase", []])
        availability.mark("available")
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(pages, ["signals", "alerts"])
        assert.strictEqual(node().state, "OnTime.Resting")
        assert.deepInclude(node().detail, {
          removed: { signals: 1, alerts: 1 },
          complete: true,
          overdue_ms: 0
        })
        yield* TestClock.adjust(retentionLimits.roundEveryMs - 2)
        assert.lengthOf(pages, 2)
        yield* TestClock.adjust(2)
        assert.lengthOf(pages, 4)
      })
    )
  )

  it.effect(
    "pauses between pages, ends a round in time, goes on soon, and is late until it has caught up",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { alerts, availability, node, pages, world } = yield* openWorld
          world.prune = (name) => Effect.succeed(page({ done: name !== "signals" }))
          availability.mark("available")
          yield* TestClock.adjust(10 * retentionLimits.pauseMsMin)
          assert.isAtMost(pages.length, 12)
          yield* TestClock.adjust(retentionLimits.roundMsMax)
          assert.strictEqual(node().state, "Late.Resting")
          assert.include(node().tags, "degraded")
          assert.isTrue(node().ready)
          assert.deepInclude(alerts.at(-1), { kind: "retention.late", severity: "MEDIUM", standing: true })
          // The rule behind it had its turn before the second page of the backlog.
          assert.deepStrictEqual(pages.slice(0, 3), ["signals", "alerts", "signals"])
          world.prune = () => Effect.succeed(page())
          yield* TestClock.adjust(retentionLimits.againMs)
          assert.strictEqual(node().state, "OnTime.Resting")
          assert.strictEqual(alerts.at(-1), "retention.late")
        })
      )
  )

  it.effect("goes through backlogs side by side, each until it is done", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, node, pages, world } = yield* openWorld
        world.rules = [rule("signals"), rule("alerts"), rule("audit")]
        const left: Record<string, number> = { signals: 4, alerts: 1, audit: 2 }
        world.prune = (name) => Effect.sync(() => page({ done: (left[name] = (left[name] ?? 0) - 1) === 0 }))
        availability.mark("available")
        yield* TestClock.adjust(retentionLimits.roundMsMax)
        const laps = [["signals", "alerts", "audit"], ["signals", "audit"], ["signals"], ["signals"]]
        assert.deepStrictEqual(pages, laps.flat())
        assert.deepInclude(node().detail, { removed: { signals: 4, alerts: 1, audit: 2 }, complete: true })
      })
    )
  )

  it.effect("is late by the time in which a rule could not be looked at, and by nothing before", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { alerts, availability, node, world } = yield* openWorld
        availability.mark("available")
        yield* TestClock.adjust(1)
        world.prune = (name) =>
          name === "signals" ? Effect.fail(unavailable("contention")) : Effect.succeed(page())
        yield* TestClock.adjust(retentionLimits.lateMsMax)
        assert.strictEqual(node().state, "OnTime.Resting")
        assert.isTrue(
          alerts.every((one) => one === "retention.late"),
          "resolved, and not raised"
        )
        yield* TestClock.adjust(retentionLimits.roundEveryMs)
        assert.strictEqual(node().state, "Late.Resting")
        assert.deepInclude(alerts.at(-1), { kind: "retention.late" })
        world.prune = () => Effect.succeed(page())
        yield* TestClock.adjust(retentionLimits.againMs)
        assert.strictEqual(node().state, "OnTime.Resting")
      })
    )
  )

  it.effect(
    "gives way where others are at work, and says what fails for good while the other rules go on",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { availability, node, pages, world } = yield* openWorld
          world.prune = (name) =>
            name === "signals" ? Effect.fail(unavailable("contention")) : Effect.succeed(page())
          availability.mark("available")
          yield* TestClock.adjust(1)
          assert.deepStrictEqual([node().state, pages], ["OnTime.Resting", ["signals", "alerts"]])
          // Nothing was looked at, so nothing is known to be late: the first row may be one that has to stay.
          assert.deepInclude(node().detail, { complete: false, overdue_ms: 0 })
          world.prune = (name) =>
            name === "signals" ? Effect.fail(unavailable("server")) : Effect.succeed(page())
          yield* TestClock.adjust(retentionLimits.againMs)
          assert.deepStrictEqual([node().state, node().ready, pages.length], ["BackingOff", false, 4])
          assert.include(node().lastError, "signals: ")
          world.prune = () => Effect.succeed(null)
          yield* TestClock.adjust(retentionLimits.retryMs)
          assert.strictEqual(node().state, "OnTime.Resting")
        })
      )
  )
})
