/** Counting calls for circuit breakers in memory, on the virtual clock. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { breakerLimits } from "../../../src/domain/kernel/breaker-limits.ts"
import type { Breaker } from "../../../src/domain/orders/breaker.ts"
import type { CountedCalls } from "../../../src/layers/orders/breaker-store.port.ts"
import { Breakers } from "../../../src/layers/orders/breakers.port.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { layerBreakers } from "../../support/breakers.ts"

const layer = layerBreakers.pipe(Layer.provideMerge(Wake.layer))
const shown = (counted: ReadonlyArray<CountedCalls>) =>
  counted.map(
    ({ ageMs, breaker, calls, failures, kind }) => `${breaker} ${kind} ${failures}/${calls} ${ageMs}`
  )

describe("the counts of breakers", () => {
  it.effect("are sums per second, breaker and kind, with their age, and are taken once", () =>
    Effect.gen(function* () {
      const { count, take } = yield* Breakers
      count("broker:a", "orders", false)
      count("broker:a", "orders", true)
      count("broker:a", "reads", false)
      yield* TestClock.adjust(999)
      count("broker:a", "orders", true)
      yield* TestClock.adjust(1)
      count("broker:a", "orders", true)
      count("strategy:s:t", "orders", false)
      yield* TestClock.adjust(10)
      const taken = take()
      assert.deepStrictEqual(shown(taken), [
        "broker:a orders 2/3 1010",
        "broker:a orders 1/1 10",
        "broker:a reads 0/1 1010",
        "strategy:s:t orders 0/1 10"
      ])
      assert.strictEqual(new Set(taken.map(({ id }) => id)).size, 4)
      assert.isEmpty(take())
    }).pipe(Effect.provide(layer))
  )

  it.effect("keep their ids when they could not be stored, and are not added to", () =>
    Effect.gen(function* () {
      const { count, putBack, take } = yield* Breakers
      count("broker:a", "orders", true)
      const first = take()
      putBack(first)
      count("broker:a", "orders", true)
      const second = take()
      assert.lengthOf(second, 2)
      assert.strictEqual(second[0]?.id, first[0]?.id)
      assert.deepStrictEqual(
        second.map(({ failures }) => failures),
        [1, 1]
      )
    }).pipe(Effect.provide(layer))
  )

  it.effect("are bounded by the longest window, whether or not anybody takes them", () =>
    Effect.gen(function* () {
      const { count, take } = yield* Breakers
      for (let hour = 0; hour < 3; hour += 1) {
        count("broker:a", "orders", true)
        yield* TestClock.adjust(breakerLimits.windowMsMax)
      }
      assert.lengthOf(take(), 1)
    }).pipe(Effect.provide(layer))
  )

  it.effect("ring for a failure and for nothing else", () =>
    Effect.gen(function* () {
      const { count } = yield* Breakers
      const wake = yield* Wake
      let rung = 0
      wake.listen("breakers", () => (rung += 1))
      count("broker:a", "orders", false)
      assert.strictEqual(rung, 0)
      count("broker:a", "orders", true)
      assert.strictEqual(rung, 1)
    }).pipe(Effect.provide(layer))
  )

  it.effect("leave a view alone that is not known", () =>
    Effect.gen(function* () {
      const view = yield* Breakers
      const breaker: Breaker = {
        id: "broker:a",
        state: "OPEN",
        manual: true,
        reason: null,
        changedBy: "test",
        changedAtMs: 0,
        openedAtMs: 0,
        openings: 0,
        cooldownUntilMs: null,
        probes: 0,
        numbers: {},
        version: 1
      }
      view.change(breaker)
      assert.isNull(view.current())
      view.assign(new Map())
      view.change(breaker)
      assert.strictEqual(view.current()?.get("broker:a")?.breaker.state, "OPEN")
    }).pipe(Effect.provide(layer))
  )
})
