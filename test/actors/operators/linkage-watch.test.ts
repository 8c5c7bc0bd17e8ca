/** How the latest fills are linked: an alert while it is less than the setting, a figure for everybody who shows it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { linkageWatch } from "../../../src/actors/operators/linkage-watch.ts"
import type { RecentLinkage } from "../../../src/domain/health/health.ts"
import { linkageLimits } from "../../../src/domain/kernel/limits-kept.ts"
import { type Alert, Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"
import { Database, type DatabaseUnavailable } from "../../../src/layers/database/database.port.ts"
import { LinkageFigures } from "../../../src/layers/health/linkage.port.ts"
import { type Linkage, ReadStore } from "../../../src/layers/health/read-store.port.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { plainSource } from "../../../src/wire/settings-source.ts"
import { testSettings } from "../../integration/execution-world.ts"

const figuresOf = (ours: number, linked: number): RecentLinkage => ({
  ours,
  linked,
  rate: ours === 0 ? null : linked / ours,
  metadataExpected: 0,
  withMetadata: 0,
  coverage: null
})

const all: Linkage = { ours: 4, linked: 3, rate: 0.75, external: 2 }

const start = (rateMin = 1) =>
  Effect.gen(function* () {
    const availability = makeAvailability()
    const open = new Map<string, Alert>()
    const state = {
      asked: [] as Array<ReadonlyArray<string>>,
      counted: 0,
      recent: Effect.succeed(figuresOf(0, 0)) as Effect.Effect<RecentLinkage, DatabaseUnavailable>
    }
    const figures = yield* LinkageFigures.pipe(Effect.provide(LinkageFigures.layer))
    const settings = testSettings({ linkage: { rateMin } })
    const services = Layer.mergeAll(
      Layer.succeed(LinkageFigures, figures),
      Layer.succeed(Config, {
        ...settings,
        sources: { ...settings.sources, producer: { ...plainSource, metadata: true } }
      }),
      Layer.mock(Database, { availability, stats: () => assert.fail("nobody asks") }),
      Layer.mock(ReadStore, {
        recentLinkage: (sources) =>
          Effect.suspend(() => {
            state.asked.push(sources)
            return state.recent
          }),
        linkage: Effect.sync(() => {
          state.counted += 1
          return all
        })
      }),
      Layer.mock(Alerts, {
        raise: (alert) => Effect.sync(() => void open.set(alert.dedupKey, alert)),
        resolve: (key) => Effect.sync(() => void open.delete(String(key))),
        draft: Effect.die("nothing is committed with its alert"),
        takePending: () => [],
        putBack: () => undefined,
        counts: () => assert.fail("nobody asks")
      })
    )
    yield* Effect.forkChild(linkageWatch.pipe(Effect.provide(services)), { startImmediately: true })
    const next = TestClock.adjust(linkageLimits.lookEveryMs)
    return { availability, figures, next, open, state }
  })

describe("[A4] the linkage of the latest fills", () => {
  it.effect("is unknown without the database, and read as soon as it is there", () =>
    Effect.gen(function* () {
      const { availability, figures, next, state } = yield* start()
      yield* next
      assert.strictEqual(state.asked.length, 0)
      availability.mark("available")
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(state.asked, [["producer"]])
      assert.deepStrictEqual(figures.current(), figuresOf(0, 0))
      availability.mark("unavailable")
      yield* TestClock.adjust(1)
      assert.strictEqual(figures.current(), null)
    })
  )

  it.effect("an alert lasts while a fill of ours has no strategy; no fill at all is none", () =>
    Effect.gen(function* () {
      const { availability, next, open, state } = yield* start()
      availability.mark("available")
      yield* next
      assert.strictEqual(open.size, 0)
      state.recent = Effect.succeed(figuresOf(1_000, 999))
      yield* next
      assert.deepInclude(open.get("linkage.low"), {
        severity: "HIGH",
        kind: "linkage.low",
        standing: true,
        message: "1 of the last 1000 fills of our orders have no strategy: 99.9 % are linked"
      })
      state.recent = Effect.succeed(figuresOf(1_000, 1_000))
      yield* next
      assert.strictEqual(open.size, 0)
    })
  )

  it.effect("[setting] exactly at the least rate there is none", () =>
    Effect.gen(function* () {
      const { availability, next, open, state } = yield* start(0.9)
      availability.mark("available")
      state.recent = Effect.succeed(figuresOf(10, 9))
      yield* next
      assert.strictEqual(open.size, 0)
      state.recent = Effect.succeed(figuresOf(100, 89))
      yield* next
      assert.strictEqual(open.size, 1)
    })
  )

  it.effect("a look that fails, even as a defect, is followed by the next, and shows nothing old", () =>
    Effect.gen(function* () {
      const { availability, figures, next, state } = yield* start()
      availability.mark("available")
      yield* next
      state.recent = Effect.die(new Error("a bug"))
      yield* next
      assert.strictEqual(figures.current(), null)
      state.recent = Effect.succeed(figuresOf(2, 2))
      yield* next
      assert.deepStrictEqual(figures.current(), figuresOf(2, 2))
    })
  )

  it.effect("all fills are counted seldom, however often the figure is shown", () =>
    Effect.gen(function* () {
      const { availability, figures, state } = yield* start()
      availability.mark("available")
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(figures.all(), all)
      yield* TestClock.adjust(linkageLimits.countEveryMs - 2)
      assert.strictEqual(state.counted, 1)
      yield* TestClock.adjust(2)
      assert.strictEqual(state.counted, 2)
      availability.mark("unavailable")
      yield* TestClock.adjust(1)
      assert.isNull(figures.all())
    })
  )
})
