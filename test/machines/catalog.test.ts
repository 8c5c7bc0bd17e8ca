import { assert, describe, it } from "vitest"
import { readdirSync } from "node:fs"
import type { AnyStateNode } from "xstate"
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

    it("swallows nothing with a wildcard at the top", () => {
      assert.notInclude([...machine.root.transitions.keys()], "*")
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
