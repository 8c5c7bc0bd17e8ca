/** The declared steps of a boot. */
import { assert, it } from "@effect/vitest"
import { type StartupEvent, StartupProgress } from "../../src/runtime/startup.ts"

it("keeps the order, the present step and how long each took", () => {
  let now = 1_000
  const events: Array<StartupEvent> = []
  const progress = new StartupProgress(["config", "listener", "database"], () => now, [
    () => {
      throw new Error("sink")
    },
    (event) => events.push(event)
  ])
  assert.isUndefined(progress.current())
  progress.begin("config")
  now += 5
  progress.succeed("config")
  progress.begin("listener")
  now += 10
  assert.deepInclude(progress.current(), { step: "listener", n: 2, of: 3, since: 1_005 })
  progress.succeed("listener")
  progress.begin("database")
  now += 700
  progress.fail("database", "ECONNREFUSED")
  assert.deepInclude(progress.current(), {
    step: "database",
    state: "failed",
    error: "ECONNREFUSED",
    ms: 700
  })
  assert.isFalse(progress.complete())
  progress.begin("database")
  progress.succeed("database")
  assert.isTrue(progress.complete())
  assert.isUndefined(progress.current())
  assert.deepStrictEqual(
    events.map((event) => `${event.n}/${event.of} ${event.step} ${event.state} ${event.ms}`),
    [
      "1/3 config begun 0",
      "1/3 config succeeded 5",
      "2/3 listener begun 0",
      "2/3 listener succeeded 10",
      "3/3 database begun 0",
      "3/3 database failed 700",
      "3/3 database begun 0",
      "3/3 database succeeded 0"
    ]
  )
})

it("an undeclared or doubled step is a bug", () => {
  assert.throws(() => new StartupProgress(["a", "a"], () => 0), "different names")
  assert.throws(() => new StartupProgress(["a"], () => 0).begin("b"), "undeclared start-up step b")
})
