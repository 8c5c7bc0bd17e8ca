/** Long chains of components that pass an event on: nothing is lost, and no stack overflows. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { setup } from "xstate"
import { supervisor, worker } from "../../src/runtime/child-spec.ts"
import { machineChild } from "../../src/runtime/machine-child.ts"
import type { Tree } from "../../src/runtime/tree.ts"
import { plant } from "./probe-tree.ts"

const options = { stopDeadlineMs: 10_000 }
const links = 2_000

describe("an event that is passed along a chain of components", () => {
  it.live("arrives through the mailboxes of two thousand workers", () =>
    Effect.gen(function* () {
      const arrived = yield* Deferred.make<void>()
      const holder: { tree: Tree | null } = { tree: null }
      const children = Array.from({ length: links }, (_, index) =>
        worker({
          id: `c${index}`,
          start: (self) =>
            Effect.sync(() => {
              const box = self.mailbox<{ readonly type: string }>({ capacity: 4, overflow: "reject" })
              const passOn = Effect.flatMap(box.take, (letter) =>
                index + 1 === links
                  ? Effect.asVoid(Deferred.succeed(arrived, undefined))
                  : Effect.sync(() => void holder.tree?.send(`root/c${index + 1}`, letter))
              )
              return { send: (event) => box.offer(event), run: Effect.forever(passOn) }
            })
        })
      )
      const tree = yield* plant(supervisor({ id: "root", children }), options)
      holder.tree = tree
      tree.send("root/c0", { type: "passed" })
      yield* Effect.timeout(Deferred.await(arrived), "10 seconds")
      assert.strictEqual(tree.figures().restarts, 0)
      assert.strictEqual(tree.figures().deadLetters, 0)
    })
  )

  it.live("arrives through the actions of two thousand machines, in the order it was sent", () =>
    Effect.gen(function* () {
      const arrived = yield* Deferred.make<void>()
      const seen: Array<string> = []
      const holder: { tree: Tree | null } = { tree: null }
      const chart = setup({
        types: { events: {} as { type: "first" } | { type: "last" } },
        actions: { pass: () => undefined }
      }).createMachine({
        id: "link",
        initial: "Waiting",
        states: { Waiting: { tags: "ready", on: { first: { actions: "pass" }, last: { actions: "pass" } } } }
      })
      const children = Array.from({ length: links }, (_, index) =>
        worker({
          id: `c${index}`,
          start: machineChild({
            machine: chart,
            actions: {
              pass: ({ event }) => {
                if (index + 1 < links) {
                  holder.tree?.send(`root/c${index + 1}`, event)
                  return
                }
                seen.push(event.type)
                if (event.type === "last") Deferred.doneUnsafe(arrived, Effect.void)
              }
            }
          })
        })
      )
      const tree = yield* plant(supervisor({ id: "root", children }), options)
      holder.tree = tree
      tree.send("root/c0", { type: "first" })
      tree.send("root/c0", { type: "last" })
      yield* Effect.timeout(Deferred.await(arrived), "10 seconds")
      assert.deepStrictEqual(seen, ["first", "last"])
      assert.strictEqual(tree.figures().restarts, 0)
      assert.strictEqual(tree.figures().deadLetters, 0)
    })
  )
})

describe("two machines that answer each other forever", () => {
  it.live("leave turns to timers, and can be stopped", () =>
    Effect.gen(function* () {
      const holder: { tree: Tree | null } = { tree: null }
      let answers = 0
      const chart = setup({
        types: { events: {} as { type: "ping" } },
        actions: { answer: () => undefined }
      }).createMachine({
        initial: "Open",
        states: { Open: { tags: "ready", on: { ping: { actions: "answer" } } } }
      })
      const player = (id: string, other: string) =>
        worker({
          id,
          start: machineChild({
            machine: chart,
            actions: {
              answer: () => {
                // An endless game that starved the loop would never come to the checks below, so it has an end.
                if (++answers < 2_000_000) holder.tree?.send(`root/${other}`, { type: "ping" })
              }
            }
          })
        })
      const tree = yield* plant(
        supervisor({ id: "root", children: [player("a", "b"), player("b", "a")] }),
        options
      )
      holder.tree = tree
      let answersInFirstTurn = 0
      setImmediate(() => {
        answersInFirstTurn = answers
      })
      tree.send("root/a", { type: "ping" })
      yield* Effect.sleep(50)
      yield* tree.stop
      assert.isBelow(answersInFirstTurn, 20_000, "answers before timers and sockets had their turn")
      assert.isBelow(answers, 2_000_000, "the stop came before the end of the game")
    })
  )
})
