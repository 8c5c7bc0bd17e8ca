/** Row H7: nothing of a child outlives it, whatever it holds and at whatever point of its life it dies. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { setup } from "xstate"
import { type ChildSelf, type Running, type Start, worker } from "../../src/runtime/child-spec.ts"
import { effectActor, machineChild } from "../../src/runtime/machine-child.ts"
import type { Tree } from "../../src/runtime/tree.ts"
import { phases, start, turns } from "../runtime/probe-tree.ts"

/** A server that knows who is connected. */
const listening = Effect.acquireRelease(
  Effect.promise(async () => {
    const connected = new Set<Socket>()
    const server = createServer((socket) => {
      connected.add(socket.resume())
      socket.on("close", () => connected.delete(socket))
    })
    await once(server.listen(0, "127.0.0.1"), "listening")
    return { server, connected, port: (server.address() as AddressInfo).port }
  }),
  ({ server }) => Effect.sync(() => server.close())
)
/** Lets real turns pass, because sockets know no virtual clock; what has not come by then is the assertion's to say. */
const until = (reached: () => boolean) =>
  Effect.gen(function* () {
    for (let turn = 0; turn < 5_000 && !reached(); turn++) yield* turns()
  })

/** What a child holds, from outside: how many of its parts are alive, and how often they moved. */
class Ledger {
  alive = 0
  beats = 0
  readonly part = Effect.acquireRelease(
    Effect.sync(() => void this.alive++),
    () => Effect.sync(() => void this.alive--)
  )
  readonly beat = Effect.scoped(
    Effect.andThen(
      this.part,
      Effect.forever(
        Effect.andThen(
          Effect.sleep(10),
          Effect.sync(() => void this.beats++)
        )
      )
    )
  )
}
type Last = Effect.Effect<Partial<Running>, unknown, Scope.Scope>
/** A resource, a fiber with a timer, a socket, and a machine with an effect and a deadline; then what this life is about. */
const holding =
  (ledger: Ledger, port: number, last: (self: ChildSelf) => Last): Start =>
  (self) =>
    Effect.gen(function* () {
      yield* ledger.part
      yield* self.fork("beat", ledger.beat)
      const socket = yield* Effect.acquireRelease(
        Effect.sync(() => connect(port, "127.0.0.1")),
        (open) => Effect.sync(() => open.destroy())
      )
      yield* Effect.promise(() => once(socket, "connect"))
      const machine = setup({ actors: { beat: effectActor("beat", () => ledger.beat) } }).createMachine({
        initial: "A",
        states: {
          A: { invoke: { src: "beat" }, after: { 1: "B" } },
          B: { invoke: { src: "beat" }, after: { 1: "A" } }
        }
      })
      const running = yield* machineChild({ machine })(self)
      return { ...running, ...(yield* last(self)) }
    })

interface Death {
  readonly last?: (self: ChildSelf) => Last
  /** What is done to it once it has started. */
  readonly die?: (tree: Tree, self: ChildSelf) => Effect.Effect<unknown, unknown>
  /** It never ends by itself: a fiber that cannot be interrupted lingers, and is named. */
  readonly lingers?: true
}
const running = (life: Running) => () => Effect.succeed(life)
const releasing = (release: Effect.Effect<void>) => () =>
  Effect.as(
    Effect.addFinalizer(() => release),
    {}
  )
const terminated = (tree: Tree) => tree.terminateChild("root/a")

const deaths: Readonly<Record<string, Death>> = {
  "while starting, by a failure": { last: () => Effect.fail("start") },
  "while starting, by a defect": { last: () => Effect.die("start") },
  "while starting, by its deadline": { last: () => Effect.never },
  "while starting, stopped": { last: () => Effect.never, die: terminated },
  "while running, by a failure": {
    last: running({ run: Effect.andThen(Effect.sleep(50), Effect.fail("run")) })
  },
  "while running, by its end": { last: running({ run: Effect.sleep(50) }) },
  "while running, by a callback": { die: (_tree, self) => Effect.sync(() => self.crash("callback")) },
  "while running, by a fiber": {
    last: (self) => Effect.as(self.fork("dies", Effect.andThen(Effect.sleep(50), Effect.die("fiber"))), {})
  },
  "while stopping, in good order": { die: terminated },
  "while stopping, by its drain": { last: running({ drain: Effect.die("drain") }), die: terminated },
  "while stopping, by a callback": {
    last: (self) =>
      Effect.succeed({
        drain: Effect.andThen(
          Effect.sync(() => self.crash("callback")),
          Effect.never
        )
      }),
    die: terminated
  },
  "while stopping, by its release": { last: releasing(Effect.die("release")), die: terminated },
  "killed, with a drain that does not end": { last: running({ drain: Effect.never }), die: terminated },
  "killed, with a life that is deaf": {
    last: running({ run: Effect.uninterruptible(Effect.never) }),
    die: terminated,
    lingers: true
  },
  "killed, with a release that does not end": {
    last: releasing(Effect.never),
    die: terminated,
    lingers: true
  },
  "killed after a crash, with a release that does not end": {
    last: releasing(Effect.never),
    die: (_tree, self) => Effect.sync(() => self.crash("crash")),
    lingers: true
  },
  "killed after a crash, with a life that is deaf": {
    last: running({ run: Effect.uninterruptible(Effect.never) }),
    die: (_tree, self) => Effect.sync(() => self.crash("crash")),
    lingers: true
  }
}

describe("no orphan", () => {
  for (const [when, { die, last = running({}), lingers }] of Object.entries(deaths)) {
    it.effect(
      `H7 no orphan: no fiber, timer, socket or nested actor of a child is alive after it died ${when}`,
      () =>
        Effect.gen(function* () {
          const { connected, port } = yield* listening
          const ledger = new Ledger()
          let self: ChildSelf | undefined
          const child = worker({
            id: "a",
            restart: "temporary",
            initialStart: "retry",
            startDeadlineMs: 500,
            stopBudgetMs: 500,
            start: holding(ledger, port, (own) => {
              self = own
              return last(own)
            })
          })
          const tree = yield* start([])
          yield* Effect.forkChild(Effect.exit(tree.startChild("root", child)), { startImmediately: true })
          yield* until(() => self !== undefined && connected.size === 1)
          yield* TestClock.adjust(25)
          if (self !== undefined && die !== undefined)
            yield* Effect.forkChild(Effect.exit(die(tree, self)), { startImmediately: true })
          yield* TestClock.adjust(600)
          yield* until(() => connected.size === 0)
          assert.deepStrictEqual([phases(tree), ledger.alive, connected.size], ["", 0, 0])
          assert.deepStrictEqual(tree.figures().abandoned, lingers === true ? ["root/a"] : [])
          const { beats } = ledger
          yield* TestClock.adjust(1_000)
          assert.strictEqual(ledger.beats, beats)
        })
    )
  }
  it.effect("H7 no orphan: and while it lives, all of that is there", () =>
    Effect.gen(function* () {
      const { connected, port } = yield* listening
      const ledger = new Ledger()
      const starting = yield* Effect.forkChild(
        start([worker({ id: "a", start: holding(ledger, port, running({})) })]),
        { startImmediately: true }
      )
      yield* until(() => connected.size === 1 && starting.pollUnsafe() !== undefined)
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual([ledger.alive, connected.size], [3, 1])
      assert.isAbove(ledger.beats, 50)
    })
  )
})
