import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { defaultPace, makeDesk } from "../../../src/actors/execution/account-desk.ts"
import { makeAccountTurns, turnFigures } from "../../../src/layers/accounts/account-turns.ts"

describe("turns of an account", () => {
  it.effect("counts who waited for whom and how long, and forgets who gave up waiting", () =>
    Effect.gen(function* () {
      const turns = makeAccountTurns()
      const self = {
        path: "root/a",
        fork: (_name: string, effect: Effect.Effect<unknown, never>) => Effect.forkChild(effect)
      }
      const desk = makeDesk(self as never, "a", null as never, defaultPace, () => turns.open("a"))
      assert.isNull(turns.of("a"), "no turn, no counts")
      const first = yield* Effect.forkChild(desk.between(Effect.sleep(100)))
      yield* TestClock.adjust(40)
      const second = yield* Effect.forkChild(desk.roundTrip(Effect.sleep(10)))
      const third = yield* Effect.forkChild(desk.between(Effect.sleep(10)))
      yield* TestClock.adjust(10)
      assert.deepInclude(turns.of("a"), { taken: 1, waiting: 2, contended: 0 })
      yield* Fiber.interrupt(third)
      assert.deepInclude(turns.of("a"), { taken: 1, waiting: 1 })
      yield* TestClock.adjust(50)
      yield* Fiber.join(first)
      yield* TestClock.adjust(10)
      yield* Fiber.join(second)
      assert.deepStrictEqual(turns.of("a"), {
        taken: 2,
        ended: 2,
        waiting: 0,
        contended: 1,
        waitedMs: 60,
        longestWaitMs: 60
      })
      yield* desk.between(Effect.void)
      assert.deepInclude(turns.of("a"), { taken: 3, contended: 1 })
      const seconds = turnFigures(turns.all()).find(({ name }) => name.endsWith("wait_seconds_total"))
      assert.strictEqual(seconds?.samples[0]?.value, 0.06)
    })
  )
})
