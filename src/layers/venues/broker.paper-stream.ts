/**
 * The paper venue's stream: one WebSocket from its handshake to its end.
 *
 * The incident behind this: a peer closed with 1000, the client's loop ended without an error, and nobody owned that
 * end for three hours. Here every end has one shape, and the effect has no way to succeed.
 *
 * Promises: handshake, hello and pongs have deadlines; messages are handed over in order, one at a time; a lost message
 * (a gap in the numbers), a message nobody can read and a full buffer end the connection, because the gap is refetched;
 * the socket is gone when the scope closes.
 * Never: reconnects; the broker's machine owns that.
 * Failure: `BrokerStreamEnded` with the close code, 1000 included, or null when the connection broke.
 */
import { Cause, Effect, Queue, type Scope } from "effect"
import { WebSocket } from "ws"
import { type BrokerEvent, BrokerStreamEnded } from "./broker.port.ts"
import { brokerLimits } from "./broker-limits.ts"
import { readMessage } from "./broker.paper-wire.ts"

type Inbox = Queue.Queue<BrokerEvent, BrokerStreamEnded>

/** `ws` reports a connection that broke without a close frame as 1006, a code no frame may carry. */
const NO_FRAME = 1006

const open = (broker: string, url: URL, inbox: Inbox): WebSocket => {
  const socket = new WebSocket(url, {
    handshakeTimeout: brokerLimits.streamConnectMsMax,
    maxPayload: brokerLimits.streamMessageBytesMax,
    perMessageDeflate: false,
    followRedirects: false
  })
  let expected = 1
  let trouble: string | null = null
  const end = (code: number | null, reason: string): void => {
    Queue.failCauseUnsafe(inbox, Cause.fail(new BrokerStreamEnded({ broker, code, reason })))
  }
  const breakOff = (reason: string): void => {
    end(null, reason)
    socket.terminate()
  }
  socket.on("error", (error) => {
    // `close` follows and is the end; the error only carries the reason.
    trouble = error.message
  })
  socket.on("close", (code, reason) => {
    const text = reason.toString("utf8")
    end(code === NO_FRAME ? null : code, text !== "" ? text : (trouble ?? "closed without a reason"))
  })
  socket.on("message", (bytes, isBinary) => {
    const message = !isBinary && Buffer.isBuffer(bytes) ? readMessage(bytes.toString("utf8")) : null
    if (message === null) return breakOff("a message that is not of this protocol")
    if (message.n !== expected) return breakOff(`message ${message.n} came where ${expected} was due`)
    expected += 1
    if (!Queue.offerUnsafe(inbox, message.event)) breakOff("the reader is too slow: the buffer is full")
  })
  return socket
}

/** Waits for the pong of one ping. */
const pinged = (socket: WebSocket): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const heard = () => resume(Effect.void)
    socket.once("pong", heard)
    // A socket that is closing cannot ping; its end is reported by `close`.
    if (socket.readyState === WebSocket.OPEN) socket.ping()
    return Effect.sync(() => void socket.off("pong", heard))
  })

const heartbeat = (broker: string, socket: WebSocket): Effect.Effect<never, BrokerStreamEnded> =>
  Effect.sleep(brokerLimits.pingEveryMs).pipe(
    Effect.andThen(pinged(socket)),
    Effect.timeoutOrElse({
      duration: brokerLimits.pingEveryMs + brokerLimits.pongMsMax,
      orElse: () =>
        Effect.fail(
          new BrokerStreamEnded({ broker, code: null, reason: `no pong within ${brokerLimits.pongMsMax} ms` })
        )
    }),
    Effect.forever
  )

/** Connects to `url` and hands every event to `onEvent` until the connection ends. */
export const paperStream = <R>(
  broker: string,
  url: URL,
  onEvent: (event: BrokerEvent) => Effect.Effect<void, never, R>
): Effect.Effect<never, BrokerStreamEnded, R | Scope.Scope> =>
  Effect.gen(function* () {
    const inbox: Inbox = yield* Queue.dropping<BrokerEvent, BrokerStreamEnded>(brokerLimits.streamEventsMax)
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => open(broker, url, inbox)),
      (socket) => Effect.sync(() => socket.terminate())
    )
    const late = brokerLimits.streamConnectMsMax + brokerLimits.streamHelloMsMax
    const first = yield* Queue.take(inbox).pipe(
      Effect.timeoutOrElse({
        duration: late,
        orElse: () =>
          Effect.fail(new BrokerStreamEnded({ broker, code: null, reason: `no hello within ${late} ms` }))
      })
    )
    if (first._tag !== "Connected") {
      return yield* new BrokerStreamEnded({
        broker,
        code: null,
        reason: "the first message was not the hello"
      })
    }
    yield* onEvent(first)
    const reading = Effect.forever(Effect.flatMap(Queue.take(inbox), onEvent))
    return yield* Effect.raceFirst(reading, heartbeat(broker, socket))
  })
