/** What a machine waits for: which event, and when it is due on the clock that will send it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { setup } from "xstate"
import { supervisor, worker } from "../../src/runtime/child-spec.ts"
import { machineChild } from "../../src/runtime/machine-child.ts"
import { plant } from "./probe-tree.ts"

const inner = setup({}).createMachine({
  id: "inner",
  initial: "Resting",
  states: { Resting: { after: { 700: "Rested" } }, Rested: {} }
})
const waiting = setup({
  types: { events: {} as { type: "go" } | { type: "again" } },
  actors: { inner },
  delays: { backoff: 2_500 }
}).createMachine({
  id: "waiting",
  initial: "Idle",
  states: {
    Idle: {
      after: { backoff: "Late", 9_000: "Later" },
      on: { go: "Busy", again: { target: "Idle", reenter: true } }
    },
    Busy: { invoke: { id: "helper", src: "inner" } },
    Late: {},
    Later: {}
  }
})
const options = { stopDeadlineMs: 10_000 }

const start = Effect.gen(function* () {
  const tree = yield* plant(
    supervisor({
      id: "root",
      children: [
        worker({ id: "m", start: machineChild({ machine: waiting }) }),
        worker({ id: "plain", start: () => Effect.succeed({}) }),
        worker({
          id: "liar",
          start: () =>
            Effect.succeed({
              timers: () => {
                throw new Error("no timers today")
              }
            })
        })
      ]
    }),
    options
  )
  const began = tree.inspection.recent("root/m")[0]?.at ?? assert.fail("it has begun")
  const timers = (path = "root/m") =>
    tree
      .timers(path)
      .map(({ delayMs, dueAt, event, path: of }) => [of, event, delayMs, dueAt - began] as const)
  return { tree, timers }
})

describe("the timers of a machine", () => {
  it.effect("are listed with their event and due time, the next first", () =>
    Effect.gen(function* () {
      const { timers, tree } = yield* start
      const expected: ReturnType<typeof timers> = [
        ["root/m", "xstate.after.backoff.waiting.Idle", 2_500, 2_500],
        ["root/m", "xstate.after.9000.waiting.Idle", 9_000, 9_000]
      ]
      assert.deepStrictEqual(timers(), expected)
      yield* TestClock.adjust(2_400)
      assert.deepStrictEqual(timers(), expected, "what is left changes, not when they are due")
      tree.send("root/m", { type: "again" })
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(
        timers().map(([, , , due]) => due),
        [4_900, 11_400],
        "a state that is entered again starts them again"
      )
    })
  )

  it.effect("end when they fire, and when their state is left", () =>
    Effect.gen(function* () {
      const { timers } = yield* start
      yield* TestClock.adjust(2_500)
      assert.deepStrictEqual(timers(), [])
    })
  )

  it.effect("of a machine inside of it have a path of their own", () =>
    Effect.gen(function* () {
      const { timers, tree } = yield* start
      tree.send("root/m", { type: "go" })
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(timers(), [["root/m#helper", "xstate.after.700.inner.Resting", 700, 700]])
      yield* TestClock.adjust(600)
      assert.deepStrictEqual(timers(), [])
    })
  )

  it.effect("are none for whatever has none, and for a child that throws when it is asked", () =>
    Effect.gen(function* () {
      const { timers } = yield* start
      for (const path of ["root", "root/plain", "root/nobody", "root/liar"])
        assert.deepStrictEqual(timers(path), [])
    })
  )
})
