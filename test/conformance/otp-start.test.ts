/** OTP supervisor_SUITE rows 1-15: starting, ignoring, failing to start, specifications as maps. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { dynamic, ignore, type Start, supervisor, worker } from "../../src/runtime/child-spec.ts"
import { BadStartReturn, StartFailed } from "../../src/runtime/exit-reason.ts"
import { subtree } from "../../src/runtime/supervisor-shell.ts"
import type { AdminError } from "../../src/runtime/tree.ts"
import { Probes } from "../runtime/probe-children.ts"
import { endOf, phases, reasonOf, start, startError, unlimited } from "../runtime/probe-tree.ts"

const off = () => Effect.succeed("ignore" as const)
/** The start failure inside an administrator's refusal. */
const refusal = <A, R>(asked: Effect.Effect<A, AdminError, R>): Effect.Effect<StartFailed, A, R> =>
  Effect.map(Effect.flip(asked), (error) => {
    if (!(error.cause instanceof StartFailed)) throw new Error(`refused as ${error.reason}`)
    return error.cause
  })

describe("sup_start", () => {
  it.effect("otp 1 sup_start_normal: an empty supervisor starts and stops on request", () =>
    Effect.gen(function* () {
      const tree = yield* start([])
      assert.isTrue(tree.ready())
      yield* tree.stop
      assert.strictEqual((yield* endOf(tree))._tag, "Stopped")
    })
  )
  // A supervisor here is a value and has no init. Where a start decides at run time whether there is a supervisor, as
  // OTP's init does, it is the start of an instance of the type supervisor; a worker that is off is the plainer case.
  it.effect(
    "otp 2 sup_start_ignore_init: a supervisor or worker whose start answers ignore is ignored, nothing below it starts, and no end is reported",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const desk = (id: string, isOn: boolean): Start =>
          isOn
            ? (subtree(supervisor({ id, children: [probes.worker(`in-${id}`)] })) as Start)
            : () => Effect.succeed(ignore)
        const tree = yield* start(
          [
            dynamic({
              id: "desks",
              template: { type: "supervisor", start: (isOn: boolean, id) => desk(id, isOn) }
            })
          ],
          { intensity: { max: 0, withinMs: 1_000 } },
          { observers: [probes.observe] }
        )
        const answers = [
          yield* tree.startInstance("root/desks", { id: "on", args: true }),
          yield* tree.startInstance("root/desks", { id: "off", args: false }),
          yield* tree.startChild("root", probes.worker("alone", { onStart: off }))
        ]
        assert.deepStrictEqual(
          answers.map(({ ignored, path }) => `${path} ${ignored}`),
          ["root/desks/on false", "root/desks/off true", "root/alone true"]
        )
        for (const id of ["off", "alone"]) assert.deepStrictEqual(probes.tags(id), ["Starting", "Ignored"])
        assert.deepStrictEqual(probes.take(), ["start in-on#1"])
        assert.strictEqual(phases(tree, "desks"), "on:running")
        assert.strictEqual(phases(tree), "desks:running alone:stopped")
      })
  )
  it.effect(
    "otp 3 sup_start_ignore_child: a permanent child that answers ignore keeps its spec and has no life",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start([probes.worker("off", { onStart: off }), probes.worker("on")])
        assert.strictEqual(phases(tree), "off:stopped on:running")
        assert.deepStrictEqual(yield* tree.countChildren("root"), {
          specs: 2,
          active: 1,
          supervisors: 0,
          workers: 2
        })
      })
  )
  it.effect("otp 4 sup_start_ignore_temporary_child: a temporary child that answers ignore is not kept", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start([
        probes.worker("off", { restart: "temporary", onStart: off }),
        probes.worker("on", { restart: "temporary" })
      ])
      assert.strictEqual(phases(tree), "on:running")
      assert.deepStrictEqual(yield* tree.countChildren("root"), {
        specs: 1,
        active: 1,
        supervisors: 0,
        workers: 1
      })
    })
  )
  it.effect(
    "otp 5 sup_start_ignore_temporary_child_start_child: the same for a child added at run time",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start([])
        assert.isTrue(
          (yield* tree.startChild("root", probes.worker("off", { restart: "temporary", onStart: off })))
            .ignored
        )
        yield* tree.startChild("root", probes.worker("on", { restart: "temporary" }))
        assert.strictEqual(phases(tree), "on:running")
      })
  )
  for (const [row, name, restart] of [
    [6, "sup_start_ignore_temporary_child_start_child_simple", "temporary"],
    [7, "sup_start_ignore_permanent_child_start_child_simple", "permanent"]
  ] as const) {
    it.effect(
      `otp ${row} ${name}: a dynamic ${restart} child that answers ignore is not kept, and the supervisor stops cleanly`,
      () =>
        Effect.gen(function* () {
          const probes = new Probes()
          const tree = yield* start([
            dynamic({
              id: "d",
              template: {
                restart,
                start: (answer: "ignore" | "run", id) => (self) =>
                  probes.start(id, self.incarnation, answer === "ignore" ? off : undefined)
              }
            })
          ])
          assert.isTrue((yield* tree.startInstance("root/d", { id: "off", args: "ignore" })).ignored)
          yield* tree.startInstance("root/d", { id: "on", args: "run" })
          assert.strictEqual(phases(tree, "d"), "on:running")
          assert.deepStrictEqual((yield* tree.stop).killed, [])
          assert.deepStrictEqual(probes.take(), ["start on#1", "stop on#1"])
        })
    )
  }
  it.effect(
    "otp 8 sup_start_error_return: a start that answers garbage fails the tree with a typed error",
    () =>
      Effect.gen(function* () {
        const error = yield* startError(
          start([worker({ id: "a", start: () => Effect.succeed("garbage" as never) })])
        )
        const cause = error.cause.reasons.find(Cause.isFailReason)?.error
        assert.instanceOf(cause, BadStartReturn)
        assert.strictEqual(error.path, "root/a")
      })
  )
  it.effect("otp 9 sup_start_fail: a start that throws fails the tree with the reason and its stack", () =>
    Effect.gen(function* () {
      const error = yield* startError(
        start([
          worker({
            id: "a",
            start: () => {
              throw new Error("boom")
            }
          })
        ])
      )
      const defect = error.cause.reasons.find(Cause.isDieReason)?.defect
      assert.strictEqual(error.reason, "Error: boom")
      assert.include(defect instanceof Error ? defect.stack : "", "otp-start.test.ts")
    })
  )
  it.effect(
    "otp 10 sup_start_child_returns_error: startChild answers the typed error and keeps nothing",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start([])
        assert.strictEqual(
          (yield* refusal(
            tree.startChild("root", probes.worker("a", { onStart: () => Effect.fail("refused") }))
          )).reason,
          "refused"
        )
        assert.include(
          (yield* refusal(
            tree.startChild("root", worker({ id: "a", start: () => Effect.succeed(7 as never) }))
          )).reason,
          "number"
        )
        assert.strictEqual(phases(tree), "")
      })
  )
  it.effect(
    "otp 11 sup_start_restart_child_returns_error: a restart that fails answers the error and keeps the spec",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start([
          probes.worker("a", {
            onStart: (incarnation) => (incarnation > 1 ? Effect.fail("not again") : Effect.void)
          })
        ])
        yield* tree.terminateChild("root/a")
        assert.strictEqual((yield* refusal(tree.restartChild("root/a"))).reason, "not again")
        assert.strictEqual(phases(tree), "a:stopped")
      })
  )
  it.effect(
    "otp 12 sup_start_child_returns_error_simple: a dynamic start that fails answers the error and keeps nothing",
    () =>
      Effect.gen(function* () {
        const tree = yield* start([
          dynamic({ id: "d", template: { start: () => () => Effect.fail("refused") } })
        ])
        assert.strictEqual((yield* refusal(tree.startInstance("root/d", { args: 0 }))).reason, "refused")
        assert.strictEqual(phases(tree, "d"), "")
      })
  )
})

