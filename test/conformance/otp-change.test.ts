/** OTP supervisor_SUITE rows 83-86: new flags and specifications for supervisors that run. */
import { assert, describe, it } from "@effect/vitest"
import { TestClock } from "effect/testing"
import { Effect } from "effect"
import type { PolicyOptions } from "../../src/runtime/child-policy.ts"
import { dynamic, supervisor } from "../../src/runtime/child-spec.ts"
import { Probes } from "../runtime/probe-children.ts"
import { atOnce, every, node, phases, reasonOf, start, unlimited } from "../runtime/probe-tree.ts"

describe("live change", () => {
  it.effect(
    "otp 83 code_change: lives are kept, removed specs stay, new ones are not started, a faulty spec changes nothing",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start([probes.worker("a"), probes.worker("b")], {
          intensity: { max: 1, withinMs: 1_000 }
        })
        yield* tree.reconfigure(
          "root",
          supervisor({
            id: "root",
            intensity: unlimited,
            strategy: "rest_for_one",
            children: [probes.worker("b", { backoff: every(500) }), probes.worker("new")]
          })
        )
        assert.strictEqual(phases(tree), "a:running b:running new:stopped")
        assert.deepStrictEqual([node(tree, "a").incarnation, node(tree, "b").incarnation], [1, 1])
        yield* tree.restartChild("root/new")
        yield* probes.crash("b")
        assert.strictEqual(phases(tree), "a:running b:backingOff new:waiting")
        yield* TestClock.adjust(500)
        const faulty = { ...supervisor({ id: "root", children: [] }), strategy: "one_for_two" as never }
        assert.strictEqual(yield* reasonOf(tree.reconfigure<never>("root", faulty)), "spec_invalid")
        assert.strictEqual(tree.snapshot().group?.strategy, "rest_for_one")
        assert.strictEqual(phases(tree), "a:running b:running new:running")
      })
  )
  it.effect(
    "otp 84 code_change_map: a key the new spec leaves out goes back to its default, a flag setFlags leaves out stays, an unknown key anywhere in it changes nothing",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const own = { max: 9, withinMs: 9_000 }
        const tree = yield* start(
          [
            probes.worker("a", {
              restart: "transient",
              stopBudgetMs: 9_000,
              readiness: "optional",
              budget: own
            })
          ],
          { strategy: "one_for_all", intensity: own, autoShutdown: "any_significant" }
        )
        yield* tree.setFlags("root", { strategy: "rest_for_one" })
        const group = () => tree.snapshot().group
        assert.deepInclude(group(), { ...own, strategy: "rest_for_one" })
        const policyOfA = Effect.map(tree.getChildSpec("root/a"), (spec) => [
          spec.restart,
          spec.stopBudgetMs,
          spec.readiness,
          spec.budget.max
        ])
        const plain = supervisor({ id: "root", children: [probes.worker("a")] })
        for (const strange of [
          { ...plain, colour: "red" },
          { ...plain, children: [{ ...probes.worker("a"), colour: "red" }] }
        ])
          assert.strictEqual(yield* reasonOf(tree.reconfigure("root", strange)), "spec_invalid")
        assert.deepInclude(group(), { ...own, strategy: "rest_for_one" })
        assert.deepStrictEqual(yield* policyOfA, ["transient", 9_000, "optional", 9])
        yield* tree.reconfigure("root", plain)
        assert.deepInclude(group(), { max: 5, withinMs: 60_000, strategy: "one_for_one" })
        assert.deepStrictEqual(yield* policyOfA, ["permanent", 5_000, "required", Number.POSITIVE_INFINITY])
        // And the life that went on follows it: transient before, it comes back after an orderly end.
        assert.strictEqual(node(tree, "a").incarnation, 1)
        yield* probes.finish("a")
        assert.strictEqual(node(tree, "a").incarnation, 2)
      })
  )
  const instances = (probes: Probes, tag: string, policy: PolicyOptions = {}) =>
    dynamic({
      id: "d",
      intensity: unlimited,
      template: {
        backoff: atOnce,
        ...policy,
        start: (_args: number, id) => (self) => probes.start(`${id}${tag}`, self.incarnation)
      }
    })
  it.effect(
    "otp 85 code_change_simple: instances live on and follow the new template at their next start, new ones at once; a static spec is refused",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start([instances(probes, "")])
        yield* tree.startInstance("root/d", { id: "a", args: 0 })
        yield* tree.reconfigure("root/d", instances(probes, "-new"))
        assert.strictEqual(node(tree, "d/a").incarnation, 1)
        yield* tree.startInstance("root/d", { id: "b", args: 0 })
        yield* probes.crash("a")
        assert.deepStrictEqual(probes.take(), ["start a#1", "start b-new#1", "stop a#1", "start a-new#2"])
        assert.strictEqual(
          yield* reasonOf(tree.reconfigure("root/d", supervisor({ id: "d", children: [] }))),
          "not_allowed"
        )
        yield* probes.crash("a-new")
        assert.deepStrictEqual(probes.take(), ["stop a-new#2", "start a-new#3"])
      })
  )
  it.effect(
    "otp 86 code_change_simple_map: a key the new template leaves out goes back to its default for the instances that live; a faulty template changes nothing",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start([instances(probes, "", { restart: "temporary" })])
        for (const id of ["a", "b"]) yield* tree.startInstance("root/d", { id, args: 0 })
        const faulty = {
          ...instances(probes, "-faulty"),
          intensity: { max: -1, withinMs: 1_000 }
        }
        assert.strictEqual(yield* reasonOf(tree.reconfigure("root/d", faulty)), "spec_invalid")
        yield* probes.finish("b")
        assert.strictEqual(phases(tree, "d"), "a:running")
        yield* tree.reconfigure("root/d", instances(probes, "-new"))
        const { restart, stopBudgetMs } = yield* tree.getChildSpec("root/d/a")
        assert.deepStrictEqual([restart, stopBudgetMs], ["permanent", 5_000])
        probes.take()
        yield* probes.finish("a")
        assert.deepStrictEqual(probes.take(), ["stop a#1", "start a-new#2"])
      })
  )
})
