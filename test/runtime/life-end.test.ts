/** The end of one incarnation, whatever it dies of and however long that takes: reported, exact, and nothing is left of it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { setup } from "xstate"
import { type ChildSelf, worker } from "../../src/runtime/child-spec.ts"
import { describeError } from "../../src/runtime/exit-reason.ts"
import { machineChild } from "../../src/runtime/machine-child.ts"
import type { Tree } from "../../src/runtime/tree.ts"
import { oddValues } from "./odd-values.ts"
import { atOnce, node, phases, start, startError, turns } from "./probe-tree.ts"

describe("a value nobody expects as an error", () => {
  for (const [name, make] of Object.entries(oddValues)) {
    it(`${name} is described in one bounded line`, () => {
      const line = describeError(make(), 60)
      assert.isAtLeast(line.length, 1)
      assert.isAtMost(line.length, 60)
    })

    it.effect(`${name} ends one incarnation and no more: run, crash, start, finalizer`, () =>
      Effect.gen(function* () {
        const first = (self: ChildSelf, then: () => Effect.Effect<object, unknown, Scope.Scope>) =>
          self.incarnation > 1 ? Effect.succeed({}) : then()
        const tree = yield* start([
          worker({
            id: "run",
            backoff: atOnce,
            start: (self) =>
              first(self, () => Effect.succeed({ run: Effect.suspend(() => Effect.fail(make())) }))
          }),
          worker({
            id: "crash",
            backoff: atOnce,
            start: (self) =>
              first(self, () => Effect.sync(() => (setImmediate(() => self.crash(make())), {})))
          }),
          worker({
            id: "start",
            backoff: atOnce,
            initialStart: "retry",
            start: (self) => first(self, () => Effect.andThen(Effect.yieldNow, Effect.fail(make())))
          }),
          worker({
            id: "finalizer",
            backoff: atOnce,
            start: (self) =>
              first(self, () =>
                Effect.as(
                  Effect.addFinalizer(() => Effect.die(make())),
                  { run: Effect.void }
                )
              )
          }),
          worker({ id: "beside", start: () => Effect.succeed({}) })
        ])
        yield* turns(8)
        yield* TestClock.adjust(10)
        assert.deepStrictEqual(
          ["run", "crash", "start", "finalizer", "beside"].map((id) => node(tree, id).incarnation),
          [2, 2, 2, 2, 1]
        )
        assert.strictEqual(
          phases(tree),
          "run:running crash:running start:running finalizer:running beside:running"
        )
        assert.isTrue(tree.ready())
      })
    )
  }

  it.effect("as the failure of a first start is a StartFailed with a reason", () =>
    Effect.gen(function* () {
      for (const make of Object.values(oddValues)) {
        const failed = yield* startError(
          start([worker({ id: "a", start: () => Effect.andThen(Effect.yieldNow, Effect.fail(make())) })])
        )
        assert.strictEqual(failed.path, "root/a")
        assert.isAtLeast(failed.reason.length, 1)
      }
    })
  )
})

/** A child whose release takes five seconds once it has crashed or ended. */
const slowToDie = (self: ChildSelf, end: (self: ChildSelf) => Effect.Effect<unknown>) =>
  Effect.as(
    Effect.addFinalizer(() => Effect.sleep(5_000)),
    {
      send: () => "delivered" as const,
      run: Effect.andThen(Effect.sleep(1_000), Effect.andThen(end(self), Effect.never))
    }
  )

describe("a child that takes long to die", () => {
  for (const [name, end, said] of [
    ["crashed", (self: ChildSelf) => Effect.sync(() => self.crash(new Error("gone"))), "Error: gone"],
    ["failed", () => Effect.die(new Error("gone")), "Error: gone"],
    ["ended", (self: ChildSelf) => Effect.sync(() => self.end()), undefined]
  ] as const) {
    it.effect(
      `is not ready and takes no letters from the moment it ${name}, and says that it is ending`,
      () =>
        Effect.gen(function* () {
          const tree = yield* start([
            worker({
              id: "a",
              backoff: atOnce,
              stopBudgetMs: 10_000,
              start: (self) => (self.incarnation > 1 ? Effect.succeed({}) : slowToDie(self, end))
            })
          ])
          assert.strictEqual(tree.send("root/a", { type: "order" }), "delivered")
          yield* TestClock.adjust(1_000)
          yield* turns(4)
          assert.strictEqual(node(tree, "a").incarnation, 1)
          assert.strictEqual(node(tree, "a").state, "ending")
          assert.strictEqual(node(tree, "a").lastError, said)
          assert.isFalse(node(tree, "a").ready)
          assert.isFalse(tree.ready())
          assert.strictEqual(tree.send("root/a", { type: "order" }), "not_running")
          assert.deepStrictEqual(tree.deadLetters.counts(), { not_running: 1 })
          yield* TestClock.adjust(5_000)
          assert.strictEqual(node(tree, "a").incarnation, 2)
          assert.isTrue(tree.ready())
        })
    )
  }
})

