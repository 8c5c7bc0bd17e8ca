/** OTP supervisor_SUITE rows 71-78, 80-82 and 87-93: counting, memory, hanging restarts, order, scale, reports, lists. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { dynamic, type Strategy, supervisor, worker } from "../../src/runtime/child-spec.ts"
import { formatReport, type SupervisionEvent } from "../../src/runtime/reports.ts"
import { Probes } from "../runtime/probe-children.ts"
import { endOf, every, node, phases, reasonOf, start, unlimited } from "../runtime/probe-tree.ts"
import { collectGarbage } from "../support/garbage.ts"
import { stepsOf } from "./steps.ts"

const plain = { start: () => () => Effect.succeed({}) }
const numbered = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ id: `c${index}`, args: index }))

describe("counting", () => {
  it.effect("otp 71 count_children: counts stay consistent with 1,000 and 2,000 dynamic children", () =>
    Effect.gen(function* () {
      const tree = yield* start([
        dynamic({ id: "d", instances: numbered(1_000), template: { ...plain, restart: "temporary" } })
      ])
      assert.deepStrictEqual(yield* tree.countChildren("root/d"), {
        specs: 1,
        active: 1_000,
        supervisors: 0,
        workers: 1_000
      })
      for (let index = 0; index < 1_000; index++) yield* tree.startInstance("root/d", { args: index })
      assert.deepStrictEqual(yield* tree.countChildren("root/d"), {
        specs: 1,
        active: 2_000,
        supervisors: 0,
        workers: 2_000
      })
      for (let index = 0; index < 1_000; index++) yield* tree.terminateChild(`root/d/c${index}`)
      assert.deepStrictEqual(yield* tree.countChildren("root/d"), {
        specs: 1,
        active: 1_000,
        supervisors: 0,
        workers: 1_000
      })
    })
  )
  it.effect("otp 72 count_children_supervisor: supervisors and workers are counted apart", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start([
        probes.worker("a"),
        supervisor({ id: "s", children: [] }),
        dynamic({ id: "d", template: plain }),
        probes.worker("b")
      ])
      assert.deepStrictEqual(yield* tree.countChildren("root"), {
        specs: 4,
        active: 4,
        supervisors: 2,
        workers: 2
      })
      yield* tree.terminateChild("root/s")
      assert.deepStrictEqual(yield* tree.countChildren("root"), {
        specs: 4,
        active: 3,
        supervisors: 2,
        workers: 2
      })
    })
  )
  it.effect("otp 73 count_restarting_children: a child that is restarting is not counted active", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start([probes.worker("a", { backoff: every(1_000) }), probes.worker("b")])
      yield* probes.crash("a")
      assert.deepStrictEqual(yield* tree.countChildren("root"), {
        specs: 2,
        active: 1,
        supervisors: 0,
        workers: 2
      })
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(yield* tree.countChildren("root"), {
        specs: 2,
        active: 2,
        supervisors: 0,
        workers: 2
      })
    })
  )
})

describe("what is kept", () => {
  it.live(
    "otp 75 do_not_save_start_parameters_for_temporary_children: what the start of a temporary child was made of is not retained",
    () =>
      Effect.gen(function* () {
        const tree = yield* start([
          dynamic({
            id: "d",
            template: {
              restart: "temporary",
              start: (args: { readonly big: Uint8Array }) => () =>
                Effect.sync(() => ({ extra: args.big.length }))
            }
          })
        ])
        const references: Array<WeakRef<object>> = []
        const add = (index: number) =>
          Effect.suspend(() => {
            const big = new Uint8Array(100_000)
            references.push(new WeakRef(big))
            return Effect.andThen(
              tree.startChild(
                "root",
                worker({
                  id: `w${index}`,
                  restart: "temporary",
                  start: () => Effect.sync(() => ((big[0] = 1), {}))
                })
              ),
              tree.startInstance("root/d", { args: { big } })
            )
          })
        for (let index = 0; index < 10; index++) yield* add(index)
        yield* collectGarbage
        assert.strictEqual((yield* tree.countChildren("root")).active, 11)
        assert.isAtMost(references.filter((reference) => reference.deref() !== undefined).length, 1)
      })
  )
  it.effect(
    "otp 76 do_not_save_child_specs_for_temporary_children: specs of ended temporary children are not kept",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const temporary = (id: string) => probes.worker(id, { restart: "temporary" })
        const tree = yield* start([temporary("a"), temporary("b"), temporary("c")])
        yield* probes.finish("a")
        yield* probes.crash("b")
        yield* tree.terminateChild("root/c")
        assert.deepStrictEqual(yield* tree.whichChildren("root"), [])
        assert.strictEqual(yield* reasonOf(tree.getChildSpec("root/a")), "not_found")
        assert.strictEqual(yield* reasonOf(tree.restartChild("root/c")), "not_found")
      })
  )
  it.live(
    "otp 77 simple_one_for_one_scale_many_temporary_children: the work for one child does not grow with their number",
    () =>
      Effect.gen(function* () {
        const cost = (count: number) =>
          Effect.gen(function* () {
            const tree = yield* start([dynamic({ id: "d", template: { ...plain, restart: "temporary" } })])
            return yield* stepsOf(
              Effect.gen(function* () {
                for (let index = 0; index < count; index++)
                  yield* tree.startInstance("root/d", { args: index })
                for (let index = 1; index <= count; index++) yield* tree.terminateChild(`root/d/${index}`)
              })
            )
          })
        const [small, large] = [yield* cost(300), yield* cost(3_000)]
        // OTP allows fifty times the time for ten times the children; the bench measures time, here steps are counted.
        assert.isBelow(large, small * 12)
      })
  )
  it.effect(
    "otp 78 temporary_bystander: a temporary sibling stopped by the strategy is not brought back, and the supervisor goes on",
    () =>
      Effect.gen(function* () {
        for (const strategy of ["one_for_all", "rest_for_one"] as const) {
          const probes = new Probes()
          const tree = yield* start(
            [probes.worker("a"), probes.worker("b", { restart: "temporary" }), probes.worker("c")],
            { strategy },
            { observers: [probes.observe] }
          )
          yield* probes.crash("a")
          assert.strictEqual(phases(tree), "a:running c:running")
          assert.deepStrictEqual(probes.tags("b"), ["Starting", "Started", "Ready", "Stopped"])
        }
      })
  )
})

describe("hanging restart loops", () => {
  const never = (incarnation: number) => (incarnation > 1 ? Effect.fail("still away") : Effect.void)
  const loops: ReadonlyArray<readonly [number, string, Strategy]> = [
    [80, "hanging_restart_loop", "one_for_one"],
    [81, "hanging_restart_loop_rest_for_one", "rest_for_one"]
  ]
  for (const [row, name, strategy] of loops) {
    it.effect(
      `otp ${row} ${name}: a child that fails again and again is visible, admin calls answer, terminate and stop work at once`,
      () =>
        Effect.gen(function* () {
          const probes = new Probes()
          const looping = probes.worker("loop", { backoff: every(100), onStart: never })
          const tree = yield* start([probes.worker("a"), looping, probes.worker("z")], {
            strategy,
            intensity: unlimited
          })
          yield* probes.crash("loop")
          yield* TestClock.adjust(10_050)
          assert.strictEqual(node(tree, "loop").phase, "backingOff")
          assert.strictEqual(node(tree, "loop").attempt, 101)
          assert.strictEqual(node(tree, "loop").lastError, "still away")
          assert.strictEqual(yield* reasonOf(tree.restartChild("root/loop")), "restarting")
          assert.strictEqual(yield* reasonOf(tree.deleteChild("root/loop")), "restarting")
          assert.strictEqual(yield* reasonOf(tree.startChild("root", looping)), "already_present")
          yield* tree.ping(100)
          yield* tree.terminateChild("root/loop")
          assert.strictEqual(phases(tree), "a:running loop:stopped z:running")
          assert.strictEqual((yield* tree.stop).elapsedMs, 0)
        })
    )
  }
  it.effect("otp 82 hanging_restart_loop_simple: the same with a dynamic child", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start([
        dynamic({
          id: "d",
          intensity: unlimited,
          instances: [
            { id: "loop", args: 0 },
            { id: "ok", args: 0 }
          ],
          template: {
            backoff: every(100),
            start: (_args, id) => (self) =>
              probes.start(id, self.incarnation, id === "loop" ? never : undefined)
          }
        })
      ])
      yield* probes.crash("loop")
      yield* TestClock.adjust(10_050)
      assert.strictEqual(phases(tree, "d"), "loop:backingOff ok:running")
      assert.strictEqual(
        yield* reasonOf(tree.startInstance("root/d", { id: "loop", args: 0 })),
        "already_started"
      )
      yield* tree.terminateChild("root/d/loop")
      assert.strictEqual(phases(tree, "d"), "ok:running")
      assert.strictEqual((yield* tree.stop).elapsedMs, 0)
    })
  )
})

describe("order and scale", () => {
  it.effect(
    "otp 87 order_of_children: started left to right; partial and complete termination in reverse",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start(
          ["a", "b", "c", "d", "e"].map((id) => probes.worker(id)),
          { strategy: "rest_for_one" }
        )
        assert.deepStrictEqual(probes.take(), [
          "start a#1",
          "start b#1",
          "start c#1",
          "start d#1",
          "start e#1"
        ])
        yield* probes.crash("b")
        assert.deepStrictEqual(probes.take(), [
          "stop b#1",
          "stop e#1",
          "stop d#1",
          "stop c#1",
          "start b#2",
          "start c#2",
          "start d#2",
          "start e#2"
        ])
        yield* tree.stop
        assert.deepStrictEqual(probes.take(), ["stop e#2", "stop d#2", "stop c#2", "stop b#2", "stop a#1"])
      })
  )
  it.live(
    "otp 88 scale_start_stop_many_children: the work to start and stop one child does not grow with their number",
    () =>
      Effect.gen(function* () {
        const cost = (count: number) =>
          stepsOf(
            Effect.gen(function* () {
              const tree = yield* start([dynamic({ id: "d", instances: numbered(count), template: plain })])
              assert.strictEqual((yield* tree.countChildren("root/d")).active, count)
              yield* tree.stop
            })
          )
        const [small, large] = [yield* cost(1_000), yield* cost(20_000)]
        // OTP allows ten times linear in time; the bench measures that, here steps are counted.
        assert.isBelow(large, small * 20 * 1.2)
      })
  )
})

describe("reports", () => {
  const huge = (): Error => {
    const cause: Record<string, unknown> = { text: "x".repeat(100_000) }
    cause["self"] = cause
    return new Error(`line one\nline two ${"y".repeat(100_000)}`, { cause })
  }
  it.effect(
    "otp 89 format_log_1: a report carries OTP's fields and bounded text, however large the reason",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        yield* start([probes.worker("a")], {}, { observers: [probes.observe] })
        yield* probes.crash("a", huge())
        const found = probes.reports.find((one) => one._tag === "SupervisorError")
        assert.deepInclude(found, { supervisor: "root", errorContext: "child_terminated" })
        assert.deepStrictEqual(found?.offender, {
          id: "a",
          path: "root/a",
          type: "worker",
          restart: "permanent",
          incarnation: 1
        })
        assert.isAtMost(found?._tag === "SupervisorError" ? found.reason.length : 1_000, 300)
      })
  )
  it.effect(
    "otp 90 format_log_2: in single-line form every report is one line of at most 400 characters",
    () =>
      Effect.gen(function* () {
        const lines: Array<string> = []
        const observe = (event: SupervisionEvent) => {
          lines.push(formatReport(event))
        }
        const probes = new Probes()
        const tree = yield* start(
          [probes.worker("a", { backoff: every(1_000) })],
          { intensity: { max: 1, withinMs: 10_000 } },
          { observers: [observe] }
        )
        yield* probes.crash("a", huge())
        yield* TestClock.adjust(1_000)
        yield* probes.crash("a", huge())
        yield* endOf(tree)
        assert.isAbove(lines.length, 5)
        assert.isTrue(
          lines.every((line) => line.length <= 400 && !line.includes("\n")),
          lines.join("|").slice(0, 500)
        )
        assert.include(lines, "Started root/a#1 in 0 ms")
      })
  )
})

describe("which children", () => {
  it.effect("otp 92 which_children: the list after start, terminate and delete", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start([])
      const list = Effect.map(tree.whichChildren("root"), (lines) =>
        lines.map((line) => `${line.path} ${line.type} ${line.phase}`)
      )
      assert.deepStrictEqual(yield* list, [])
      yield* tree.startChild("root", probes.worker("a"))
      assert.deepStrictEqual(yield* list, ["root/a worker running"])
      yield* tree.terminateChild("root/a")
      assert.deepStrictEqual(yield* list, ["root/a worker stopped"])
      yield* tree.deleteChild("root/a")
      assert.deepStrictEqual(yield* list, [])
      assert.strictEqual(yield* reasonOf(tree.whichChildren("root/a")), "not_found")
    })
  )
  it.effect("otp 93 which_children_simple_one_for_one: the list of a dynamic supervisor", () =>
    Effect.gen(function* () {
      const tree = yield* start([dynamic({ id: "d", template: plain })])
      yield* tree.startInstance("root/d", { args: 0 })
      yield* tree.startInstance("root/d", { args: 0 })
      yield* tree.terminateChild("root/d/1")
      assert.deepStrictEqual(
        (yield* tree.whichChildren("root/d")).map((line) => `${line.path} ${line.phase}`),
        ["root/d/2 running"]
      )
    })
  )
})
