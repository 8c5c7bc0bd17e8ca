/** Sources that go silent, on a virtual clock: who is blamed, when it ends, and what our own downtime changes. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { expectedSignalsActor } from "../../../src/actors/operators/expected-signals.actor.ts"
import { expectedLimits } from "../../../src/domain/kernel/limits-kept.ts"
import type { Expected, SourceSettings } from "../../../src/domain/kernel/settings.ts"
import { type Alert, Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"
import { Database, DatabaseUnavailable } from "../../../src/layers/database/database.port.ts"
import { HealthSource } from "../../../src/layers/health/health-source.port.ts"
import { RefusedPosts } from "../../../src/layers/intake/refused-posts.port.ts"
import { ExpectedStore } from "../../../src/layers/operators/expected-store.port.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { Figures } from "../../../src/layers/platform/figures.port.ts"
import { Instance } from "../../../src/layers/platform/instance.port.ts"
import { plainSource } from "../../../src/wire/settings-source.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"
import { layerEntropy } from "../../support/entropy.ts"
import { makeMemoryExpected } from "../../support/expected-store.memory.ts"
import { heldInstance } from "../../support/instance.ts"
import { testSettings } from "../../integration/execution-world.ts"

const bars: Expected = {
  kind: "bars",
  every: "5m",
  signals: 1,
  graceMs: 60_000,
  calendar: "24x7",
  hours: null
}
const judgedAfter = bars.graceMs + expectedLimits.settleMs + 2 * expectedLimits.lookEveryMs

const openWorld = (expected: Expected = bars) =>
  Effect.gen(function* () {
    // A Monday, two minutes after a bar.
    yield* TestClock.setTime(Date.parse("2026-03-02T10:02:00Z"))
    const memory = makeMemoryExpected()
    const availability = makeAvailability()
    const open = new Map<string, Alert>()
    const raised: Array<Alert> = []
    const state = { intake: "store", refused: 0 }
    const sources: Record<string, SourceSettings> = { tv: { ...plainSource, expected } }
    const services = Layer.mergeAll(
      Figures.layer,
      layerEntropy,
      Layer.succeed(Config, { ...testSettings(), sources }),
      Layer.succeed(Instance, heldInstance("n", "1")),
      Layer.mock(Database, { availability, stats: () => assert.fail("nobody asks") }),
      Layer.mock(HealthSource, {
        actors: () => [],
        timers: () => [],
        handEvents: () => [],
        send: () => Effect.void,
        health: () => ({ intake: state.intake }) as never
      }),
      Layer.mock(RefusedPosts, {
        unavailable: () => ({ total: state.refused, inRow: 0 }),
        note: () => undefined
      }),
      Layer.succeed(ExpectedStore, memory.store),
      Layer.mock(Alerts, {
        raise: (alert) =>
          Effect.sync(() => {
            raised.push(alert)
            open.set(alert.dedupKey, alert)
          }),
        resolveAllBut: (prefix, keys) =>
          Effect.sync(() => {
            for (const key of open.keys()) if (key.startsWith(prefix) && !keys.includes(key)) open.delete(key)
          }),
        draft: Effect.die("nothing is committed with its alert"),
        takePending: () => [],
        putBack: () => undefined,
        counts: () => assert.fail("nobody asks")
      })
    )
    const boot = startTree(
      supervisor({
        id: "root",
        children: [worker({ id: "expected-signals", start: expectedSignalsActor, stopBudgetMs: 1_000 })]
      }),
      { stopDeadlineMs: 1_000 }
    ).pipe(Effect.provide(services))
    availability.mark("available")
    /** To so many seconds after the bar that ended at 10:00. */
    const to = (seconds: number) => TestClock.setTime(Date.parse("2026-03-02T10:00:00Z") + seconds * 1_000)
    /** A signal at the end of the bar, `n` bars after 10:00, a second late. */
    const bar = (n: number) => Effect.andThen(to(n * 300 + 1), memory.arrive("tv"))
    const silentBar = (n: number) => to(n * 300 + judgedAfter / 1_000)
    return { memory, availability, open, raised, state, sources, boot, to, bar, silentBar }
  })

