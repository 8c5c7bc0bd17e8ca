/** Machines restored from a kept state: deadlines as moments, saves in order, and what is not restored. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Data, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { type AnyStateMachine, assign, raise, setup } from "xstate"
import { supervisor, worker } from "../../src/runtime/child-spec.ts"
import { effectActor, machineChild } from "../../src/runtime/machine-child.ts"
import type { PersistedMachine, Persistence } from "../../src/runtime/machine-snapshot.ts"
import { atOnce, node, plant, start, startError, turns, unlimited } from "./probe-tree.ts"

class Disk extends Data.TaggedError("Disk")<{ readonly why: string }> {}

/** A store that keeps text, as a table would. */
class Shelf implements Persistence {
  readonly texts = new Map<string, string>()
  saves = 0
  saving = 0
  overlaps = 0
  delayMs = 0
  failing = false
  readonly load = (path: string) =>
    Effect.sync((): PersistedMachine | undefined => {
      const text = this.texts.get(path)
      return text === undefined ? undefined : (JSON.parse(text) as PersistedMachine)
    })
  readonly save = (path: string, state: PersistedMachine): Effect.Effect<void, Disk> =>
    Effect.suspend((): Effect.Effect<void, Disk> => {
      if (this.failing) return Effect.fail(new Disk({ why: "full" }))
      if (this.saving > 0) this.overlaps++
      this.saving++
      const write = Effect.sync(() => {
        this.saves++
        this.texts.set(path, JSON.stringify(state))
      })
      return Effect.ensuring(
        Effect.andThen(this.delayMs === 0 ? Effect.void : Effect.sleep(this.delayMs), write),
        Effect.sync(() => {
          this.saving--
        })
      )
    })
  kept(path = "root/m"): PersistedMachine | undefined {
    const text = this.texts.get(path)
    return text === undefined ? undefined : (JSON.parse(text) as PersistedMachine)
  }
}

const child = (machine: AnyStateMachine, persist: Persistence, actors = {}) =>
  worker({ id: "m", backoff: atOnce, start: machineChild({ machine, persist, actors }) })
/** Runs a tree of one machine until the effect has ended, then stops it: one life of the process. */
const processLife = <A, E>(
  machine: AnyStateMachine,
  persist: Persistence,
  during: (tree: Effect.Success<ReturnType<typeof start>>) => Effect.Effect<A, E>,
  actors = {}
) =>
  Effect.gen(function* () {
    const tree = yield* start([child(machine, persist, actors)], { intensity: unlimited })
    const answer = yield* during(tree)
    yield* turns(3)
    yield* tree.stop
    return answer
  })

const waiting = setup({ types: { context: {} as { seen: number } } }).createMachine({
  context: { seen: 0 },
  initial: "Idle",
  states: {
    Idle: { on: { go: "Waiting" } },
    Waiting: {
      tags: "ready",
      after: { 10_000: "Late" },
      on: { seen: { actions: assign({ seen: ({ context }) => context.seen + 1 }) }, stop: "Idle" }
    },
    Late: { after: { 5_000: "Later" } },
    Later: { type: "final" }
  }
})

