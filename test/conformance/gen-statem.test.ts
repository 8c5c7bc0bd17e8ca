/** Rows S1-S9: what gen_statem gives a state machine, on XState through the bridge. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { TestClock } from "effect/testing"
import { type AnyStateMachine, cancel, raise, setup } from "xstate"
import { worker } from "../../src/runtime/child-spec.ts"
import { effectActor, machineChild } from "../../src/runtime/machine-child.ts"
import { node, settled, start, startError } from "../runtime/probe-tree.ts"

const run = (machine: AnyStateMachine, capacity = 10) =>
  start([worker({ id: "m", start: machineChild({ machine, mailbox: { capacity, overflow: "reject" } }) })])

describe("gen_statem", () => {
  it.effect("S1 state-enter action: runs on every entry, the first one included", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const enter = (name: string) => () => {
        log.push(name)
      }
      const tree = yield* run(
        setup({}).createMachine({
          initial: "A",
          states: { A: { entry: enter("A"), on: { go: "B" } }, B: { entry: enter("B"), on: { go: "A" } } }
        })
      )
      tree.send("root/m", { type: "go" })
      tree.send("root/m", { type: "go" })
      assert.deepStrictEqual(log, ["A", "B", "A"])
    })
  )
  it.effect("S2 state timeout: fires in its state, and is cancelled by leaving it", () =>
    Effect.gen(function* () {
      const tree = yield* run(
        setup({}).createMachine({
          initial: "A",
          states: { A: { after: { 100: "Late" }, on: { go: "B" } }, B: { on: { back: "A" } }, Late: {} }
        })
      )
      yield* TestClock.adjust(99)
      tree.send("root/m", { type: "go" })
      yield* TestClock.adjust(1_000)
      assert.strictEqual(node(tree, "m").state, "B")
      tree.send("root/m", { type: "back" })
      yield* TestClock.adjust(100)
      assert.strictEqual(node(tree, "m").state, "Late")
    })
  )
  it.effect("S3 event timeout: any event the state takes restarts it", () =>
    Effect.gen(function* () {
      const tree = yield* run(
        setup({}).createMachine({
          initial: "Listening",
          states: {
            Listening: { after: { 100: "Silent" }, on: { message: { target: "Listening", reenter: true } } },
            Silent: {}
          }
        })
      )
      for (let round = 0; round < 5; round++) {
        yield* TestClock.adjust(99)
        tree.send("root/m", { type: "message" })
      }
      assert.strictEqual(node(tree, "m").state, "Listening")
      yield* TestClock.adjust(100)
      assert.strictEqual(node(tree, "m").state, "Silent")
    })
  )
  it.effect("S4 named timeouts: several run at once over state changes, and one is cancelled by name", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const note = (name: string) => ({
        actions: () => {
          log.push(name)
        }
      })
      const tree = yield* run(
        setup({}).createMachine({
          entry: [
            raise({ type: "one" }, { id: "first", delay: 100 }),
            raise({ type: "two" }, { id: "second", delay: 200 }),
            raise({ type: "three" }, { id: "third", delay: 300 })
          ],
          on: {
            one: note("one"),
            two: note("two"),
            three: note("three"),
            forget: { actions: cancel("second") }
          },
          initial: "A",
          states: { A: { on: { go: "B" } }, B: {} }
        })
      )
      tree.send("root/m", { type: "go" })
      tree.send("root/m", { type: "forget" })
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(log, ["one", "three"])
    })
  )
  /** Events that spin would hold the event loop forever, so asking what is put off has an end. */
  const jobsPutOff = () => {
    let asked = 0
    return {
      get postpone() {
        if (++asked > 1_000) throw new Error("a postponed event is delivered again and again")
        return ["job"]
      }
    }
  }
  const gate = (log: Array<string>) =>
    setup({}).createMachine({
      initial: "Shut",
      states: {
        Shut: { meta: jobsPutOff(), on: { open: "Open", tick: {} } },
        Open: {
          on: {
            job: {
              actions: ({ event }) => {
                log.push(`job ${(event as unknown as { n: number }).n}`)
              }
            },
            other: {
              actions: () => {
                log.push("other")
              }
            },
            shut: "Shut"
          }
        }
      }
    })
  it.effect(
    "S5 postpone: events put off are kept in order and delivered again after the state has changed, before later ones",
    () =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const tree = yield* run(gate(log))
        assert.deepStrictEqual(
          [1, 2].map((n) => tree.send("root/m", { type: "job", n } as never)),
          ["queued", "queued"]
        )
        assert.strictEqual(tree.send("root/m", { type: "tick" }), "delivered")
        assert.deepStrictEqual(log, [])
        assert.strictEqual(node(tree, "m").mailbox?.depth, 2)
        tree.send("root/m", { type: "open" })
        tree.send("root/m", { type: "other" })
        assert.deepStrictEqual(log, ["job 1", "job 2", "other"])
        assert.strictEqual(tree.deadLetters.total, 0)
      })
  )
  it.effect("S5 postpone: it is bounded, and what still waits at the end is a dead letter", () =>
    Effect.gen(function* () {
      const tree = yield* run(gate([]), 2)
      const sent = [1, 2, 3].map((n) => tree.send("root/m", { type: "job", n } as never))
      assert.deepStrictEqual(sent, ["queued", "queued", "mailbox_full"])
      assert.deepStrictEqual(tree.deadLetters.counts(), { mailbox_full: 1 })
      yield* tree.terminateChild("root/m")
      assert.deepStrictEqual(tree.deadLetters.counts(), { mailbox_full: 1, not_running: 2 })
    })
  )
  it.effect("S6 inserted events: what a transition raises is handled before what is queued", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const note = (name: string) => () => {
        log.push(name)
      }
      let again: () => void = () => {}
      const tree = yield* run(
        setup({}).createMachine({
          on: {
            first: { actions: [() => again(), raise({ type: "inserted" })] },
            inserted: { actions: note("inserted") },
            queued: { actions: note("queued") }
          }
        })
      )
      again = () => {
        tree.send("root/m", { type: "queued" })
      }
      tree.send("root/m", { type: "first" })
      assert.deepStrictEqual(log, ["inserted", "queued"])
    })
  )
  it.effect("S7 reply from a later state: a caller gets its answer from the state that can give it", () =>
    Effect.gen(function* () {
      const answer = yield* Deferred.make<string>()
      const machine = setup({
        types: {
          context: {} as { reply: ((word: string) => void) | undefined },
          events: {} as { type: "ask"; reply: (word: string) => void }
        },
        actors: { work: effectActor("work", () => Effect.as(Effect.sleep(50), "done")) }
      }).createMachine({
        context: { reply: undefined },
        initial: "Idle",
        states: {
          Idle: {
            on: {
              ask: {
                target: "Working",
                actions: ({ context, event }) => {
                  context.reply = event.reply
                }
              }
            }
          },
          Working: { invoke: { src: "work", onDone: "Answering" } },
          Answering: { entry: ({ context }) => context.reply?.("from Answering"), always: "Idle" }
        }
      })
      const tree = yield* run(machine)
      tree.send("root/m", {
        type: "ask",
        reply: (word: string) => {
          Deferred.doneUnsafe(answer, Effect.succeed(word))
        }
      } as never)
      yield* TestClock.adjust(50)
      const replied = yield* Effect.forkChild(Deferred.await(answer), { startImmediately: true })
      assert.strictEqual(yield* settled("the reply", replied), "from Answering")
      assert.strictEqual(node(tree, "m").state, "Idle")
    })
  )
  it.effect(
    "S8 start timeout: a start that waits for a state that never comes is an error with its deadline",
    () =>
      Effect.gen(function* () {
        const ready = Deferred.makeUnsafe<void>()
        const machine = setup({}).createMachine({
          initial: "Connecting",
          states: {
            Connecting: { on: { up: "Live" } },
            Live: {
              entry: () => {
                Deferred.doneUnsafe(ready, Effect.void)
              }
            }
          }
        })
        const starting = yield* Effect.forkChild(
          startError(
            start([
              worker({
                id: "m",
                startDeadlineMs: 500,
                start: (self) =>
                  Effect.gen(function* () {
                    self.step("connect")
                    const running = yield* machineChild({ machine })(self)
                    yield* Deferred.await(ready)
                    return running
                  })
              })
            ])
          ),
          { startImmediately: true }
        )
        yield* TestClock.adjust(500)
        const exit = starting.pollUnsafe()
        assert.strictEqual(
          exit?._tag === "Success" ? exit.value.reason : "",
          "StartTimedOut: root/m did not start within 500 ms (step connect)"
        )
      })
  )
  it.effect(
    "S9 repeat state: re-entering runs the entry again and restarts its timeout and, after it, its effect",
    () =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const beat = effectActor("beat", () =>
          Effect.onInterrupt(Effect.never as Effect.Effect<void>, () =>
            Effect.sync(() => log.push("interrupted"))
          )
        )
        const machine = setup({ actors: { beat } }).createMachine({
          initial: "A",
          states: {
            A: {
              entry: () => {
                log.push("enter")
              },
              invoke: { src: "beat" },
              after: { 100: "Late" },
              on: { again: { target: "A", reenter: true } }
            },
            Late: {}
          }
        })
        const tree = yield* run(machine)
        yield* TestClock.adjust(60)
        tree.send("root/m", { type: "again" })
        yield* TestClock.adjust(60)
        assert.deepStrictEqual([log, node(tree, "m").state], [["enter", "enter", "interrupted"], "A"])
        yield* TestClock.adjust(40)
        assert.strictEqual(node(tree, "m").state, "Late")
      })
  )
})
