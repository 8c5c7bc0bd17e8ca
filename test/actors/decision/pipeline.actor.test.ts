import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { claimLimits } from "../../../src/domain/kernel/limits-signals.ts"
import { claimedSignal as signal, nowMs, startPipeline as start } from "../../support/pipeline.ts"

describe("with a database", () => {
  it.effect("gives old claims back first, decides what is stored, then wakes the executor", () =>
    Effect.gen(function* () {
      const { availability, bells, pipeline, state } = yield* start
      state.rows.push(signal("a"), signal("b"))
      assert.strictEqual(pipeline().state, "WaitingForDatabase")
      availability.mark("available")
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(state.calls, ["release", "expire", "claim", "decide a,b"])
      assert.deepStrictEqual(
        state.decided.map(({ id }) => id),
        ["a", "b"]
      )
      assert.deepStrictEqual(bells, ["orders:paper-1", "orders:paper-1"])
      assert.strictEqual(pipeline().state, "Idle")
      assert.isTrue(pipeline().ready)
      assert.deepStrictEqual(pipeline().detail, {
        batches: 1,
        decided: 2,
        failed: 0,
        buried: 0,
        metadata: 0,
        deferred: 0,
        queue: { open: 7, oldest_ms: 12, expired: 0, dead_letters: 1 }
      })
    })
  )

  it.effect("decides at the doorbell without any time passing, and by the poll when no bell rang", () =>
    Effect.gen(function* () {
      const { availability, state, wake } = yield* start
      availability.mark("available")
      yield* TestClock.adjust(0)
      state.rows.push(signal("rung"))
      wake.notify("signals")
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(
        state.decided.map(({ id }) => id),
        ["rung"]
      )
      state.rows.push(signal("silent"))
      yield* TestClock.adjust(claimLimits.pollMs - 1)
      assert.strictEqual(state.decided.length, 1)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(
        state.decided.map(({ id }) => id),
        ["rung", "silent"]
      )
    })
  )

  it.effect("goes on at once while batches are full", () =>
    Effect.gen(function* () {
      const { availability, state } = yield* start
      state.rows.push(
        ...Array.from({ length: 2 * claimLimits.batchMax + 1 }, (_, index) => signal(`${index}`))
      )
      availability.mark("available")
      yield* TestClock.adjust(0)
      assert.strictEqual(state.decided.length, 2 * claimLimits.batchMax + 1)
    })
  )

  it.effect("takes the quote of the market into the decision while it is fresh", () =>
    Effect.gen(function* () {
      const { availability, market, state } = yield* start
      yield* market.setPrice("SPY", "451.2")
      state.rows.push(signal("fresh"))
      availability.mark("available")
      yield* TestClock.adjust(0)
      yield* TestClock.adjust("11 seconds")
      state.rows.push(signal("stale"))
      yield* TestClock.adjust(claimLimits.pollMs)
      assert.deepStrictEqual(
        state.decided.map(({ decision }) => decision.quote),
        [{ symbol: "SPY", bid: "451.2", ask: "451.2", last: "451.2", atMs: nowMs }, null]
      )
    })
  )

  it.effect("looks again soon at what was put off, and not in a hurry", () =>
    Effect.gen(function* () {
      const { availability, state } = yield* start
      state.reconciled = false
      state.rows.push(signal("a"))
      availability.mark("available")
      yield* TestClock.adjust(0)
      assert.strictEqual(state.calls.filter((call) => call === "decide a").length, 1)
      yield* TestClock.adjust(claimLimits.deferMs)
      assert.strictEqual(state.calls.filter((call) => call === "decide a").length, 2)
      state.reconciled = true
      yield* TestClock.adjust(claimLimits.deferMs)
      assert.deepStrictEqual(
        state.decided.map(({ id }) => id),
        ["a"]
      )
    })
  )
})

describe("a signal that makes trouble", () => {
  it.effect("is decided alone when it was tried before, so that it takes nobody along", () =>
    Effect.gen(function* () {
      const { availability, state } = yield* start
      state.rows.push(signal("a"), signal("b"), signal("suspect", { attempts: 2 }), signal("c"), signal("d"))
      availability.mark("available")
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(
        state.calls.filter((call) => call.startsWith("decide")),
        ["decide a,b", "decide suspect", "decide c,d"]
      )
    })
  )

  it.effect("is found one by one when the database refuses the batch, and ends as a HIGH alert", () =>
    Effect.gen(function* () {
      const { alerts, availability, pipeline, state } = yield* start
      state.refuses.add("b")
      state.rows.push(signal("a"), signal("b"), signal("c"))
      availability.mark("available")
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(
        state.decided.map(({ id }) => id),
        ["a", "c"]
      )
      assert.deepStrictEqual(state.failed, ["b"])
      assert.deepStrictEqual(
        alerts.map(({ kind, severity }) => [kind, severity]),
        [["signal.dead", "HIGH"]]
      )
      assert.strictEqual(pipeline().restarts, 0)
      assert.strictEqual(pipeline().state, "Idle")
    })
  )

  it.effect("that is too old is rejected, and an alert says so", () =>
    Effect.gen(function* () {
      const { alerts, availability, bells, state } = yield* start
      const old = signal("old")
      state.rows.push(
        old.kind === "signal" ? { ...old, signal: { ...old.signal, expiresFromMs: nowMs - 400_000 } } : old
      )
      availability.mark("available")
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(
        state.decided.map(({ decision }) => [decision.outcome, decision.reason, decision.signalStatus]),
        [["denied", "too_old", "rejected"]]
      )
      assert.deepStrictEqual(
        alerts.map(({ dedupKey, severity }) => [dedupKey, severity]),
        [["signal.too_old:default", "MEDIUM"]]
      )
      assert.deepStrictEqual(bells, [])
    })
  )
})

