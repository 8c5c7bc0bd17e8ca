/**
 * The practice signal server: the protocol of the contract over WebSocket, with faults by script.
 *
 * It is the peer of the feed's tests, of practice mode and of newcomers. It owns the TCP socket before HTTP and HTTP
 * before WebSocket, because connections also fail below the protocol.
 *
 * Promises: listens on loopback; answers as the contract prescribes wherever the script is silent; closing its scope
 * destroys every connection and frees the port.
 * Never: stores anything beyond its life.
 */
import { Data, Effect, type Scope } from "effect"
import { createServer as createHttpServer, type IncomingMessage } from "node:http"
import { createServer, type Server, type Socket } from "node:net"
import type { Duplex } from "node:stream"
import { WebSocketServer } from "ws"
import { Connection, FaultPlan } from "./connection.ts"
import type { Deed, Fault, ServerScript } from "./script.ts"
import { Offer, type OfferedSignal } from "./signals.ts"

/** The port could not be bound. */
export class ListenFailed extends Data.TaggedError("ListenFailed")<{
  readonly port: number
  readonly code: string
}> {}

export interface SignalServer {
  readonly url: string
  readonly port: number
  /** TCP connections accepted since the start. */
  readonly accepted: () => number
  /** Authenticated connections now. */
  readonly live: () => number
  /** Puts signals on offer without pushing them: they are in the next answer. */
  readonly offer: (signals: ReadonlyArray<OfferedSignal>) => void
  /** Resets every connection, as a network does that loses them. */
  readonly cut: () => void
  /** Puts signals on offer and pushes them to every client. */
  readonly publish: (signals: ReadonlyArray<OfferedSignal>) => void
}

const answer = (status: number, headers: Readonly<Record<string, string>>): string =>
  [
    `HTTP/1.1 ${status} Scripted`,
    "connection: close",
    "content-length: 0",
    ...Object.entries(headers).map(([key, value]) => `${key}: ${value}`),
    "\r\n"
  ].join("\r\n")

/** What a deed means before there is a WebSocket. True when the connection proceeds as usual. */
const beforeOpen = (socket: Duplex & { resetAndDestroy?: () => unknown }, deed: Deed): void => {
  switch (deed.type) {
    case "http":
      return void socket.end(answer(deed.status, deed.headers))
    case "bad_accept":
      return void socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: d3Jvbmc=\r\n\r\n"
      )
    case "raw":
      return void socket.write(Buffer.from(deed.hex, "hex"))
    case "reset":
      return void socket.resetAndDestroy?.()
    case "end":
    case "close":
      return void socket.destroy()
    default:
      // Everything else is silence at this stage: the handshake hangs.
      return undefined
  }
}

/** A connection proceeds as usual once, however many faults of a script ask for it. */
const once = (run: () => void): (() => void) => {
  let done = false
  return () => {
    if (!done) run()
    done = true
  }
}

const listening = (server: ReturnType<typeof createServer>, port: number) =>
  Effect.callback<number, ListenFailed>((resume) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      resume(Effect.fail(new ListenFailed({ port, code: error.code ?? error.message })))
    )
    server.listen(port, "127.0.0.1", () => {
      const address = server.address()
      resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : port))
    })
  })

/** A client that does not read holds nobody up for longer. */
const LEAVE_MS_MAX = 500

/** Stops to listen and ends every connection; what was written last, the goodbye, is sent first. */
const stop = (
  tcp: Server,
  connections: Iterable<Connection>,
  sockets: Iterable<Socket>
): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    for (const connection of connections) connection.leave()
    for (const socket of sockets) socket.destroySoon()
    const cut = setTimeout(() => {
      for (const socket of sockets) socket.destroy()
    }, LEAVE_MS_MAX)
    tcp.close(() => {
      clearTimeout(cut)
      resume(Effect.void)
    })
  })

/** Starts a server on `port` (0: any free one); it lives as long as the scope. */
export const startSignalServer = (
  script: ServerScript,
  port = 0,
  now: () => number = Date.now
): Effect.Effect<SignalServer, ListenFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const offer = new Offer(script)
    const sockets = new Set<Socket>()
    const connections = new Set<Connection>()
    const plans = new WeakMap<Duplex, FaultPlan>()
    const webSockets = new WebSocketServer({ noServer: true, autoPong: false, perMessageDeflate: false })
    const http = createHttpServer((_, response) => {
      response.writeHead(426).end()
    })
    let accepted = 0

    const open = (request: IncomingMessage, socket: Socket, head: Buffer, plan: FaultPlan): void => {
      webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        const connection = new Connection({ script, offer, plan, socket, webSocket, now })
        connections.add(connection)
        webSocket.once("close", () => connections.delete(connection))
      })
    }
    http.on("upgrade", (request: IncomingMessage, duplex: Duplex, head: Buffer) => {
      const socket = [...sockets].find((one) => one === duplex)
      const plan = plans.get(duplex)
      if (socket === undefined || plan === undefined) return
      const faults = plan.at("upgrade")
      if (faults.length === 0) return open(request, socket, head, plan)
      const usual = once(() => open(request, socket, head, plan))
      for (const fault of faults) performLater(fault, socket, usual)
    })

    const performLater = (fault: Fault, socket: Socket, usual: () => void): void => {
      const timer = setTimeout(() => {
        if (fault.do.type === "slow") usual()
        else beforeOpen(socket, fault.do)
      }, fault.afterMs)
      socket.once("close", () => clearTimeout(timer))
    }
    const tcp = createServer((socket) => {
      accepted += 1
      sockets.add(socket)
      socket.once("close", () => sockets.delete(socket))
      // A client that disconnects is not an event of ours.
      socket.on("error", () => socket.destroy())
      const plan = new FaultPlan(script.faults, accepted)
      plans.set(socket, plan)
      const faults = plan.at("connect")
      if (faults.length === 0) http.emit("connection", socket)
      const usual = once(() => void http.emit("connection", socket))
      for (const fault of faults) performLater(fault, socket, usual)
    })
    const bound = yield* Effect.acquireRelease(listening(tcp, port), () => stop(tcp, connections, sockets))
    yield* waveTimer(script, offer, now, () => connections)
    return {
      url: `ws://127.0.0.1:${bound}`,
      port: bound,
      accepted: () => accepted,
      live: () => [...connections].filter((connection) => connection.authenticated).length,
      offer: (signals) => offer.give(signals),
      cut: () => sockets.forEach((socket) => socket.resetAndDestroy()),
      publish: (signals) => {
        offer.give(signals)
        for (const connection of connections) for (const signal of signals) connection.push(signal)
      }
    }
  })

/** Pushes the generated signals of each wave when it begins. */
const waveTimer = (
  script: ServerScript,
  offer: Offer,
  now: () => number,
  connections: () => Iterable<Connection>
): Effect.Effect<void, never, Scope.Scope> => {
  if (script.perWave === 0) return Effect.void
  const start = (): { stop: () => void } => {
    let timer: NodeJS.Timeout
    const arm = (): void => {
      const next = offer.waveAt(now()) + script.periodMs
      timer = setTimeout(() => {
        for (const connection of connections()) {
          for (const signal of offer.ofWave(next)) connection.push(signal)
        }
        arm()
      }, next - now())
    }
    arm()
    return { stop: () => clearTimeout(timer) }
  }
  return Effect.asVoid(Effect.acquireRelease(Effect.sync(start), ({ stop }) => Effect.sync(stop)))
}
