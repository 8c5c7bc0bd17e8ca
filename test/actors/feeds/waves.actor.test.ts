import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, References } from "effect"
import { TestClock } from "effect/testing"
import { passUntil } from "../../support/wave-incident.ts"
import {
  incidentSettings,
  ledgerLines,
  makeWaveWorld,
  startScheduler,
  storeSignals,
  type WaveWorld
} from "../../support/waves.ts"

const start = (world: WaveWorld, now = "2025-10-21T22:52:58Z") =>
  Effect.gen(function* () {
    yield* TestClock.setTime(Date.parse(now))
    const process = yield* startScheduler(world)
    yield* TestClock.adjust(0)
    return process
  })

const until = passUntil

const handedOver = (world: WaveWorld) => [...world.signals.values()].map((signal) => signal.handedOver)

describe("a wave", () => {
  it.effect("is searched for at its due time, handed over at once, and done when all is settled", () =>
    Effect.gen(function* () {
      const world = makeWaveWorld()
      const process = yield* start(world)
      assert.deepStrictEqual(ledgerLines(world), ["22:45 expected 0"])
      assert.strictEqual(process.scheduler()?.state, "Waiting")
      assert.isTrue(process.scheduler()?.ready, "before the first wave is due nothing has failed (B8)")
      assert.deepInclude(process.scheduler()?.detail, {
        warming_up: true,
        failed_checks: 0,
        next_due_at: "2025-10-21T23:05:00.000Z"
      })
      storeSignals(world, "2025-10-21T22:45:00Z", 291)
      yield* until("2025-10-21T23:04:59.500Z")
      assert.deepStrictEqual(new Set(handedOver(world)), new Set([0]), "not before it is due")
      yield* until("2025-10-21T23:05:00.500Z", 100)
      assert.deepStrictEqual(new Set(handedOver(world)), new Set([1]), "the feed's answer rang the bell")
      yield* until("2025-10-21T23:05:10Z")
      assert.deepStrictEqual(ledgerLines(world), ["22:45 done 291", "23:00 expected 0"])
      assert.deepInclude(process.scheduler()?.detail, {
        done: 1,
        dispatched: 291,
        last_wave: "2025-10-21T22:45:00.000Z"
      })
      assert.deepStrictEqual(world.alerts, [])
    })
  )

  it.effect(
    "rings for the pipeline when its signals are handed over, and not for a look that found none",
    () =>
      Effect.gen(function* () {
        const world = makeWaveWorld()
        const process = yield* start(world, "2025-10-21T23:04:50Z")
        let rung = 0
        process.wake.listen("signals", () => void (rung += 1))
        yield* until("2025-10-21T23:05:10Z")
        assert.strictEqual(rung, 0)
        storeSignals(world, "2025-10-21T22:45:00Z", 3)
        yield* until("2025-10-21T23:05:13Z")
        assert.deepStrictEqual([handedOver(world), rung], [[1, 1, 1], 1])
      })
  )

  it.effect("[B4] is looked at after a second and then every two, and handed over as signals arrive", () =>
    Effect.gen(function* () {
      const world = makeWaveWorld()
      yield* start(world, "2025-10-21T23:04:50Z")
      // Signals that ring no bell of this process, one every three seconds for a minute.
      for (let n = 0; n < 20; n += 1) {
        const at = Date.parse("2025-10-21T23:05:02Z") + n * 3_000
        yield* until(new Date(at).toISOString())
        storeSignals(world, "2025-10-21T22:45:00Z", 1, `late-${n}-`)
        yield* until(new Date(at + 2_100).toISOString())
        const counts = handedOver(world)
        assert.strictEqual(counts.length, n + 1)
        assert.isTrue(
          counts.every((count) => count === 1),
          `signal ${n} was not handed over within a look`
        )
      }
      yield* until("2025-10-21T23:07:30Z")
      assert.strictEqual(ledgerLines(world)[0], "22:45 done 20")
    })
  )

  it.effect("without a signal is empty after the deadline of 120 s, and the feed was asked again", () =>
    Effect.gen(function* () {
      const world = makeWaveWorld()
      const process = yield* start(world)
      yield* until("2025-10-21T23:06:59Z")
      assert.strictEqual(ledgerLines(world)[0], "22:45 processing 0")
      assert.isAbove(world.feed.asked, 3)
      assert.isBelow(world.feed.asked, 30)
      yield* until("2025-10-21T23:07:01Z")
      assert.strictEqual(ledgerLines(world)[0], "22:45 done 0 empty")
      assert.isTrue(process.scheduler()?.ready)
    })
  )

  it.effect("whose signals come after its end are traded as long as it is fresh, and not after that", () =>
    Effect.gen(function* () {
      const world = makeWaveWorld()
      const process = yield* start(world)
      storeSignals(world, "2025-10-21T22:45:00Z", 3)
      yield* until("2025-10-21T23:05:30Z")
      assert.strictEqual(ledgerLines(world)[0], "22:45 done 3")
      storeSignals(world, "2025-10-21T22:45:00Z", 1, "straggler")
      process.wake.notify("feed:north")
      yield* until("2025-10-21T23:05:33Z")
      assert.deepStrictEqual(handedOver(world), [1, 1, 1, 1])
      yield* until("2025-10-21T23:12:00Z")
      storeSignals(world, "2025-10-21T22:45:00Z", 1, "too-late")
      process.wake.notify("feed:north")
      yield* until("2025-10-21T23:20:05Z")
      assert.deepStrictEqual(handedOver(world), [1, 1, 1, 1, 0])
      assert.strictEqual(world.signals.get("2025-10-21T22:45:00Z/too-late0")?.status, "rejected")
    })
  )

  it.effect("whose search never ends does not hold up the next check (W2)", () =>
    Effect.gen(function* () {
      const world = makeWaveWorld()
      world.feed.answer = Effect.never
      world.pipelineMs = 3_600_000
      yield* start(world)
      storeSignals(world, "2025-10-21T22:45:00Z", 2)
      storeSignals(world, "2025-10-21T23:00:00Z", 2)
      yield* until("2025-10-21T23:20:01.100Z")
      assert.deepStrictEqual(ledgerLines(world).slice(0, 2), ["22:45 done 2", "23:00 processing 0"])
      yield* until("2025-10-21T23:23:00Z")
      assert.deepStrictEqual(handedOver(world), [1, 1, 1, 1])
      assert.strictEqual(world.checksMax, 1, "never two checks at once")
    })
  )
})

