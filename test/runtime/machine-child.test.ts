/** Machines as supervised children: clock, effects, faults, dead letters, inspection. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Data, Effect, Layer, Queue } from "effect"
import { TestClock } from "effect/testing"
import { assign, fromPromise, setup } from "xstate"
import type { PolicyOptions } from "../../src/runtime/child-policy.ts"
import { supervisor, worker } from "../../src/runtime/child-spec.ts"
import { effectActor, machineChild, streamActor } from "../../src/runtime/machine-child.ts"
import type { SupervisionEvent } from "../../src/runtime/reports.ts"
import { SpecInvalid } from "../../src/runtime/spec-validation.ts"
import type { TreeNode, Tree } from "../../src/runtime/tree.ts"
import { plant } from "./probe-tree.ts"

class Refused extends Data.TaggedError("Refused")<{ readonly why: string }> {}
class Wire extends Context.Service<
  Wire,
  { readonly ask: (question: string) => Effect.Effect<string, Refused> }
>()("test/Wire") {}
const wire = (ask: (question: string) => Effect.Effect<string, Refused>) =>
  Layer.succeed(Wire, Wire.of({ ask }))

const child = (tree: Tree, index = 0): TreeNode => {
  const found = tree.snapshot().children[index]
  if (found === undefined) throw new Error("no child")
  return found
}
const policy: PolicyOptions = { backoff: { firstMs: 0 } }
const options = { stopDeadlineMs: 10_000 }

const client = setup({
  types: {
    events: {} as { type: "go" } | { type: "tick"; n: number } | { type: "stop" },
    context: {} as { lastError: unknown; seen: number }
  },
  actors: {
    ask: fromPromise<string, string>(async () => "never"),
    ticks: fromPromise<void, void>(async () => {})
  }
}).createMachine({
  id: "client",
  initial: "Idle",
  context: { lastError: undefined, seen: 0 },
  states: {
    Idle: { on: { go: "Asking" }, after: { 5_000: "Bored" } },
    Asking: {
      tags: "starting",
      invoke: {
        src: "ask",
        input: "price",
        onDone: "Live",
        onError: { target: "Failed", actions: assign({ lastError: ({ event }) => event.error }) }
      },
      on: { stop: "Done" }
    },
    Live: {
      tags: "ready",
      invoke: { src: "ticks" },
      on: { tick: { actions: assign({ seen: ({ context }) => context.seen + 1 }) }, stop: "Done" }
    },
    Failed: { tags: "failed", after: { 1_000: "Asking" } },
    Bored: {},
    Done: { type: "final" }
  }
})
const actors = {
  ask: effectActor("ask", (question: string) => Wire.use((service) => service.ask(question))),
  ticks: streamActor(
    "ticks",
    ({ send }: { readonly input: void; readonly send: (event: { type: string }) => void }) =>
      Effect.forever(
        Effect.andThen(
          Effect.sleep(100),
          Effect.sync(() => send({ type: "tick" }))
        )
      )
  )
}

describe("machine child", () => {
  it.effect("runs effects as its own fibers, becomes ready by tag, and the virtual clock drives it", () =>
    Effect.gen(function* () {
      const tree = yield* plant(
        supervisor({
          id: "root",
          children: [worker({ id: "m", ...policy, start: machineChild({ machine: client, actors }) })]
        }),
        options
      )
      assert.strictEqual(child(tree).state, "Idle")
      assert.isFalse(tree.ready())
      assert.strictEqual(tree.send("root/m", { type: "go" }), "delivered")
      assert.strictEqual(child(tree).state, "Asking")
      yield* TestClock.adjust(50)
      assert.strictEqual(child(tree).state, "Live")
      assert.isTrue(tree.ready())
      yield* TestClock.adjust(350)
      assert.deepStrictEqual(
        tree.inspection.recent().map((one) => `${one.from}>${one.to}:${one.event}`),
        [
          ">Idle:xstate.init",
          "Idle>Asking:go",
          "Asking>Live:xstate.done.actor.0.client.Asking",
          "Live>Live:tick",
          "Live>Live:tick",
          "Live>Live:tick"
        ]
      )
      assert.strictEqual(child(tree).incarnation, 1)
    }).pipe(Effect.provide(wire(() => Effect.as(Effect.sleep(50), "42"))))
  )

  it.effect("hands a typed failure to onError unchanged and shows it as last error", () =>
    Effect.gen(function* () {
      const tree = yield* plant(
        supervisor({
          id: "root",
          children: [worker({ id: "m", ...policy, start: machineChild({ machine: client, actors }) })]
        }),
        options
      )
      tree.send("root/m", { type: "go" })
      assert.strictEqual(child(tree).state, "Failed")
      assert.strictEqual(child(tree).lastError, "Refused: bad key")
      yield* TestClock.adjust(1_000)
      assert.strictEqual(child(tree).incarnation, 1)
      assert.strictEqual(tree.inspection.recent().filter((one) => one.to === "Failed").length, 2)
    }).pipe(
      Effect.provide(
        wire(() =>
          Effect.fail(new Refused({ why: "x" })).pipe(
            Effect.mapError(() => Object.assign(new Refused({ why: "x" }), { message: "bad key" }))
          )
        )
      )
    )
  )

  it.effect("a defect in an effect crashes the child, not the machine's onError", () =>
    Effect.gen(function* () {
      const reports: Array<SupervisionEvent> = []
      const tree = yield* plant(
        supervisor({
          id: "root",
          children: [worker({ id: "m", ...policy, start: machineChild({ machine: client, actors }) })]
        }),
        { ...options, observers: [(one) => reports.push(one)] }
      )
      tree.send("root/m", { type: "go" })
      assert.strictEqual(child(tree).incarnation, 2)
      assert.strictEqual(child(tree).state, "Idle")
      const report = reports.find((one) => one._tag === "SupervisorError")
      assert.strictEqual(report?._tag === "SupervisorError" ? report.reason : "", "Error: bug")
    }).pipe(Effect.provide(wire(() => Effect.die(new Error("bug")))))
  )

  it.effect("leaving a state interrupts its effect, stopping the child awaits it", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const slow = {
        ask: effectActor("ask", () =>
          Effect.onInterrupt(Effect.never as Effect.Effect<string>, () =>
            Effect.andThen(
              Effect.sleep(200),
              Effect.sync(() => log.push("released"))
            )
          )
        ),
        ticks: actors.ticks
      }
      const tree = yield* plant(
        supervisor({
          id: "root",
          children: [worker({ id: "m", ...policy, start: machineChild({ machine: client, actors: slow }) })]
        }),
        options
      )
      tree.send("root/m", { type: "go" })
      const stopping = yield* Effect.forkChild(tree.stop, { startImmediately: true })
      assert.isUndefined(stopping.pollUnsafe())
      yield* TestClock.adjust(200)
      assert.deepStrictEqual(log, ["released"])
      assert.isDefined(stopping.pollUnsafe())
    })
  )

  it.effect("a final state is a normal end", () =>
    Effect.gen(function* () {
      const tree = yield* plant(
        supervisor({
          id: "root",
          children: [
            worker({
              id: "m",
              ...policy,
              restart: "transient",
              start: machineChild({ machine: client, actors })
            })
          ]
        }),
        options
      )
      tree.send("root/m", { type: "go" })
      assert.strictEqual(tree.send("root/m", { type: "stop" }), "delivered")
      assert.strictEqual(child(tree).phase, "stopped")
      assert.strictEqual(tree.send("root/m", { type: "go" }), "not_running")
    }).pipe(Effect.provide(wire(() => Effect.never)))
  )

  it.effect("the stop event lets the machine finish within the stop budget", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const machine = setup({ types: { events: {} as { type: "stop" } } }).createMachine({
        initial: "Open",
        states: {
          Open: { on: { stop: "Draining" } },
          Draining: { tags: "draining", after: { 300: "Closed" } },
          Closed: {
            type: "final",
            entry: () => {
              log.push("closed")
            }
          }
        }
      })
      const tree = yield* plant(
        supervisor({
          id: "root",
          children: [worker({ id: "m", start: machineChild({ machine, stopEvent: { type: "stop" } }) })]
        }),
        options
      )
      const stopping = yield* Effect.forkChild(tree.stop, { startImmediately: true })
      assert.strictEqual(child(tree).phase, "stopping")
      yield* TestClock.adjust(300)
      assert.deepStrictEqual(log, ["closed"])
      assert.deepStrictEqual(stopping.pollUnsafe()?._tag, "Success")
    })
  )

  it.effect("unknown events, unknown targets and stopped targets are counted dead letters", () =>
    Effect.gen(function* () {
      const tree = yield* plant(
        supervisor({
          id: "root",
          children: [
            worker({ id: "m", ...policy, start: machineChild({ machine: client, actors }) }),
            worker({ id: "plain", start: () => Effect.succeed({}) })
          ]
        }),
        options
      )
      assert.strictEqual(tree.send("root/m", { type: "tick" }), "unhandled")
      assert.strictEqual(tree.send("root/none", { type: "go" }), "no_such_child")
      assert.strictEqual(tree.send("root/plain", { type: "go" }), "no_mailbox")
      assert.deepStrictEqual(tree.deadLetters.counts(), { unhandled: 1, no_such_child: 1, no_mailbox: 1 })
      assert.deepStrictEqual(
        tree.deadLetters.latest().map((one) => `${one.path} ${one.eventType}`),
        ["root/m tick", "root/none go", "root/plain go"]
      )
      assert.strictEqual(tree.figures().deadLetters, 3)
    }).pipe(Effect.provide(wire(() => Effect.never)))
  )

  it.effect("what an invoked actor tells a state that does not care is a counted dead letter", () =>
    Effect.gen(function* () {
      const machine = setup({ actors }).createMachine({
        initial: "Deaf",
        states: { Deaf: { invoke: { src: "ticks" } } }
      })
      const tree = yield* plant(
        supervisor({ id: "root", children: [worker({ id: "m", start: machineChild({ machine }) })] }),
        options
      )
      yield* TestClock.adjust(250)
      assert.deepStrictEqual(
        tree.deadLetters.latest().map((one) => `${one.path} ${one.eventType} ${one.reason}`),
        ["root/m tick unhandled", "root/m tick unhandled"]
      )
    })
  )

  it.effect(
    "a throwing action, a rejected promise in an action and an endless loop crash the child with the cause",
    () =>
      Effect.gen(function* () {
        const machine = setup({
          types: { events: {} as { type: "throw" } | { type: "reject" } | { type: "spin" } }
        }).createMachine({
          initial: "Up",
          states: {
            Up: {
              on: {
                throw: {
                  actions: () => {
                    throw new Error("thrown")
                  }
                },
                reject: {
                  actions: async () => {
                    throw new Error("rejected")
                  }
                },
                spin: "A"
              }
            },
            A: { always: "B" },
            B: { always: "A" }
          }
        })
        const reasons: Array<string> = []
        const tree = yield* plant(
          supervisor({
            id: "root",
            children: [worker({ id: "m", ...policy, start: machineChild({ machine }) })]
          }),
          { ...options, observers: [(one) => one._tag === "SupervisorError" && reasons.push(one.reason)] }
        )
        tree.send("root/m", { type: "throw" })
        tree.send("root/m", { type: "reject" })
        yield* Effect.promise(
          () =>
            new Promise<void>((resolve) => {
              setImmediate(resolve)
            })
        )
        tree.send("root/m", { type: "spin" })
        assert.strictEqual(child(tree).incarnation, 4)
        assert.deepStrictEqual(reasons.slice(0, 2), ["Error: thrown", "Error: rejected"])
        assert.match(reasons[2] ?? "", /Infinite loop/)
      })
  )

  it.effect("a throwing inspection subscriber is isolated", () =>
    Effect.gen(function* () {
      const tree = yield* plant(
        supervisor({
          id: "root",
          children: [worker({ id: "m", ...policy, start: machineChild({ machine: client, actors }) })]
        }),
        options
      )
      const seen: Array<string> = []
      tree.inspection.subscribe(() => {
        throw new Error("console")
      })
      tree.inspection.subscribe((one) => seen.push(one.to))
      assert.strictEqual(tree.send("root/m", { type: "go" }), "delivered")
      assert.deepStrictEqual(seen, ["Asking"])
      assert.strictEqual(tree.figures().observerFaults, 1)
    }).pipe(Effect.provide(wire(() => Effect.never)))
  )

  it.effect("events sent while one is handled wait in a bounded mailbox", () =>
    Effect.gen(function* () {
      const order: Array<string> = []
      const queue = yield* Queue.unbounded<string>()
      let tree: Tree | undefined
      const machine = setup({ types: { events: {} as { type: "burst" } | { type: "one" } } }).createMachine({
        on: {
          burst: {
            actions: () => {
              for (let index = 0; index < 3; index++) order.push(tree?.send("root/m", { type: "one" }) ?? "")
            }
          },
          one: {
            actions: () => {
              Queue.offerUnsafe(queue, "one")
            }
          }
        }
      })
      tree = yield* plant(
        supervisor({
          id: "root",
          children: [
            worker({
              id: "m",
              start: machineChild({ machine, mailbox: { capacity: 2, overflow: "reject" } })
            })
          ]
        }),
        options
      )
      assert.strictEqual(tree.send("root/m", { type: "burst" }), "delivered")
      assert.deepStrictEqual(order, ["queued", "queued", "mailbox_full"])
      assert.strictEqual(yield* Queue.size(queue), 2)
      assert.deepStrictEqual(child(tree).mailbox, { depth: 0, capacity: 2, dropped: 1 })
      assert.strictEqual(tree.deadLetters.counts().mailbox_full, 1)
    })
  )
  it("a mailbox without a bound or with an unknown policy is refused when the literal is built", () => {
    const faults: ReadonlyArray<readonly [unknown, string]> = [
      [{ capacity: Number.NaN, overflow: "reject" }, "machineChild.mailbox.capacity: must be a whole number"],
      [{ capacity: 2, overflow: "drop" }, "machineChild.mailbox.overflow: must be one of"]
    ]
    for (const [mailbox, problem] of faults) {
      try {
        machineChild({ machine: client, mailbox: mailbox as never })
        assert.fail("accepted")
      } catch (error) {
        assert.include(error instanceof SpecInvalid ? error.message : String(error), problem)
      }
    }
  })
})
