import { Agent } from "node:http"
import { type AddressInfo, createServer, type Server } from "node:net"
import { Effect, Exit, Layer, Scope } from "effect"
import { afterEach, assert, describe, it } from "vitest"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { HttpFront, type HttpFrontService } from "../../../src/layers/api/http.front.ts"
import { answerJson } from "../../../src/layers/api/http.exchange.ts"
import { bindErrorOf, HttpListenerNode } from "../../../src/layers/api/http.node.ts"
import { listenerLimits } from "../../../src/layers/platform/http-limits.ts"
import { HttpListener } from "../../../src/layers/api/http-listener.port.ts"
import { alert, serverOn, settingsFor, startWorld, until, type World } from "./http-world.ts"
import { layerEntropy } from "../../support/entropy.ts"
import { stopwatch } from "../../support/stopwatch.ts"

const bindWith = (
  environment: Record<string, string>,
  handle: HttpFrontService["handle"] = () => undefined
) =>
  Effect.gen(function* () {
    const listener = yield* HttpListener
    return yield* listener.bind
  }).pipe(
    Effect.provide(
      HttpListenerNode.pipe(
        Layer.provide(
          Layer.mergeAll(
            Layer.succeed(Config, settingsFor(environment)),
            Layer.succeed(HttpFront, { handle, endStreams: () => undefined }),
            layerEntropy
          )
        )
      )
    )
  )

describe("binding", () => {
  it("names a port that another process holds, with a hint", async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve))
    const { port } = other.address() as AddressInfo
    const error = await Effect.runPromise(Effect.flip(Effect.scoped(bindWith({ PORT: String(port) }))))
    assert.strictEqual(error._tag, "PortInUse")
    assert.strictEqual(error.port, port)
    assert.include(error.hint, String(port))
    assert.include(error.message, `127.0.0.1:${port}`)
    await new Promise((resolve) => other.close(resolve))
  })

  it.each([
    ["EADDRINUSE", "PortInUse"],
    ["EACCES", "PortForbidden"],
    ["EADDRNOTAVAIL", "AddressUnavailable"],
    ["ENOTFOUND", "AddressUnavailable"],
    ["EMFILE", "ListenFailed"]
  ])("calls %s %s", (code, tag) => {
    const error = bindErrorOf("127.0.0.1", 80, Object.assign(new Error(code), { code }))
    assert.strictEqual(error._tag, tag)
    assert.isNotEmpty(error.hint)
  })

  it("gives the address back when its scope ends, and can take it again", async () => {
    const scope = Scope.makeUnsafe()
    const first = await Effect.runPromise(Scope.provide(bindWith({}), scope))
    await Effect.runPromise(Scope.close(scope, Exit.void))
    const second = await Effect.runPromise(Effect.scoped(bindWith({ PORT: String(first.port) })))
    assert.strictEqual(second.port, first.port)
  })
})

describe("a listening socket", () => {
  let world: World
  afterEach(() => world.dispose())

  it.each([
    ["a broken request line", "GARBAGE\r\n\r\n", 400],
    ["a bad length", "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 5x\r\n\r\n", 400],
    [
      "two lengths",
      "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
      400
    ],
    [
      "a length and chunks",
      "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      400
    ],
    ["no Host", "GET /health HTTP/1.1\r\n\r\n", 400],
    [
      "headers beyond the limit",
      `GET /health HTTP/1.1\r\nHost: x\r\nx-y: ${"y".repeat(listenerLimits.headerBytesMax)}\r\n\r\n`,
      431
    ],
    [
      "an unknown expectation",
      "POST /webhook HTTP/1.1\r\nHost: x\r\nExpect: cake\r\nContent-Length: 0\r\n\r\n",
      417
    ]
  ])("answers %s with a status and a request id", async (_what, bytes, status) => {
    world = await startWorld()
    const answer = await world.raw(bytes)
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `))
    assert.match(answer, /x-request-id: [0-9a-f-]{36}/)
    assert.strictEqual((await world.post(alert())).status, 201)
  })

  it("answers CONNECT with a status and the request id, and closes", async () => {
    world = await startWorld()
    const answer = await world.raw(
      "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\nx-request-id: mine-1\r\n\r\n"
    )
    assert.match(answer, /^HTTP\/1\.1 501 Not Implemented\r\n/)
    assert.match(answer, /\r\nx-request-id: mine-1\r\n/)
    assert.match(answer, /\r\nconnection: close\r\n/)
    assert.match(answer, /"status":"NOT_IMPLEMENTED","request_id":"mine-1"/)
    assert.match(await world.raw("CONNECT x:1 HTTP/1.1\r\n\r\n"), /x-request-id: [0-9a-f-]{36}/)
    await until("its end", () => world.socket.load().connections === 0)
    assert.strictEqual((await world.post(alert())).status, 201)
  })

  it("takes a target that names scheme and host, as a proxy sends it", async () => {
    world = await startWorld()
    const ask = (line: string, more = "", body = "") =>
      world.raw(`${line} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n${more}\r\n${body}`)
    const body = JSON.stringify(alert())
    const length = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`
    assert.match(await ask("POST http://localhost:5003/webhook/default", length, body), /^HTTP\/1\.1 201 /)
    for (const target of [
      "http://localhost:5003/health/live",
      "HTTP://localhost/health/live",
      "https://h/version?x=1"
    ]) {
      assert.match(await ask(`GET ${target}`), /^HTTP\/1\.1 200 /, target)
    }
    for (const target of ["http://localhost:5003", "http://localhost?x=1"]) {
      assert.match(await ask(`GET ${target}`), /^HTTP\/1\.1 302 /, target)
    }
    assert.match(await ask("GET http://localhost/health/nope"), /^HTTP\/1\.1 404 /)
    // The host of the target counts and not the header: a foreign name is still no caller of this machine.
    assert.match(await ask("GET http://localhost/api/v1/actors"), /^HTTP\/1\.1 200 /)
    assert.match(await ask("GET http://evil.example/api/v1/actors"), /^HTTP\/1\.1 401 /)
    assert.match(await world.raw("GET http://localhost/version HTTP/1.1\r\n\r\n"), /^HTTP\/1\.1 400 /)
  })

  it("answers a body that ends too early with 400, when the sender still listens", async () => {
    world = await startWorld()
    const answer = await world.raw(
      "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{",
      1_500,
      true
    )
    assert.match(answer, /^HTTP\/1\.1 400 /)
    assert.lengthOf(world.store.rows(), 0)
  })

  it(
    "cuts a sender that never ends its headers",
    async () => {
      world = await startWorld()
      const tookMs = stopwatch()
      const answer = await world.raw(
        "GET /health HTTP/1.1\r\nHost: x\r\nx-slow: ",
        listenerLimits.headersMs + 30_000
      )
      assert.match(answer, /^HTTP\/1\.1 408 /)
      assert.isBelow(tookMs(), listenerLimits.headersMs + 2 * listenerLimits.checkMs + 500)
    },
    listenerLimits.headersMs + 60_000
  )

  it("counts connections and exchanges", async () => {
    world = await startWorld()
    const client = await world.open()
    await until("the connection", () => world.socket.load().connections === 1)
    client.destroy()
    await until("its end", () => world.socket.load().connections === 0)
    assert.strictEqual(world.socket.load().exchanges, 0)
  })
})

