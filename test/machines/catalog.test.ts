import { assert, describe, it } from "vitest"
import { readdirSync } from "node:fs"
import { type AnyStateNode, fromPromise, setup } from "xstate"
import { answerOf, effectsOf, eventsOf, waitingStates } from "../../scripts/matrix.ts"
import { catalog } from "../../src/machines/catalog.ts"

const walk = (node: AnyStateNode): ReadonlyArray<AnyStateNode> => [
  node,
  ...Object.values(node.states).flatMap(walk)
]

/** A state that no deadline and no event-free step ever leaves, itself or above. */
const hasDeadline = (node: AnyStateNode): boolean =>
  node.after.length > 0 ||
  (node.always ?? []).length > 0 ||
  (node.parent !== undefined && node.parent.path.length > 0 && hasDeadline(node.parent))

/**
 * Effects whose failure no state handles, by machine. They run for as long as their state and tell by events what
 * happens, or they are the first thing a component needs; a failure of one is nothing a state could answer to, so it
 * ends the component, and the supervisor restarts, parks or escalates by the class of the failure.
 */
const crashesOnPurpose: Readonly<Record<string, ReadonlyArray<string>>> = {
  account: ["keepLease", "watchBells", "resolveUnknown", "sendReduces"],
  alerts: ["watchQueue"],
  broker: ["stream", "venueBell"],
  database: ["holdDataDir", "watchAvailability"],
  exits: ["watchPositions", "watchTicks"],
  feed: ["session", "storing", "plan"],
  http: ["bind", "watch"],
  pipeline: ["waitForSignals"],
  "trading-state": ["watchChanges"],
  waves: ["pause"]
}

const isLeaf = (node: AnyStateNode): boolean => Object.keys(node.states).length === 0

describe("the catalog", () => {
  it("lists every machine file once, by its stem", () => {
    const files = readdirSync(new URL("../../src/machines/", import.meta.url))
      .filter((file) => file.endsWith(".machine.ts"))
      .map((file) => file.replace(".machine.ts", ""))
    assert.deepStrictEqual(catalog.map(({ name }) => name).toSorted(), files.toSorted())
  })
})

describe.each(catalog.map((entry) => [entry.name, entry.machine] as const))(
  "the machine %s",
  (name, machine) => {
    const states = walk(machine.root).slice(1)

    it("has more than one state", () => {
      assert.isAbove(states.length, 1)
    })

    it.each(states.map((node) => [node.path.join("."), node] as const))(
      "%s says what it means",
      (_path, node) => {
        assert.isAbove((node.description ?? "").length, 15, "a state needs a description")
      }
    )

    // A state tagged `failed` with an entry action ends the machine as crashed the moment it is entered.
    const ends = (node: AnyStateNode): boolean =>
      node.type === "final" || (node.tags.includes("failed") && node.entry.length > 0)
    // An order rests at the venue or with an operator for as long as it takes; its deadlines belong to the executor.
    const waiting = states.filter((node) => isLeaf(node) && !ends(node))
    it.each(waiting.map((node) => [node.path.join("."), node] as const))(
      "%s cannot wait for ever",
      (_path, node) => {
        const rests = node.tags.includes("resting")
        assert.isTrue(rests || hasDeadline(node), "a state that waits needs a deadline, or the tag resting")
        if (rests && name !== "order") {
          const leaves = [...node.transitions.values()]
            .flat()
            .some((transition) => (transition.target ?? []).some((target) => target !== node))
          const above = [...machine.root.transitions.values()].flat().length > 0
          assert.isTrue(
            leaves || above || hasDeadline(node) || node.invoke.length > 0,
            "a resting state must be left by an event"
          )
        }
      }
    )

    // A wildcard takes XState's error events as well, so the failure of an effect would vanish in it.
    it("swallows nothing with a wildcard, at the top or in a state", () => {
      for (const node of walk(machine.root)) assert.notInclude([...node.transitions.keys()], "*", node.id)
    })

    it("handles the failure of every effect, or crashes with it on purpose", () => {
      const surprises = effectsOf(machine).filter(
        ({ failure, slot }) =>
          failure === "crashes" && slot !== "watchDatabase" && !(crashesOnPurpose[name] ?? []).includes(slot)
      )
      assert.deepStrictEqual(surprises, [])
    })

    it.each(eventsOf(machine))("takes %s in some state", (event) => {
      assert.isTrue(waitingStates(machine).some((node) => answerOf(node, event) !== "fault"))
    })

    it("marks no state as ready and as backing off", () => {
      for (const node of states)
        assert.isFalse(
          node.tags.includes("ready") && (node.tags.includes("backingOff") || node.tags.includes("failed")),
          node.id
        )
    })
  }
)

describe("the matrix of states and events", () => {
  const machine = setup({
    guards: { sure: () => true },
    actors: { work: fromPromise(async () => {}) }
  }).createMachine({
    on: { everywhere: { actions: () => {} }, calm: {} },
    initial: "Shut",
    states: {
      Shut: {
        meta: { postpone: ["job"] },
        invoke: { id: "dies", src: "work" },
        on: { open: { target: "Open", guard: "sure" }, calm: "Open" }
      },
      Open: {
        type: "parallel",
        states: { left: { on: { job: {} } }, right: { invoke: { src: "work", onError: "#over" } } }
      },
      Over: { id: "over", type: "final" }
    }
  })
  it("tells handled, guarded, ignored, postponed, elsewhere and fault apart", () => {
    const answers = waitingStates(machine).map((node) => [
      node.key,
      ...eventsOf(machine).map((event) => `${event}: ${answerOf(node, event)}`)
    ])
    assert.deepStrictEqual(answers, [
      ["Shut", "calm: handled", "everywhere: handled", "job: postponed", "open: guarded"],
      ["left", "calm: ignored", "everywhere: handled", "job: ignored", "open: fault"],
      ["right", "calm: ignored", "everywhere: handled", "job: elsewhere", "open: fault"]
    ])
  })
  it("tells which failed effect crashes", () => {
    assert.deepStrictEqual(
      effectsOf(machine).map(({ failure, state }) => `${state}: ${failure}`),
      ["Shut: crashes", "Open.right: handled"]
    )
  })
})