describe("letters that still wait when their receiver dies", () => {
  it.effect("in the mailbox of a worker are dead letters, each once", () =>
    Effect.gen(function* () {
      const lives: Array<ChildSelf> = []
      const tree = yield* start([
        worker({
          id: "a",
          backoff: atOnce,
          start: (self) =>
            Effect.sync(() => {
              lives.push(self)
              const box = self.mailbox({ capacity: 100, overflow: "reject" })
              return { send: (event) => box.offer(event), run: Effect.never }
            })
        })
      ])
      for (let count = 0; count < 10; count++)
        assert.strictEqual(tree.send("root/a", { type: "order" }), "queued")
      lives[0]?.crash(new Error("x"))
      yield* turns(4)
      assert.strictEqual(node(tree, "a").incarnation, 2)
      assert.deepStrictEqual(tree.deadLetters.counts(), { not_running: 10 })
      assert.deepInclude(tree.deadLetters.latest()[0], { path: "root/a", eventType: "order" })
    })
  )

  it.effect("also those that are offered to the mailbox of a life that is over", () =>
    Effect.gen(function* () {
      const boxes: Array<ReturnType<ChildSelf["mailbox"]>> = []
      const tree = yield* start([
        worker({
          id: "a",
          restart: "temporary",
          start: (self) =>
            Effect.sync(() => {
              boxes.push(self.mailbox({ capacity: 1, overflow: "reject" }))
              return {}
            })
        })
      ])
      yield* tree.terminateChild("root/a").pipe(Effect.exit)
      assert.strictEqual(boxes[0]?.offer({ type: "late" }), "not_running")
      assert.deepStrictEqual(tree.deadLetters.counts(), { not_running: 1 })
    })
  )

  it.effect("in the mailbox of a machine are dead letters, each once", () =>
    Effect.gen(function* () {
      const holder: { tree: Tree | null } = { tree: null }
      const chart = setup({
        types: { events: {} as { type: "go" } | { type: "order" } },
        actions: {
          enqueue: () => {
            for (let count = 0; count < 3; count++) holder.tree?.send("root/m", { type: "order" })
            throw new Error("in the middle")
          }
        }
      }).createMachine({
        initial: "Idle",
        states: { Idle: { tags: "ready", on: { go: { actions: "enqueue" }, order: {} } } }
      })
      const tree = yield* start([
        worker({ id: "m", backoff: atOnce, start: machineChild({ machine: chart }) })
      ])
      holder.tree = tree
      tree.send("root/m", { type: "go" })
      yield* turns(4)
      assert.strictEqual(node(tree, "m").incarnation, 2)
      assert.deepStrictEqual(tree.deadLetters.counts(), { not_running: 3 })
    })
  )
})

describe("what an abandoned life still sets going", () => {
  it.effect("is ended at once: no fiber runs for a child that is over", () =>
    Effect.gen(function* () {
      const gate: { open: () => void } = { open: () => undefined }
      const ticks = { count: 0 }
      const tree = yield* start([
        worker({
          id: "a",
          stopBudgetMs: 50,
          restart: "temporary",
          start: (self) =>
            Effect.succeed({
              run: Effect.uninterruptible(
                Effect.andThen(
                  Effect.callback<void>((resume) => {
                    gate.open = () => resume(Effect.void)
                  }),
                  Effect.andThen(
                    self.fork(
                      "late",
                      Effect.forever(
                        Effect.andThen(
                          Effect.sync(() => ticks.count++),
                          Effect.sleep(5)
                        )
                      )
                    ),
                    Effect.never
                  )
                )
              )
            })
        })
      ])
      yield* Effect.forkChild(tree.terminateChild("root/a"), { startImmediately: true })
      yield* TestClock.adjust(50)
      assert.deepStrictEqual(tree.figures().abandoned, ["root/a"])
      gate.open()
      const before = ticks.count
      yield* TestClock.adjust(1_000)
      assert.isAtMost(ticks.count - before, 1)
    })
  )
})

describe("a release that never ends", () => {
  for (const [name, run] of [
    ["of a responsive child", Effect.never],
    ["of a child that is deaf as well", Effect.uninterruptible(Effect.never)]
  ] as const) {
    it.effect(`${name} keeps nothing that was acquired before it from being released`, () =>
      Effect.gen(function* () {
        const released: Array<string> = []
        const note = (what: string) => Effect.sync(() => released.push(what))
        const tree = yield* start([
          worker({
            id: "a",
            stopBudgetMs: 1_000,
            restart: "temporary",
            start: () =>
              Effect.gen(function* () {
                yield* Effect.addFinalizer(() => note("socket"))
                yield* Effect.addFinalizer(() => Effect.andThen(Effect.die("in between"), note("never said")))
                yield* Effect.addFinalizer(() => Effect.andThen(note("begun"), Effect.never))
                yield* Effect.addFinalizer(() => Effect.andThen(Effect.sleep(100), note("slow")))
                return { run }
              })
          })
        ])
        yield* Effect.forkChild(Effect.exit(tree.terminateChild("root/a")), { startImmediately: true })
        yield* TestClock.adjust(999)
        assert.notInclude(released, "socket")
        yield* TestClock.adjust(1)
        yield* TestClock.adjust(100)
        assert.sameMembers(released, ["slow", "begun", "socket"])
        assert.deepStrictEqual(tree.figures().abandoned, ["root/a"])
      })
    )
  }

  it.effect("is the only thing that ends the waiting for each other: last acquired, first released", () =>
    Effect.gen(function* () {
      const released: Array<string> = []
      const slowly = (what: string) =>
        Effect.addFinalizer(() =>
          Effect.andThen(
            Effect.sleep(100),
            Effect.sync(() => released.push(what))
          )
        )
      const tree = yield* start([
        worker({ id: "a", start: () => Effect.as(Effect.andThen(slowly("first"), slowly("second")), {}) })
      ])
      yield* Effect.forkChild(tree.stop, { startImmediately: true })
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(released, ["second"])
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(released, ["second", "first"])
    })
  )
})