describe("machines restored from a snapshot", () => {
  it.effect("a deadline is kept as a moment: the time the process was away counts", () =>
    Effect.gen(function* () {
      const shelf = new Shelf()
      yield* processLife(waiting, shelf, (tree) =>
        Effect.gen(function* () {
          tree.send("root/m", { type: "go" })
          tree.send("root/m", { type: "seen" })
          yield* TestClock.adjust(4_000)
        })
      )
      assert.deepStrictEqual(
        shelf.kept()?.deadlines.map(({ at, id }) => [id, at]),
        [["xstate.after.10000.(machine).Waiting", 10_000]]
      )
      yield* TestClock.adjust(3_000)
      yield* processLife(waiting, shelf, (tree) =>
        Effect.gen(function* () {
          assert.strictEqual(node(tree, "m").state, "Waiting")
          assert.isTrue(tree.ready())
          yield* TestClock.adjust(2_999)
          assert.strictEqual(node(tree, "m").state, "Waiting")
          yield* TestClock.adjust(1)
          assert.strictEqual(node(tree, "m").state, "Late")
        })
      )
      assert.deepInclude(shelf.kept()?.snapshot as object, { value: "Late", context: { seen: 1 } })
    })
  )
  it.effect(
    "a deadline that has passed fires before the start answers, and the next one counts from then",
    () =>
      Effect.gen(function* () {
        const shelf = new Shelf()
        yield* processLife(waiting, shelf, (tree) => Effect.sync(() => tree.send("root/m", { type: "go" })))
        yield* TestClock.adjust(60_000)
        yield* processLife(waiting, shelf, (tree) =>
          Effect.gen(function* () {
            assert.strictEqual(node(tree, "m").state, "Late")
            yield* TestClock.adjust(4_999)
            assert.strictEqual(node(tree, "m").state, "Late")
          })
        )
        assert.deepStrictEqual(
          shelf.kept()?.deadlines.map(({ at }) => at),
          [65_000]
        )
      })
  )
  it.live("on the real clock, too, nobody sees the state that is over", () =>
    Effect.gen(function* () {
      const shelf = new Shelf()
      yield* processLife(waiting, shelf, (tree) => Effect.sync(() => tree.send("root/m", { type: "go" })))
      const kept = shelf.kept()
      const past = kept?.deadlines.map((one) => ({ ...one, at: one.at - 60_000 }))
      shelf.texts.set("root/m", JSON.stringify({ ...kept, deadlines: past }))
      const tree = yield* start([child(waiting, shelf)])
      assert.strictEqual(node(tree, "m").state, "Late")
    })
  )
  it.effect("of two passed deadlines the earlier fires, and takes the later one of its state along", () =>
    Effect.gen(function* () {
      const machine = setup({}).createMachine({
        initial: "A",
        states: { A: { after: { 2_000: "Second", 1_000: "First" } }, First: {}, Second: {} }
      })
      const shelf = new Shelf()
      yield* processLife(machine, shelf, () => Effect.void)
      yield* TestClock.adjust(9_000)
      yield* processLife(machine, shelf, (tree) =>
        Effect.gen(function* () {
          yield* TestClock.adjust(9_000)
          assert.strictEqual(node(tree, "m").state, "First")
        })
      )
      assert.deepStrictEqual(shelf.kept()?.deadlines, [])
    })
  )
  it.effect("leaving a restored state cancels its restored deadline, and coming back sets a new one", () =>
    Effect.gen(function* () {
      const shelf = new Shelf()
      yield* processLife(waiting, shelf, (tree) => Effect.sync(() => tree.send("root/m", { type: "go" })))
      yield* TestClock.adjust(9_000)
      yield* processLife(waiting, shelf, (tree) =>
        Effect.gen(function* () {
          tree.send("root/m", { type: "stop" })
          yield* TestClock.adjust(5_000)
          assert.strictEqual(node(tree, "m").state, "Idle")
          tree.send("root/m", { type: "go" })
          yield* TestClock.adjust(9_999)
          assert.strictEqual(node(tree, "m").state, "Waiting")
          yield* TestClock.adjust(1)
          assert.strictEqual(node(tree, "m").state, "Late")
        })
      )
    })
  )
  it.effect("named timeouts and the deadlines of an invoked machine are kept too", () =>
    Effect.gen(function* () {
      const inner = setup({}).createMachine({
        initial: "Counting",
        states: { Counting: { after: { 8_000: "Rung" } }, Rung: { type: "final" } }
      })
      const machine = setup({ actors: { inner } }).createMachine({
        initial: "Up",
        entry: raise({ type: "alarm" }, { id: "alarm", delay: 4_000 }),
        states: {
          Up: { invoke: { src: "inner", onDone: "Done" }, on: { alarm: "#alarmed" } },
          Done: {},
          Odd: { id: "alarmed" }
        }
      })
      const quiet = setup({ actors: { inner } }).createMachine({
        initial: "Up",
        states: { Up: { invoke: { src: "inner", onDone: "Done" } }, Done: {} }
      })
      const [first, second] = [new Shelf(), new Shelf()]
      yield* processLife(machine, first, () => TestClock.adjust(3_000))
      yield* processLife(quiet, second, () => Effect.void)
      yield* TestClock.adjust(500)
      yield* processLife(machine, first, (tree) =>
        Effect.gen(function* () {
          yield* TestClock.adjust(499)
          assert.strictEqual(node(tree, "m").state, "Up")
          yield* TestClock.adjust(1)
          assert.strictEqual(node(tree, "m").state, "Odd")
        })
      )
      yield* TestClock.adjust(3_500)
      yield* processLife(quiet, second, (tree) =>
        Effect.gen(function* () {
          // The inner machine began at 3,000, so it rings at 11,000.
          yield* TestClock.adjust(3_499)
          assert.strictEqual(node(tree, "m").state, "Up")
          yield* TestClock.adjust(1)
          assert.strictEqual(node(tree, "m").state, "Done")
        })
      )
    })
  )
  it.effect("an effect that was running runs again from its beginning", () =>
    Effect.gen(function* () {
      const runs: Array<number> = []
      const work = effectActor("work", (n: number) =>
        Effect.andThen(
          Effect.sync(() => runs.push(n)),
          Effect.as(Effect.sleep(1_000), "answer")
        )
      )
      const machine = setup({ actors: { work } }).createMachine({
        initial: "Working",
        states: { Working: { invoke: { src: "work", input: 42, onDone: "Done" } }, Done: {} }
      })
      const shelf = new Shelf()
      yield* processLife(machine, shelf, () => TestClock.adjust(500), { work })
      yield* processLife(
        machine,
        shelf,
        (tree) =>
          Effect.gen(function* () {
            yield* TestClock.adjust(1_000)
            assert.strictEqual(node(tree, "m").state, "Done")
          }),
        { work }
      )
      assert.deepStrictEqual(runs, [42, 42])
    })
  )
  it.effect("a crash restarts from the state last saved; a machine that finished starts afresh", () =>
    Effect.gen(function* () {
      const shelf = new Shelf()
      const tree = yield* start([child(waiting, shelf)], { intensity: unlimited })
      tree.send("root/m", { type: "go" })
      yield* turns(2)
      yield* tree.bounce("root/m")
      assert.deepInclude(node(tree, "m"), { incarnation: 2, state: "Waiting" })
      yield* TestClock.adjust(15_000)
      yield* turns(2)
      assert.deepInclude(node(tree, "m"), { incarnation: 3, state: "Idle" })
    })
  )
  it.effect("saves do not overlap, skip what came and went, and the last state is saved at the stop", () =>
    Effect.gen(function* () {
      const shelf = new Shelf()
      shelf.delayMs = 100
      const tree = yield* start([child(waiting, shelf)])
      tree.send("root/m", { type: "go" })
      for (let count = 0; count < 50; count++) tree.send("root/m", { type: "seen" })
      yield* TestClock.adjust(50)
      for (let count = 0; count < 50; count++) tree.send("root/m", { type: "seen" })
      const stopping = yield* Effect.forkChild(tree.stop, { startImmediately: true })
      yield* TestClock.adjust(100)
      assert.isDefined(stopping.pollUnsafe())
      assert.deepInclude(shelf.kept()?.snapshot as object, { status: "active", context: { seen: 100 } })
      assert.deepStrictEqual([shelf.overlaps, shelf.saves], [0, 1])
    })
  )
  it.effect("a save that fails crashes the child with its cause, and a load that fails fails the start", () =>
    Effect.gen(function* () {
      const shelf = new Shelf()
      const reasons: Array<string> = []
      const tree = yield* start(
        [child(waiting, shelf)],
        { intensity: unlimited },
        { observers: [(one) => one._tag === "SupervisorError" && reasons.push(one.reason)] }
      )
      yield* turns(2)
      shelf.failing = true
      tree.send("root/m", { type: "go" })
      yield* turns(1)
      shelf.failing = false
      yield* turns(2)
      assert.match(reasons[0] ?? "", /Disk/)
      assert.deepInclude(node(tree, "m"), { phase: "running", state: "Idle" })
      const unreadable = { load: () => Effect.fail(new Disk({ why: "gone" })), save: shelf.save }
      assert.match((yield* startError(start([child(waiting, unreadable)]))).reason, /Disk/)
    })
  )
  it.effect("a state the machine no longer has is a crash that names it, not a silent fresh start", () =>
    Effect.gen(function* () {
      const shelf = new Shelf()
      yield* processLife(waiting, shelf, (tree) => Effect.sync(() => tree.send("root/m", { type: "go" })))
      const renamed = setup({}).createMachine({ initial: "Other", states: { Other: {} } })
      const failed = yield* startError(start([child(renamed, shelf)]))
      assert.match(failed.reason, /Waiting/)
    })
  )
  it.effect("load and save use the services of the tree", () =>
    Effect.gen(function* () {
      class Table extends Context.Service<Table, Shelf>()("test/Table") {}
      const shelf = new Shelf()
      const persist = {
        load: (path: string) => Table.use((table) => table.load(path)),
        save: (path: string, state: PersistedMachine) => Table.use((table) => table.save(path, state))
      }
      const spec = worker({ id: "m", start: machineChild({ machine: waiting, persist }) })
      yield* Effect.provide(
        Effect.scoped(
          Effect.andThen(
            plant(supervisor({ id: "root", children: [spec] }), { stopDeadlineMs: 1_000 }),
            turns(2)
          )
        ),
        Layer.succeed(Table, shelf)
      )
      assert.deepInclude(shelf.kept()?.snapshot as object, { value: "Idle" })
    })
  )
})