describe("signals that no strategy wants", () => {
  it.effect("are an alert per source from the first one on, with their number", () =>
    Effect.gen(function* () {
      const { alerts, availability, state } = yield* start
      const from = (id: string, source: string, strategy: string | null = null) => {
        const claimed = signal(id)
        return claimed.kind === "signal"
          ? { ...claimed, source, signal: { ...claimed.signal, source, strategy } }
          : claimed
      }
      state.rows.push(from("a", "nobody"), signal("b"), from("c", "nobody"), from("d", "other"))
      availability.mark("available")
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(
        alerts.map(({ correlationId, dedupKey, detail, severity }) => [
          severity,
          dedupKey,
          correlationId,
          detail
        ]),
        [
          ["MEDIUM", "signal.no_strategy:nobody", "a", { source: "nobody", count: 2 }],
          ["MEDIUM", "signal.no_strategy:other", "d", { source: "other", count: 1 }]
        ]
      )
      assert.deepStrictEqual(
        state.decided.map(({ decision }) => decision.outcome),
        ["ignored", "ordered", "ignored", "ignored"]
      )
    })
  )
})

describe("signals that are too old", () => {
  it.effect(
    "end without any time passing, and a fresh one is decided after the first statement of many",
    () =>
      Effect.gen(function* () {
        const { availability, state } = yield* start
        state.expired.count = 10 * claimLimits.expireMax
        state.rows.push(signal("fresh"))
        availability.mark("available")
        yield* TestClock.adjust(0)
        assert.deepStrictEqual(state.calls.slice(0, 5), [
          "release",
          "expire",
          "claim",
          "decide fresh",
          "expire"
        ])
        assert.strictEqual(state.expired.count, 0)
      })
  )

  it.effect("are told once, with their number, their source and the oldest", () =>
    Effect.gen(function* () {
      const { alerts, availability, pipeline, state, wake } = yield* start
      state.expired.count = 10 * claimLimits.expireMax + 7
      availability.mark("available")
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(
        alerts.map(({ dedupKey, detail, kind, severity }) => [severity, kind, dedupKey, detail]),
        [
          [
            "MEDIUM",
            "signal.too_old",
            "signal.too_old:default",
            {
              source: "default",
              count: 10 * claimLimits.expireMax + 7,
              oldest_ms: 400_000,
              oldest: "oldest"
            }
          ]
        ]
      )
      assert.include(alerts[0]?.message, "10007 signals of source default were too old")
      assert.strictEqual(pipeline().state, "Idle")
      // Looked for again once a second, for as long as the watch of the queue rings for them.
      state.expired.count = 1
      yield* TestClock.adjust(claimLimits.expireEveryMs)
      wake.notify("signals")
      yield* TestClock.adjust(0)
      assert.include(alerts[1]?.message, "a signal of source default was too old")
      assert.strictEqual(alerts[1]?.correlationId, "oldest")
    })
  )

  it.effect("are told in between when ending them takes long, and fewer are ended at once", () =>
    Effect.gen(function* () {
      const { alerts, availability, state } = yield* start
      state.expired.count = 40 * claimLimits.expireMax
      state.expireFor = Effect.sleep(1_000)
      availability.mark("available")
      yield* TestClock.adjust(claimLimits.expireReportMs + 2_000)
      assert.lengthOf(alerts, 1)
      assert.isAbove(state.expired.count, 35 * claimLimits.expireMax)
      state.expireFor = Effect.void
      yield* TestClock.adjust(1_000)
      assert.strictEqual(state.expired.count, 0)
      assert.lengthOf(alerts, 2)
      const told = alerts.map(({ detail }) => Number(detail?.["count"]))
      assert.strictEqual(told[0]! + told[1]!, 40 * claimLimits.expireMax)
    })
  )

  it.effect("are told before the pipeline ends", () =>
    Effect.gen(function* () {
      const { alerts, availability, state, tree } = yield* start
      state.expired.count = 40 * claimLimits.expireMax
      state.expireFor = Effect.sleep(1_000)
      availability.mark("available")
      yield* TestClock.adjust(3_000)
      assert.lengthOf(alerts, 0)
      const stopping = yield* tree.stop.pipe(Effect.forkChild({ startImmediately: true }))
      yield* TestClock.adjust(3_000)
      assert.isDefined(stopping.pollUnsafe())
      assert.lengthOf(alerts, 1)
    })
  )
})

