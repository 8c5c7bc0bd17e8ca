/** OTP supervisor_SUITE rows 57-70: significant children and auto shutdown, even when changed while running. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { RestartType } from "../../src/runtime/child-policy.ts"
import { type AutoShutdown, dynamic, supervisor } from "../../src/runtime/child-spec.ts"
import { SpecInvalid } from "../../src/runtime/spec-validation.ts"
import { Probes } from "../runtime/probe-children.ts"
import { endOf, phases, start, unlimited } from "../runtime/probe-tree.ts"

const ends = {
  crash: (probes: Probes, id: string) => probes.crash(id),
  normal: (probes: Probes, id: string) => probes.finish(id),
  kill: (probes: Probes, id: string) => probes.finish(id, { _tag: "Killed", budgetMs: 0 })
}
const status = (tree: { readonly snapshot: () => { readonly phase: string } }) => tree.snapshot().phase
const pair = (probes: Probes, restart: RestartType, significant: boolean) => [
  probes.worker("a", { restart, significant }),
  probes.worker("b", { restart, significant }),
  probes.worker("c")
]

describe("significant", () => {
  for (const [row, name, restart] of [
    [57, "nonsignificant_temporary", "temporary"],
    [58, "nonsignificant_transient", "transient"]
  ] as const) {
    it.effect(
      `otp ${row} ${name}: the end of a child that is not significant never ends its supervisor`,
      () =>
        Effect.gen(function* () {
          for (const autoShutdown of ["never", "any_significant", "all_significant"] as const) {
            const probes = new Probes()
            const tree = yield* start(pair(probes, restart, false), { autoShutdown })
            yield* probes.finish("a")
            yield* probes.finish("b")
            assert.strictEqual(status(tree), "running")
          }
        })
    )
  }
  it.effect(
    "otp 59 significant_temporary: a crash, an orderly end or a kill triggers any_significant, terminateChild does not, all_significant waits for the last",
    () =>
      Effect.gen(function* () {
        for (const end of [ends.crash, ends.normal, ends.kill]) {
          const probes = new Probes()
          const any = yield* start(pair(probes, "temporary", true), { autoShutdown: "any_significant" })
          yield* any.terminateChild("root/b")
          assert.strictEqual(status(any), "running")
          yield* end(probes, "a")
          assert.strictEqual((yield* endOf(any))._tag, "AutoShutdown")
          const others = new Probes()
          const all = yield* start(pair(others, "temporary", true), { autoShutdown: "all_significant" })
          yield* end(others, "a")
          assert.strictEqual(status(all), "running")
          yield* end(others, "b")
          assert.strictEqual((yield* endOf(all))._tag, "AutoShutdown")
          assert.strictEqual(others.take().at(-1), "stop c#1")
        }
        // And killed by the runtime: its life is over, and its release is deaf beyond the budget.
        const probes = new Probes()
        const tree = yield* start(
          [
            probes.worker("a", {
              restart: "temporary",
              significant: true,
              stopBudgetMs: 1_000,
              onStop: Effect.never
            })
          ],
          { autoShutdown: "any_significant" },
          { observers: [probes.observe] }
        )
        yield* probes.finish("a")
        yield* TestClock.adjust(999)
        assert.strictEqual(status(tree), "running")
        yield* TestClock.adjust(1)
        assert.strictEqual((yield* tree.awaitEnd)._tag, "AutoShutdown")
        assert.include(probes.tags("a"), "Killed")
      })
  )
  it.effect("otp 60 significant_transient: only an orderly end triggers; a crash or a kill restarts", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start(pair(probes, "transient", true), { autoShutdown: "any_significant" })
      for (const end of [ends.crash, ends.kill]) {
        yield* end(probes, "a")
        assert.strictEqual(phases(tree), "a:running b:running c:running")
      }
      assert.strictEqual(probes.incarnation("a"), 3)
      yield* probes.finish("a")
      assert.strictEqual((yield* endOf(tree))._tag, "AutoShutdown")
    })
  )
  it("otp 61 significant_simple: a significant template of a dynamic supervisor is refused", () => {
    assert.throws(
      () =>
        dynamic({
          id: "d",
          template: { restart: "temporary", significant: true, start: () => () => Effect.succeed({}) }
        }),
      SpecInvalid,
      "significant"
    )
  })
  it.effect(
    "otp 62 significant_bystander: a significant child stopped because of a sibling triggers nothing",
    () =>
      Effect.gen(function* () {
        for (const [strategy, restart] of [
          ["one_for_all", "temporary"],
          ["one_for_all", "transient"],
          ["rest_for_one", "temporary"],
          ["rest_for_one", "transient"]
        ] as const) {
          const probes = new Probes()
          const tree = yield* start(
            [probes.worker("a"), probes.worker("b", { restart, significant: true })],
            { strategy, autoShutdown: "any_significant" }
          )
          yield* probes.crash("a")
          assert.strictEqual(phases(tree), restart === "temporary" ? "a:running" : "a:running b:running")
        }
      })
  )
  it.effect(
    "otp 63 significant_escalation: auto shutdown climbs only through supervisors that are significant themselves",
    () =>
      Effect.gen(function* () {
        for (const significant of [true, false]) {
          const probes = new Probes()
          const inner = supervisor({
            id: "in",
            restart: "transient",
            significant,
            autoShutdown: "any_significant",
            children: [probes.worker("a", { restart: "transient", significant: true })]
          })
          const tree = yield* start([inner, probes.worker("b")], { autoShutdown: "any_significant" })
          yield* probes.finish("a")
          if (significant) assert.strictEqual((yield* endOf(tree))._tag, "AutoShutdown")
          else assert.strictEqual(phases(tree), "in:stopped b:running")
        }
      })
  )
  const changes: ReadonlyArray<readonly [number, string, AutoShutdown, AutoShutdown, string, string]> = [
    [64, "significant_upgrade_never_any", "never", "any_significant", "stopped", ""],
    [65, "significant_upgrade_any_never", "any_significant", "never", "running", "running"],
    [66, "significant_upgrade_never_all", "never", "all_significant", "running", "stopped"],
    [67, "significant_upgrade_all_never", "all_significant", "never", "running", "running"],
    [68, "significant_upgrade_any_all", "any_significant", "all_significant", "running", "stopped"],
    [69, "significant_upgrade_all_any", "all_significant", "any_significant", "stopped", ""]
  ]
  for (const [row, name, from, to, afterFirst, afterSecond] of changes) {
    it.effect(`otp ${row} ${name}: a change from ${from} to ${to} takes effect`, () =>
      Effect.gen(function* () {
        const probes = new Probes()
        // A significant child needs auto shutdown in a literal, so `never` is reached by a change as well.
        const tree = yield* start(pair(probes, "temporary", true), { autoShutdown: "any_significant" })
        yield* tree.setFlags("root", { autoShutdown: from })
        yield* tree.setFlags("root", { autoShutdown: to })
        yield* probes.finish("a")
        assert.strictEqual(status(tree), afterFirst)
        if (afterSecond === "") return
        yield* probes.finish("b")
        assert.strictEqual(status(tree), afterSecond)
      })
    )
  }
  it.effect("otp 70 significant_upgrade_child: a change of a child's significant flag takes effect", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const spec = (significant: boolean) =>
        supervisor({
          id: "root",
          intensity: unlimited,
          autoShutdown: "any_significant",
          children: [
            probes.worker("a", { restart: "transient", significant }),
            probes.worker("b", { restart: "transient", significant: !significant })
          ]
        })
      const tree = yield* start(
        [
          probes.worker("a", { restart: "transient" }),
          probes.worker("b", { restart: "transient", significant: true })
        ],
        { autoShutdown: "any_significant" }
      )
      yield* tree.reconfigure("root", spec(true))
      yield* probes.finish("b")
      assert.strictEqual(phases(tree), "a:running b:stopped")
      yield* probes.finish("a")
      assert.strictEqual((yield* endOf(tree))._tag, "AutoShutdown")
    })
  )
})
