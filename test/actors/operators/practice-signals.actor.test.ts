/** Practice signals on a virtual clock: one a period through the intake's queue, and none where none may be sent. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { practiceSignalsActor } from "../../../src/actors/operators/practice-signals.actor.ts"
import { practiceSignalLimits } from "../../../src/domain/kernel/limits-kept.ts"
import type { Settings } from "../../../src/domain/kernel/settings.ts"
import { SHED_ORDER } from "../../../src/domain/platform/resources.ts"
import { TradingState } from "../../../src/layers/control/trading-state.port.ts"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"
import { Database } from "../../../src/layers/database/database.port.ts"
import { IntakeQueue, type IntakeQueueService } from "../../../src/layers/intake/intake-queue.port.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { Shedding } from "../../../src/layers/platform/shedding.port.ts"
import { type IntakeRow, IntakeStore } from "../../../src/layers/signals/intake-store.port.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"
import { makeMemoryIntakeStore } from "../../support/intake-store.memory.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const EVERY_MS = 60_000
/** A quarter of a minute into a period. */
const START = Date.parse("2026-12-01T12:00:15Z")
const first = practiceSignalLimits.firstMsMax

const openWorld = (everyMs = EVERY_MS, settings: Partial<Settings> = {}) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(START)
    const availability = makeAvailability()
    const memory = makeMemoryIntakeStore()
    const world = { answers: true, takes: true }
    const queue = {
      submit: (row: IntakeRow, done: Parameters<IntakeQueueService["submit"]>[1]) => {
        if (!world.takes) return false
        if (world.answers)
          Effect.runSync(
            Effect.map(memory.store([row]), ([outcome]) => done(outcome ?? assert.fail("one each")))
          )
        return true
      }
    } as unknown as IntakeQueueService
    const given = settingsFrom({ practice: { signalEveryMs: everyMs } })
    const context = yield* Layer.build(
      Layer.mergeAll(
        Shedding.layer,
        TradingState.layer,
        Layer.succeed(Config, { ...given, ...settings }),
        Layer.succeed(IntakeQueue, queue),
        Layer.succeed(IntakeStore, memory),
        Layer.mock(Database, { availability, stats: () => assert.fail("nobody asks") })
      )
    )
    const trading = yield* Effect.provide(TradingState, context)
    const shedding = yield* Effect.provide(Shedding, context)
    trading.assign(new Map())
    availability.mark("available")
    const local = { backoff: { firstMs: 1, factor: 1, maxMs: 1, jitter: "none", resetAfterMs: 1 } } as const
    const start = startTree(
      supervisor({
        id: "root",
        children: [
          worker({
            ...local,
            id: "practice-signals",
            start: practiceSignalsActor(everyMs),
            stopBudgetMs: 1_000
          })
        ]
      }),
      { stopDeadlineMs: 1_000 }
    ).pipe(Effect.provide(context))
    const tree = yield* start
    const node = () => tree.snapshot().children[0] ?? assert.fail("no such component")
    return { availability, memory, node, shedding, start, trading, world, detail: () => node().detail }
  })

const scene = (
  name: string,
  body: (world: Effect.Success<ReturnType<typeof openWorld>>) => Effect.Effect<void, unknown, never>
) => it.effect(name, () => Effect.scoped(Effect.flatMap(openWorld(), (world) => Effect.orDie(body(world)))))

