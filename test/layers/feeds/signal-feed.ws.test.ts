import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Scope } from "effect"
import { createHash } from "node:crypto"
import { createServer as createHttpServer } from "node:http"
import { createServer, type Socket } from "node:net"
import { WebSocketServer } from "ws"
import type { FeedEnd } from "../../../src/domain/feeds/feed-end.ts"
import { feedLimits } from "../../../src/domain/kernel/limits-feeds.ts"
import { type FeedListener, SignalFeed } from "../../../src/layers/feeds/signal-feed.port.ts"
import { kindOfError, signalFeedWs } from "../../../src/layers/feeds/signal-feed.ws.ts"
import { stopwatch } from "../../support/stopwatch.ts"

const listening = <S extends { listen: (port: number, host: string, done: () => void) => unknown }>(
  server: S
) => Effect.promise(() => new Promise<void>((settle) => void server.listen(0, "127.0.0.1", () => settle())))

const portOf = (server: { readonly address: () => unknown }): number => {
  const address = server.address()
  if (typeof address === "object" && address !== null && "port" in address) return Number(address.port)
  throw new Error("the server has no port")
}

const makeListener = Effect.gen(function* () {
  const opened = yield* Deferred.make<void>()
  const ends: Array<FeedEnd> = []
  const texts: Array<string | null> = []
  const ended = yield* Deferred.make<FeedEnd>()
  const listener: FeedListener = {
    opened: () => Deferred.doneUnsafe(opened, Effect.void),
    text: (text) => texts.push(text),
    unreadable: () => texts.push(null),
    pong: () => {},
    ended: (end) => {
      ends.push(end)
      Deferred.doneUnsafe(ended, Effect.succeed(end))
    }
  }
  return { listener, ends, texts, opened: Deferred.await(opened), ended: Deferred.await(ended) }
})

const open = (url: string, listener: FeedListener) =>
  Effect.flatMap(SignalFeed, (feeds) => feeds.open({ url, frameBytesMax: 1_000 }, listener)).pipe(
    Effect.provide(signalFeedWs())
  )

/** Upgrades by hand and sends these bytes; ends nothing by itself, and reads on only when it is told to. */
const rawServer = (hex: string, reads = true) =>
  Effect.gen(function* () {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on("error", () => {})
      socket.once("data", (request) => {
        const key = /sec-websocket-key: (\S+)/i.exec(request.toString())?.[1] ?? ""
        const accept = createHash("sha1")
          .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
          .digest("base64")
        const head = [
          "HTTP/1.1 101 Hi",
          "upgrade: websocket",
          "connection: Upgrade",
          `sec-websocket-accept: ${accept}`
        ]
        socket.write(`${head.join("\r\n")}\r\n\r\n`)
        socket.write(Buffer.from(hex, "hex"))
        if (!reads) socket.pause()
      })
    })
    yield* Effect.acquireRelease(listening(server), () =>
      Effect.sync(() => {
        for (const socket of sockets) socket.destroy()
        server.close()
      })
    )
    return `ws://127.0.0.1:${portOf(server)}`
  })

const coded = (code: string): Error => Object.assign(new Error(code), { code })

