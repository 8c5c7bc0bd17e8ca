/** OTP supervisor_SUITE rows 16-22: stopping with budgets, unresponsive children, races. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { dynamic, type Start, supervisor, worker } from "../../src/runtime/child-spec.ts"
import { shutdown } from "../../src/runtime/exit-reason.ts"
import { Probes } from "../runtime/probe-children.ts"
import { endOf, phases, settled, start, turns, unlimited } from "../runtime/probe-tree.ts"

const deaf = { run: Effect.uninterruptible(Effect.never) }
const reasons = (probes: Probes): Record<string, string> =>
  Object.fromEntries(
    probes.reports.flatMap((one) => (one._tag === "Stopped" ? [[one.offender.id, one.reason]] : []))
  )

describe("sup_stop", () => {
  it.effect(
    "otp 16 sup_stop_infinity: a worker and a supervisor with budget infinity both end with shutdown",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start(
          [
            probes.worker("w", { stopBudgetMs: "infinity", onStop: Effect.sleep(9_000) }),
            supervisor({ id: "s", stopBudgetMs: "infinity", children: [probes.worker("in")] })
          ],
          {},
          { observers: [probes.observe] }
        )
        const stopping = yield* Effect.forkChild(tree.stop, { startImmediately: true })
        yield* TestClock.adjust(9_000)
        assert.deepStrictEqual((yield* settled("the stop", stopping)).killed, [])
        assert.deepStrictEqual(reasons(probes), { in: "shut down", s: "shut down", w: "shut down" })
      })
  )
  it.effect(
    "otp 17 sup_stop_timeout: a deaf child is killed after its budget; the obedient end with shutdown",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start(
          [
            probes.worker("a"),
            probes.worker("deaf", { stopBudgetMs: 1_000, onStart: () => Effect.succeed(deaf) }),
            probes.worker("c")
          ],
          {},
          { observers: [probes.observe] }
        )
        const stopping = yield* Effect.forkChild(tree.stop, { startImmediately: true })
        yield* TestClock.adjust(999)
        assert.deepStrictEqual(phases(tree), "a:running deaf:stopping c:stopped")
        yield* TestClock.adjust(1)
        assert.deepStrictEqual((yield* settled("the stop", stopping)).killed, ["root/deaf"])
        assert.deepStrictEqual(reasons(probes), {
          c: "shut down",
          deaf: "killed after 1000 ms",
          a: "shut down"
        })
      })
  )
  const many = (probes: Probes, stopBudgetMs: number | "kill", count: number) =>
    dynamic({
      id: "d",
      intensity: unlimited,
      instances: Array.from({ length: count }, (_, index) => ({
        id: `${index < 2 ? "deaf" : "c"}${index}`,
        args: index
      })),
      template: {
        stopBudgetMs,
        start: (index: number, id) => (self) =>
          Effect.map(probes.start(id, self.incarnation), (running) =>
            index < 2 ? { ...running, ...deaf } : running
          )
      }
    })
  it.effect(
    "otp 18 sup_stop_timeout_dynamic: deaf dynamic children are killed after the budget, together",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start([many(probes, 1_000, 5)])
        const stopping = yield* Effect.forkChild(tree.stop, { startImmediately: true })
        yield* TestClock.adjust(1_000)
        const report = yield* settled("the stop", stopping)
        assert.deepStrictEqual(report.killed, ["root/d/deaf0", "root/d/deaf1"])
        assert.strictEqual(report.elapsedMs, 1_000)
        assert.strictEqual(probes.take().filter((line) => line.startsWith("stop c")).length, 3)
      })
  )
  it.effect("otp 19 sup_stop_brutal_kill: a child declared kill gets no grace, its sibling does", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const drain = (id: string) => ({ drain: Effect.asVoid(Effect.sync(() => log.push(id))) })
      const tree = yield* start([
        worker({ id: "kind", start: () => Effect.succeed(drain("kind")) }),
        worker({
          id: "brutal",
          stopBudgetMs: "kill",
          start: () => Effect.succeed({ ...drain("brutal"), ...deaf })
        })
      ])
      const stopping = yield* Effect.forkChild(tree.stop, { startImmediately: true })
      yield* turns(4)
      assert.deepStrictEqual((yield* settled("the stop", stopping)).killed, ["root/brutal"])
      assert.deepStrictEqual(log, ["kind"])
    })
  )
  it.effect("otp 20 sup_stop_brutal_kill_dynamic: the same for ten dynamic children", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start([many(probes, "kill", 10)])
      const stopping = yield* Effect.forkChild(tree.stop, { startImmediately: true })
      yield* turns(4)
      const report = yield* settled("the stop", stopping)
      assert.deepStrictEqual(report.killed, ["root/d/deaf0", "root/d/deaf1"])
      assert.strictEqual(report.elapsedMs, 0)
    })
  )
  it.effect(
    "otp 21 sup_stop_race: children that end by themselves during the stop neither break it, nor change its order, nor come back",
    () =>
      Effect.gen(function* () {
        for (const restart of ["permanent", "transient", "temporary"] as const) {
          const probes = new Probes()
          const ends = [
            ["normal", undefined],
            ["shutdown", shutdown()],
            ["detail", shutdown("detail")]
          ] as const
          const others = Effect.gen(function* () {
            for (const [id, reason] of ends) yield* probes.finish(id, reason)
            yield* probes.crash("crash")
          })
          const tree = yield* start(
            [
              probes.worker("first"),
              ...ends.map(([id]) => probes.worker(id, { restart })),
              probes.worker("crash", { restart }),
              probes.worker("last", { onStop: others })
            ],
            { intensity: { max: 0, withinMs: 1_000 } }
          )
          probes.take()
          assert.deepStrictEqual((yield* tree.stop).killed, [])
          assert.deepStrictEqual(probes.take(), [
            "stop normal#1",
            "stop shutdown#1",
            "stop detail#1",
            "stop crash#1",
            "stop last#1",
            "stop first#1"
          ])
          assert.strictEqual((yield* endOf(tree))._tag, "Stopped")
        }
      })
  )
  it.effect(
    "otp 22 sup_stop_non_shutdown_exit_dynamic: dynamic children that end with other reasons while stopped do not change the supervisor's end",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        // Three ways to spoil one's own stop, and one child that does not.
        const stops: Readonly<Record<string, Start>> = {
          release: () =>
            Effect.as(
              Effect.addFinalizer(() => Effect.die(new Error("release"))),
              {}
            ),
          drain: () => Effect.succeed({ drain: Effect.fail("drain"), run: Effect.never }),
          run: () =>
            Effect.succeed({ run: Effect.onInterrupt(Effect.never, () => Effect.die(new Error("run"))) }),
          fine: () => Effect.succeed({})
        }
        const tree = yield* start(
          [
            dynamic({
              id: "d",
              instances: Object.entries(stops).map(([id, args]) => ({ id, args })),
              template: { start: (own: Start) => own }
            })
          ],
          {},
          { observers: [probes.observe] }
        )
        const report = yield* tree.stop
        const { d, ...others } = reasons(probes)
        assert.strictEqual(d, "shut down")
        assert.deepStrictEqual(others, {
          release: "Error: release",
          drain: "drain: drain",
          run: "Error: run",
          fine: "shut down"
        })
        assert.deepStrictEqual(report.killed, [])
        assert.strictEqual((yield* tree.awaitEnd)._tag, "Stopped")
      })
  )
})
