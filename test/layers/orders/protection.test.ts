import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { exitLimits } from "../../../src/domain/kernel/limits-execution.ts"
import { Protection } from "../../../src/layers/orders/protection.port.ts"

const world = Effect.provide(Protection, Protection.layer)
const late = exitLimits.lookAgeMsMax + 1

describe("what is not protected", () => {
  it.effect("is what a look says, and everything it watched when nobody looked for too long", () =>
    Effect.gen(function* () {
      const protection = yield* world
      protection.report(
        [
          { account: "a", symbol: "SPY", gap: null },
          { account: "a", symbol: "QQQ", gap: "no fresh quote" }
        ],
        1_000
      )
      assert.deepStrictEqual(protection.unprotected(1_000), [
        { account: "a", symbol: "QQQ", reason: "no fresh quote" }
      ])
      assert.deepStrictEqual(
        protection.unprotected(1_000 + late).map(({ symbol, reason }) => `${symbol}: ${reason}`),
        ["SPY: its price is not being watched", "QQQ: its price is not being watched"]
      )
    })
  )

  it.effect("is also what was opened while the exits were paused, before or after their last look", () =>
    Effect.gen(function* () {
      const never = yield* world
      never.noteOpened("a", "SPY", 5_000)
      assert.deepStrictEqual(never.unprotected(5_000), [])
      assert.strictEqual(never.unprotected(5_000 + late).length, 1)

      const flat = yield* world
      flat.report([], 1_000)
      flat.noteOpened("a", "SPY", 60_000)
      flat.noteOpened("a", "SPY", 61_000)
      assert.deepStrictEqual(flat.unprotected(61_000), [
        { account: "a", symbol: "SPY", reason: "its price is not being watched" }
      ])
      flat.report([{ account: "a", symbol: "SPY", gap: null }], 62_000)
      assert.deepStrictEqual(flat.unprotected(62_000), [])
    })
  )
})
