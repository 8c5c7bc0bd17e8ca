/**
 * HttpListener on `node:http`, with every default replaced that lets a client hold a connection forever.
 *
 * node:http and not a framework: the intake needs raw bytes, its own limits and no fiber per request, and was
 * measured at twice the throughput of that framework's router.
 *
 * Promises: bad HTTP (broken request line, headers too large or too slow, truncated body) is answered with a status
 * and a request id where the socket still takes one; keep-alive connections never hold up `close`; an error of the
 * socket after binding fails `lost`.
 * Never: does I/O before `bind` runs; reads a body.
 * Failure: bind errors by errno as in `http-listener.port.ts`; anything unknown is `ListenFailed` with its cause.
 */
import { errorCodeOf } from "../platform/error-code.ts"
import { createServer, type IncomingMessage, type Server, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { Deferred, Effect, FiberSet, Layer } from "effect"
import { Config } from "../platform/config.port.ts"
import { Entropy } from "../platform/entropy.port.ts"
import {
  answerJson,
  openExchange,
  refuse,
  refusalWords,
  type RefusalStatus,
  requestIdOf
} from "./http.exchange.ts"
import { type Handling, HttpFront, type HttpFrontService } from "./http.front.ts"
import { listenerLimits } from "../platform/http-limits.ts"
import {
  AddressUnavailable,
  type BindError,
  type BoundListener,
  HttpListener,
  type ListenerClosed,
  ListenerLost,
  ListenFailed,
  PortForbidden,
  PortInUse
} from "./http-listener.port.ts"

/** Names the failure of `listen` by its errno. */
export const bindErrorOf = (host: string, port: number, cause: unknown): BindError => {
  const code = errorCodeOf(cause)
  switch (code) {
    case "EADDRINUSE":
      return new PortInUse({
        host,
        port,
        cause,
        hint: `another process listens on port ${port}: stop it (ss -ltnp 'sport = :${port}' names it) or set PORT`
      })
    case "EACCES":
    case "EPERM":
      return new PortForbidden({
        host,
        port,
        cause,
        hint: `this user may not bind port ${port}: set PORT to 1024 or above, or grant CAP_NET_BIND_SERVICE`
      })
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EINVAL":
      return new AddressUnavailable({
        host,
        port,
        cause,
        hint: `${host} is not an address of this machine: set HOST to 127.0.0.1, 0.0.0.0 or one of its own`
      })
    default:
      return new ListenFailed({
        host,
        port,
        cause,
        hint: "see the cause; HOST and PORT set where the service listens"
      })
  }
}

/** The response to a broken request, by the error of the parser. */
const refusalOf = (error: Error): RefusalStatus => {
  switch (errorCodeOf(error)) {
    case "HPE_HEADER_OVERFLOW":
      return 431
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return 408
    default:
      return 400
  }
}

const reasonPhrases: Partial<Record<RefusalStatus, string>> = {
  400: "Bad Request",
  408: "Request Timeout",
  431: "Request Header Fields Too Large",
  501: "Not Implemented"
}

/** Answers on the bare socket where there is no response object, and closes it. */
const answerBare = (
  socket: Duplex,
  status: RefusalStatus,
  requestId: string,
  more: Record<string, unknown> = {}
): void => {
  const body = `${JSON.stringify({ status: refusalWords[status], ...more, request_id: requestId })}\n`
  socket.end(
    `HTTP/1.1 ${status} ${reasonPhrases[status] ?? "Bad Request"}\r\nx-request-id: ${requestId}\r\ncontent-type: application/json; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy()
  )
}

/** CONNECT asks for a tunnel, which only a proxy offers. Node hands over the bare socket with it. */
const answerConnect = (request: IncomingMessage, socket: Duplex, freshId: () => string): void => {
  // No one else is listening now, and an error without a listener would end the process.
  socket.on("error", () => socket.destroy())
  answerBare(socket, 501, requestIdOf(request.headers["x-request-id"], freshId))
}

/** Answers a request that the parser gave up before there was a response object. */
const answerBroken = (error: Error, socket: Duplex, freshId: () => string): void => {
  // A peer that reset the connection reads nothing; writing would only raise a second error.
  if (!socket.writable || errorCodeOf(error) === "ECONNRESET") {
    socket.destroy()
    return
  }
  answerBare(socket, refusalOf(error), freshId(), {
    errors: [{ path: "", message: "not a valid HTTP request" }]
  })
}

interface Traffic {
  exchanges: number
  finished: number
}

/** How effects of an exchange are run, and how many are in progress. */
type Fibers = Pick<Handling, "run" | "running">

const serve = (
  server: Server,
  front: HttpFrontService,
  traffic: Traffic,
  fibers: Fibers,
  freshId: () => string,
  expectsContinue: boolean
) => {
  const handling: Handling = { ...fibers, expectsContinue }
  return (request: IncomingMessage, response: ServerResponse): void => {
    traffic.exchanges += 1
    response.once("close", () => {
      traffic.exchanges -= 1
      traffic.finished += 1
      // A response that ends while the listener closes leaves an idle connection, which nothing else would close.
      if (!server.listening) setImmediate(() => server.closeIdleConnections())
    })
    const hasHost = request.headers.host !== undefined
    const exchange = openExchange(request, response, freshId)
    // Node would answer a missing Host itself, without a request id; so that check is off there and done here.
    if (!hasHost && request.httpVersion === "1.1") {
      refuse(
        exchange,
        400,
        { errors: [{ path: "host", message: "the Host header is required" }] },
        { connection: "close" }
      )
      return
    }
    front.handle(exchange, handling)
  }
}

/** The one path that is another protocol. Whatever else asks for one is answered as if it had not. */
const wantsWebSocket = ({ headers, method, url = "" }: IncomingMessage): boolean =>
  method === "GET" &&
  headers.upgrade?.toLowerCase() === "websocket" &&
  /^(?:https?:\/\/[^/?#]+)?\/api\/v1\/live\/?(?:\?|$)/i.test(url)

/** A request for another protocol, with a response for the case that it is refused. */
const serveUpgrade =
  (front: HttpFrontService, traffic: Traffic, fibers: Fibers, freshId: () => string) =>
  (request: IncomingMessage, socket: Socket, head: Buffer): void => {
    // Node has given the socket away: nobody else listens for its errors, or keeps its time.
    socket.on("error", () => socket.destroy())
    socket.setTimeout(0)
    traffic.exchanges += 1
    socket.once("close", () => {
      traffic.exchanges -= 1
      traffic.finished += 1
    })
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(socket)
    response.once("finish", () => socket.destroySoon())
    const exchange = openExchange(request, response, freshId, { socket, head })
    front.handle(exchange, { ...fibers, expectsContinue: false })
  }

const makeServer = (
  front: HttpFrontService,
  traffic: Traffic,
  fibers: Fibers,
  freshId: () => string
): Server => {
  const server = createServer({
    headersTimeout: listenerLimits.headersMs,
    requestTimeout: listenerLimits.requestMs,
    connectionsCheckingInterval: listenerLimits.checkMs,
    keepAliveTimeout: listenerLimits.keepAliveMs,
    maxHeaderSize: listenerLimits.headerBytesMax,
    requireHostHeader: false,
    shouldUpgradeCallback: wantsWebSocket,
    noDelay: true
  })
  server.maxConnections = listenerLimits.connectionsMax
  server.maxHeadersCount = listenerLimits.headersMax
  server.timeout = listenerLimits.inactivityMs
  server.on("request", serve(server, front, traffic, fibers, freshId, false))
  server.on("checkContinue", serve(server, front, traffic, fibers, freshId, true))
  server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
    answerJson(
      openExchange(request, response, freshId),
      417,
      { status: refusalWords[417] },
      { connection: "close" }
    )
  })
  server.on("upgrade", serveUpgrade(front, traffic, fibers, freshId))
  server.on("connect", (request: IncomingMessage, socket) => answerConnect(request, socket, freshId))
  server.on("clientError", (error: Error, socket) => answerBroken(error, socket, freshId))
  return server
}

const listen = (server: Server, host: string, port: number): Effect.Effect<number, BindError> =>
  Effect.callback<number, BindError>((resume) => {
    const failed = (cause: Error) => {
      server.removeListener("listening", bound)
      resume(Effect.fail(bindErrorOf(host, port, cause)))
    }
    const bound = () => {
      server.removeListener("error", failed)
      const address = server.address()
      resume(Effect.succeed(address !== null && typeof address === "object" ? address.port : port))
    }
    server.once("error", failed)
    server.once("listening", bound)
    try {
      server.listen({ host, port })
    } catch (cause) {
      // Thrown for arguments, before any system call; distinguished by its code like the rest.
      resume(Effect.fail(bindErrorOf(host, port, cause)))
    }
    return Effect.sync(() => {
      server.removeListener("error", failed)
      server.removeListener("listening", bound)
    })
  }).pipe(
    Effect.timeoutOrElse({
      duration: listenerLimits.bindMs,
      orElse: () =>
        Effect.fail(
          new ListenFailed({
            host,
            port,
            cause: `no answer within ${listenerLimits.bindMs} ms`,
            hint: "HOST must resolve; use an address instead of a name"
          })
        )
    })
  )

/** Ends the listener: nothing new, idle connections closed, responses in progress get their grace, the rest is cut. */
const closeServer = (server: Server, traffic: Traffic, graceMs: number): Effect.Effect<ListenerClosed> =>
  Effect.gen(function* () {
    const before = traffic.finished
    let cut = 0
    let finished: number | null = null
    const closed = Effect.callback<void>((resume) => {
      server.close(() => resume(Effect.void))
      server.closeIdleConnections()
    })
    yield* closed.pipe(
      Effect.timeoutOrElse({
        duration: graceMs,
        orElse: () =>
          Effect.sync(() => {
            // Counted before the cut, whose ends would count as finished.
            finished = traffic.finished - before
            cut = traffic.exchanges
            server.closeAllConnections()
          })
      })
    )
    return { finished: finished ?? traffic.finished - before, cut }
  })

const makeBind = (
  front: HttpFrontService,
  freshId: () => string,
  host: string,
  wantedPort: number
): HttpListener["Service"]["bind"] => {
  // A port that was assigned by the kernel is kept across a restart of the component: nobody would find the next one.
  let port = wantedPort
  return Effect.gen(function* () {
    const traffic: Traffic = { exchanges: 0, finished: 0 }
    const set = yield* FiberSet.make<void>()
    const fork = yield* FiberSet.runtime(set)<never>()
    let running = 0
    const fibers: Fibers = {
      run: (effect) => {
        running += 1
        const fiber = fork(effect)
        fiber.addObserver(() => {
          running -= 1
        })
        return () => fiber.interruptUnsafe()
      },
      running: () => running
    }
    const server = makeServer(front, traffic, fibers, freshId)
    const lost = yield* Deferred.make<never, ListenerLost>()
    let connections = 0
    let closing = false
    server.on("connection", (socket) => {
      connections += 1
      socket.once("close", () => {
        connections -= 1
      })
    })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        closing = true
        front.endStreams()
        server.close(() => undefined)
        server.closeAllConnections()
      })
    )
    port = yield* listen(server, host, port)
    const fail = (cause: unknown) => {
      if (!closing) Deferred.doneUnsafe(lost, Effect.fail(new ListenerLost({ cause })))
    }
    server.on("error", fail)
    server.on("close", () => fail(new Error("the server closed")))
    const bound: BoundListener = {
      host,
      port,
      lost: Deferred.await(lost),
      load: () => ({ connections, exchanges: traffic.exchanges }),
      close: (graceMs) =>
        Effect.suspend(() => {
          closing = true
          front.endStreams()
          return closeServer(server, traffic, graceMs)
        })
    }
    return bound
  })
}

export const HttpListenerNode: Layer.Layer<HttpListener, never, Config | Entropy | HttpFront> = Layer.effect(
  HttpListener,
  Effect.gen(function* () {
    const settings = yield* Config
    const front = yield* HttpFront
    const { uuid } = yield* Entropy
    return HttpListener.of({ bind: makeBind(front, uuid, settings.host, settings.port) })
  })
)
