/** OTP supervisor_SUITE rows 23-29: administration and validation. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { RestartType } from "../../src/runtime/child-policy.ts"
import { dynamic, supervisor, worker } from "../../src/runtime/child-spec.ts"
import { SpecInvalid } from "../../src/runtime/spec-validation.ts"
import { Probes } from "../runtime/probe-children.ts"
import { endOf, node, phases, reasonOf, start } from "../runtime/probe-tree.ts"

const nothing = () => Effect.succeed({})
const refused = (make: () => unknown): string => {
  try {
    make()
    return "ok"
  } catch (error) {
    return error instanceof SpecInvalid ? error.at : `not a refusal: ${String(error)}`
  }
}
const any = (value: unknown): never => value as never

describe("administration", () => {
  it.effect(
    "otp 23 child_adm: start, terminate, restart and delete with their refusals; terminate is idempotent",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const a = probes.worker("a")
        const tree = yield* start([])
        yield* tree.startChild("root", a)
        assert.strictEqual(yield* reasonOf(tree.startChild("root", a)), "already_started")
        assert.strictEqual(yield* reasonOf(tree.deleteChild("root/a")), "running")
        assert.strictEqual(yield* reasonOf(tree.restartChild("root/a")), "running")
        yield* tree.terminateChild("root/a")
        yield* tree.terminateChild("root/a")
        assert.strictEqual(yield* reasonOf(tree.startChild("root", a)), "already_present")
        yield* tree.restartChild("root/a")
        assert.strictEqual(yield* reasonOf(tree.restartChild("root/a")), "running")
        yield* tree.terminateChild("root/a")
        yield* tree.deleteChild("root/a")
        assert.strictEqual(yield* reasonOf(tree.restartChild("root/a")), "not_found")
        assert.strictEqual(yield* reasonOf(tree.deleteChild("root/a")), "not_found")
        assert.strictEqual(yield* reasonOf(tree.terminateChild("root/a")), "not_found")
        assert.strictEqual(yield* reasonOf(tree.whichChildren("nobody")), "not_found")
        yield* tree.stop
        assert.strictEqual(yield* reasonOf(tree.startChild("root", a)), "stopping")
      })
  )
  it.effect(
    "otp 24 child_adm_simple: a dynamic supervisor refuses restart and delete; terminating a dead child is fine, a foreign one not_found",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start([
          dynamic({
            id: "d",
            template: {
              restart: "temporary",
              start: (_args: null, id) => (self) => probes.start(id, self.incarnation)
            }
          }),
          probes.worker("foreign")
        ])
        const { path } = yield* tree.startInstance("root/d", { args: null })
        assert.strictEqual(yield* reasonOf(tree.restartChild(path)), "not_allowed")
        assert.strictEqual(yield* reasonOf(tree.deleteChild(path)), "not_allowed")
        yield* tree.terminateChild(path)
        yield* tree.terminateChild(path)
        const second = yield* tree.startInstance("root/d", { args: null })
        yield* probes.finish("2")
        yield* tree.terminateChild(second.path)
        assert.strictEqual(yield* reasonOf(tree.terminateChild("root/d/foreign")), "not_found")
        assert.strictEqual(phases(tree), "d:running foreign:running")
      })
  )
  it.effect(
    "otp 25 extra_return: what a start hands out reaches the caller, and such a child restarts by itself",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start([])
        const spec = probes.worker("a", {
          onStart: (incarnation) => Effect.succeed({ extra: { incarnation } })
        })
        assert.deepStrictEqual((yield* tree.startChild("root", spec)).extra, { incarnation: 1 })
        yield* probes.crash("a")
        assert.strictEqual(node(tree, "a").incarnation, 2)
        yield* tree.terminateChild("root/a")
        assert.deepStrictEqual((yield* tree.restartChild("root/a")).extra, { incarnation: 3 })
      })
  )
})

describe("validation", () => {
  it("otp 26 child_specs: each fault is refused with the path of its key; all valid combinations pass; duplicates are found", () => {
    const table: ReadonlyArray<readonly [object, string]> = [
      [{ start: nothing }, "worker.id"],
      [{ id: "", start: nothing }, "worker.id"],
      [{ id: 1, start: nothing }, "worker.id"],
      [{ id: "a" }, "a.start"],
      [{ id: "a", start: {} }, "a.start"],
      [{ id: "a", start: nothing, restart: "prmanent" }, "a.restart"],
      [{ id: "a", start: nothing, stopBudgetMs: -100 }, "a.stopBudgetMs"],
      [{ id: "a", start: nothing, stopBudgetMs: "brutal" }, "a.stopBudgetMs"],
      [{ id: "a", start: nothing, type: "wrker" }, "a.type"],
      [{ id: "a", start: nothing, startDeadlineMs: 0 }, "a.startDeadlineMs"],
      [{ id: "a", start: nothing, budget: { max: -1, withinMs: 1 } }, "a.budget.max"],
      [
        { id: "a", start: nothing, whenExhausted: { action: "pray", retryEveryMs: 1 } },
        "a.whenExhausted.action"
      ],
      [{ id: "a", start: nothing, readiness: "maybe" }, "a.readiness"]
    ]
    assert.deepStrictEqual(
      table.map(([spec]) => refused(() => worker(any(spec)))),
      table.map(([, at]) => at)
    )
    for (const restart of ["permanent", "transient", "temporary"] as const) {
      for (const stopBudgetMs of ["kill", "infinity", 0, 5_000] as const)
        assert.strictEqual(
          refused(() => worker({ id: "a", start: nothing, restart, stopBudgetMs })),
          "ok"
        )
    }
    assert.strictEqual(
      refused(() =>
        supervisor({
          id: "s",
          children: [worker({ id: "a", start: nothing }), worker({ id: "a", start: nothing })]
        })
      ),
      "s.children[1].id"
    )
    assert.strictEqual(
      refused(() => dynamic(any({ id: "d" }))),
      "d.template"
    )
  })
  it("otp 27 child_specs_map: the matrix significant x restart x auto shutdown", () => {
    const verdict = (
      restart: RestartType,
      autoShutdown: "never" | "any_significant" | "all_significant",
      significant: boolean
    ): string =>
      refused(() =>
        supervisor({
          id: "s",
          autoShutdown,
          children: [worker({ id: "a", start: nothing, restart, significant })]
        })
      )
    for (const restart of ["permanent", "transient", "temporary"] as const) {
      for (const autoShutdown of ["never", "any_significant", "all_significant"] as const) {
        assert.strictEqual(verdict(restart, autoShutdown, false), "ok")
        const expected =
          restart === "permanent"
            ? "a.significant"
            : autoShutdown === "never"
              ? "s.children[0].significant"
              : "ok"
        assert.strictEqual(verdict(restart, autoShutdown, true), expected)
      }
    }
  })
  it("otp 28 sup_flags: a wrong strategy, intensity, period, auto shutdown or unknown flag is refused by name", () => {
    const flags: ReadonlyArray<readonly [object, string]> = [
      [{ strategy: "none_for_one" }, "s.strategy"],
      [{ intensity: { max: -1, withinMs: 1 } }, "s.intensity.max"],
      [{ intensity: { max: 1, withinMs: 0 } }, "s.intensity.withinMs"],
      [{ intensity: { max: 1 } }, "s.intensity.withinMs"],
      [{ intensity: 3 }, "s.intensity"],
      [{ autoShutdown: "always" }, "s.autoShutdown"],
      [{ type: "worker" }, "s.type"],
      [{ hibernate: true }, "s.hibernate"]
    ]
    assert.deepStrictEqual(
      flags.map(([flag]) => refused(() => supervisor(any({ id: "s", children: [], ...flag })))),
      flags.map(([, at]) => at)
    )
  })
  it.effect("otp 29 multiple_restarts: restarts spread over time never exceed the sliding window", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start([probes.worker("a")], { intensity: { max: 3, withinMs: 1_000 } })
      for (let restart = 0; restart < 30; restart++) {
        yield* probes.crash("a")
        yield* TestClock.adjust(334)
      }
      assert.strictEqual(node(tree, "a").incarnation, 31)
      yield* TestClock.adjust(1_001)
      for (let restart = 0; restart < 4; restart++) yield* probes.crash("a")
      assert.strictEqual((yield* endOf(tree))._tag, "GaveUp")
    })
  )
})