describe("a feed that is away", () => {
  it.effect("at the due time and back within the wave's time costs nothing", () =>
    Effect.gen(function* () {
      const world = makeWaveWorld()
      world.feed.state = "BackingOff"
      yield* start(world)
      yield* until("2025-10-21T23:06:00Z")
      world.feed.state = "Live"
      world.feed.answer = Effect.sync(() => storeSignals(world, "2025-10-21T22:45:00Z", 7))
      yield* until("2025-10-21T23:06:10Z")
      assert.strictEqual(ledgerLines(world)[0], "22:45 done 7")
      assert.deepStrictEqual(new Set(handedOver(world)), new Set([1]))
    })
  )

  it.effect("until after the deadline, but not until the wave is stale, is processed late", () =>
    Effect.gen(function* () {
      const world = makeWaveWorld()
      world.feed.state = "BackingOff"
      const process = yield* start(world)
      yield* until("2025-10-21T23:08:00Z")
      assert.strictEqual(ledgerLines(world)[0], "22:45 expected 0 feed_down")
      assert.isFalse(process.scheduler()?.ready, "a check that failed is seen in health")
      world.feed.state = "Live"
      world.feed.answer = Effect.sync(() => storeSignals(world, "2025-10-21T22:45:00Z", 7))
      yield* until("2025-10-21T23:08:30Z")
      assert.strictEqual(ledgerLines(world)[0], "22:45 done 7 late")
      assert.isTrue(process.scheduler()?.ready)
    })
  )

  it.effect(
    "for three checks is restarted by itself, with an alert, and each wave is missed with its cost",
    () =>
      Effect.gen(function* () {
        const world = makeWaveWorld()
        world.feed.state = "BackingOff"
        yield* start(world)
        assert.strictEqual(world.feed.starts, 1)
        yield* until("2025-10-21T23:34:00Z", 1_000)
        assert.strictEqual(world.feed.starts, 1)
        assert.deepStrictEqual(ledgerLines(world).slice(0, 2), [
          "22:45 missed 0 feed_down",
          "23:00 missed 0 feed_down"
        ])
        const missed = world.alerts.filter(({ kind }) => kind === "wave.missed")
        assert.strictEqual(missed.length, 2)
        assert.deepInclude(missed[0], {
          severity: "HIGH",
          message: "north: 1 wave missed (22:45Z, feed_down): 900 s without trading"
        })
        yield* until("2025-10-21T23:37:30Z", 1_000)
        assert.strictEqual(world.feed.starts, 2, "the third failed check restarts the feed's component")
        assert.deepInclude(
          world.alerts.find(({ kind }) => kind === "feed.restarted"),
          { severity: "HIGH" }
        )
      })
  )
})

