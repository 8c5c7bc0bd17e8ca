/** OTP supervisor_SUITE rows 44-56: how children end, and trees of supervisors. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { TestClock } from "effect/testing"
import type { RestartType } from "../../src/runtime/child-policy.ts"
import { type Running, supervisor, worker } from "../../src/runtime/child-spec.ts"
import { type ExitReason, shutdown } from "../../src/runtime/exit-reason.ts"
import { Probes } from "../runtime/probe-children.ts"
import { node, phases, settled, start, startError } from "../runtime/probe-tree.ts"

const ended = (restart: RestartType, end: "crash" | ExitReason | undefined) =>
  Effect.gen(function* () {
    const probes = new Probes()
    const tree = yield* start([probes.worker("a", { restart })])
    yield* end === "crash" ? probes.crash("a") : probes.finish("a", end)
    return { tree, probes, phases: phases(tree), counts: yield* tree.countChildren("root") }
  })

describe("normal_termination", () => {
  it.effect(
    "otp 44 external_start_no_progress_log: a child added at run time reports a start when added and one per restart, nothing else",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start([], {}, { observers: [probes.observe] })
        yield* tree.startChild("root", probes.worker("a"))
        yield* probes.crash("a")
        assert.deepStrictEqual(
          probes.reports.flatMap((one) =>
            one._tag === "Started"
              ? [`${one.offender.path}#${one.offender.incarnation} restarted=${one.restarted}`]
              : []
          ),
          ["root/a#1 restarted=false", "root/a#2 restarted=true"]
        )
      })
  )
  it.effect("otp 45 permanent_normal: a permanent child that ends normally is restarted", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* ended("permanent", undefined)).phases, "a:running")
    })
  )
  it.effect(
    "otp 46 transient_normal: a transient child that ends normally keeps its spec and has no life",
    () =>
      Effect.gen(function* () {
        const result = yield* ended("transient", undefined)
        assert.strictEqual(result.phases, "a:stopped")
        assert.deepStrictEqual(result.counts, { specs: 1, active: 0, supervisors: 0, workers: 1 })
      })
  )
  it.effect("otp 47 temporary_normal: a temporary child that ends normally is removed", () =>
    Effect.gen(function* () {
      const result = yield* ended("temporary", undefined)
      assert.deepStrictEqual(result.counts, { specs: 0, active: 0, supervisors: 0, workers: 0 })
    })
  )
})

describe("shutdown_termination", () => {
  for (const reason of [shutdown(), shutdown("detail")]) {
    const how = "detail" in reason ? "{shutdown, detail}" : "shutdown"
    it.effect(`otp 48 permanent_shutdown: restarted [${how}]`, () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* ended("permanent", reason)).phases, "a:running")
      })
    )
    it.effect(`otp 49 transient_shutdown: not restarted [${how}]`, () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* ended("transient", reason)).phases, "a:stopped")
      })
    )
    it.effect(`otp 50 temporary_shutdown: removed, and can be started again under the same id [${how}]`, () =>
      Effect.gen(function* () {
        const { probes, tree } = yield* ended("temporary", reason)
        assert.strictEqual(phases(tree), "")
        yield* tree.startChild("root", probes.worker("a", { restart: "temporary" }))
        assert.strictEqual(phases(tree), "a:running")
      })
    )
  }
  it.effect(
    "otp 51 faulty_application_shutdown: a grandchild that fails to start surfaces at the top with path, reason and stack",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const grandchild = worker({
          id: "broker",
          start: (self) =>
            Effect.sync((): Running => {
              self.step("connect")
              throw new Error("no route")
            })
        })
        const error = yield* startError(
          start([
            probes.worker("a"),
            supervisor({
              id: "trading",
              children: [probes.worker("b"), supervisor({ id: "brokers", children: [grandchild] })]
            })
          ])
        )
        const defect = error.cause.reasons.find(Cause.isDieReason)?.defect
        assert.deepStrictEqual(
          [error.path, error.step, error.reason],
          ["root/trading/brokers/broker", "connect", "Error: no route"]
        )
        assert.include(defect instanceof Error ? defect.stack : "", "otp-termination.test.ts")
        assert.deepStrictEqual(probes.take(), ["start a#1", "start b#1", "stop b#1", "stop a#1"])
      })
  )
})

describe("abnormal_termination", () => {
  it.effect("otp 52 permanent_abnormal: restarted", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* ended("permanent", "crash")).phases, "a:running")
    })
  )
  it.effect("otp 53 transient_abnormal: restarted", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* ended("transient", "crash")).phases, "a:running")
    })
  )
  it.effect("otp 54 temporary_abnormal: removed", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* ended("temporary", "crash")).phases, "")
    })
  )
})

describe("trees", () => {
  it.effect(
    "otp 55 child_unlink: a child that ignores its stop and never settles cannot make terminateChild hang",
    () =>
      Effect.gen(function* () {
        const tree = yield* start([
          worker({
            id: "a",
            stopBudgetMs: 1_000,
            start: () =>
              Effect.as(
                Effect.addFinalizer(() => Effect.never),
                { run: Effect.uninterruptible(Effect.never) }
              )
          })
        ])
        const terminating = yield* Effect.forkChild(tree.terminateChild("root/a"), { startImmediately: true })
        yield* TestClock.adjust(1_000)
        yield* settled("the termination", terminating)
        assert.strictEqual(phases(tree), "a:stopped")
        assert.deepStrictEqual(tree.figures().abandoned, ["root/a"])
      })
  )
  it.effect(
    "otp 56 tree: a restart stays in its subtree; static children come back, those added at run time are lost",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const inner = (id: string) =>
          supervisor({
            id,
            strategy: "one_for_all",
            intensity: { max: 0, withinMs: 1_000 },
            children: [probes.worker(`${id}1`), probes.worker(`${id}2`)]
          })
        const tree = yield* start([inner("x"), inner("y")])
        yield* tree.startChild("root/y", probes.worker("added"))
        assert.strictEqual(phases(tree, "y"), "y1:running y2:running added:running")
        yield* probes.crash("y1")
        assert.strictEqual(phases(tree, "y"), "y1:running y2:running")
        assert.deepStrictEqual(
          [node(tree, "x").incarnation, node(tree, "y").incarnation, node(tree, "x/x1").incarnation],
          [1, 2, 1]
        )
      })
  )
})