describe("closing", () => {
  let world: World
  afterEach(() => world.dispose())

  it("is not held by idle keep-alive connections", async () => {
    world = await startWorld()
    const agent = new Agent({ keepAlive: true })
    await world.send("GET", "/health", { agent })
    const before = performance.now()
    const closed = await Effect.runPromise(world.socket.close(30_000))
    assert.deepStrictEqual(closed, { finished: 0, cut: 0 })
    assert.isBelow(performance.now() - before, 15_000)
    agent.destroy()
  })

  it("lets an answer under way finish, and closes its keep-alive connection then", async () => {
    let release = (): void => undefined
    const gate = new Promise<void>((resolve) => (release = resolve))
    world = await startWorld({
      store: (memory) => ({
        available: memory.available,
        store: (rows) =>
          Effect.andThen(
            Effect.promise(() => gate),
            memory.store(rows)
          )
      })
    })
    const agent = new Agent({ keepAlive: true })
    const answer = world.send("POST", "/webhook", {
      agent,
      body: JSON.stringify(alert()),
      headers: { "content-type": "application/json" }
    })
    await until("the post to wait", () => world.queue.depth() === 1)
    const before = performance.now()
    const closing = Effect.runPromise(world.socket.close(30_000))
    release()
    assert.strictEqual((await answer).status, 201)
    assert.deepStrictEqual(await closing, { finished: 1, cut: 0 })
    assert.isBelow(performance.now() - before, 15_000)
    agent.destroy()
  })

  it("cuts what is not finished within its grace", async () => {
    world = await startWorld({
      store: (memory) => ({ available: memory.available, store: () => Effect.never })
    })
    const answer = world.post(alert()).then(
      () => "answered",
      () => "cut"
    )
    await until("the post to wait", () => world.queue.depth() === 1)
    assert.deepStrictEqual(await Effect.runPromise(world.socket.close(100)), { finished: 0, cut: 1 })
    assert.strictEqual(await answer, "cut")
  })
})

describe("a socket that ends unasked", () => {
  it.each([
    [
      "an error",
      (server: Server) => server.emit("error", new Error("out of descriptors")),
      "out of descriptors"
    ],
    ["a close", (server: Server) => server.close(), "the server closed"]
  ])("by %s fails `lost` with its cause", async (_what, breakIt, message) => {
    const program = Effect.gen(function* () {
      const bound = yield* bindWith({}, (exchange) => answerJson(exchange, 200, {}))
      const quiet = yield* Effect.flip(bound.lost.pipe(Effect.timeout(50)))
      assert.strictEqual(quiet._tag, "TimeoutError")
      breakIt(serverOn(bound.port))
      return yield* Effect.flip(bound.lost)
    })
    const lost = await Effect.runPromise(Effect.scoped(program))
    assert.include(lost.message, message)
  })

  it("says nothing when it was asked to close", async () => {
    const program = Effect.gen(function* () {
      const bound = yield* bindWith({})
      yield* bound.close(100)
      return yield* Effect.flip(bound.lost.pipe(Effect.timeout(50)))
    })
    assert.strictEqual((await Effect.runPromise(Effect.scoped(program)))._tag, "TimeoutError")
  })
})
