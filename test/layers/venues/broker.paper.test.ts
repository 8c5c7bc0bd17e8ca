import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { type WebSocket, WebSocketServer } from "ws"
import { brokerLimits } from "../../../src/layers/venues/broker-limits.ts"
import { makePaperConnection } from "../../../src/layers/venues/broker.paper.ts"
import type { BrokerEvent } from "../../../src/layers/venues/broker.port.ts"
import { marketOrder } from "../../contracts/broker.contract.ts"

/** A venue that answers every request, and greets every stream, with what a test says. */
const scripted = (script: {
  readonly http?: (request: IncomingMessage, response: ServerResponse) => void
  readonly stream?: (socket: WebSocket) => void
  readonly autoPong?: boolean
}) =>
  Effect.gen(function* () {
    const server = createServer((request, response) => script.http?.(request, response))
    const streams = new WebSocketServer({ server, autoPong: script.autoPong ?? true })
    streams.on("connection", (socket) => {
      socket.on("error", () => {})
      script.stream?.(socket)
    })
    yield* Effect.acquireRelease(
      Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
      () =>
        Effect.sync(() => {
          for (const client of streams.clients) client.terminate()
          server.close()
          server.closeAllConnections()
        })
    )
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return yield* connection(() => url)
  })

const connection = (address: () => string | null) =>
  makePaperConnection({ name: "paper", venue: "paper", rule: "U", propagationMs: 0, address })

const answering = (status: number, text: string) =>
  scripted({ http: (_request, response) => void response.writeHead(status).end(text) })

const order = (over: object = {}) => ({
  id: "v1",
  client_order_id: "c1",
  account: "paper-1",
  symbol: "SPY",
  side: "buy",
  type: "market",
  quantity: "2",
  limit_price: null,
  stop_price: null,
  time_in_force: "gtc",
  status: "open",
  filled_quantity: "0",
  average_price: null,
  created_at: "2026-01-02T03:04:05.678Z",
  updated_at: "2026-01-02T03:04:05.678Z",
  ...over
})

