import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { createServer, type Server, type Socket } from "node:net"
import type { AddressInfo } from "node:net"
import { brokerLimits } from "../../../src/layers/venues/broker-limits.ts"
import { type ExchangeRequest, makeExchange } from "../../../src/layers/venues/broker.exchange.ts"

/** A TCP server that does what a test says with the bytes of a connection; counts connections and requests. */
const peer = (onRequest: (socket: Socket, requestNumber: number) => void) =>
  Effect.gen(function* () {
    const seen = { connections: 0, requests: 0 }
    const sockets = new Set<Socket>()
    const first = yield* Deferred.make<void>()
    const server: Server = createServer((socket) => {
      seen.connections += 1
      sockets.add(socket)
      socket.on("error", () => {})
      socket.on("data", (bytes) => {
        if (!/^(GET|POST|DELETE) /.test(bytes.toString())) return
        seen.requests += 1
        Effect.runFork(Deferred.succeed(first, undefined))
        onRequest(socket, seen.requests)
      })
    })
    yield* Effect.acquireRelease(
      Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
      () =>
        Effect.sync(() => {
          for (const socket of sockets) socket.destroy()
          server.close()
        })
    )
    const port = (server.address() as AddressInfo).port
    return {
      seen,
      url: new URL(`http://127.0.0.1:${port}/orders`),
      requested: Deferred.await(first),
      sockets
    }
  })

const answer = (text: string, extra = "") =>
  `HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(text)}\r\n${extra}\r\n${text}`

const post = (url: URL, over: Partial<ExchangeRequest> = {}): ExchangeRequest => ({
  method: "POST",
  url,
  body: '{"a":1}',
  deadlineMs: 5_000,
  permit: () => true,
  ...over
})

describe("exchange with a venue", () => {
  it.live("an answer is its status and its text", () =>
    Effect.gen(function* () {
      const { url, seen } = yield* peer((socket) => socket.write(answer('{"ok":true}')))
      const exchange = yield* makeExchange
      assert.deepStrictEqual(yield* exchange(post(url)), { status: 200, text: '{"ok":true}' })
      assert.deepStrictEqual(yield* exchange(post(url)), { status: 200, text: '{"ok":true}' })
      assert.deepStrictEqual(seen, { connections: 1, requests: 2 })
    })
  )

  it.live("a refused connection sent nothing", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { url } = yield* Scope.provide(
        peer(() => {}),
        scope
      )
      yield* Scope.close(scope, yield* Effect.exit(Effect.void))
      const failed = yield* Effect.flip((yield* makeExchange)(post(url)))
      assert.deepStrictEqual([failed.sent, failed.reason], [false, "ECONNREFUSED"])
    })
  )

  it.live("a withdrawn permit sends nothing, although the connection stands", () =>
    Effect.gen(function* () {
      const { url, seen } = yield* peer((socket) => socket.write(answer("{}")))
      const exchange = yield* makeExchange
      let asked = 0
      const permit = () => (asked += 1) > 1
      const failed = yield* Effect.flip(exchange(post(url, { permit })))
      assert.deepStrictEqual([failed.sent, failed.reason], [false, "the permit to send is gone"])
      assert.deepStrictEqual(seen, { connections: 1, requests: 0 })
      yield* exchange(post(url, { permit }))
      assert.strictEqual(seen.requests, 1)
    })
  )

  it.live("a connection cut after the request was written may have been acted on, and is not retried", () =>
    Effect.gen(function* () {
      const { url, seen } = yield* peer((socket) => socket.destroy())
      const failed = yield* Effect.flip((yield* makeExchange)(post(url)))
      assert.isTrue(failed.sent)
      assert.strictEqual(seen.requests, 1)
    })
  )

  it.live("a kept connection that the venue drops on the next request is not tried again either", () =>
    Effect.gen(function* () {
      const { url, seen } = yield* peer((socket, n) =>
        n === 1 ? socket.write(answer("{}")) : socket.destroy()
      )
      const exchange = yield* makeExchange
      yield* exchange(post(url))
      const failed = yield* Effect.flip(exchange(post(url)))
      assert.isTrue(failed.sent)
      assert.deepStrictEqual(seen, { connections: 1, requests: 2 })
    })
  )

  it.live("half an answer is no answer", () =>
    Effect.gen(function* () {
      const { url } = yield* peer((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"))
      const failed = yield* Effect.flip((yield* makeExchange)(post(url)))
      assert.isTrue(failed.sent)
      assert.match(failed.reason, /cut off|closed before/)
    })
  )

  it.live("bytes that are not HTTP are no answer", () =>
    Effect.gen(function* () {
      const { url } = yield* peer((socket) => socket.end("220 smtp ready\r\n"))
      assert.isTrue((yield* Effect.flip((yield* makeExchange)(post(url)))).sent)
    })
  )

  it.live("a redirect is an answer and is not followed", () =>
    Effect.gen(function* () {
      const { url, seen } = yield* peer((socket) =>
        socket.write("HTTP/1.1 307 Temporary Redirect\r\nlocation: /orders\r\ncontent-length: 0\r\n\r\n")
      )
      assert.strictEqual((yield* (yield* makeExchange)(post(url))).status, 307)
      assert.strictEqual(seen.requests, 1)
    })
  )

  it.live("an endless answer is cut at its bound", () =>
    Effect.gen(function* () {
      const { url } = yield* peer((socket) => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n")
        const block = Buffer.alloc(1_048_576, "x")
        for (let i = 0; i <= brokerLimits.answerBytesMax / block.length; i++) socket.write(block)
      })
      const failed = yield* Effect.flip((yield* makeExchange)(post(url)))
      assert.match(failed.reason, /longer than/)
    })
  )

  it.effect("silence ends exactly at the deadline, as sent", () =>
    Effect.gen(function* () {
      const { url, requested } = yield* peer(() => {})
      const exchange = yield* makeExchange
      const fiber = yield* Effect.forkChild(Effect.flip(exchange(post(url))), { startImmediately: true })
      yield* requested
      yield* TestClock.adjust(4_999)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      const failed = yield* Fiber.join(fiber)
      assert.deepStrictEqual([failed.sent, failed.reason], [true, "no answer within 5000 ms"])
    })
  )

  it.live("an interrupted exchange closes its connection", () =>
    Effect.gen(function* () {
      const { url, requested, sockets } = yield* peer(() => {})
      const fiber = yield* Effect.forkChild((yield* makeExchange)(post(url)), { startImmediately: true })
      yield* requested
      const closed = Effect.callback<void>((resume) => {
        for (const socket of sockets) socket.once("close", () => resume(Effect.void))
      })
      const waiting = yield* Effect.forkChild(closed, { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      yield* Fiber.join(waiting).pipe(Effect.timeout("5 seconds"))
    })
  )
})
