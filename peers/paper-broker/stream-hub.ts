/**
 * Stream hub: the WebSocket side of the venue.
 *
 * Like the order streams of real venues it does not replay: a client receives what happens from the hello on, and
 * fetches what it missed by the sequence of fills.
 *
 * Promises: messages of one connection are numbered without gaps from 1 (the hello), so a client sees a lost one; a
 * consumer that does not read is cut at `streamBufferBytesMax`; a test can end every stream with any code, or silence it.
 * Never: waits for a client, or remembers one that has gone.
 */
import type { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { type WebSocket, WebSocketServer } from "ws"
import type { Filled } from "./book.ts"
import type { Faults } from "./faults.ts"
import { venueLimits } from "./options.ts"
import { fillOut, type OrderRow, orderOut } from "./wire.ts"

export interface StreamHub {
  /** Takes over an upgrade request. `hello` supplies the newest fill sequence; its failure closes with 1013. */
  readonly accept: (
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    hello: () => Promise<{ readonly lastSequence: string | null } | null>
  ) => void
  readonly publishOrder: (order: OrderRow) => void
  readonly publishFill: (filled: Filled) => void
  /** Ends every stream: with a close frame, or without one for code 1006. Returns how many. */
  readonly closeAll: (code: number, reason: string) => number
  readonly count: () => number
  /** Ends every stream for good: the venue stops. */
  readonly shutdown: () => void
}

interface Listener {
  readonly socket: WebSocket
  sent: number
}

/** A code a close frame must not carry means: cut the connection without one. */
const NO_FRAME = 1006
/** "Try again later": the venue is there, its database is not. */
const TRY_LATER = 1013
/** "Policy violation": the consumer is too slow. */
const TOO_SLOW = 1008

/** How long fills are collected before they are sent in reverse. */
const REVERSE_MS = 50

const refuseUpgrade = (socket: Duplex, status: number): void => {
  socket.end(`HTTP/1.1 ${status} Refused\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
}

/** Sends fills as the switches say: once or twice, as they come or those of a moment in reverse. */
const makeFillSender = (faults: Faults, publish: (message: object) => void) => {
  let held: Array<object> = []
  return (fill: object): void => {
    const { fillsReversed, fillsTwice } = faults.state()
    const some = fillsTwice ? [fill, fill] : [fill]
    if (!fillsReversed) {
      some.forEach(publish)
      return
    }
    held.push(...some)
    if (held.length > some.length) return
    setTimeout(() => {
      const fills = held.toReversed()
      held = []
      fills.forEach(publish)
    }, REVERSE_MS).unref()
  }
}

export const makeStreamHub = (venue: string, faults: Faults): StreamHub => {
  const server = new WebSocketServer({ noServer: true, autoPong: false, maxPayload: 1_024 })
  const listeners = new Set<Listener>()

  const send = (listener: Listener, message: object): void => {
    listener.sent += 1
    // What is held back has its number all the same: a client that receives the next one sees the gap.
    if (faults.state().streamSilent) return
    if (listener.socket.bufferedAmount > venueLimits.streamBufferBytesMax) {
      listener.socket.close(TOO_SLOW, "slow consumer")
      return
    }
    listener.socket.send(JSON.stringify({ ...message, n: listener.sent }))
  }
  const publish = (message: object): void => {
    for (const listener of listeners) send(listener, message)
  }
  const publishFill = makeFillSender(faults, publish)
  const end = (socket: WebSocket, code: number, reason: string): void => {
    if (code === NO_FRAME) socket.terminate()
    else socket.close(code, reason)
  }
  const welcome = async (socket: WebSocket, hello: Parameters<StreamHub["accept"]>[3]): Promise<void> => {
    const listener: Listener = { socket, sent: 0 }
    // A broken client is not an event of the venue; `close` follows every `error`.
    socket.on("error", () => {})
    socket.on("close", () => listeners.delete(listener))
    // Silence is about the feed, so it includes the pongs: that is what a frozen peer looks like.
    socket.on("ping", (payload) => {
      if (!faults.state().streamSilent) socket.pong(payload)
    })
    const first = await hello()
    if (socket.readyState !== socket.OPEN) return
    if (first === null) return socket.close(TRY_LATER, "database away")
    // Joined and greeted in one synchronous step: what was committed before is fetched, what comes after is sent.
    listeners.add(listener)
    send(listener, { type: "hello", venue, last_sequence: first.lastSequence })
  }
  return {
    accept: (request, socket, head, hello) => {
      // Only programs talk to a venue; a page in a browser has an origin.
      if (request.headers.origin !== undefined) return refuseUpgrade(socket, 403)
      const status = faults.state().streamStatus
      if (status !== null) return refuseUpgrade(socket, status)
      if (listeners.size >= venueLimits.streamsMax) return refuseUpgrade(socket, 503)
      server.handleUpgrade(request, socket, head, (open) => {
        welcome(open, hello).catch(() => open.close(TRY_LATER, "hello failed"))
      })
    },
    publishOrder: (order) => publish({ type: "order", order: orderOut(order) }),
    publishFill: ({ fill, order }) => {
      publishFill({ type: "fill", fill: fillOut(fill) })
      publish({ type: "order", order: orderOut(order) })
    },
    closeAll: (code, reason) => {
      const open = [...server.clients]
      for (const socket of open) end(socket, code, reason)
      return open.length
    },
    count: () => listeners.size,
    shutdown: () => {
      for (const socket of server.clients) socket.terminate()
      server.close()
    }
  }
}