describe("without a database", () => {
  it.effect("waits through ten minutes of outage without one restart, and goes on by itself", () =>
    Effect.gen(function* () {
      const { availability, pipeline, state } = yield* start
      availability.mark("available")
      yield* TestClock.adjust(0)
      state.available = false
      availability.mark("unavailable")
      yield* TestClock.adjust(0)
      assert.strictEqual(pipeline().state, "WaitingForDatabase")
      assert.isFalse(pipeline().ready)
      const calls = state.calls.length
      state.rows.push(signal("during"))
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(pipeline().restarts, 0)
      assert.strictEqual(pipeline().state, "WaitingForDatabase")
      assert.strictEqual(state.calls.length, calls)
      state.available = true
      availability.mark("available")
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(
        state.decided.map(({ id }) => id),
        ["during"]
      )
      assert.deepStrictEqual(
        state.calls
          .slice(calls)
          .filter((call) => call !== "expire")
          .slice(0, 2),
        ["release", "claim"]
      )
      assert.strictEqual(pipeline().restarts, 0)
    })
  )

  it.effect(
    "backs off, ten minutes long and without a restart, when calls fail although it is reported available",
    () =>
      Effect.gen(function* () {
        const { availability, pipeline, state } = yield* start
        state.available = false
        availability.mark("available")
        yield* TestClock.adjust(0)
        assert.strictEqual(pipeline().state, "BackingOff")
        assert.include(String(pipeline().lastError), "away")
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual(pipeline().restarts, 0)
        assert.isTrue(state.calls.length > 500 && state.calls.length < 700, `${state.calls.length} calls`)
        state.available = true
        yield* TestClock.adjust(claimLimits.retryMs)
        assert.strictEqual(pipeline().state, "Idle")
      })
  )

  it.effect("gives a hung claim up at its deadline", () =>
    Effect.gen(function* () {
      const { availability, pipeline, state } = yield* start
      state.claimFor = Effect.never
      availability.mark("available")
      yield* TestClock.adjust(claimLimits.claimMsMax - 1)
      assert.strictEqual(pipeline().state, "Claiming.Running")
      yield* TestClock.adjust(1)
      assert.strictEqual(pipeline().state, "BackingOff")
      assert.strictEqual(pipeline().restarts, 0)
    })
  )
})

describe("asked to stop", () => {
  it.effect("in the middle of a batch finishes it and claims no more (T8)", () =>
    Effect.gen(function* () {
      const { availability, pipeline, state, tree } = yield* start
      state.decideFor = Effect.sleep(500)
      state.rows.push(...Array.from({ length: claimLimits.batchMax + 5 }, (_, index) => signal(`${index}`)))
      availability.mark("available")
      yield* TestClock.adjust(100)
      const stopping = yield* tree.stop.pipe(Effect.forkChild({ startImmediately: true }))
      yield* TestClock.adjust(100)
      assert.include(pipeline().tags, "draining")
      yield* TestClock.adjust(1_000)
      assert.isDefined(stopping.pollUnsafe())
      assert.strictEqual(state.decided.length, claimLimits.batchMax)
      assert.strictEqual(state.calls.filter((call) => call === "claim").length, 1)
      assert.strictEqual(state.rows.length, 5)
    })
  )

  it.effect("during a claim decides what it brings", () =>
    Effect.gen(function* () {
      const { availability, state, tree } = yield* start
      state.claimFor = Effect.sleep(200)
      state.rows.push(signal("a"))
      availability.mark("available")
      yield* TestClock.adjust(100)
      const stopping = yield* tree.stop.pipe(Effect.forkChild({ startImmediately: true }))
      yield* TestClock.adjust(1_000)
      assert.isDefined(stopping.pollUnsafe())
      assert.deepStrictEqual(
        state.decided.map(({ id }) => id),
        ["a"]
      )
    })
  )

  it.effect("while idle or without a database ends at once", () =>
    Effect.gen(function* () {
      for (const known of [true, false]) {
        const { availability, tree } = yield* start
        if (known) availability.mark("available")
        yield* TestClock.adjust(0)
        const stopping = yield* tree.stop.pipe(Effect.forkChild({ startImmediately: true }))
        yield* TestClock.adjust(10)
        assert.isDefined(stopping.pollUnsafe(), `database known: ${known}`)
      }
    })
  )
})
