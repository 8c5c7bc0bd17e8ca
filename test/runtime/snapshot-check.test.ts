/** Kept states that a new version of the program cannot go on from: found before anything of them runs, and never silent. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { TestClock } from "effect/testing"
import { fromPromise, setup } from "xstate"
import { worker } from "../../src/runtime/child-spec.ts"
import { effectActor, machineChild } from "../../src/runtime/machine-child.ts"
import type { PersistedMachine, Persistence } from "../../src/runtime/machine-snapshot.ts"
import { formatReport } from "../../src/runtime/reports.ts"
import { StateIncompatible } from "../../src/runtime/snapshot-check.ts"
import { Probes } from "./probe-children.ts"
import { node, start, startError } from "./probe-tree.ts"

/** The new version. Its old one had a state Gone, `Open` without states of its own, and other effects and deadlines. */
const machine = setup({ actors: { load: fromPromise(async () => {}) } }).createMachine({
  id: "door",
  initial: "Shut",
  states: {
    Shut: { on: { open: "Open" }, after: { 1_000: "Open" } },
    Open: { initial: "Wide", states: { Wide: {}, Ajar: {} } },
    Loading: { invoke: { src: "load", id: "load", onDone: "Shut" } },
    Both: {
      type: "parallel",
      states: { one: { initial: "A", states: { A: {} } }, two: { initial: "B", states: { B: {} } } }
    }
  }
})
const plain = { status: "active", value: "Shut", context: {}, children: {}, historyValue: {} }
const deadline = (type: string) => ({ source: [], target: [], id: "0", event: { type }, at: 1_000 })
const after = "xstate.after.1000.door.Shut"
const loading = (src: string) => ({ load: { src, snapshot: { status: "active", input: {} } } })

const shelf = (kept: unknown, onIncompatible?: "fail" | "fresh") => {
  const saved: Array<PersistedMachine> = []
  const persist: Persistence = {
    load: () => Effect.succeed(kept as PersistedMachine),
    save: (_path, state) => Effect.sync(() => void saved.push(state)),
    ...(onIncompatible === undefined ? {} : { onIncompatible })
  }
  return { saved, persist }
}
const child = (persist: Persistence) =>
  worker({
    id: "m",
    start: machineChild({ machine, persist, actors: { load: effectActor("load", () => Effect.never) } })
  })

const misfits: ReadonlyArray<readonly [string, unknown, string]> = [
  [
    "a state that is gone",
    { snapshot: { ...plain, value: "Gone" }, deadlines: [] },
    "State 'Gone' does not exist on 'door'"
  ],
  [
    "a state below one that has none now",
    { snapshot: { ...plain, value: { Shut: "Tight" } }, deadlines: [] },
    "State 'Tight' does not exist on 'door.Shut'"
  ],
  [
    "a state that has states of its own now",
    { snapshot: { ...plain, value: "Open" }, deadlines: [] },
    "its state Open is Open.Wide in this machine"
  ],
  [
    "a parallel state with one more region now",
    { snapshot: { ...plain, value: { Both: { one: "A" } } }, deadlines: [] },
    "its state Both.one.A is Both.one.A+Both.two.B in this machine"
  ],
  [
    "a deadline that is gone",
    { snapshot: plain, deadlines: [deadline("xstate.after.9.door.Shut")] },
    "no state of this machine has its deadline xstate.after.9.door.Shut"
  ],
  [
    "an effect that is gone",
    { snapshot: { ...plain, value: "Loading", children: loading("fetch") }, deadlines: [] },
    "this machine has no effect fetch"
  ],
  ["no deadlines", { snapshot: plain }, "it has no list of deadlines"],
  [
    "deadlines that are none",
    { snapshot: plain, deadlines: [{ at: "soon" }] },
    "it has no list of deadlines"
  ],
  [
    "no children",
    { snapshot: { status: "active", value: "Shut", context: {} }, deadlines: [] },
    "it is no snapshot of a machine"
  ],
  ["no snapshot", { deadlines: [] }, "it is no snapshot of a machine"],
  ["a text", "{}", "it is no snapshot of a machine"]
]

describe("a kept state the machine cannot go on from", () => {
  for (const [what, kept, reason] of misfits) {
    it.effect(`fails the start and says why: ${what}`, () =>
      Effect.gen(function* () {
        const error = yield* startError(start([child(shelf(kept).persist)]))
        const cause = error.cause.reasons.find(Cause.isFailReason)?.error
        assert.instanceOf(cause, StateIncompatible)
        assert.deepInclude(cause, { path: "root/m", reason })
        assert.include(error.reason, reason)
      })
    )
    it.effect(`is dropped with a report when persist says fresh: ${what}`, () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const { persist, saved } = shelf(kept, "fresh")
        const tree = yield* start([child(persist)], {}, { observers: [probes.observe] })
        assert.deepStrictEqual(probes.tags("m").slice(0, 2), ["Starting", "StateDropped"])
        const dropped = probes.reports.find((one) => one._tag === "StateDropped")
        assert.deepInclude(dropped, { supervisor: "root", reason })
        assert.strictEqual(dropped && formatReport(dropped), `StateDropped root/m#1: ${reason}`)
        assert.strictEqual(node(tree, "m").state, "Shut")
        // It is a first start: the deadline of the initial state is set, and what follows is saved over the old one.
        yield* TestClock.adjust(1_000)
        assert.strictEqual(node(tree, "m").state, "Open.Wide")
        assert.deepInclude(saved.at(-1)?.snapshot, { value: { Open: "Wide" } })
      })
    )
  }
})

describe("a kept state the machine can go on from", () => {
  for (const [what, kept, state] of [
    ["a plain one", { snapshot: plain, deadlines: [deadline(after)] }, "Shut"],
    ["a nested one", { snapshot: { ...plain, value: { Open: "Ajar" } }, deadlines: [] }, "Open.Ajar"],
    [
      "a parallel one",
      { snapshot: { ...plain, value: { Both: { two: "B", one: "A" } } }, deadlines: [] },
      "Both.two.B+one.A"
    ],
    [
      "one with an effect",
      { snapshot: { ...plain, value: "Loading", children: loading("load") }, deadlines: [] },
      "Loading"
    ],
    [
      "one with a delayed event of its own",
      { snapshot: { ...plain, value: { Open: "Ajar" } }, deadlines: [deadline("late")] },
      "Open.Ajar"
    ]
  ] as const) {
    it.effect(`is gone on from, with and without fresh: ${what}`, () =>
      Effect.gen(function* () {
        for (const onIncompatible of ["fail", "fresh"] as const) {
          const probes = new Probes()
          const { persist } = shelf(kept, onIncompatible)
          const tree = yield* start([child(persist)], {}, { observers: [probes.observe] })
          assert.strictEqual(node(tree, "m").state, state)
          assert.notInclude(probes.tags("m"), "StateDropped")
        }
      })
    )
  }
  it.effect("one that has ended, and none at all, are a first start and nothing is dropped", () =>
    Effect.gen(function* () {
      for (const kept of [{ snapshot: { ...plain, status: "done" }, deadlines: [] }, undefined, null]) {
        const probes = new Probes()
        const tree = yield* start([child(shelf(kept).persist)], {}, { observers: [probes.observe] })
        assert.strictEqual(node(tree, "m").state, "Shut")
        assert.notInclude(probes.tags("m"), "StateDropped")
      }
    })
  )
})
