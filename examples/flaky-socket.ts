/**
 * A client of a flaky socket: the machine decides, Effects act, the supervisor is the last resort.
 *
 * A real TCP server on the loopback interface hangs up in three ways: it closes cleanly, it resets, it sends
 * nothing more. Each is an ordinary event of the machine, which backs off and reconnects by itself: no
 * restart is spent on what the network does every day. What the machine is not prepared for (here: a frame that is
 * not a number) is a bug, so it crashes, and that is the supervisor's business.
 *
 *     node examples/flaky-socket.ts
 *
 * In a project that has installed the package, import from "holdfast/runtime".
 */
import * as net from "node:net"
import { Data, Effect } from "effect"
import { assign, fromPromise, setup } from "xstate"
import {
  describeError,
  formatReport,
  machineChild,
  startTree,
  streamActor,
  supervisor,
  worker
} from "../src/runtime/entry.ts"

class SocketFailed extends Data.TaggedError("SocketFailed")<{ readonly why: string }> {}

/** The peer: each connection meets the next fate. */
const fates = ["closes politely", "resets", "falls silent", "sends rubbish", "works"] as const
const listen = Effect.acquireRelease(
  Effect.callback<net.Server>((resume) => {
    let connections = 0
    const server = net.createServer((socket) => {
      const fate = fates[Math.min(connections++, fates.length - 1)]
      console.log(`server: connection ${connections} ${fate}`)
      socket.on("error", () => socket.destroy())
      socket.write("1\n")
      if (fate === "closes politely") socket.end()
      if (fate === "resets") setTimeout(() => socket.resetAndDestroy(), 10)
      if (fate === "sends rubbish") socket.write("rubbish\n")
      if (fate === "works") {
        const beat = setInterval(() => socket.write("7\n"), 10)
        socket.on("close", () => clearInterval(beat))
      }
    })
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) =>
    Effect.callback<void>((resume) => {
      server.close(() => resume(Effect.void))
    })
)

/** What the machine does is all here; how is not. */
const client = setup({
  types: {
    context: {} as { readonly lastError: string | null; readonly frames: number },
    events: {} as { readonly type: "frame"; readonly value: number } | { readonly type: "stop" }
  },
  actors: { read: fromPromise<void, void>(async () => {}) },
  actions: { count: assign({ frames: ({ context }) => context.frames + 1 }) }
}).createMachine({
  id: "client",
  context: { lastError: null, frames: 0 },
  initial: "Connecting",
  states: {
    Connecting: {
      invoke: {
        src: "read",
        onDone: "BackingOff",
        onError: {
          target: "BackingOff",
          // What the tree shows as the child's last error.
          actions: assign({ lastError: ({ event }) => describeError(event.error) })
        }
      },
      // Frames keep it alive: the deadline counts from the last one, because an open socket proves nothing.
      on: { frame: { target: ".Live", actions: "count" }, stop: "Closed" },
      initial: "Waiting",
      states: {
        Waiting: { tags: "starting", after: { 500: "#client.BackingOff" } },
        Live: {
          tags: "ready",
          after: { 100: "#client.BackingOff" },
          on: { frame: { target: "Live", reenter: true, actions: "count" } }
        }
      }
    },
    BackingOff: { tags: "backingOff", after: { 30: "Connecting" }, on: { stop: "Closed" } },
    Closed: { type: "final" }
  }
})

/** Leaving the state interrupts the Effect, and its scope destroys the socket. */
const read = (port: number) =>
  streamActor("read", ({ send }) =>
    Effect.scoped(
      Effect.gen(function* () {
        const socket = yield* Effect.acquireRelease(
          Effect.sync(() => net.connect(port, "127.0.0.1")),
          (open) => Effect.sync(() => open.destroy())
        )
        yield* Effect.callback<void, SocketFailed>((resume) => {
          socket.setEncoding("utf8")
          socket.on("data", (text: string) => {
            for (const line of text.split("\n").filter((part) => part !== "")) {
              const value = Number(line)
              // Not a failure of the network but a bug in what we believe about it: a defect crashes the child.
              if (Number.isNaN(value)) return resume(Effect.die(new Error(`not a number: ${line}`)))
              send({ type: "frame", value })
            }
          })
          socket.on("end", () => resume(Effect.void))
          socket.on("error", (error) => resume(Effect.fail(new SocketFailed({ why: error.message }))))
        })
      })
    )
  )

const program = Effect.gen(function* () {
  const server = yield* listen
  const { port } = server.address() as net.AddressInfo
  const running = yield* startTree(
    supervisor({
      id: "root",
      children: [
        worker({
          id: "client",
          start: machineChild({ machine: client, actors: { read: read(port) }, stopEvent: { type: "stop" } }),
          backoff: { firstMs: 20, jitter: "none" }
        })
      ]
    }),
    { stopDeadlineMs: 2_000, observers: [(report) => console.log(formatReport(report))] }
  )
  running.inspection.subscribe(({ event, from, to }) => {
    if (from !== to) console.log(`client: ${from} -> ${to} (${event})`)
  })
  // The last fate works, so in the end the client stays live for longer than its idle deadline.
  let liveMs = 0
  while (liveMs < 300) {
    yield* Effect.sleep(20)
    liveMs = running.ready() ? liveMs + 20 : 0
  }
  const node = running.snapshot().children[0]
  console.log(`client: ${node?.state}, ready ${node?.ready}, ${node?.restarts} restarts`)
  const report = yield* running.stop
  console.log(`stopped, killed: ${report.killed.length}`)
})

await Effect.runPromise(Effect.scoped(program).pipe(Effect.timeout("20 seconds")))
