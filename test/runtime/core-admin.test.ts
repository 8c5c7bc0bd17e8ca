/** Administration by path: OTP's calls with OTP's refusals, and pause, resume, bounce. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { dynamic, supervisor, worker } from "../../src/runtime/child-spec.ts"
import type { AdminError } from "../../src/runtime/tree.ts"
import { Probes } from "./probe-children.ts"
import { every, node, phases, reasonOf, settled, start, unlimited } from "./probe-tree.ts"

class Greeting extends Context.Service<Greeting, { readonly word: string }>()("test/Greeting") {}

describe("administration", () => {
  it.effect("starts, terminates, restarts and deletes children of a static supervisor", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start([probes.worker("a")])
      const spec = probes.worker("b", { onStart: () => Effect.succeed({ extra: "hello" }) })
      assert.deepStrictEqual(yield* tree.startChild("root", spec), {
        path: "root/b",
        incarnation: 1,
        ignored: false,
        extra: "hello"
      })
      assert.strictEqual(yield* reasonOf(tree.startChild("root", spec)), "already_started")
      assert.strictEqual(yield* reasonOf(tree.restartChild("root/b")), "running")
      assert.strictEqual(yield* reasonOf(tree.deleteChild("root/b")), "running")
      yield* tree.terminateChild("root/b")
      yield* tree.terminateChild("root/b")
      assert.strictEqual(phases(tree), "a:running b:stopped")
      assert.strictEqual(yield* reasonOf(tree.startChild("root", spec)), "already_present")
      assert.strictEqual((yield* tree.restartChild("root/b")).incarnation, 2)
      yield* tree.terminateChild("root/b")
      yield* tree.deleteChild("root/b")
      assert.strictEqual(phases(tree), "a:running")
      const asks: ReadonlyArray<Effect.Effect<unknown, AdminError>> = [
        tree.terminateChild("root/b"),
        tree.restartChild("root/b"),
        tree.deleteChild("root/x/b"),
        tree.pause("nobody"),
        tree.getChildSpec("root/b"),
        tree.whichChildren("root/none")
      ]
      for (const ask of asks) assert.strictEqual(yield* reasonOf(ask), "not_found")
      assert.strictEqual(yield* reasonOf(tree.countChildren("root/a")), "not_allowed")
    })
  )
  it.effect("a child added at run time keeps the services of whoever added it", () =>
    Effect.gen(function* () {
      const tree = yield* start([])
      const heard: Array<string> = []
      const spec = worker({
        id: "a",
        start: () =>
          Effect.succeed({
            run: Effect.andThen(
              Greeting.use((greeting) => Effect.sync(() => heard.push(greeting.word))),
              Effect.never
            )
          })
      })
      yield* tree
        .startChild("root", spec)
        .pipe(Effect.provide(Layer.succeed(Greeting, Greeting.of({ word: "hi" }))))
      assert.deepStrictEqual(heard, ["hi"])
    })
  )
  it.effect("a faulty spec is refused and nothing is kept", () =>
    Effect.gen(function* () {
      const tree = yield* start([])
      assert.strictEqual(
        yield* reasonOf(
          tree.startChild("root", {
            ...worker({ id: "a", start: () => Effect.succeed({}) }),
            restart: "always" as never
          })
        ),
        "spec_invalid"
      )
      assert.strictEqual(phases(tree), "")
    })
  )
  it.effect(
    "an incomplete spec is refused by name, added or reconfigured, and the tree can still be looked at",
    () =>
      Effect.gen(function* () {
        const tree = yield* start([])
        const bare = { type: "worker", id: "a", start: () => Effect.succeed({}) } as never
        const asks: ReadonlyArray<Effect.Effect<unknown, AdminError>> = [
          tree.startChild<never>("root", bare),
          tree.reconfigure<never>("root", { ...supervisor({ id: "root", children: [] }), children: [bare] })
        ]
        for (const ask of asks) {
          const refused = yield* Effect.flip(ask)
          assert.strictEqual(refused.reason, "spec_invalid")
          assert.include(String(refused.cause), "restart: is missing")
        }
        assert.strictEqual(phases(tree), "")
      })
  )
  it.effect("answers while a child starts, backs off or stops", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start([
        probes.worker("back", { backoff: every(60_000) }),
        probes.worker("slow", { onStop: Effect.sleep(3_000) })
      ])
      yield* probes.crash("back")
      const starting = yield* Effect.forkChild(
        tree.startChild(
          "root",
          probes.worker("hang", { startDeadlineMs: 2_000, onStart: () => Effect.never })
        ),
        { startImmediately: true }
      )
      const stopping = yield* Effect.forkChild(tree.terminateChild("root/slow"), { startImmediately: true })
      assert.strictEqual(phases(tree), "back:backingOff slow:stopping hang:starting")
      assert.deepStrictEqual(yield* tree.countChildren("root"), {
        specs: 3,
        active: 1,
        supervisors: 0,
        workers: 3
      })
      yield* tree.ping(1_000)
      assert.strictEqual(yield* reasonOf(tree.restartChild("root/back")), "restarting")
      assert.strictEqual(yield* reasonOf(tree.startChild("root", probes.worker("back"))), "already_present")
      yield* TestClock.adjust(2_000)
      assert.strictEqual(yield* reasonOf(settled("the start", starting)), "start_failed")
      assert.isUndefined(stopping.pollUnsafe())
      yield* TestClock.adjust(1_000)
      yield* settled("the stop", stopping)
      assert.strictEqual(phases(tree), "back:backingOff slow:stopped")
      yield* tree.terminateChild("root/back")
      assert.strictEqual(phases(tree), "back:stopped slow:stopped")
    })
  )
  it.effect("a paused child stays down through group restarts until it is resumed", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start(
        [probes.worker("a"), probes.worker("b")],
        { strategy: "one_for_all" },
        { observers: [probes.observe] }
      )
      yield* tree.pause("root/b")
      yield* probes.crash("a")
      assert.strictEqual(phases(tree), "a:running b:paused")
      assert.isFalse(tree.ready())
      assert.strictEqual(yield* reasonOf(tree.resume("root/a")), "running")
      yield* tree.resume("root/b")
      assert.strictEqual(phases(tree), "a:running b:running")
      assert.isTrue(tree.ready())
      assert.includeMembers([...probes.tags("b")], ["Paused", "Resumed"])
    })
  )
  it.effect("nothing but resume starts a paused child: a restart is refused, and so is a bounce", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start([probes.worker("a")])
      yield* tree.pause("root/a")
      probes.take()
      assert.strictEqual(yield* reasonOf(tree.restartChild("root/a")), "not_allowed")
      assert.strictEqual(yield* reasonOf(tree.bounce("root/a")), "not_running")
      assert.strictEqual(phases(tree), "a:paused")
      assert.deepStrictEqual(probes.take(), [])
      yield* tree.resume("root/a")
      assert.strictEqual(phases(tree), "a:running")
      yield* tree.pause("root/a")
      yield* tree.terminateChild("root/a")
      assert.strictEqual((yield* tree.restartChild("root/a")).incarnation, 3)
    })
  )
  it.effect("a bounce does not overtake a pause that still waits for the child to stop", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start([probes.worker("slow", { onStop: Effect.sleep(3_000) })])
      // The first sleep on a test clock can be interrupted even in a release; one that has moved does not warn.
      yield* TestClock.adjust(1)
      const pausing = yield* Effect.forkChild(tree.pause("root/slow"), { startImmediately: true })
      assert.strictEqual(phases(tree), "slow:stopping")
      const bouncing = yield* Effect.forkChild(reasonOf(tree.bounce("root/slow")), { startImmediately: true })
      yield* TestClock.adjust(3_000)
      assert.strictEqual(yield* settled("the bounce", bouncing), "not_running")
      yield* settled("the pause", pausing)
      assert.strictEqual(phases(tree), "slow:paused")
    })
  )
  it.effect(
    "bounce restarts a child at once and outside of every budget, also while it backs off or is failed",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start([probes.worker("a", { backoff: every(60_000) })], {
          intensity: { max: 1, withinMs: 600_000 }
        })
        for (let round = 2; round <= 6; round++)
          assert.strictEqual((yield* tree.bounce("root/a")).incarnation, round)
        yield* probes.crash("a")
        assert.strictEqual(phases(tree), "a:backingOff")
        yield* tree.bounce("root/a")
        assert.strictEqual(phases(tree), "a:running")
      })
  )
  it.effect("dynamic children: added, looked up, terminated; dead ids are fine, foreign ids are not", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start([
        dynamic({
          id: "d",
          intensity: unlimited,
          instances: [{ id: "first", args: "x" }],
          template: {
            backoff: { firstMs: 0 },
            start: (args: string, id) => (self) =>
              Effect.map(probes.start(id, self.incarnation), (running) => ({ ...running, extra: args }))
          }
        })
      ])
      assert.deepStrictEqual(yield* tree.startInstance("root/d", { args: "y" }), {
        path: "root/d/1",
        incarnation: 1,
        ignored: false,
        extra: "y"
      })
      assert.strictEqual(
        (yield* tree.startInstance("root/d", { id: "named", args: "z" })).path,
        "root/d/named"
      )
      assert.strictEqual(
        yield* reasonOf(tree.startInstance("root/d", { id: "named", args: "z" })),
        "already_started"
      )
      assert.strictEqual(phases(tree, "d"), "first:running 1:running named:running")
      yield* probes.crash("1")
      assert.strictEqual(node(tree, "d/1").incarnation, 2)
      assert.strictEqual(yield* reasonOf(tree.restartChild("root/d/1")), "not_allowed")
      assert.strictEqual(yield* reasonOf(tree.deleteChild("root/d/1")), "not_allowed")
      assert.strictEqual(yield* reasonOf(tree.startChild("root/d", probes.worker("w"))), "not_allowed")
      yield* tree.terminateChild("root/d/1")
      yield* tree.terminateChild("root/d/1")
      assert.strictEqual(yield* reasonOf(tree.terminateChild("root/d/9")), "not_found")
      assert.strictEqual(phases(tree, "d"), "first:running named:running")
      assert.deepStrictEqual(yield* tree.countChildren("root/d"), {
        specs: 1,
        active: 2,
        supervisors: 0,
        workers: 2
      })
    })
  )
  const crowd = (instances: ReadonlyArray<{ readonly id?: string; readonly args: number }> = []) =>
    dynamic({
      id: "d",
      intensity: unlimited,
      instances,
      template: { start: (args: number) => () => Effect.succeed({ extra: args }) }
    })
  it.effect("a generated id gives way to one that was chosen", () =>
    Effect.gen(function* () {
      const tree = yield* start([crowd([{ args: 10 }, { id: "1", args: 11 }, { args: 12 }])])
      assert.strictEqual(phases(tree, "d"), "2:running 1:running 3:running")
      assert.isTrue(tree.ready())
      yield* tree.startInstance("root/d", { id: "4", args: 13 })
      const { extra, path } = yield* tree.startInstance("root/d", { args: 14 })
      assert.deepStrictEqual([path, extra], ["root/d/5", 14])
    })
  )
  it.effect("an instance that no path could name is refused, and its supervisor lives on", () =>
    Effect.gen(function* () {
      const tree = yield* start([crowd()])
      const faults: ReadonlyArray<readonly [unknown, string]> = [
        [undefined, "instance: must be an object, not undefined"],
        [null, "instance: must be an object, not null"],
        [{ id: "a/b", args: 0 }, "instance.id: must be a non-empty string"],
        [{ id: "", args: 0 }, "instance.id: must be a non-empty string"],
        [{ id: 5, args: 0 }, "instance.id: must be a non-empty string"],
        [{ id: "x".repeat(129), args: 0 }, "instance.id: must be a non-empty string"],
        [{ idd: "x", args: 0 }, "instance.idd: unknown key"]
      ]
      for (const [instance, problem] of faults) {
        const refused = yield* Effect.flip(tree.startInstance("root/d", instance as never))
        assert.strictEqual(refused.reason, "spec_invalid")
        assert.include(String(refused.cause), problem)
      }
      assert.strictEqual(phases(tree, "d"), "")
      assert.deepStrictEqual([node(tree, "d").phase, node(tree, "d").restarts], ["running", 0])
    })
  )
  it.effect("watch reports the end of the present incarnation, once", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start([probes.worker("a")])
      const watching = yield* Effect.forkChild(tree.watch("root/a"), { startImmediately: true })
      yield* probes.crash("a")
      const down = yield* settled("the watch", watching)
      assert.deepStrictEqual([down.path, down.incarnation, down.reason._tag], ["root/a", 1, "Crashed"])
      yield* tree.terminateChild("root/a")
      assert.strictEqual(yield* reasonOf(tree.watch("root/a")), "not_running")
    })
  )
  it.effect("flags can change while the supervisor runs", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start([probes.worker("a"), probes.worker("b")], {
        intensity: { max: 0, withinMs: 1_000 }
      })
      yield* tree.setFlags("root", { intensity: unlimited, strategy: "one_for_all" })
      yield* probes.crash("b")
      assert.deepStrictEqual([node(tree, "a").incarnation, node(tree, "b").incarnation], [2, 2])
    })
  )
  it.effect("flags that mean nothing are refused by name and change nothing", () =>
    Effect.gen(function* () {
      const tree = yield* start([supervisor({ id: "in", children: [] })])
      const before = node(tree, "in").group
      const faults: ReadonlyArray<readonly [unknown, string]> = [
        [undefined, "flags: must be an object, not undefined"],
        [{ strategy: "bogus" }, 'flags.strategy: must be one of "one_for_one"'],
        [{ strategy: "one_for_all", intensity: { max: -5, withinMs: 1 } }, "flags.intensity.max: must be"],
        [{ intensity: { max: 1, withinMs: -1 } }, "flags.intensity.withinMs: must be"],
        [{ intensity: { max: 1 } }, "flags.intensity.withinMs: is missing"],
        [{ autoShutdown: "sometimes" }, 'flags.autoShutdown: must be one of "never"'],
        [
          { autoShutdwn: "never" },
          "flags.autoShutdwn: unknown key; known are intensity, strategy, autoShutdown"
        ]
      ]
      for (const [flags, problem] of faults) {
        const refused = yield* Effect.flip(tree.setFlags("root/in", flags as never))
        assert.strictEqual(refused.reason, "spec_invalid")
        assert.include(String(refused.cause), problem)
      }
      assert.deepStrictEqual(node(tree, "in").group, before)
    })
  )
  it.effect("every question is answered when the supervisor stops", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start([supervisor({ id: "in", children: [] })])
      const asked = yield* Effect.forkChild(
        reasonOf(tree.startChild("root/in", probes.worker("hang", { onStart: () => Effect.never }))),
        { startImmediately: true }
      )
      yield* tree.stop
      assert.strictEqual(yield* settled("the question", asked), "stopping")
      assert.strictEqual(yield* reasonOf(tree.startChild("root", probes.worker("late"))), "stopping")
    })
  )
})