describe("signal feed over ws", () => {
  it.each([
    ["ECONNREFUSED", false, "refused"],
    ["ENOTFOUND", false, "unresolved"],
    ["EAI_AGAIN", false, "unresolved"],
    ["ETIMEDOUT", false, "unreachable"],
    ["ENETUNREACH", true, "unreachable"],
    ["ECONNRESET", true, "broken"],
    ["EPIPE", true, "broken"],
    ["EPROTO", false, "tls"],
    ["CERT_HAS_EXPIRED", false, "tls"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", false, "tls"],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", false, "tls"],
    ["WS_ERR_INVALID_UTF8", true, "protocol"],
    ["WS_ERR_UNSUPPORTED_MESSAGE_LENGTH", true, "oversize"],
    ["HPE_INVALID_CONSTANT", false, "handshake"],
    ["WHATEVER", true, "broken"]
  ] as const)("an error %s (open: %s) is an end by %s", (code, isOpen, kind) => {
    assert.strictEqual(kindOfError(coded(code), isOpen), kind)
  })

  it.live("an address that makes no sense is an end, not an exception", () =>
    Effect.gen(function* () {
      const { ended, listener } = yield* makeListener
      yield* open("ws://127.0.0.1:99999999", listener)
      assert.strictEqual((yield* ended).kind, "handshake")
    })
  )

  it.live("a send that fails is an end, told once", () =>
    Effect.gen(function* () {
      const url = yield* rawServer("")
      const { ended, ends, listener } = yield* makeListener
      const connection = yield* open(url, listener)
      connection.send("too early")
      assert.strictEqual((yield* ended).kind, "send")
      connection.send("too late")
      yield* Effect.sleep(50)
      assert.strictEqual(ends.length, 1)
    })
  )

  it.live("text is taken from binary frames as well; what is not UTF-8 is no text", () =>
    Effect.gen(function* () {
      const frame = (opcode: number, bytes: Buffer) => Buffer.from([opcode, bytes.length, ...bytes])
      const url = yield* rawServer(
        Buffer.concat([
          frame(0x82, Buffer.from('{"n":"é"}')),
          frame(0x82, Buffer.from([0x22, 0xff, 0x22])),
          frame(0x81, Buffer.from("plain")),
          frame(0x82, Buffer.from([])),
          Buffer.from("880203e8", "hex")
        ]).toString("hex")
      )
      const { ended, listener, texts } = yield* makeListener
      yield* open(url, listener)
      assert.strictEqual((yield* ended).kind, "closed")
      assert.deepStrictEqual(texts, ['{"n":"é"}', null, "plain", ""])
    })
  )

  it.live("a peer that reads nothing of what is sent is an end, within the bound of what waits", () =>
    Effect.gen(function* () {
      const url = yield* rawServer("", false)
      const { ended, ends, listener, opened } = yield* makeListener
      const connection = yield* open(url, listener)
      yield* opened
      const part = "x".repeat(65_536)
      // What the kernel takes of it is its own; 64 MB are beyond every socket buffer.
      for (let sent = 0; sent < 1_000 && ends.length === 0; sent += 1) connection.send(part)
      const end = yield* ended
      assert.deepStrictEqual([end.kind, end.reason], ["send", "the peer does not read"])
    })
  )

  it.live("a peer that resets TCP breaks the connection, also when our own write hears of it first", () =>
    Effect.gen(function* () {
      const peer = yield* Deferred.make<Socket>()
      const handshakes = new WebSocketServer({ noServer: true })
      const server = createHttpServer()
      server.on("connection", (socket) => void Deferred.doneUnsafe(peer, Effect.succeed(socket)))
      server.on("upgrade", (request, socket, head) =>
        handshakes.handleUpgrade(request, socket, head, () => {})
      )
      yield* Effect.acquireRelease(listening(server), () => Effect.sync(() => server.close()))
      const { ended, ends, listener, opened } = yield* makeListener
      const connection = yield* open(`ws://127.0.0.1:${portOf(server)}`, listener)
      yield* opened
      const socket = yield* Deferred.await(peer)
      // In one turn of the loop, so that nothing of the reset can be read before the write meets it.
      socket.resetAndDestroy()
      for (let n = 0; n < 3; n += 1) connection.send("anybody there?")
      const end = yield* ended
      assert.deepStrictEqual([end.kind, end.code], ["broken", 1_006], end.reason)
      assert.match(end.reason, /^write E/)
      yield* Effect.sleep(20)
      assert.strictEqual(ends.length, 1)
    })
  )

  it.live("a peer that sends a close frame and keeps TCP open does not keep us", () =>
    Effect.gen(function* () {
      const url = yield* rawServer("880203e8")
      const { ended, listener } = yield* makeListener
      const tookMs = stopwatch()
      yield* open(url, listener)
      const end = yield* ended
      assert.deepStrictEqual([end.kind, end.code], ["closed", 1_000])
      assert.isBelow(tookMs(), feedLimits.closeMsMax + 3_000)
    })
  )

  it.live("leaving sends a close frame with 1000, and nothing is reported afterwards", () =>
    Effect.gen(function* () {
      const heard = yield* Deferred.make<number>()
      const server = new WebSocketServer({ host: "127.0.0.1", port: 0 })
      yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
      yield* Effect.promise(
        () => new Promise<void>((settle) => void server.once("listening", () => settle()))
      )
      server.on("connection", (socket) =>
        socket.on("close", (code) => Deferred.doneUnsafe(heard, Effect.succeed(code)))
      )
      const { ends, listener, opened } = yield* makeListener
      const scope = yield* Scope.make()
      yield* Scope.provide(open(`ws://127.0.0.1:${portOf(server)}`, listener), scope)
      yield* opened
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* Deferred.await(heard), 1_000)
      assert.deepStrictEqual(ends, [])
    })
  )
})
