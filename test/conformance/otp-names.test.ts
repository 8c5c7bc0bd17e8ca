/** OTP supervisor_SUITE rows 79 and 91: names that are unique in the tree, and who holds them. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect } from "effect"
import { TestClock } from "effect/testing"
import type { PolicyOptions } from "../../src/runtime/child-policy.ts"
import { type ChildSelf, supervisor, worker } from "../../src/runtime/child-spec.ts"
import { StartFailed } from "../../src/runtime/exit-reason.ts"
import type { AdminError } from "../../src/runtime/tree.ts"
import { Probes } from "../runtime/probe-children.ts"
import { atOnce, node, phases, start, turns, unlimited } from "../runtime/probe-tree.ts"

describe("names", () => {
  it.effect(
    "otp 79 simple_global_supervisor: a named child holds its name again after a crash, an end, a kill and a bounce",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const released = Deferred.makeUnsafe<void>()
        const deafOnce = (incarnation: number) =>
          incarnation === 3 ? Effect.uninterruptible(Deferred.await(released)) : Effect.void
        const named = worker({
          id: "a",
          backoff: atOnce,
          stopBudgetMs: 1_000,
          start: (self) =>
            Effect.andThen(
              self.register("executor"),
              probes.start("a", self.incarnation, undefined, deafOnce(self.incarnation))
            )
        })
        const tree = yield* start([named], { intensity: unlimited })
        const holder = () => `${tree.whereIs("executor")}#${node(tree, "a").incarnation}`
        yield* probes.crash("a")
        assert.strictEqual(holder(), "root/a#2")
        yield* probes.finish("a")
        assert.strictEqual(holder(), "root/a#3")
        // The third is deaf in its release: killed, its successor takes the name while it still lingers.
        yield* probes.finish("a")
        yield* TestClock.adjust(1_000)
        assert.deepStrictEqual([holder(), tree.figures().abandoned], ["root/a#4", ["root/a"]])
        yield* Deferred.succeed(released, undefined)
        yield* turns(2)
        assert.deepStrictEqual([holder(), tree.figures().abandoned], ["root/a#4", []])
        yield* tree.bounce("root/a")
        assert.strictEqual(holder(), "root/a#5")
        yield* tree.terminateChild("root/a")
        assert.isUndefined(tree.whereIs("executor"))
      })
  )
  const named = (id: string, policy: PolicyOptions = {}) =>
    worker({ id, ...policy, start: (self) => Effect.as(self.register("executor"), {}) })
  const refusedName = (error: AdminError) =>
    error.cause instanceof StartFailed ? error.cause.cause.reasons.find(Cause.isFailReason)?.error : undefined
  it.effect(
    "otp 91 already_started_outside_supervisor: a name held by another is a typed refusal that names the holder, when added and when started again",
    () =>
      Effect.gen(function* () {
        const taken = { _tag: "NameTaken", wanted: "executor", holder: "root/a" }
        const tree = yield* start([named("a")], { intensity: { max: 0, withinMs: 1_000 } })
        assert.deepInclude(refusedName(yield* Effect.flip(tree.startChild("root", named("b")))), taken)
        assert.strictEqual(phases(tree), "a:running")
        // OTP's own way to it: stopped here, started elsewhere, started here again.
        yield* tree.terminateChild("root/a")
        yield* tree.startChild("root", named("b"))
        const error = yield* Effect.flip(tree.restartChild("root/a"))
        assert.deepInclude(refusedName(error), { ...taken, holder: "root/b" })
        assert.strictEqual(phases(tree), "a:stopped b:running")
        assert.strictEqual(tree.whereIs("executor"), "root/b")
      })
  )
  it.effect(
    "otp 91 already_started_outside_supervisor: a restart that meets a name held by another is no crash loop; it waits its backoff in sight, and has the name when it is free",
    () =>
      Effect.gen(function* () {
        let self: ChildSelf | undefined
        let starts = 0
        const first = worker({
          id: "a",
          backoff: { firstMs: 1_000, factor: 2, maxMs: 8_000, jitter: "none" },
          start: (own) =>
            Effect.suspend(() => {
              self = own
              starts++
              return Effect.as(own.register("executor"), {})
            })
        })
        const tree = yield* start([first, supervisor({ id: "other", children: [] })], {
          intensity: unlimited
        })
        self?.crash(new Error("crash"))
        // While it waits, somebody outside of its supervisor takes the name.
        yield* tree.startChild("root/other", named("b"))
        yield* TestClock.adjust(60_000)
        // 1 s, 2 s, 4 s and from then on every 8 s: nine starts more in a minute, however fast the refusal is.
        assert.strictEqual(starts, 1 + 9)
        const { lastError, phase } = node(tree, "a")
        assert.strictEqual(phase, "backingOff")
        assert.strictEqual(lastError, "NameTaken: the name executor is held by root/other/b")
        assert.deepStrictEqual(
          [node(tree, "other/b").incarnation, tree.whereIs("executor")],
          [1, "root/other/b"]
        )
        yield* tree.terminateChild("root/other/b")
        yield* TestClock.adjust(8_000)
        assert.deepStrictEqual([tree.whereIs("executor"), node(tree, "a").phase], ["root/a", "running"])
      })
  )
})
