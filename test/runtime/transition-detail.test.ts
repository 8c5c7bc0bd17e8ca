/** Details of transitions: what fired, exactly, while somebody looks, and nothing of it while nobody does. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { assign, setup } from "xstate"
import { supervisor, worker } from "../../src/runtime/child-spec.ts"
import { Inspection, type Transition, type TransitionDetail } from "../../src/runtime/inspection.ts"
import { machineChild } from "../../src/runtime/machine-child.ts"
import { startTree } from "../../src/runtime/supervisor.ts"
import { MicrostepWatch } from "../../src/runtime/transition-detail.ts"

/** Two guarded ways to the same state, an eventless one behind it, a timer, a transition that stays. */
const machine = setup({
  types: {
    events: {} as
      | { readonly type: "go"; readonly n: number; readonly correlationId?: string }
      | { readonly type: "note"; readonly reason: string }
      | { readonly type: "back" },
    context: {} as { readonly n: number; readonly hops: number }
  },
  guards: {
    isBig: ({ event }) => event.type === "go" && event.n > 10,
    isSmall: ({ event }) => event.type === "go" && event.n <= 10,
    isFar: ({ context }) => context.n > 100
  },
  actions: {
    keep: assign({ n: ({ context, event }) => (event.type === "go" ? event.n : context.n) }),
    hop: assign({ hops: ({ context }) => context.hops + 1 }),
    ring: () => undefined
  }
}).createMachine({
  id: "hopper",
  initial: "Here",
  context: { n: 0, hops: 0 },
  states: {
    Here: {
      on: {
        go: [
          { guard: "isBig", target: "There", actions: ["keep", "ring"] },
          { guard: "isSmall", target: "There", actions: "keep" }
        ],
        note: { actions: "ring" }
      }
    },
    There: {
      always: { guard: "isFar", target: "Beyond", actions: "hop" },
      after: { 1_000: "Here" }
    },
    Beyond: { on: { back: "Here" } }
  }
})

const openTree = Effect.gen(function* () {
  const seen: Array<{ readonly transition: Transition; readonly detail: TransitionDetail | undefined }> = []
  const broken = { calls: 0 }
  const tree = yield* startTree(
    supervisor({
      id: "root",
      strategy: "one_for_one",
      children: [worker({ id: "m", start: machineChild({ machine }), stopBudgetMs: 1_000 })]
    }),
    {
      stopDeadlineMs: 5_000,
      transitionObservers: [
        () => {
          broken.calls += 1
          throw new Error("a broken observer")
        },
        (transition, detail) => seen.push({ transition, detail })
      ]
    }
  )
  const send = (event: { readonly type: string } & Record<string, unknown>) => tree.send("root/m", event)
  const last = () => seen.at(-1) ?? assert.fail("no transition")
  return { broken, last, seen, send, tree }
})

describe("the hook into a machine", () => {
  it("is attached once, by the first transition somebody looks at, and detached by the first nobody does", () => {
    const inspection = new Inspection()
    const calls: Array<string> = []
    const system = {
      inspect: () => {
        calls.push("attached")
        return { unsubscribe: () => void calls.push("detached") }
      }
    } as never
    const actor = {} as never
    const watch = new MicrostepWatch(inspection)
    assert.isFalse(watch.begin(actor, system))
    assert.isEmpty(calls)
    const end = inspection.capture()
    assert.isTrue(watch.begin(actor, system))
    assert.isTrue(watch.begin(actor, system))
    assert.deepStrictEqual(calls, ["attached"])
    end()
    assert.isFalse(watch.begin(actor, system))
    assert.isFalse(watch.begin(actor, system))
    assert.deepStrictEqual(calls, ["attached", "detached"])
    inspection.capture()
    watch.begin(actor, system)
    watch.end()
    assert.deepStrictEqual(calls, ["attached", "detached", "attached", "detached"])
  })
})

describe("details of a transition", () => {
  it.effect("are absent while nobody looks, names and times are not", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { last, seen, send, tree } = yield* openTree
        assert.deepInclude(seen[0]?.transition, { event: "xstate.init", from: "", to: "Here", seq: 0 })
        yield* TestClock.adjust(250)
        send({ type: "go", n: 5, correlationId: "s-1" })
        assert.deepInclude(last().transition, {
          path: "root/m",
          from: "Here",
          to: "There",
          at: 250,
          since: 0,
          correlationId: "s-1"
        })
        assert.isTrue(seen.every(({ detail }) => detail === undefined))
        assert.isFalse(tree.inspection.detailed)
        yield* TestClock.adjust(1_000)
        assert.deepInclude(last().transition, { from: "There", to: "Here", since: 250, at: 1_250 })
      })
    )
  )

  it.effect("name the guard and the actions that were taken, those of eventless steps too", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { last, send, tree } = yield* openTree
        const end = tree.inspection.capture()
        send({ type: "go", n: 5 })
        assert.deepStrictEqual([last().detail?.guards, last().detail?.actions], [["isSmall"], ["keep"]])
        yield* TestClock.adjust(1_000)
        assert.deepStrictEqual([last().detail?.guards, last().detail?.actions], [[], []])
        send({ type: "go", n: 500 })
        assert.strictEqual(last().transition.to, "Beyond")
        assert.deepStrictEqual(
          [last().detail?.guards, last().detail?.actions],
          [
            ["isBig", "isFar"],
            ["keep", "ring", "hop"]
          ]
        )
        assert.strictEqual(last().detail?.machine, "hopper")
        assert.deepStrictEqual(
          [last().detail?.before, last().detail?.after],
          [
            { n: 5, hops: 0 },
            { n: 500, hops: 1 }
          ]
        )
        send({ type: "back" })
        send({ type: "note", reason: "because" })
        assert.strictEqual(last().transition.cause, "because")
        assert.strictEqual(
          last().detail?.before,
          last().detail?.after,
          "nothing was assigned, nothing was copied"
        )
        end()
        end()
        send({ type: "note", reason: "again" })
        assert.isUndefined(last().detail)
      })
    )
  )

  it.effect("are captured for as long as one of several looks", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { last, send, tree } = yield* openTree
        const [one, other] = [tree.inspection.capture(), tree.inspection.capture()]
        one()
        send({ type: "note", reason: "x" })
        assert.isDefined(last().detail)
        other()
        send({ type: "note", reason: "x" })
        assert.isUndefined(last().detail)
      })
    )
  )

  it.effect("never reach a machine: an observer that throws is counted, the event is delivered", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { broken, seen, send, tree } = yield* openTree
        tree.inspection.capture()
        assert.strictEqual(send({ type: "go", n: 1 }), "delivered")
        assert.strictEqual(broken.calls, seen.length)
        assert.strictEqual(tree.figures().observerFaults, broken.calls)
      })
    )
  )

  it.effect("describe an error that an event carries, in bounded text", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { last, send } = yield* openTree
        send({ type: "note", reason: "x".repeat(10_000) })
        assert.strictEqual(last().transition.cause?.length, 300)
        send({ type: "note", error: new Error("boom") })
        assert.include(last().transition.cause, "boom")
        const hostile = new Proxy(
          {},
          {
            get: () => {
              throw new Error("hostile")
            }
          }
        )
        send({ type: "note", error: hostile })
        assert.isString(last().transition.cause)
      })
    )
  )
})