describe("an outage", () => {
  it.effect(
    "[T11] is one alert that adds up, until a wave is processed; the next is counted from nothing",
    () =>
      Effect.gen(function* () {
        const world = makeWaveWorld()
        world.feed.state = "BackingOff"
        yield* start(world)
        yield* until("2025-10-21T23:56:00Z", 1_000)
        const missed = () => world.alerts.filter(({ kind }) => kind === "wave.missed")
        assert.deepStrictEqual(
          new Set(missed().map(({ dedupKey, standing }) => `${dedupKey} ${standing}`)),
          new Set(["wave.missed:north true"])
        )
        assert.strictEqual(
          missed().at(-1)?.message,
          "north: 4 waves missed (22:45Z to 23:30Z, feed_down): 3600 s without trading"
        )
        assert.deepStrictEqual(world.resolved, [])
        world.feed.state = "Live"
        yield* until("2025-10-22T00:08:00Z", 1_000)
        assert.include(world.resolved, "wave.missed:north")
        world.feed.state = "BackingOff"
        yield* until("2025-10-22T00:26:00Z", 1_000)
        assert.match(missed().at(-1)?.message ?? "", /^north: 1 wave missed/)
      })
  )

  it.effect("restarts the feed at the third failed check and at the sixth, not in between", () =>
    Effect.gen(function* () {
      const world = makeWaveWorld()
      world.feed.state = "BackingOff"
      yield* start(world)
      const starts: Array<number> = []
      // Checks from 23:05 on, every quarter of an hour, each given up within two minutes and a half.
      for (let check = 0; check < 6; check += 1) {
        const at = Date.parse("2025-10-21T23:08:00Z") + check * 900_000
        yield* until(new Date(at).toISOString(), 1_000)
        starts.push(world.feed.starts)
      }
      assert.deepStrictEqual(starts, [1, 1, 2, 2, 2, 3])
      assert.strictEqual(world.alerts.filter(({ kind }) => kind === "feed.restarted").length, 2)
    })
  )

  it.effect("in the middle of a check is not the death of anybody: the wave is gone on with", () =>
    Effect.gen(function* () {
      const world = makeWaveWorld()
      world.pipelineMs = 20_000
      const lines: Array<string> = []
      const logger = Logger.make(
        (line) => void lines.push(String(line.fiber.getRef(References.CurrentLogAnnotations)["event"]))
      )
      const first = yield* Effect.provide(start(world, "2025-10-21T23:04:50Z"), Logger.layer([logger]))
      storeSignals(world, "2025-10-21T22:45:00Z", 2)
      yield* until("2025-10-21T23:05:05Z")
      yield* first.kill
      yield* Effect.provide(startScheduler(world), Logger.layer([logger]))
      yield* until("2025-10-21T23:05:40Z")
      assert.strictEqual(ledgerLines(world)[0], "22:45 done 2 late")
      assert.include(lines, "wave.resumed")
      assert.notInclude(lines, "wave.taken_over")
    })
  )
})

describe("a database that is away", () => {
  it.effect("over a due time is a reason, and the scheduler goes on by itself", () =>
    Effect.gen(function* () {
      const world = makeWaveWorld()
      const process = yield* start(world)
      process.database(false)
      yield* until("2025-10-21T23:12:00Z", 5_000)
      assert.strictEqual(process.scheduler()?.state, "WaitingForDatabase")
      process.database(true)
      storeSignals(world, "2025-10-21T23:00:00Z", 4)
      yield* until("2025-10-21T23:20:30Z")
      assert.deepStrictEqual(ledgerLines(world), [
        "22:45 missed 0 database_down",
        "23:00 done 4",
        "23:15 expected 0"
      ])
      assert.strictEqual(process.scheduler()?.restarts, 0)
    })
  )

  it.effect("in the middle of a check for less than the wave's time costs nothing", () =>
    Effect.gen(function* () {
      const world = makeWaveWorld()
      world.pipelineMs = 5_000
      const process = yield* start(world)
      storeSignals(world, "2025-10-21T22:45:00Z", 4)
      yield* until("2025-10-21T23:05:02Z")
      process.database(false)
      yield* until("2025-10-21T23:06:00Z")
      process.database(true)
      yield* until("2025-10-21T23:06:20Z")
      assert.strictEqual(ledgerLines(world)[0], "22:45 done 4 late")
      assert.deepStrictEqual(handedOver(world), [1, 1, 1, 1])
    })
  )
})

