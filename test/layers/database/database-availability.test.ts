import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"

describe("database availability", () => {
  it("is unknown until somebody knows", () => assert.strictEqual(makeAvailability().current(), "unknown"))

  it("goes away with a failing call and comes back only by a mark", () => {
    const availability = makeAvailability()
    availability.mark("available")
    availability.lost(availability.generation())
    assert.strictEqual(availability.current(), "unavailable")
    availability.mark("available")
    assert.strictEqual(availability.current(), "available")
  })

  it("ignores the late failure of a call that started before the database came back", () => {
    const availability = makeAvailability()
    availability.mark("available")
    const before = availability.generation()
    availability.lost(before)
    availability.mark("available")
    availability.lost(before)
    assert.strictEqual(availability.current(), "available")
  })

  it.effect("tells every watcher the present state first, then each change once", () =>
    Effect.gen(function* () {
      const availability = makeAvailability()
      availability.mark("available")
      const watch = availability.changes.pipe(Stream.take(3), Stream.runCollect)
      const watchers = [
        yield* Effect.forkChild(watch, { startImmediately: true }),
        yield* Effect.forkChild(watch, { startImmediately: true })
      ]
      yield* Effect.yieldNow
      availability.mark("available")
      availability.mark("unavailable")
      availability.mark("unavailable")
      availability.mark("available")
      for (const watcher of watchers) {
        assert.deepStrictEqual(yield* Fiber.join(watcher), ["available", "unavailable", "available"])
      }
    })
  )
})
