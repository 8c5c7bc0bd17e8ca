/** The shell: it never blocks, yields to the event loop, answers pings through every mailbox, survives observers. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { type ChildSelf, dynamic, supervisor, worker } from "../../src/runtime/child-spec.ts"
import { subtree, SupervisorShell } from "../../src/runtime/supervisor-shell.ts"
import type { Tree } from "../../src/runtime/tree.ts"
import { Probes } from "./probe-children.ts"
import { atOnce, node, phases, reasonOf, settled, start, turns, unlimited } from "./probe-tree.ts"

describe("the event loop", () => {
  for (const [name, life] of [
    ["fails synchronously", Effect.fail("sync")],
    [
      "fails in a microtask",
      Effect.andThen(
        Effect.promise(() => Promise.resolve()),
        Effect.fail("microtask")
      )
    ]
  ] as const) {
    it.live(`a child that ${name} with zero backoff cannot starve timers`, () =>
      Effect.gen(function* () {
        let starts = 0
        let startsInFirstTurn = 0
        setImmediate(() => {
          startsInFirstTurn = starts
        })
        let ticks = 0
        const interval = setInterval(() => {
          ticks++
        }, 5)
        const tree = yield* start(
          [
            worker({
              id: "a",
              backoff: atOnce,
              start: () =>
                // A storm that starved the loop would never come to the checks below, so it has an end.
                Effect.sync(() => ({ run: ++starts < 20_000 ? life : Effect.never }))
            })
          ],
          { intensity: unlimited }
        )
        yield* Effect.sleep(100)
        clearInterval(interval)
        yield* tree.stop
        assert.isAbove(starts, 100)
        assert.isBelow(startsInFirstTurn, 1_000, "starts before timers and sockets had their turn")
        assert.isAbove(ticks, 0)
      })
    )
  }
})

describe("ping", () => {
  const nested = () =>
    supervisor({
      id: "in",
      children: [
        supervisor({
          id: "deep",
          children: [dynamic({ id: "d", template: { start: () => () => Effect.succeed({}) } })]
        })
      ]
    })
  it.effect("travels through every supervisor, also while children hang", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start([nested()])
      yield* Effect.forkChild(
        tree.startChild("root/in/deep", probes.worker("hang", { onStart: () => Effect.never })),
        { startImmediately: true }
      )
      yield* tree.ping(1_000)
    })
  )
  it.effect("names the supervisor that does not answer", () =>
    Effect.gen(function* () {
      const tree = yield* start([nested()])
      const original = SupervisorShell.prototype.post
      const deaf = "root/in/deep"
      SupervisorShell.prototype.post = function (message) {
        if (!(message._tag === "Ping" && this.path === deaf)) original.call(this, message)
      }
      const pinging = yield* Effect.forkChild(Effect.flip(tree.ping(1_000)), { startImmediately: true })
      yield* TestClock.adjust(1_000)
      SupervisorShell.prototype.post = original
      assert.strictEqual((yield* settled("the ping", pinging)).path, deaf)
    })
  )
})

describe("observers", () => {
  it.effect("one that throws is counted and stops neither the others nor the supervisor", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start(
        [probes.worker("a")],
        {},
        {
          observers: [
            () => {
              throw new Error("journal")
            },
            probes.observe
          ],
          deadLetterObservers: [
            () => {
              throw new Error("sink")
            }
          ]
        }
      )
      yield* probes.crash("a")
      assert.strictEqual(node(tree, "a").incarnation, 2)
      assert.strictEqual(tree.send("root/a", { type: "x" }), "no_mailbox")
      assert.strictEqual(tree.figures().observerFaults, probes.reports.length + 1)
    })
  )
  it.effect(
    "one of dead letters that sends a letter itself is told of the first and no more; all are counted",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const told: Array<string> = []
        const holder: { tree: Tree | null } = { tree: null }
        const tree = yield* start(
          [probes.worker("a")],
          {},
          {
            deadLetterObservers: [
              (letter) => {
                told.push(letter.eventType)
                holder.tree?.send("root/nobody", { type: "echo" })
              }
            ]
          }
        )
        holder.tree = tree
        tree.send("root/nobody", { type: "first" })
        tree.send("root/nobody", { type: "second" })
        assert.deepStrictEqual(told, ["first", "second"])
        assert.deepStrictEqual(tree.deadLetters.counts(), { no_such_child: 4 })
      })
  )
  it.effect("one may leave while an event is being delivered", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start([probes.worker("a")])
      let seen = 0
      const leave = tree.observe(() => {
        seen++
        leave()
      })
      yield* probes.crash("a")
      assert.strictEqual(seen, 1)
    })
  )
})

describe("the mailbox of a supervisor", () => {
  it.effect("is bounded: requests beyond it are refused, and every accepted one is answered", () =>
    Effect.gen(function* () {
      const tree = yield* start([dynamic({ id: "d", template: { start: () => () => Effect.succeed({}) } })])
      // The first child's start floods the mailbox of its own supervisor, which cannot handle anything meanwhile.
      const answers: Array<string> = []
      const flood = worker({
        id: "flood",
        start: () =>
          Effect.sync(() => {
            for (let index = 0; index < 1_030; index++)
              Effect.runFork(
                Effect.map(reasonOf(tree.terminateChild("root/none")), (reason) => answers.push(reason))
              )
            return {}
          })
      })
      yield* tree.startChild("root", flood)
      yield* turns(20)
      assert.strictEqual(answers.length, 1_030)
      assert.strictEqual(answers.filter((reason) => reason === "not_found").length, 1_024)
      assert.strictEqual(answers.filter((reason) => reason === "mailbox_full").length, 6)
    })
  )
})

describe("dynamic supervisors", () => {
  it.effect("stop their children in parallel inside one bound", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const tree = yield* start([
        dynamic({
          id: "d",
          instances: Array.from({ length: 50 }, (_, index) => ({ id: `c${index}`, args: index })),
          template: {
            start: (index: number) => () =>
              Effect.as(
                Effect.addFinalizer(() =>
                  Effect.andThen(
                    Effect.sleep(1_000),
                    Effect.sync(() => log.push(`${index}`))
                  )
                ),
                {}
              )
          }
        })
      ])
      assert.strictEqual(node(tree, "d").children.length, 50)
      const stopping = yield* Effect.forkChild(tree.stop, { startImmediately: true })
      yield* TestClock.adjust(1_000)
      assert.strictEqual((yield* settled("the stop", stopping)).elapsedMs, 1_000)
      assert.strictEqual(log.length, 50)
    })
  )
  it.effect("start their instances at the same time; one that fails rolls all back", () =>
    Effect.gen(function* () {
      const make = (failing: string) =>
        dynamic({
          id: "d",
          instances: ["a", "b", "c"].map((id) => ({ id, args: id })),
          template: {
            start: (id: string) => () =>
              Effect.andThen(Effect.sleep(100), id === failing ? Effect.fail(`no ${id}`) : Effect.succeed({}))
          }
        })
      const starting = yield* Effect.forkChild(start([make("none")]), { startImmediately: true })
      yield* TestClock.adjust(100)
      assert.strictEqual(phases(yield* settled("the start", starting), "d"), "a:running b:running c:running")
      const failing = yield* Effect.forkChild(Effect.flip(start([make("b")])), { startImmediately: true })
      yield* TestClock.adjust(100)
      assert.strictEqual((yield* settled("the start", failing)).path, "root/d/b")
    })
  )
})

describe("a defect of the runtime itself", () => {
  it.effect(
    "ends the tree and says so everywhere: not ready, nothing running, what was held is released",
    () =>
      Effect.gen(function* () {
        const released: Array<string> = []
        const lives: Array<ChildSelf> = []
        const broken = worker({
          id: "a",
          backoff: atOnce,
          start: (self) => Effect.sync(() => (lives.push(self), {}))
        })
        const beside = worker({
          id: "b",
          start: () =>
            Effect.as(
              Effect.addFinalizer(() => Effect.sync(() => released.push("b"))),
              {}
            )
        })
        const tree = yield* start([broken, beside])
        const bug = { there: true }
        Object.defineProperty(broken, "restart", {
          get: () => {
            if (bug.there) throw new Error("a bug of the core")
            return "permanent"
          }
        })
        lives[0]?.crash(new Error("x"))
        yield* turns(4)
        bug.there = false
        const end = yield* settled(
          "the end of the tree",
          yield* Effect.forkChild(tree.awaitEnd, { startImmediately: true })
        )
        assert.strictEqual(end._tag, "GaveUp")
        assert.isAtLeast(end.report.elapsedMs, 0)
        assert.isFalse(tree.ready())
        assert.strictEqual(tree.snapshot().phase, "stopped")
        assert.strictEqual(phases(tree), "a:stopped b:stopped")
        assert.strictEqual(tree.send("root/b", { type: "order" }), "not_running")
        assert.deepStrictEqual(released, ["b"])
      })
  )
})

describe("a subtree as the start of a child", () => {
  it("refuses a specification that is not complete, naming the key", () => {
    const good = supervisor({ id: "in", children: [worker({ id: "a", start: () => Effect.succeed({}) })] })
    const { backoff: _, ...lacking } = good
    assert.throws(() => subtree(lacking as typeof good), /subtree\.backoff/)
  })
})
