/** A feed that delivers more than can be kept: what is discarded is requested again, once, when there is room. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { TestClock } from "effect/testing"
import { feedLimits } from "../../../src/domain/kernel/limits-feeds.ts"
import { signal, types, world } from "./feed-world.ts"

const frameSignals = 1_000
const frame = (nth: number) => Array.from({ length: frameSignals }, (_, index) => signal(`${nth}-${index}`))
const asked = (sent: ReadonlyArray<unknown>): number => sent.filter((type) => type === "get_signals").length

describe("signals beyond what is kept in memory", () => {
  it.effect("are let go, counted, and asked for again once the others are stored", () =>
    Effect.gen(function* () {
      const { buffer, child, goLive, say, settle, wire } = yield* world()
      const gate = yield* Deferred.make<void>()
      buffer.hold(gate)
      yield* goLive()
      const kept = feedLimits.waitingSignalsHard / frameSignals
      const frames = kept + 4
      for (let nth = 0; nth < frames; nth += 1) yield* say({ type: "signals", signals: frame(nth) })
      assert.isTrue(wire().paused, "the socket is not read any further")
      assert.deepInclude(child().detail, { waiting: feedLimits.waitingSignalsHard, let_go: 4 * frameSignals })
      const before = asked(types(wire()))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(asked(types(wire())), before, "nothing is asked for while there is no room")

      buffer.hold(null)
      yield* Deferred.succeed(gate, undefined)
      for (let turn = 0; turn < kept; turn += 1) yield* settle
      assert.strictEqual(buffer.rows.size, feedLimits.waitingSignalsHard)
      assert.isFalse(wire().paused)
      assert.strictEqual(asked(types(wire())), before + 1)

      for (let nth = kept; nth < frames; nth += 1) yield* say({ type: "signals", signals: frame(nth) })
      assert.strictEqual(buffer.rows.size, frames * frameSignals)
      assert.strictEqual(asked(types(wire())), before + 1, "asked for once")
      assert.deepInclude(child().detail, { waiting: 0, let_go: 4 * frameSignals })
      assert.strictEqual(child().restarts, 0)
    })
  )
})
