import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { StatsFs } from "node:fs"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { resourcesOn } from "../../../src/layers/platform/resources.node.ts"
import { Resources } from "../../../src/layers/platform/resources.port.ts"
import { testSettings } from "../../integration/execution-world.ts"

it.effect("[E9] a file system that hangs is asked once, and again when it has answered", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const answers: Array<(stats: StatsFs) => void> = []
      const ask = () => new Promise<StatsFs>((settle) => answers.push(settle))
      const context = yield* Layer.build(
        resourcesOn(ask as never).pipe(Layer.provide(Layer.succeed(Config, testSettings())))
      )
      const { read } = yield* Effect.provide(Resources, context)
      const free = Effect.gen(function* () {
        const reading = yield* Effect.forkChild(read)
        yield* TestClock.adjust(1_000)
        return (yield* Fiber.join(reading)).diskFreePct
      })
      assert.isNull(yield* free)
      assert.isNull(yield* free)
      assert.strictEqual(answers.length, 1, "a thread of the pool hangs in it")
      answers[0]?.({ bavail: 25, blocks: 100 } as StatsFs)
      yield* Effect.promise(() => Promise.resolve())
      assert.isNull(yield* free, "the next one is asked")
      assert.strictEqual(answers.length, 2)
    })
  )
)
