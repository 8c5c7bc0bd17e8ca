import * as net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import {
  makeSocketCensus,
  openWatchedSocket,
  type SocketCensus,
  type WatchedSocket
} from "../../../src/layers/database/database.socket.ts"

const silenceMs = 150
const readyForQuery = Buffer.from([0x5a, 0, 0, 0, 5, 0x49])

interface Peer {
  readonly socket: WatchedSocket
  readonly census: SocketCensus
  /** What the server side sends. */
  readonly say: (bytes: Uint8Array) => void
  readonly ended: Promise<string>
}

/** A server that says only what the test says, and a watched socket connected to it. */
const connect: Effect.Effect<Peer, never, Scope.Scope> = Effect.gen(function* () {
  const census = makeSocketCensus()
  const accepted = Promise.withResolvers<net.Socket>()
  const server = yield* Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<net.Server>((resolve) => {
          const listener = net.createServer((peer) => {
            peer.on("error", () => peer.destroy())
            peer.resume()
            accepted.resolve(peer)
          })
          listener.listen(0, "127.0.0.1", () => resolve(listener))
        })
    ),
    (listener) => Effect.sync(() => listener.close())
  )
  const { port } = server.address() as net.AddressInfo
  const socket = openWatchedSocket({ host: "127.0.0.1", port }, silenceMs, census)
  yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
  const ended = new Promise<string>((resolve) => socket.once("error", (error) => resolve(error.message)))
  socket.resume()
  const peer = yield* Effect.promise(() => accepted.promise)
  yield* Effect.addFinalizer(() => Effect.sync(() => peer.destroy()))
  return { socket, census, say: (bytes) => peer.write(bytes), ended }
})

const later = (factor: number) => Effect.sleep(silenceMs * factor)

describe("a watched socket", () => {
  it.live("destroys itself when an exchange stays without an answer", () =>
    Effect.gen(function* () {
      const { census, ended, socket } = yield* connect
      socket.write("question")
      assert.isTrue(socket.waiting)
      assert.include(yield* Effect.promise(() => ended), "no answer from PostgreSQL")
      yield* later(0.2)
      assert.strictEqual(census.silentTotal, 1)
      assert.strictEqual(census.open.size, 0)
    })
  )

  it.live("leaves an idle connection alone, before and after an answered exchange", () =>
    Effect.gen(function* () {
      const { say, socket } = yield* connect
      yield* later(1.5)
      socket.write("question")
      say(readyForQuery)
      yield* later(1.5)
      assert.isFalse(socket.waiting)
      assert.isFalse(socket.destroyed)
    })
  )

  it.live("leaves a connection alone that only hears notifications", () =>
    Effect.gen(function* () {
      const { say, socket } = yield* connect
      say(Buffer.from("A notification, unasked"))
      yield* later(1.5)
      assert.isFalse(socket.destroyed)
    })
  )

  it.live("waits again after each part of an answer, until the end mark, also when that is split", () =>
    Effect.gen(function* () {
      const { say, socket } = yield* connect
      socket.write("question")
      for (const part of ["row one", "row two", "row three"]) {
        yield* later(0.6)
        say(Buffer.from(part))
      }
      yield* later(0.3)
      assert.isTrue(socket.waiting)
      assert.isFalse(socket.destroyed)
      say(readyForQuery.subarray(0, 2))
      yield* later(0.3)
      say(readyForQuery.subarray(2))
      yield* later(0.3)
      assert.isFalse(socket.waiting)
    })
  )

  it.live("is destroyed when an answer stops half-way", () =>
    Effect.gen(function* () {
      const { ended, say, socket } = yield* connect
      socket.write("question")
      say(Buffer.from("half of an answer"))
      assert.include(yield* Effect.promise(() => ended), "no answer")
    })
  )

  it.live("blames nobody for a reader that paused", () =>
    Effect.gen(function* () {
      const { socket } = yield* connect
      socket.write("question")
      socket.pause()
      yield* later(1.5)
      assert.isFalse(socket.destroyed)
    })
  )
})
