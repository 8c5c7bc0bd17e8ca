/** Events by hand: what a component takes now, what is refused and why, and that practice mode alone has them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createMachine } from "xstate"
import { byHand } from "../../../src/actors/health/by-hand.ts"
import { catalog } from "../../../src/machines/catalog.ts"
import { chartOf } from "../../../src/machines/chart.ts"
import { handEventsOf, handMachines } from "../../../src/machines/hand-events.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { machineChild } from "../../../src/runtime/machine-child.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"

/** Named as a component of ours, so that its events are those of the list. */
const journal = createMachine({
  id: "journal",
  initial: "Away",
  on: { "database.unavailable": ".Away" },
  states: {
    Away: { on: { "database.available": "There", "database.unavailable": {} } },
    There: { on: { "journal.stop": "Away" } }
  }
})

const world = (mode: "PRACTICE" | "PAPER" = "PRACTICE") =>
  Effect.gen(function* () {
    const tree = yield* startTree(
      supervisor({
        id: "root",
        children: [
          worker({ id: "journal", start: machineChild({ machine: journal }) }),
          worker({ id: "plain", start: () => Effect.succeed({ run: Effect.never }) })
        ]
      }),
      { stopDeadlineMs: 1_000 }
    )
    const { handEvents, send } = byHand({ settings: { mode }, tree: () => tree })
    const state = () => tree.snapshot().children[0]?.state
    const refusal = (path: string, event: string) =>
      Effect.map(Effect.flip(send(path, event)), ({ message, reason }) => [reason, message ?? ""] as const)
    return { handEvents, refusal, send, state }
  })

describe("an event by hand", () => {
  it.effect("is one that the machine takes in its state now, and moves it", () =>
    Effect.gen(function* () {
      const { handEvents, send, state } = yield* world()
      assert.deepStrictEqual(handEvents("root/journal"), ["database.available"])
      yield* send("root/journal", "database.available")
      assert.strictEqual(state(), "There")
      assert.deepStrictEqual(handEvents("root/journal"), ["database.unavailable"])
    })
  )

  it.effect("is refused where it would be ignored, is not listed, or nothing runs", () =>
    Effect.gen(function* () {
      const { refusal, send, state } = yield* world()
      const [ignored, why] = yield* refusal("root/journal", "database.unavailable")
      assert.deepStrictEqual([ignored, why.includes("is Away")], ["event_ignored", true])
      yield* send("root/journal", "database.available")
      assert.strictEqual((yield* refusal("root/journal", "journal.stop"))[0], "event_unknown")
      assert.strictEqual((yield* refusal("root/plain", "database.available"))[0], "event_unknown")
      assert.strictEqual((yield* refusal("root/nobody", "database.available"))[0], "not_found")
      assert.strictEqual(state(), "There")
    })
  )

  it.effect("is for practice mode alone", () =>
    Effect.gen(function* () {
      const { handEvents, refusal, state } = yield* world("PAPER")
      assert.deepStrictEqual(handEvents("root/journal"), [])
      const [reason, message] = yield* refusal("root/journal", "database.available")
      assert.deepStrictEqual([reason, message.includes("practice mode only")], ["practice_only", true])
      assert.strictEqual(state(), "Away")
    })
  )

  it("is one for which its machine has a transition somewhere", () => {
    const charts = new Map(catalog.map(({ machine, name }) => [name, chartOf(machine)]))
    for (const name of handMachines) {
      const taken = new Set(charts.get(name)?.transitions.map(({ event }) => event))
      for (const event of handEventsOf(name)) assert.isTrue(taken.has(event), `${name} takes ${event}`)
    }
    assert.isAbove(handMachines.length, 20)
    assert.deepStrictEqual(handEventsOf("http"), [])
    assert.deepStrictEqual(handEventsOf("database"), [])
  })
})