describe("a clock that is not steady", () => {
  it.effect("a machine that was suspended over two checks sees at once what it is late for", () =>
    Effect.gen(function* () {
      const world = makeWaveWorld()
      yield* start(world)
      storeSignals(world, "2025-10-21T23:15:00Z", 4)
      // The wall clock jumps over two checks; no timer has fired in between.
      yield* until("2025-10-21T23:00:00Z", 5_000)
      world.wallAheadMs = 36 * 60_000
      yield* until("2025-10-21T23:00:20Z")
      assert.deepStrictEqual(ledgerLines(world), [
        "22:45 missed 0 late",
        "23:00 missed 0 late",
        "23:15 done 4 late",
        "23:30 expected 0"
      ])
    })
  )

  it.effect("that steps back repeats no wave and goes on with the next", () =>
    Effect.gen(function* () {
      const world = makeWaveWorld()
      yield* start(world)
      storeSignals(world, "2025-10-21T22:45:00Z", 4)
      yield* until("2025-10-21T23:10:00Z", 1_000)
      world.wallAheadMs = -30 * 60_000
      yield* until("2025-10-21T23:40:00Z", 1_000)
      // By this clock 22:30 became due, which the ledger had not known; 22:45 is due for the second time and done.
      assert.deepStrictEqual(ledgerLines(world), ["22:30 done 0 empty", "22:45 done 4", "23:00 expected 0"])
      world.wallAheadMs = 0
      storeSignals(world, "2025-10-21T23:15:00Z", 2)
      yield* until("2025-10-21T23:40:10Z")
      assert.deepStrictEqual(
        [...world.signals.values()].map(({ handedOver }) => handedOver),
        [1, 1, 1, 1, 0, 0]
      )
    })
  )

  it.effect("that was a day ahead for a minute costs the waves of that minute only", () =>
    Effect.gen(function* () {
      const world = makeWaveWorld()
      yield* start(world)
      yield* until("2025-10-21T23:00:00Z", 5_000)
      world.wallAheadMs = 86_400_000
      yield* until("2025-10-21T23:01:00Z")
      assert.isAbove(ledgerLines(world).filter((line) => line.includes("missed")).length, 90)
      world.wallAheadMs = 0
      storeSignals(world, "2025-10-21T22:45:00Z", 3)
      storeSignals(world, "2025-10-21T23:00:00Z", 3)
      yield* until("2025-10-21T23:21:00Z", 1_000)
      assert.deepStrictEqual(ledgerLines(world).slice(0, 2), ["22:45 done 3", "23:00 done 3"])
      assert.isFalse(ledgerLines(world).some((line) => line.includes("missed")))
    })
  )
})

describe("two processes", () => {
  it.effect("one with the feed and one with the schedule: nothing to ask, the signals are in the table", () =>
    Effect.gen(function* () {
      const world = makeWaveWorld()
      world.feed.state = "Absent"
      yield* TestClock.setTime(Date.parse("2025-10-21T23:04:00Z"))
      const settings = { ...incidentSettings, roles: new Set(["waves"] as const) }
      const process = yield* startScheduler(world, { settings })
      yield* TestClock.adjust(0)
      storeSignals(world, "2025-10-21T22:45:00Z", 5)
      yield* until("2025-10-21T23:05:10Z")
      assert.strictEqual(ledgerLines(world)[0], "22:45 done 5")
      yield* until("2025-10-21T23:22:30Z", 1_000)
      assert.strictEqual(ledgerLines(world)[1], "23:00 done 0 empty")
      assert.strictEqual(world.feed.asked, 0)
      assert.isTrue(process.scheduler()?.ready)
    })
  )

  it.effect("share a wave: one does it, and when it is killed in the middle the other takes it over", () =>
    Effect.gen(function* () {
      const world = makeWaveWorld()
      world.pipelineMs = 20_000
      const a = yield* start(world, "2025-10-21T23:04:00Z")
      const b = yield* startScheduler(world, { nodeId: "node-b" })
      storeSignals(world, "2025-10-21T22:45:00Z", 9)
      yield* until("2025-10-21T23:05:05Z")
      const wave = world.waves.get(Date.parse("2025-10-21T22:45:00Z"))
      const [owner, other] = wave?.owner?.startsWith("node-a") === true ? [a, b] : [b, a]
      assert.strictEqual(owner.scheduler()?.state.split(".")[0], "Checking")
      assert.strictEqual(other.scheduler()?.state, "Waiting")
      yield* owner.kill
      yield* until("2025-10-21T23:05:40Z")
      assert.strictEqual(wave?.status, "done")
      assert.strictEqual(wave?.epoch, 2)
      assert.deepStrictEqual(new Set(handedOver(world)), new Set([1]), "and no signal is handed over twice")
      yield* other.stop
    })
  )

  it.effect("one that stops in the middle of a check gives the wave back at once", () =>
    Effect.gen(function* () {
      const world = makeWaveWorld()
      world.pipelineMs = 20_000
      const process = yield* start(world, "2025-10-21T23:04:50Z")
      storeSignals(world, "2025-10-21T22:45:00Z", 2)
      yield* until("2025-10-21T23:05:05Z")
      assert.strictEqual(ledgerLines(world)[0], "22:45 processing 0")
      yield* process.stop
      assert.strictEqual(ledgerLines(world)[0], "22:45 expected 0")
    })
  )
})