describe("paper adapter: what an answer to a create means", () => {
  const unknowns: ReadonlyArray<readonly [what: string, status: number, text: string]> = [
    ["500", 500, '{"code":"internal_error","message":"x"}'],
    ["503", 503, '{"code":"database_away","message":"x"}'],
    ["200 with HTML", 200, "<html>"],
    ["200 with an empty body", 200, ""],
    ["201 with a field missing", 201, JSON.stringify({ ...order(), status: undefined })],
    ["201 with a status nobody knows", 201, JSON.stringify(order({ status: "teleported" }))],
    ["201 with another client order id", 201, JSON.stringify(order({ client_order_id: "c2" }))],
    ["201 for another account", 201, JSON.stringify(order({ account: "paper-2" }))],
    ["a 4xx with a code that is not documented", 422, '{"code":"brand_new","message":"x"}'],
    ["a 4xx of a proxy", 403, "<html>forbidden</html>"],
    ["429 without a documented code", 429, "slow down"],
    ["a redirect", 302, ""]
  ]
  for (const [what, status, text] of unknowns) {
    it.live(`${what} is an unknown outcome`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip((yield* answering(status, text)).create(marketOrder()))
        assert.strictEqual(error._tag, "BrokerOutcomeUnknown")
      })
    )
  }

  it.live("a documented 4xx is a refusal with its code and message", () =>
    Effect.gen(function* () {
      const venue = yield* answering(403, '{"code":"insufficient_funds","message":"needs 5, has 1"}')
      assert.deepInclude(yield* Effect.flip(venue.create(marketOrder())), {
        _tag: "BrokerRefused",
        code: "insufficient_funds",
        message: "needs 5, has 1",
        duplicate: false
      })
    })
  )

  it.live("a venue that is not up was sent nothing, and reads say that they are unavailable", () =>
    Effect.gen(function* () {
      const venue = yield* connection(() => null)
      assert.deepInclude(yield* Effect.flip(venue.create(marketOrder())), {
        _tag: "BrokerNotSent",
        reason: "the venue is not up"
      })
      assert.strictEqual((yield* Effect.flip(venue.positions("paper-1")))._tag, "BrokerUnavailable")
      assert.strictEqual((yield* Effect.flip(venue.cancel("paper-1", "v1")))._tag, "BrokerNotSent")
    })
  )

  it.effect("a stream waits for its venue as part of connecting, and says when it did not come", () =>
    Effect.gen(function* () {
      let address: string | null = null
      const venue = yield* connection(() => address)
      const stream = Effect.flip(Effect.scoped(venue.stream(() => Effect.void)))
      const fiber = yield* Effect.forkChild(stream, { startImmediately: true })
      yield* TestClock.adjust(brokerLimits.streamConnectMsMax)
      const ended = yield* Fiber.join(fiber)
      assert.deepStrictEqual([ended.code, ended.reason], [null, "the venue is not up"])
      const again = yield* Effect.forkChild(stream, { startImmediately: true })
      yield* TestClock.adjust("1 second")
      // Nobody listens there: it is the connection that fails now, and not the wait.
      address = "http://127.0.0.1:1"
      yield* TestClock.adjust("50 millis")
      assert.match((yield* Fiber.join(again)).reason, /ECONNREFUSED/)
    })
  )

  it.live("the request carries the whole order once, as JSON", () =>
    Effect.gen(function* () {
      const bodies: Array<string> = []
      const venue = yield* scripted({
        http: (request, response) => {
          let body = ""
          request.on("data", (chunk: Buffer) => (body += chunk.toString()))
          request.on("end", () => {
            bodies.push(`${request.method} ${request.url} ${body}`)
            response.writeHead(201).end(JSON.stringify(order({ type: "limit", limit_price: "1.5" })))
          })
        }
      })
      const placed = yield* venue.create(marketOrder({ type: "limit", limitPrice: "1.5" }))
      assert.deepStrictEqual(placed.createdAt, new Date("2026-01-02T03:04:05.678Z"))
      assert.strictEqual(bodies.length, 1)
      assert.deepStrictEqual(JSON.parse(bodies[0]?.replace("POST /orders ", "") ?? ""), {
        client_order_id: "c1",
        account: "paper-1",
        symbol: "SPY",
        side: "buy",
        type: "limit",
        quantity: "2",
        limit_price: "1.5",
        stop_price: null,
        time_in_force: "gtc"
      })
    })
  )

  it.live("a look-up follows all pages, and a refusal of a look-up finds nothing out", () =>
    Effect.gen(function* () {
      const pages: Record<string, object> = {
        "/orders?account=paper-1&status=open": { orders: [order({ id: "v1" })], next: "7" },
        "/orders?account=paper-1&status=open&after=7": { orders: [order({ id: "v2" })], next: null }
      }
      const venue = yield* scripted({
        http: ({ url }, response) => {
          const page = pages[url ?? ""]
          response
            .writeHead(page === undefined ? 404 : 200)
            .end(JSON.stringify(page ?? { code: "no", message: "no" }))
        }
      })
      const open = yield* venue.openOrders("paper-1")
      assert.deepStrictEqual(
        open.map((o) => o.venueOrderId),
        ["v1", "v2"]
      )
      const error = yield* Effect.flip(venue.openOrders("paper-2"))
      assert.deepInclude(error, { _tag: "BrokerUnavailable", operation: "openOrders" })
    })
  )
})

/** Lets the event loop go round until something was seen, and a little longer, so that its answer can arrive. */
const turnsUntil = (seen: () => boolean) =>
  Effect.promise(async () => {
    for (let turn = 0, after = 0; turn < 1_000 && after < 20; turn++) {
      if (seen()) after += 1
      await new Promise<void>((resolve) => {
        setImmediate(resolve)
      })
    }
  })

