/** Reads for people take turns: what trades finds a connection, however many of them there are. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { databaseInTurns } from "../../../src/layers/database/database-turns.ts"
import { Database } from "../../../src/layers/database/database.port.ts"

/** A database whose calls take a second each, and how many of them were on their way at once. */
const slow = () => {
  const seen = { now: 0, most: 0, done: 0 }
  const call = Effect.acquireUseRelease(
    Effect.sync(() => {
      seen.now += 1
      seen.most = Math.max(seen.most, seen.now)
    }),
    () =>
      Effect.andThen(
        Effect.sleep(1_000),
        Effect.sync(() => (seen.done += 1))
      ),
    () => Effect.sync(() => (seen.now -= 1))
  )
  const run = (() => call) as never
  const none = (): never => assert.fail("not part of this test")
  const mock = Layer.mock(Database, { run, transact: run, availability: none as never, stats: none })
  return { seen, layer: databaseInTurns(3).pipe(Layer.provide(mock)) }
}

describe("a database in turns", () => {
  it.effect("has so many calls at once and no more, and all of them are answered", () =>
    Effect.gen(function* () {
      const { layer, seen } = slow()
      yield* Effect.gen(function* () {
        const database = yield* Database
        const ask = (n: number) =>
          n % 2 === 0
            ? database.run("t", () => Effect.succeed(n))
            : database.transact("t", () => Effect.succeed(n))
        const all = yield* Effect.forkChild(
          Effect.forEach(
            Array.from({ length: 10 }, (_, n) => n),
            ask,
            { concurrency: "unbounded" }
          )
        )
        yield* TestClock.adjust(3_999)
        assert.deepStrictEqual([seen.most, seen.done], [3, 9])
        yield* TestClock.adjust(1)
        yield* Fiber.join(all)
        assert.deepStrictEqual(seen, { now: 0, most: 3, done: 10 })
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("gives nothing to who gave up while it waited", () =>
    Effect.gen(function* () {
      const { layer, seen } = slow()
      yield* Effect.gen(function* () {
        const database = yield* Database
        const ask = database.run("t", () => Effect.void)
        const held = yield* Effect.forkChild(Effect.all([ask, ask, ask], { concurrency: 3 }))
        yield* TestClock.adjust(1)
        const late = yield* Effect.forkChild(Effect.exit(ask.pipe(Effect.timeout(500))))
        yield* TestClock.adjust(500)
        assert.isTrue(Exit.isFailure(yield* Fiber.join(late)))
        yield* TestClock.adjust(1_000)
        yield* Fiber.join(held)
        assert.strictEqual(seen.done, 3)
      }).pipe(Effect.provide(layer))
    })
  )
})
