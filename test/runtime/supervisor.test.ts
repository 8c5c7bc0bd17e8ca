/** The supervisor with real fibers on the virtual clock: starting, restarting, stopping, budgets, unresponsive children. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import { type ChildSelf, supervisor, worker } from "../../src/runtime/child-spec.ts"
import { SpecInvalid } from "../../src/runtime/spec-validation.ts"
import { startTree } from "../../src/runtime/supervisor.ts"
import type { Tree, TreeNode } from "../../src/runtime/tree.ts"
import { Probes } from "./probe-children.ts"
import { endOf, plant, settled, turns } from "./probe-tree.ts"

const child = (tree: Tree, id: string): TreeNode => {
  const found = tree.snapshot().children.find((node) => node.id === id)
  if (found === undefined) throw new Error(`no child ${id}`)
  return found
}

describe("one_for_one", () => {
  it.effect("starts left to right and stops in reverse", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* plant(
        supervisor({ id: "root", children: [probes.worker("a"), probes.worker("b"), probes.worker("c")] }),
        { stopDeadlineMs: 10_000 }
      )
      assert.deepStrictEqual(probes.take(), ["start a#1", "start b#1", "start c#1"])
      assert.isTrue(tree.ready())
      const report = yield* tree.stop
      assert.deepStrictEqual(probes.take(), ["stop c#1", "stop b#1", "stop a#1"])
      assert.deepStrictEqual(report.killed, [])
      assert.strictEqual((yield* endOf(tree))._tag, "Stopped")
    })
  )
  it.effect("replaces only the crashed child", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* plant(
        supervisor({ id: "root", children: [probes.worker("a"), probes.worker("b")] }),
        { stopDeadlineMs: 10_000, observers: [probes.observe] }
      )
      probes.take()
      yield* probes.crash("a")
      assert.deepStrictEqual(probes.take(), ["stop a#1", "start a#2"])
      assert.deepStrictEqual(probes.tags("a"), [
        "Starting",
        "Started",
        "Ready",
        "child_terminated",
        "Starting",
        "Started",
        "Ready"
      ])
      assert.strictEqual(child(tree, "a").incarnation, 2)
      assert.strictEqual(child(tree, "b").incarnation, 1)
    })
  )
  it.effect("rolls back in reverse when a child fails to start, and names it", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const exit = yield* Effect.exit(
        plant(
          supervisor({
            id: "root",
            children: [
              probes.worker("a"),
              supervisor({
                id: "in",
                children: [
                  probes.worker("b"),
                  probes.worker("c", { onStart: () => Effect.fail(new Error("no socket")) })
                ]
              })
            ]
          }),
          { stopDeadlineMs: 10_000 }
        )
      )
      assert.deepStrictEqual(probes.take(), ["start a#1", "start b#1", "stop b#1", "stop a#1"])
      assert.isTrue(Exit.isFailure(exit))
      const error = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isFailReason)?.error : undefined
      assert.strictEqual(error?.path, "root/in/c")
      assert.strictEqual(error?.reason, "Error: no socket")
    })
  )
  it.effect("times a hanging start out and answers admin calls meanwhile", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const starting = yield* Effect.forkChild(
        Effect.exit(
          plant(
            supervisor({
              id: "root",
              children: [
                probes.worker("a"),
                probes.worker("deaf", { startDeadlineMs: 3_000, onStart: () => Effect.never })
              ]
            }),
            { stopDeadlineMs: 10_000 }
          )
        ),
        { startImmediately: true }
      )
      yield* TestClock.adjust(2_999)
      assert.isUndefined(starting.pollUnsafe())
      yield* TestClock.adjust(1)
      const exit = yield* settled("the start", starting)
      const error = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isFailReason)?.error : undefined
      assert.strictEqual(error?.path, "root/deaf")
      assert.strictEqual(error?.deadlineMs, 3_000)
      assert.deepStrictEqual(probes.take(), ["start a#1", "stop a#1"])
    })
  )
})

describe("what startTree is given", () => {
  const empty = supervisor({ id: "root", children: [] })
  const leaf = worker({ id: "a", start: () => Effect.succeed({}) })
  const tree = (spec: unknown, options: unknown = { stopDeadlineMs: 10_000 }) =>
    startTree<never>(spec as never, options as never)
  const stop = { stopDeadlineMs: 10_000 }
  const faults: ReadonlyArray<readonly [unknown, unknown, string]> = [
    [empty, null, "options: must be an object, not null"],
    [empty, {}, "options.stopDeadlineMs: is missing"],
    [empty, { stopDeadlineMs: 0 }, "options.stopDeadlineMs: must be a number of at least 1, not 0"],
    [
      empty,
      { stopDeadlineMs: Number.POSITIVE_INFINITY },
      "options.stopDeadlineMs: must be a number of at least 1, not Infinity"
    ],
    [empty, { ...stop, observer: [] }, "options.observer: unknown key; known are stopDeadlineMs, observers"],
    [empty, { ...stop, observers: () => {} }, "options.observers: must be an array, not a function"],
    [empty, { ...stop, observers: [() => {}, 5] }, "options.observers[1]: must be a function, not 5"],
    [empty, { ...stop, deadLetterObservers: [{}] }, "options.deadLetterObservers[0]: must be a function"],
    [empty, { ...stop, seed: 0.5 }, "options.seed: must be a whole number of at least 0, not 0.5"],
    [
      empty,
      { ...stop, inspectionCapacity: -1 },
      "options.inspectionCapacity: must be a whole number of at least 1"
    ],
    [leaf, stop, "a: the root must be made by supervisor()"],
    [undefined, stop, "root: the root must be made by supervisor()"],
    [
      { ...empty, children: [{ type: "worker", id: "b", start: leaf.start }] },
      stop,
      "root.children[0].restart: is missing"
    ]
  ]
  for (const [spec, options, problem] of faults) {
    it.effect(`is a defect of the caller: ${problem}`, () =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(tree(spec, options))
        const defect = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isDieReason)?.defect : "accepted"
        assert.include(defect instanceof SpecInvalid ? defect.message : String(defect), problem)
        assert.instanceOf(defect, SpecInvalid)
      })
    )
  }
})

describe("readiness of a part", () => {
  it.effect(
    "every worker at or below a path counts, the optional ones too; what is not there is not ready",
    () =>
      Effect.gen(function* () {
        const selves = new Map<string, ChildSelf>()
        const part = (id: string, readiness: "required" | "optional" = "required") =>
          worker({
            id,
            readiness,
            start: (self) =>
              Effect.sync(() => {
                selves.set(id, self)
                return {}
              })
          })
        const tree = yield* plant(
          supervisor({
            id: "root",
            children: [
              part("a"),
              supervisor({ id: "in", children: [part("b"), part("c", "optional")] }),
              supervisor({ id: "empty", children: [] })
            ]
          }),
          { stopDeadlineMs: 10_000 }
        )
        const parts = () =>
          ["root", "root/a", "root/in", "root/in/c", "root/empty", "root/none", "other"].filter(
            tree.readyBelow
          )
        assert.deepStrictEqual(parts(), ["root", "root/a", "root/in", "root/in/c", "root/empty"])
        selves.get("c")?.setStatus({ ready: false })
        yield* turns()
        assert.isTrue(tree.ready())
        assert.deepStrictEqual(parts(), ["root/a", "root/empty"])
        selves.get("c")?.setStatus({ ready: true })
        yield* turns()
        yield* tree.terminateChild("root/in")
        assert.deepStrictEqual(parts(), ["root/a", "root/empty"])
      })
  )
})
