/** Snapshots of children whose own functions are broken: the node shows it, and its siblings are shown as usual. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type ChildStatus, type Running, worker } from "../../src/runtime/child-spec.ts"
import { Probes } from "./probe-children.ts"
import { node, start } from "./probe-tree.ts"

const thrown = () => {
  throw new Error("broken")
}
/** The node of a child that answered its start with this, beside a healthy one. */
const shown = (running: { readonly [K in keyof Running]: unknown }) =>
  Effect.gen(function* () {
    const tree = yield* start([
      worker({ id: "a", start: () => Effect.succeed(running as Running) }),
      new Probes().worker("b")
    ])
    assert.strictEqual(node(tree, "b").state, "running")
    return node(tree, "a")
  })

describe("a child's mailbox in the snapshot", () => {
  it.effect("is what the child says", () =>
    Effect.gen(function* () {
      const depth = { depth: 1, capacity: 2, dropped: 3 }
      const { lastError, mailbox } = yield* shown({ mailbox: () => depth })
      assert.deepStrictEqual([mailbox, lastError], [depth, undefined])
      assert.notStrictEqual(mailbox, depth, "a snapshot is cut off from the live state")
    })
  )
  for (const [what, broken, error] of [
    ["throws", thrown, "mailbox: Error: broken"],
    ["answers nothing", () => undefined, "mailbox: depth, capacity and dropped must be numbers"],
    ["answers half", () => ({ depth: 1 }), "mailbox: depth, capacity and dropped must be numbers"],
    [
      "throws what cannot be described",
      () => {
        throw Object.create(null)
      },
      "mailbox: {}"
    ]
  ] as const) {
    it.effect(`is left out when it ${what}, and the error in sight`, () =>
      Effect.gen(function* () {
        const { lastError, mailbox, phase } = yield* shown({ mailbox: broken })
        assert.deepStrictEqual([mailbox, lastError, phase], [undefined, error, "running"])
      })
    )
  }
})

describe("a child's status in the snapshot", () => {
  const fallback = { state: "running", tags: [], detail: {} }
  for (const [what, status, expected, error] of [
    ["throws", thrown, fallback, "status: Error: broken"],
    [
      "throws what cannot be described",
      () => {
        throw Object.create(null)
      },
      fallback,
      "status: {}"
    ],
    ["answers nothing", () => undefined, fallback, undefined],
    [
      "answers no state",
      () => ({ tags: ["slow"], detail: { n: 1 } }),
      { ...fallback, tags: ["slow"], detail: { n: 1 } },
      undefined
    ],
    [
      "answers other types",
      () => ({ state: "Open", tags: "slow", detail: null, lastError: new Error("late") }),
      { ...fallback, state: "Open" },
      "status: tags must be a list, detail must be an object, lastError must be a string"
    ]
  ] as const) {
    it.effect(`keeps to its types when it ${what}`, () =>
      Effect.gen(function* () {
        const { detail, lastError, state, tags } = yield* shown({ status })
        assert.deepStrictEqual({ state, tags, detail }, expected)
        assert.strictEqual(lastError, error)
      })
    )
  }
  it.effect("shows no readiness that its status denies, and none that it only claims", () =>
    Effect.gen(function* () {
      const saying = (id: string, published: boolean, said: boolean) =>
        worker({
          id,
          start: (self) =>
            Effect.sync(() => {
              self.setStatus({ ready: published })
              return { status: () => ({ state: "Open", ready: said, tags: [], detail: {} }) }
            })
        })
      const tree = yield* start([saying("denies", true, false), saying("claims", false, true)])
      assert.isFalse(node(tree, "denies").ready)
      assert.isFalse(node(tree, "claims").ready)
    })
  )
  it.effect("keeps to its types when setStatus is given others", () =>
    Effect.gen(function* () {
      const tree = yield* start([
        worker({
          id: "a",
          start: (self) => Effect.sync(() => (self.setStatus({ state: 5 } as unknown as ChildStatus), {}))
        })
      ])
      const { lastError, state } = node(tree, "a")
      assert.deepStrictEqual([state, lastError], ["running", "status: state must be a string"])
    })
  )
})