describe("sup_start_map", () => {
  it.effect(
    "otp 13 sup_start_map: every default is filled in; getChildSpec gives the complete spec; an unknown id is not_found",
    () =>
      Effect.gen(function* () {
        const running: Start = () => Effect.succeed({})
        const template = { start: () => running }
        const tree = yield* start([
          worker({ id: "a", start: running }),
          worker({ id: "p", start: running, whenExhausted: { action: "park", retryEveryMs: 7 } }),
          supervisor({ id: "s", children: [] }),
          dynamic({ id: "d", template })
        ])
        // Written out, not taken from the source: these are what the guide promises.
        const plain = {
          restart: "permanent",
          startDeadlineMs: 10_000,
          stopBudgetMs: 5_000,
          backoff: { firstMs: 100, factor: 2, maxMs: 30_000, jitter: "full", resetAfterMs: 30_000 },
          budget: { max: Number.POSITIVE_INFINITY, withinMs: 60_000 },
          whenExhausted: { action: "escalate" },
          readiness: "required",
          initialStart: "fail",
          significant: false,
          credentialsRetryMs: 60_000
        }
        const group = {
          ...plain,
          startDeadlineMs: Number.POSITIVE_INFINITY,
          stopBudgetMs: "infinity",
          backoff: { ...plain.backoff, firstMs: 0, maxMs: 0 },
          intensity: { max: 5, withinMs: 60_000 }
        }
        assert.deepStrictEqual<unknown>(yield* tree.getChildSpec("root/a"), {
          ...plain,
          type: "worker",
          id: "a",
          start: running
        })
        assert.deepStrictEqual<unknown>(yield* tree.getChildSpec("root/p"), {
          ...plain,
          type: "worker",
          id: "p",
          start: running,
          budget: { max: 5, withinMs: 60_000 },
          whenExhausted: { action: "park", retryEveryMs: 7 }
        })
        assert.deepStrictEqual<unknown>(yield* tree.getChildSpec("root/s"), {
          ...group,
          type: "supervisor",
          id: "s",
          strategy: "one_for_one",
          autoShutdown: "never",
          children: []
        })
        assert.deepStrictEqual<unknown>(yield* tree.getChildSpec("root/d"), {
          ...group,
          type: "dynamic",
          id: "d",
          instances: [],
          template: { ...plain, type: "worker", start: template.start }
        })
        assert.strictEqual(yield* reasonOf(tree.getChildSpec("root/none")), "not_found")
      })
  )
  it.effect("otp 14 sup_start_map_simple: getChildSpec works on a child of a dynamic supervisor", () =>
    Effect.gen(function* () {
      const tree = yield* start([
        dynamic({
          id: "d",
          intensity: unlimited,
          template: { restart: "transient", start: () => () => Effect.succeed({}) }
        })
      ])
      const { path } = yield* tree.startInstance("root/d", { args: 0 })
      assert.deepInclude(yield* tree.getChildSpec(path), {
        id: "1",
        type: "worker",
        restart: "transient",
        startDeadlineMs: 10_000
      })
      assert.strictEqual(yield* reasonOf(tree.getChildSpec("root/d/2")), "not_found")
    })
  )
  it.effect(
    "otp 15 sup_start_map_faulty_specs: a missing id, a missing start, a non-object and an unknown key are each refused by name",
    () =>
      Effect.gen(function* () {
        const tree = yield* start([])
        const faults: Array<string> = []
        for (const spec of [
          { type: "worker", start: () => Effect.succeed({}) },
          { type: "worker", id: "a" },
          7,
          { type: "worker", id: "a", start: () => Effect.succeed({}), colour: "red" }
        ]) {
          const error = yield* Effect.flip(tree.startChild<never>("root", spec as never))
          faults.push(
            `${error.reason} ${error.cause instanceof Error ? error.cause.message.slice(0, 30) : ""}`
          )
        }
        assert.deepStrictEqual(faults, [
          "spec_invalid spec.id: is missing",
          "spec_invalid spec.start: is missing",
          "spec_invalid spec: must be made by worker()",
          "spec_invalid spec.colour: unknown key; know"
        ])
        assert.strictEqual(phases(tree), "")
      })
  )
})