describe("practice signals", () => {
  scene(
    "come shortly after the start and then once a period, from their own source, in rows of the intake",
    (world) =>
      Effect.gen(function* () {
        yield* TestClock.adjust(first - 1)
        assert.lengthOf(world.memory.rows(), 0)
        yield* TestClock.adjust(1)
        assert.lengthOf(world.memory.rows(), 1)
        yield* TestClock.adjust(9 * EVERY_MS)
        const rows = world.memory.rows()
        assert.lengthOf(rows, 10)
        for (const row of rows)
          assert.deepInclude(row, {
            source: "practice",
            kind: "signal",
            status: "received",
            experimentId: "default"
          })
        assert.strictEqual(new Set(rows.map(({ identity }) => identity)).size, 10)
        assert.strictEqual(world.node().state, "Waiting")
        assert.deepInclude(world.detail(), { sent: 10, left_out: 0, every_ms: EVERY_MS, source: "practice" })
      })
  )

  it.effect("are one in a period, however often the process starts in it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const world = yield* openWorld()
        yield* TestClock.adjust(first)
        const again = yield* world.start
        yield* TestClock.adjust(first)
        assert.lengthOf(world.memory.rows(), 1)
        const detail = again.snapshot().children[0]?.detail
        assert.deepInclude(detail, { sent: 0, left_out: 1 })
        assert.strictEqual(detail?.["why_left_out"], "the signal of this period was sent already")
      })
    )
  )

  it.effect("of a long period wait for the next one, because what is late is not worth sending", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const everyMs = 3_600_000
        const world = yield* openWorld(everyMs)
        yield* TestClock.setTime(START + 600_000)
        yield* TestClock.adjust(first)
        assert.lengthOf(world.memory.rows(), 1, "the first one was still in time")
        yield* TestClock.adjust(everyMs)
        assert.lengthOf(world.memory.rows(), 2)
        yield* TestClock.setTime(START + 2 * everyMs + 600_000)
        const late = yield* world.start
        yield* TestClock.adjust(first)
        assert.strictEqual(late.snapshot().children[0]?.detail["why_left_out"], "its period is under way")
      })
    )
  )

  for (const state of ["HALTED", "REDUCING", null] as const)
    scene(`are left out while trading is ${state ?? "not known"}, and come again afterwards`, (world) =>
      Effect.gen(function* () {
        world.trading.assign(state === null ? null : new Map([["global", state]]))
        yield* TestClock.adjust(3 * EVERY_MS)
        assert.lengthOf(world.memory.rows(), 0)
        assert.deepInclude(world.detail(), { sent: 0 })
        world.trading.assign(new Map())
        yield* TestClock.adjust(EVERY_MS)
        assert.lengthOf(world.memory.rows(), 1)
      })
    )

  scene("are the first thing that the process gives up, and return last", (world) =>
    Effect.gen(function* () {
      world.shedding.assign(SHED_ORDER.slice(0, 1))
      yield* TestClock.adjust(3 * EVERY_MS)
      assert.lengthOf(world.memory.rows(), 0)
      assert.strictEqual(world.detail()["why_left_out"], "the process gives them up")
      assert.strictEqual(world.shedding.refused().get("practice"), 4)
      world.shedding.assign([])
      yield* TestClock.adjust(EVERY_MS)
      assert.lengthOf(world.memory.rows(), 1)
    })
  )

  scene("are not sent while the database is away, and not sent late", (world) =>
    Effect.gen(function* () {
      world.availability.mark("unavailable")
      yield* TestClock.adjust(5 * EVERY_MS)
      assert.strictEqual(world.node().state, "WaitingForDatabase")
      assert.lengthOf(world.memory.rows(), 0)
      world.availability.mark("available")
      yield* TestClock.adjust(first)
      assert.lengthOf(world.memory.rows(), 1)
    })
  )

  scene("that the intake does not take, or does not answer, are left out", (world) =>
    Effect.gen(function* () {
      world.world.takes = false
      yield* TestClock.adjust(first)
      assert.strictEqual(world.detail()["why_left_out"], "the intake did not take it")
      world.world.takes = true
      world.world.answers = false
      yield* TestClock.adjust(EVERY_MS + practiceSignalLimits.sendMsMax)
      assert.strictEqual(world.node().state, "Waiting")
      world.world.answers = true
      yield* TestClock.adjust(2 * EVERY_MS)
      assert.isAtLeast(world.memory.rows().length, 1)
    })
  )

  for (const [what, settings] of [
    ["in another mode", { mode: "PAPER" }],
    ["when a reload left no strategy that takes them", { strategies: {} }]
  ] as const)
    it.effect(`are none ${what}`, () =>
      Effect.scoped(
        Effect.gen(function* () {
          const world = yield* openWorld(EVERY_MS, settings)
          yield* TestClock.adjust(5 * EVERY_MS)
          assert.lengthOf(world.memory.rows(), 0)
          assert.isAbove(Number(world.detail()["left_out"]), 0)
        })
      )
    )
})
