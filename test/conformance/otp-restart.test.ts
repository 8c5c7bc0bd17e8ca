/** OTP supervisor_SUITE rows 30-43: strategies, escalation, dynamic children. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { PolicyOptions } from "../../src/runtime/child-policy.ts"
import { dynamic, type Running } from "../../src/runtime/child-spec.ts"
import { collectGarbage } from "../support/garbage.ts"
import { Probes } from "../runtime/probe-children.ts"
import { endOf, node, phases, settled, start, unlimited } from "../runtime/probe-tree.ts"

const once = { max: 1, withinMs: 10_000 }
const failsAgain = (incarnation: number) =>
  incarnation > 1 ? Effect.fail("cannot start again") : Effect.void
const fails =
  (...incarnations: ReadonlyArray<number>) =>
  (incarnation: number) =>
    incarnations.includes(incarnation) ? Effect.fail(`no #${incarnation}`) : Effect.void

describe("restart_one_for_one", () => {
  it.effect(
    "otp 30 one_for_one: only the crashed child is replaced; the restart beyond the budget ends the supervisor",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start([probes.worker("a"), probes.worker("b")], { intensity: once })
        yield* probes.crash("a")
        assert.deepStrictEqual([node(tree, "a").incarnation, node(tree, "b").incarnation], [2, 1])
        yield* probes.crash("b")
        assert.strictEqual((yield* endOf(tree))._tag, "GaveUp")
        assert.deepStrictEqual(probes.take().slice(-2), ["stop b#1", "stop a#2"])
      })
  )
  it.effect(
    "otp 31 one_for_one_escalation: a child that can no longer start uses the budget up; supervisor and sibling end",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start([probes.worker("a", { onStart: failsAgain }), probes.worker("b")], {
          intensity: { max: 4, withinMs: 10_000 }
        })
        yield* probes.crash("a")
        const end = yield* endOf(tree)
        assert.strictEqual(end._tag === "GaveUp" ? end.error.child : "", "root/a")
        assert.strictEqual(probes.incarnation("a"), 5)
        assert.strictEqual(probes.take().at(-1), "stop b#1")
      })
  )
})

describe("restart_one_for_all", () => {
  it.effect("otp 32 one_for_all: a crash replaces every child; the budget applies", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start([probes.worker("a"), probes.worker("b")], {
        strategy: "one_for_all",
        intensity: once
      })
      yield* probes.crash("a")
      assert.deepStrictEqual([node(tree, "a").incarnation, node(tree, "b").incarnation], [2, 2])
      yield* probes.crash("b")
      assert.strictEqual((yield* endOf(tree))._tag, "GaveUp")
    })
  )
  it.effect("otp 33 one_for_all_escalation: one child that cannot restart brings the group down", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start([probes.worker("a"), probes.worker("b", { onStart: failsAgain })], {
        strategy: "one_for_all",
        intensity: { max: 4, withinMs: 10_000 }
      })
      yield* probes.crash("a")
      assert.strictEqual((yield* endOf(tree))._tag, "GaveUp")
      assert.strictEqual(
        probes.journal.filter((line) => line.startsWith("start")).length,
        probes.journal.filter((line) => line.startsWith("stop")).length
      )
    })
  )
  it.effect(
    "otp 34 one_for_all_other_child_fails_restart: when child 2 fails in the group restart, child 1 is stopped again and the whole group retried",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        yield* start([probes.worker("a"), probes.worker("b", { onStart: fails(2) })], {
          strategy: "one_for_all"
        })
        probes.take()
        yield* probes.crash("b")
        assert.deepStrictEqual(probes.take(), [
          "stop b#1",
          "stop a#1",
          "start a#2",
          "stop a#2",
          "start a#3",
          "start b#3"
        ])
      })
  )
})

const template = (
  probes: Probes,
  policy: PolicyOptions = {},
  onStart?: (incarnation: number) => Effect.Effect<void | "ignore" | Partial<Running>, unknown>
) => ({
  backoff: { firstMs: 0 },
  ...policy,
  start: (_args: unknown, id: string) => (self: { readonly incarnation: number }) =>
    probes.start(id, self.incarnation, onStart)
})

describe("restart_simple_one_for_one", () => {
  const two = [
    { id: "a", args: 0 },
    { id: "b", args: 0 }
  ]
  it.effect("otp 35 simple_one_for_one: only the crashed instance is replaced; the budget applies", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start(
        [dynamic({ id: "d", intensity: once, instances: two, template: template(probes) })],
        { intensity: { max: 0, withinMs: 1_000 } }
      )
      yield* probes.crash("a")
      assert.deepStrictEqual([node(tree, "d/a").incarnation, node(tree, "d/b").incarnation], [2, 1])
      yield* probes.crash("a")
      const end = yield* endOf(tree)
      assert.strictEqual(end._tag === "GaveUp" ? end.error.child : "", "root/d")
    })
  )
  it.effect(
    "otp 36 simple_one_for_one_shutdown: instances are stopped in parallel inside one bound; a deaf one is killed",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const ids = ["a", "b", "c", "deaf"]
        const tree = yield* start([
          dynamic({
            id: "d",
            instances: ids.map((id) => ({ id, args: 0 })),
            template: {
              stopBudgetMs: 2_000,
              start: (_args, id) => (self) =>
                probes.start(
                  id,
                  self.incarnation,
                  undefined,
                  id === "deaf" ? Effect.never : Effect.sleep(1_000)
                )
            }
          })
        ])
        const stopping = yield* Effect.forkChild(tree.stop, { startImmediately: true })
        yield* TestClock.adjust(2_000)
        const report = yield* settled("the stop", stopping)
        assert.deepStrictEqual([report.killed, report.elapsedMs], [["root/d/deaf"], 2_000])
      })
  )
  it.effect(
    "otp 37 simple_one_for_one_extra: an instance with extra start information restarts properly",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start([
          dynamic({ id: "d", template: template(probes, {}, () => Effect.succeed({ extra: "info" })) })
        ])
        assert.strictEqual((yield* tree.startInstance("root/d", { id: "a", args: 0 })).extra, "info")
        yield* probes.crash("a")
        assert.strictEqual(phases(tree, "d"), "a:running")
      })
  )
  it.effect(
    "otp 38 simple_one_for_one_escalation: an instance that cannot restart uses the budget up and escalates",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start(
          [
            dynamic({
              id: "d",
              intensity: { max: 3, withinMs: 10_000 },
              instances: two,
              template: template(probes, {}, failsAgain)
            })
          ],
          { intensity: { max: 0, withinMs: 1_000 } }
        )
        yield* probes.crash("b")
        assert.strictEqual((yield* endOf(tree))._tag, "GaveUp")
        assert.strictEqual(probes.incarnation("b"), 4)
        assert.strictEqual(probes.take().at(-1), "stop a#1")
      })
  )
  it.live(
    "otp 39 simple_one_for_one_corruption: the start arguments of temporary instances are not retained",
    () =>
      Effect.gen(function* () {
        const tree = yield* start([
          dynamic({
            id: "d",
            template: {
              restart: "temporary",
              start: (args: { readonly big: Uint8Array }) => () => Effect.sync(() => ((args.big[0] = 1), {}))
            }
          })
        ])
        const references: Array<WeakRef<object>> = []
        for (let index = 0; index < 20; index++) {
          const big = new Uint8Array(1_000_000)
          references.push(new WeakRef(big))
          yield* tree.startInstance("root/d", { args: { big } })
        }
        yield* collectGarbage
        assert.strictEqual(tree.snapshot().children[0]?.children.length, 20)
        assert.isAtMost(references.filter((reference) => reference.deref() !== undefined).length, 1)
      })
  )
  it.effect(
    "otp 40 simple_one_for_one_restart_ignore: a restart that answers ignore removes the instance",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start([
          dynamic({
            id: "d",
            instances: two,
            template: template(probes, {}, (incarnation) => Effect.succeed(incarnation > 1 ? "ignore" : {}))
          })
        ])
        yield* probes.crash("a")
        assert.strictEqual(phases(tree, "d"), "b:running")
      })
  )
})

describe("restart_rest_for_one", () => {
  it.effect(
    "otp 41 rest_for_one: earlier children untouched, the crashed and later ones replaced; the budget applies",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start([probes.worker("a"), probes.worker("b"), probes.worker("c")], {
          strategy: "rest_for_one",
          intensity: once
        })
        yield* probes.crash("b")
        assert.deepStrictEqual(
          ["a", "b", "c"].map((id) => node(tree, id).incarnation),
          [1, 2, 2]
        )
        yield* probes.crash("b")
        assert.strictEqual((yield* endOf(tree))._tag, "GaveUp")
      })
  )
  it.effect("otp 42 rest_for_one_escalation: a failing restart escalates", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start([probes.worker("a"), probes.worker("b", { onStart: failsAgain })], {
        strategy: "rest_for_one",
        intensity: { max: 4, withinMs: 10_000 }
      })
      yield* probes.crash("a")
      assert.strictEqual((yield* endOf(tree))._tag, "GaveUp")
      assert.deepStrictEqual(probes.incarnation("a"), 2)
    })
  )
  it.effect(
    "otp 43 rest_for_one_other_child_fails_restart: when a later child fails in the group restart, the retry resumes from it",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start(
          [
            probes.worker("a"),
            probes.worker("b"),
            probes.worker("c", { onStart: fails(2, 3) }),
            probes.worker("d")
          ],
          { strategy: "rest_for_one", intensity: unlimited }
        )
        probes.take()
        yield* probes.crash("b")
        assert.deepStrictEqual(probes.take(), [
          "stop b#1",
          "stop d#1",
          "stop c#1",
          "start b#2",
          "start c#4",
          "start d#2"
        ])
        assert.strictEqual(node(tree, "a").incarnation, 1)
      })
  )
})
