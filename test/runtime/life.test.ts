/** One incarnation: ownership of fibers, attribution of faults, stopping within budgets, unresponsive children. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { type ChildSelf, supervisor, worker } from "../../src/runtime/child-spec.ts"
import { Probes } from "./probe-children.ts"
import { atOnce, node, phases, settled, start, startError, turns, unlimited } from "./probe-tree.ts"

describe("ownership", () => {
  it.effect("a forked fiber ends with its child, and its end is awaited", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const tree = yield* start([
        worker({
          id: "a",
          backoff: atOnce,
          start: (self) =>
            Effect.gen(function* () {
              yield* Effect.addFinalizer(() => Effect.sync(() => log.push(`close #${self.incarnation}`)))
              yield* self.fork(
                "loop",
                Effect.onInterrupt(Effect.never, () =>
                  Effect.andThen(
                    Effect.sleep(100),
                    Effect.sync(() => log.push(`loop over #${self.incarnation}`))
                  )
                )
              )
              yield* self.fork("dies", Effect.andThen(Effect.sleep(1_000), Effect.die(new Error("silent"))))
              return {}
            })
        })
      ])
      yield* TestClock.adjust(1_000)
      assert.strictEqual(phases(tree), "a:running")
      assert.deepStrictEqual(log, [])
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(log, ["loop over #1", "close #1"])
      assert.strictEqual(node(tree, "a").incarnation, 2)
      assert.strictEqual(node(tree, "a").lastError, "dies: Error: silent")
      yield* Effect.forkChild(tree.stop, { startImmediately: true })
      yield* TestClock.adjust(100)
    })
  )
  for (const [name, life] of [
    ["a failing run", (_self: ChildSelf) => ({ run: Effect.fail("run") })],
    ["a dying run", () => ({ run: Effect.die("run") })],
    [
      "a crash from a callback",
      (self: ChildSelf) => {
        setImmediate(() => self.crash("run"))
        return {}
      }
    ],
    ["a run that interrupts itself", () => ({ run: Effect.interrupt })],
    [
      "a finalizer that dies",
      (self: ChildSelf) => ({ run: self.incarnation === 1 ? Effect.sync(() => {}) : Effect.never })
    ]
  ] as const) {
    it.effect(`${name} is attributed to its child and restarts it`, () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start(
          [
            worker({
              id: "a",
              backoff: { firstMs: 1_000 },
              start: (self) =>
                Effect.as(
                  name.startsWith("a finalizer")
                    ? Effect.addFinalizer(() => Effect.die("finalizer"))
                    : Effect.void,
                  self.incarnation > 1 ? {} : life(self)
                )
            })
          ],
          {},
          { observers: [probes.observe] }
        )
        yield* turns(2)
        assert.strictEqual(node(tree, "a").phase, "backingOff")
        assert.include(probes.tags("a"), "child_terminated")
        yield* TestClock.adjust(1_000)
        assert.strictEqual(node(tree, "a").phase, "running")
      })
    )
  }
  it.effect("a start that throws, fails half-way or answers nonsense leaves nothing behind", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const half = worker({
        id: "a",
        start: () =>
          Effect.andThen(
            Effect.addFinalizer(() => Effect.sync(() => log.push("released"))),
            Effect.fail("half")
          )
      })
      assert.strictEqual((yield* startError(start([half]))).reason, "half")
      assert.deepStrictEqual(log, ["released"])
      const thrown = worker({
        id: "a",
        start: () => {
          throw new Error("sync")
        }
      })
      assert.strictEqual((yield* startError(start([thrown]))).reason, "Error: sync")
      const nonsense = worker({ id: "a", start: () => Effect.succeed(42 as never) })
      assert.include((yield* startError(start([nonsense]))).reason, "returned number from its start")
    })
  )
  it.effect("the step a start was in is named in its failure", () =>
    Effect.gen(function* () {
      const failing = worker({
        id: "a",
        start: (self) =>
          Effect.suspend(() => {
            self.step("open socket")
            return Effect.fail(new Error("EADDRINUSE"))
          })
      })
      const error = yield* startError(start([failing]))
      assert.strictEqual(error.step, "open socket")
      assert.strictEqual(error.message, "root/a failed to start at step open socket: Error: EADDRINUSE")
    })
  )
})

describe("readiness", () => {
  it.effect("started is not ready: the parent's readiness waits for the child's word", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      let self: ChildSelf | undefined
      const slow = worker({
        id: "slow",
        start: (own) =>
          Effect.sync(() => {
            self = own
            own.setStatus({ state: "Connecting", ready: false })
            return {}
          })
      })
      const tree = yield* start(
        [
          supervisor({ id: "in", children: [slow] }),
          probes.worker("optional", { readiness: "optional", restart: "transient" })
        ],
        {},
        { observers: [probes.observe] }
      )
      assert.isFalse(tree.ready())
      assert.strictEqual(node(tree, "in/slow").phase, "running")
      assert.strictEqual(node(tree, "in/slow").state, "Connecting")
      assert.deepStrictEqual(probes.tags("slow"), ["Starting", "Started"])
      self?.setStatus({ state: "Live", ready: true, tags: ["ready"], detail: { symbol: "SPY" } })
      assert.isTrue(tree.ready())
      assert.isTrue(node(tree, "in").ready)
      assert.deepStrictEqual(node(tree, "in/slow").detail, { symbol: "SPY" })
      self?.setStatus({ state: "Lost", ready: false, lastError: "closed 1006" })
      assert.isFalse(tree.ready())
      assert.strictEqual(node(tree, "in/slow").lastError, "closed 1006")
      assert.deepStrictEqual(probes.tags("slow"), ["Starting", "Started", "Ready", "Unready"])
    })
  )
  it.effect("a child that readiness does not need, or that has ended for good, does not hold it up", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const never = worker({
        id: "o",
        readiness: "optional",
        start: (own) =>
          Effect.sync(() => {
            own.setStatus({ ready: false })
            return {}
          })
      })
      const tree = yield* start([
        never,
        probes.worker("job", { restart: "transient" }),
        probes.worker("off", { onStart: () => Effect.succeed("ignore" as const) })
      ])
      yield* probes.finish("job")
      assert.strictEqual(phases(tree), "o:running job:stopped off:stopped")
      assert.isTrue(tree.ready())
    })
  )
})

const deafRun = worker({
  id: "deafRun",
  stopBudgetMs: 1_000,
  start: () => Effect.succeed({ run: Effect.uninterruptible(Effect.never) })
})
const deafFinalizer = worker({
  id: "deafFinalizer",
  stopBudgetMs: 2_000,
  start: () =>
    Effect.as(
      Effect.addFinalizer(() => Effect.never),
      {}
    )
})

describe("stopping", () => {
  it.effect("drains first, inside the budget, then interrupts", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const tree = yield* start([
        worker({
          id: "a",
          stopBudgetMs: 1_000,
          start: () =>
            Effect.as(
              Effect.addFinalizer(() => Effect.sync(() => log.push("closed"))),
              {
                run: Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("interrupted"))),
                drain: Effect.andThen(
                  Effect.sleep(300),
                  Effect.sync(() => log.push("drained"))
                )
              }
            )
        })
      ])
      const stopping = yield* Effect.forkChild(tree.stop, { startImmediately: true })
      yield* TestClock.adjust(300)
      assert.deepStrictEqual(log, ["drained", "interrupted", "closed"])
      assert.deepStrictEqual((yield* settled("the stop", stopping)).killed, [])
    })
  )
  it.effect("a drain longer than the budget is cut", () =>
    Effect.gen(function* () {
      const tree = yield* start([
        worker({ id: "a", stopBudgetMs: 1_000, start: () => Effect.succeed({ drain: Effect.never }) })
      ])
      const stopping = yield* Effect.forkChild(tree.stop, { startImmediately: true })
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual((yield* settled("the stop", stopping)).killed, ["root/a"])
    })
  )
  it.effect("deaf children are abandoned after their own budget and named; the obedient end in order", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start(
        [probes.worker("a"), deafRun, probes.worker("b"), deafFinalizer],
        {},
        { observers: [probes.observe] }
      )
      const stopping = yield* Effect.forkChild(tree.stop, { startImmediately: true })
      yield* TestClock.adjust(2_000)
      assert.deepStrictEqual(probes.journal.slice(2), ["stop b#1"])
      yield* TestClock.adjust(1_000)
      const report = yield* settled("the stop", stopping)
      assert.deepStrictEqual(report.killed, ["root/deafFinalizer", "root/deafRun"])
      assert.strictEqual(report.elapsedMs, 3_000)
      assert.deepStrictEqual(probes.journal.slice(2), ["stop b#1", "stop a#1"])
      assert.deepStrictEqual(tree.figures().abandoned, ["root/deafFinalizer", "root/deafRun"])
      assert.include(probes.tags("deafRun"), "Killed")
    })
  )
  it.effect("a deaf child does not hold up its own restart longer than its budget", () =>
    Effect.gen(function* () {
      let lives = 0
      const tree = yield* start(
        [
          worker({
            id: "a",
            backoff: atOnce,
            stopBudgetMs: 500,
            start: (self) =>
              Effect.gen(function* () {
                lives++
                yield* Effect.addFinalizer(() => (self.incarnation === 1 ? Effect.never : Effect.void))
                return { run: self.incarnation === 1 ? Effect.fail("crash") : Effect.never }
              })
          })
        ],
        { intensity: unlimited }
      )
      yield* TestClock.adjust(500)
      assert.strictEqual(lives, 2)
      assert.strictEqual(node(tree, "a").phase, "running")
      assert.deepStrictEqual(tree.figures().abandoned, ["root/a"])
    })
  )
  it.effect("what a deaf child holds is released when it is abandoned", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const tree = yield* start([
        worker({
          id: "a",
          stopBudgetMs: 500,
          start: () =>
            Effect.as(
              Effect.addFinalizer(() => Effect.sync(() => log.push("port closed"))),
              { run: Effect.uninterruptible(Effect.never) }
            )
        })
      ])
      const stopping = yield* Effect.forkChild(tree.stop, { startImmediately: true })
      assert.deepStrictEqual(log, [])
      yield* TestClock.adjust(500)
      assert.deepStrictEqual((yield* settled("the stop", stopping)).killed, ["root/a"])
      assert.deepStrictEqual(log, ["port closed"])
    })
  )
  it.effect(
    "a start that is deaf to interruption times out, is abandoned after the stop budget, and the tree goes on",
    () =>
      Effect.gen(function* () {
        const starting = yield* Effect.forkChild(
          startError(
            start([
              worker({
                id: "a",
                startDeadlineMs: 1_000,
                stopBudgetMs: 500,
                start: () => Effect.uninterruptible(Effect.never)
              })
            ])
          ),
          { startImmediately: true }
        )
        yield* TestClock.adjust(1_499)
        assert.isUndefined(starting.pollUnsafe())
        yield* TestClock.adjust(1)
        const error = yield* settled("the start", starting)
        assert.strictEqual(error.reason, "StartTimedOut: root/a did not start within 1000 ms")
      })
  )
  it.effect("kill gives no grace; infinity waits for the tree's deadline", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const drain = Effect.sync(() => log.push("drained")).pipe(Effect.asVoid)
      const tree = yield* start([
        worker({
          id: "slow",
          stopBudgetMs: "infinity",
          start: () => Effect.succeed({ drain: Effect.andThen(Effect.sleep(9_000), drain) })
        }),
        worker({
          id: "brutal",
          stopBudgetMs: "kill",
          start: () => Effect.succeed({ drain, run: Effect.uninterruptible(Effect.never) })
        })
      ])
      const stopping = yield* Effect.forkChild(tree.stop, { startImmediately: true })
      yield* turns(3)
      assert.deepStrictEqual(tree.figures().abandoned, ["root/brutal"])
      yield* TestClock.adjust(9_000)
      assert.deepStrictEqual((yield* settled("the stop", stopping)).killed, ["root/brutal"])
      assert.deepStrictEqual(log, ["drained"])
    })
  )
  it.effect("the whole tree ends inside one global deadline and says who was killed", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const deaf = (id: string) =>
        worker({
          id,
          stopBudgetMs: 60_000,
          start: () => Effect.succeed({ run: Effect.uninterruptible(Effect.never) })
        })
      const tree = yield* start(
        [
          probes.worker("a"),
          supervisor({
            id: "in",
            children: [deaf("x"), supervisor({ id: "deep", children: [deaf("y"), probes.worker("b")] })]
          }),
          deaf("z")
        ],
        {},
        { stopDeadlineMs: 4_000 }
      )
      const stopping = yield* Effect.forkChild(tree.stop, { startImmediately: true })
      yield* TestClock.adjust(3_999)
      assert.isUndefined(stopping.pollUnsafe())
      yield* TestClock.adjust(1)
      yield* turns(4)
      const report = yield* settled("the stop", stopping)
      assert.deepStrictEqual(report.killed.toSorted(), ["root/in/deep/y", "root/in/x", "root/z"])
      assert.isTrue(report.elapsedMs <= 4_001)
      assert.deepStrictEqual(probes.journal.slice(-2), ["stop b#1", "stop a#1"])
    })
  )
  it.effect("closing the scope of the caller stops the tree", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      yield* Effect.scoped(start([probes.worker("a"), probes.worker("b")]))
      assert.deepStrictEqual(probes.take(), ["start a#1", "start b#1", "stop b#1", "stop a#1"])
    })
  )
  it.effect("interrupting a start that hangs rolls back what has started", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const starting = yield* Effect.forkChild(
        Effect.scoped(
          start([
            probes.worker("a"),
            supervisor({
              id: "in",
              children: [probes.worker("b"), probes.worker("c", { onStart: () => Effect.never })]
            })
          ])
        ),
        { startImmediately: true }
      )
      assert.deepStrictEqual(probes.take(), ["start a#1", "start b#1"])
      yield* Fiber.interrupt(starting)
      assert.deepStrictEqual(probes.take(), ["stop b#1", "stop a#1"])
    })
  )
})