describe("expected signals", () => {
  it.effect(
    "a source that sends every bar is complete, and its own silence is one alert until the next signal",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { bar, boot, memory, open, raised, silentBar } = yield* openWorld()
          const tree = yield* boot
          const node = () => tree.snapshot().children[0] ?? assert.fail("no such component")
          for (const n of [1, 2, 3]) yield* bar(n)
          yield* silentBar(3)
          assert.deepStrictEqual(memory.statuses("tv"), ["received", "received", "received"])
          assert.deepStrictEqual([node().state.split(".")[0], raised.length], ["Complete", 0])
          yield* TestClock.adjust(300_000 - judgedAfter)
          assert.strictEqual(raised.length, 0, "its grace is not over")
          yield* TestClock.adjust(bars.graceMs + 2_000)
          assert.strictEqual(raised.length, 0, "its row may still be on the way")
          yield* silentBar(4)
          assert.deepInclude(raised[0], {
            severity: "HIGH",
            kind: "signal.missing",
            standing: true,
            message: "source tv: 1 expected signal did not come, due 2026-03-02T10:20:00.000Z"
          })
          assert.deepStrictEqual(
            [node().state.split(".")[0], node().tags.includes("degraded")],
            ["Missing", true]
          )
          memory.world.refused = 2
          yield* silentBar(5)
          assert.strictEqual(raised.length, 2, "raised again when it has grown, and not at every look")
          assert.include(raised[1]?.message, "2 expected signals did not come")
          assert.include(raised[1]?.message, "2 of its posts were refused meanwhile")
          assert.strictEqual(open.size, 1)
          // Late, in the middle of the next bar.
          yield* memory.arrive("tv")
          yield* TestClock.adjust(2 * expectedLimits.lookEveryMs)
          assert.strictEqual(open.size, 0)
          assert.strictEqual(node().state.split(".")[0], "Complete")
          assert.strictEqual(memory.statuses("tv").at(-1), "late")
        })
      )
  )

  it.effect("[our own downtime] at boot, after a crash, and after a refused post nobody is blamed", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, bar, boot, memory, raised, silentBar, state, to } = yield* openWorld()
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* boot
            yield* bar(1)
            yield* silentBar(1)
            yield* to(600 + 10)
          })
        )
        // Down from 10:10:10 to 10:20:30, so for the signals of 10:10, 10:15 and 10:20.
        yield* to(1_200 + 30)
        yield* boot
        yield* silentBar(4)
        // The database is away for a moment, and a post of somebody is refused: of 10:25.
        yield* to(1_500 - 60)
        availability.mark("unavailable")
        state.intake = "refuse"
        yield* TestClock.adjust(57_000)
        state.refused += 1
        state.intake = "store"
        availability.mark("available")
        yield* silentBar(5)
        // Nothing was away, only one post did not get in: that of 10:30.
        yield* to(1_800 + 1)
        state.refused += 1
        yield* silentBar(6)
        assert.deepStrictEqual(memory.statuses("tv"), [
          "received",
          "unobserved",
          "unobserved",
          "unobserved",
          "unobserved",
          "unobserved"
        ])
        // Nobody posted while a component that the intake needs was away: of 10:35.
        yield* to(2_100 - 10)
        state.intake = "refuse"
        yield* to(2_100 + 10)
        state.intake = "store"
        yield* silentBar(7)
        assert.deepStrictEqual([memory.statuses("tv").at(-1), raised.length], ["unobserved", 0])
        yield* silentBar(8)
        assert.deepStrictEqual([memory.statuses("tv").at(-1), raised.length], ["missed", 1])
      })
    )
  )

  it.effect("[frozen] a process that was suspended took no posts meanwhile", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { boot, memory, raised, silentBar, to } = yield* openWorld()
        yield* boot
        yield* to(295)
        // No look for 20 s, as if the process had been stopped: the store is asked in vain.
        memory.world.fault = new DatabaseUnavailable({
          operation: "test",
          reason: "slow",
          outcome: "not_applied",
          cause: "suspended"
        })
        yield* to(315)
        memory.world.fault = null
        yield* silentBar(1)
        assert.deepStrictEqual([memory.statuses("tv"), raised.length], [["unobserved"], 0])
      })
    )
  )

  it.effect("an outage survives a restart as one alert, and the first signal ends it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { bar, boot, memory, open, raised, silentBar } = yield* openWorld()
        yield* Effect.scoped(Effect.andThen(boot, silentBar(1)))
        assert.strictEqual(open.size, 1)
        yield* boot
        yield* TestClock.adjust(10_000)
        assert.deepStrictEqual([open.size, raised.length], [1, 2])
        yield* bar(2)
        yield* silentBar(2)
        assert.strictEqual(open.size, 0)
        assert.deepStrictEqual(memory.statuses("tv"), ["missed", "received"])
      })
    )
  )

  it.effect("[rate] is measured over time in which posts were taken", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { boot, memory, open, raised, to } = yield* openWorld({
          ...bars,
          kind: "rate",
          every: "10m",
          signals: 2
        })
        yield* Effect.scoped(Effect.andThen(boot, to(120 + 400)))
        // Down for an hour: what is measured goes on where it was.
        yield* to(120 + 4_000)
        yield* boot
        yield* to(120 + 4_000 + 200)
        assert.strictEqual(raised.length, 0)
        yield* memory.arrive("tv")
        yield* to(120 + 4_000 + 300)
        assert.deepStrictEqual(
          raised.map(({ message }) => message),
          ["source tv: 1 of at least 2 signals in the last 10m in which it should send"]
        )
        yield* memory.arrive("tv")
        yield* TestClock.adjust(expectedLimits.rateEveryMsMax + expectedLimits.lookEveryMs)
        assert.strictEqual(open.size, 0)
      })
    )
  )

  it.effect("[settings] without an expectation nothing is written, and what was missing is no more", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { boot, memory, open, silentBar, sources } = yield* openWorld()
        yield* boot
        yield* silentBar(1)
        assert.strictEqual(open.size, 1)
        sources["tv"] = plainSource
        yield* TestClock.adjust(2 * expectedLimits.lookEveryMs)
        assert.strictEqual(open.size, 0)
        const { begun } = memory.world
        yield* TestClock.adjust(60_000)
        assert.strictEqual(memory.world.begun, begun)
        assert.deepStrictEqual(memory.statuses("tv"), ["missed"])
      })
    )
  )
})