const hello = JSON.stringify({ type: "hello", n: 1, last_sequence: null })

/** How the stream ends when a venue says these messages and nothing else. */
const endOf = (messages: ReadonlyArray<string | Buffer>) =>
  Effect.gen(function* () {
    const venue = yield* scripted({ stream: (socket) => messages.forEach((message) => socket.send(message)) })
    return yield* Effect.flip(Effect.scoped(venue.stream(() => Effect.void)))
  })

describe("paper adapter: how a stream ends", () => {
  it.live("a message nobody can read ends it", () =>
    Effect.gen(function* () {
      assert.match((yield* endOf([hello, "not json"])).reason, /not of this protocol/)
      assert.match((yield* endOf([hello, Buffer.from([1, 2])])).reason, /not of this protocol/)
    })
  )

  it.live("a lost message ends it", () =>
    Effect.gen(function* () {
      const late = JSON.stringify({ type: "order", n: 3, order: order() })
      assert.strictEqual((yield* endOf([hello, late])).reason, "message 3 came where 2 was due")
    })
  )

  it.live("a venue that does not greet first is not believed", () =>
    Effect.gen(function* () {
      const first = JSON.stringify({ type: "order", n: 1, order: order() })
      assert.strictEqual((yield* endOf([first])).reason, "the first message was not the hello")
    })
  )

  it.live("a refused handshake says the status", () =>
    Effect.gen(function* () {
      const server = createServer()
      server.on("upgrade", (_request, socket) => socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n"))
      yield* Effect.acquireRelease(
        Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
        () => Effect.sync(() => server.close())
      )
      const venue = yield* connection(() => `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
      const ended = yield* Effect.flip(Effect.scoped(venue.stream(() => Effect.void)))
      assert.isNull(ended.code)
      assert.match(ended.reason, /401/)
    })
  )

  it.effect("no hello within the deadlines ends it", () =>
    Effect.gen(function* () {
      const connected = yield* Deferred.make<void>()
      const venue = yield* scripted({ stream: () => Effect.runFork(Deferred.succeed(connected, undefined)) })
      const fiber = yield* Effect.forkChild(Effect.flip(Effect.scoped(venue.stream(() => Effect.void))), {
        startImmediately: true
      })
      yield* Deferred.await(connected)
      yield* TestClock.adjust(brokerLimits.streamConnectMsMax + brokerLimits.streamHelloMsMax)
      assert.match((yield* Fiber.join(fiber)).reason, /no hello/)
    })
  )

  for (const [peer, autoPong] of [
    ["a peer that answers pings", true],
    ["a half-open connection", false]
  ] as const) {
    it.effect(`${peer} is ${autoPong ? "kept" : "given up when the pong is late"}`, () =>
      Effect.gen(function* () {
        const greeted = yield* Deferred.make<void>()
        let pings = 0
        const venue = yield* scripted({
          autoPong,
          stream: (socket) => {
            socket.on("ping", () => void (pings += 1))
            socket.send(hello)
          }
        })
        const onEvent = (_event: BrokerEvent) => Effect.asVoid(Deferred.succeed(greeted, undefined))
        const fiber = yield* Effect.forkChild(Effect.flip(Effect.scoped(venue.stream(onEvent))), {
          startImmediately: true
        })
        yield* Deferred.await(greeted)
        for (let round = 0; round < 3 && fiber.pollUnsafe() === undefined; round++) {
          yield* TestClock.adjust(brokerLimits.pingEveryMs)
          // The ping crosses a real socket; only the waiting is virtual.
          yield* turnsUntil(() => pings > round)
          if (!autoPong) yield* TestClock.adjust(brokerLimits.pongMsMax)
        }
        if (autoPong) {
          assert.isUndefined(fiber.pollUnsafe())
          yield* Fiber.interrupt(fiber)
        } else {
          assert.match((yield* Fiber.join(fiber)).reason, /no pong within/)
        }
      })
    )
  }
})
