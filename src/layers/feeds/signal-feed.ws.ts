/**
 * SignalFeed on `ws`: one client socket, with every way it can end normalised to one shape.
 *
 * `ws` reports an end by three events (`unexpected-response`, `error`, `close`), sometimes by two of them, and after a
 * violation it waits half a minute for a peer that has just shown it cannot be trusted. The first event is the end
 * here, and the socket is destroyed at once.
 *
 * Promises: those of the port; no redirect is followed, no compression is used, certificates are checked.
 * Never: throws out of a callback.
 * Failure: every failure is an end.
 */
import { Effect, Layer } from "effect"
import type { LookupFunction } from "node:net"
import type { ClientRequest, IncomingMessage } from "node:http"
import { type ClientOptions, WebSocket } from "ws"
import type { FeedEnd, FeedEndKind } from "../../domain/feeds/feed-end.ts"
import { feedLimits } from "../../domain/kernel/limits-feeds.ts"
import { readFeedMessage } from "../../wire/feed-frame.ts"
import { errorCodeOf } from "../platform/error-code.ts"
import { type FeedAddress, type FeedConnection, type FeedListener, SignalFeed } from "./signal-feed.port.ts"

/** `ws` reports a connection that ended without a close frame as 1006, and a frame without a code as 1005. */
const NO_FRAME = 1_006
const NO_FRAME_REASON = "the connection ended without a close frame"

const unreachable = new Set(["ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "EADDRNOTAVAIL"])
const tls = /^(?:EPROTO|ERR_SSL_|ERR_TLS_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/

/** The kind of a socket error. `open`: whether the handshake was done when it occurred. */
export const kindOfError = (error: unknown, open: boolean): FeedEndKind => {
  const code = errorCodeOf(error) ?? ""
  if (code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") return "oversize"
  if (code.startsWith("WS_ERR_")) return "protocol"
  if (code === "ECONNREFUSED") return "refused"
  if (code === "ENOTFOUND" || code.startsWith("EAI_")) return "unresolved"
  if (unreachable.has(code)) return "unreachable"
  if (tls.test(code)) return "tls"
  if (code === "ECONNRESET" || code === "EPIPE") return "broken"
  return open ? "broken" : "handshake"
}

const messageOf = (error: unknown): string => {
  const message = error instanceof Error ? error.message : String(error)
  // A name with several addresses fails with one error for all of them, which has no message of its own.
  return message === "" ? (errorCodeOf(error) ?? "no reason known") : message
}

const utf8 = new TextDecoder("utf-8", { fatal: true })

/** The text of a frame, null when it is not UTF-8. `ws` has checked text frames; nobody has checked binary ones. */
const textOf = (bytes: Buffer): string | null => {
  try {
    return utf8.decode(bytes)
  } catch {
    // The one error a fatal decoder has. The caller counts the frame.
    return null
  }
}

const unsent = (reason: string): FeedEnd => ({ kind: "send", code: null, reason })

const short = (text: string): string => text.slice(0, feedLimits.reasonLengthMax)

/** What a test may replace: the resolver of names. */
export interface SignalFeedOptions {
  readonly lookup?: LookupFunction
}

class Connection implements FeedConnection {
  readonly #socket: WebSocket
  readonly #listener: FeedListener
  #over = false
  /** The errors of a write when the peer was gone. */
  #brokenBy: string | undefined

  constructor({ frameBytesMax, url }: FeedAddress, listener: FeedListener, given: SignalFeedOptions) {
    this.#listener = listener
    const options = {
      ...given,
      maxPayload: frameBytesMax,
      perMessageDeflate: false,
      followRedirects: false,
      // How long a peer may take to end TCP after the close frames; its default is 30 s.
      closeTimeout: feedLimits.closeMsMax
    } satisfies ClientOptions & { readonly closeTimeout: number }
    this.#socket = new WebSocket(url, options)
    this.#listen()
  }

  send(text: string): void {
    if (this.#socket.readyState !== WebSocket.OPEN) {
      // A closing socket reports its own end; sending before it is open is a bug of the caller.
      if (this.#socket.readyState === WebSocket.CONNECTING) this.#end(unsent("the connection is not open"))
      return
    }
    if (this.#socket.bufferedAmount > feedLimits.unsentBytesMax) {
      this.#end(unsent("the peer does not read"))
      return
    }
    this.#socket.send(text, (error) => {
      if (error !== undefined && error !== null) this.#unsent(error)
    })
  }
  ping(): void {
    // A socket that is closing cannot ping; its end is reported by `close`.
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping()
  }
  pause(): void {
    this.#socket.pause()
  }
  resume(): void {
    this.#socket.resume()
  }

  /** Sends a close frame when the peer can receive one, and destroys the socket. Nothing is reported afterwards. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.#over = true
    const socket = this.#socket
    if (socket.readyState !== WebSocket.OPEN) return Effect.sync(() => socket.terminate())
    return Effect.callback<void>((resume) => {
      socket.once("close", () => resume(Effect.void))
      // The close frame of the peer is behind whatever was not read.
      socket.resume()
      socket.close(1_000, "client leaves")
    }).pipe(
      Effect.timeoutOption(feedLimits.closeMsMax),
      Effect.andThen(Effect.sync(() => socket.terminate()))
    )
  })

  #listen(): void {
    const socket = this.#socket
    let opened = false
    socket.on("open", () => {
      opened = true
      if (!this.#over) this.#listener.opened()
    })
    socket.on("message", (bytes) => {
      if (this.#over) return
      const text = Buffer.isBuffer(bytes) ? textOf(bytes) : null
      if (text === null) this.#listener.unreadable()
      else this.#listener.text(text)
    })
    socket.on("pong", () => {
      if (!this.#over) this.#listener.pong()
    })
    socket.on("unexpected-response", (request: ClientRequest, response: IncomingMessage) => {
      const status = response.statusCode ?? 0
      const kind = status === 401 || status === 403 ? "credentials" : "http"
      this.#end({ kind, code: null, reason: `the handshake was answered with ${status}` })
      request.destroy()
    })
    socket.on("error", (error: unknown) => {
      this.#end({ kind: kindOfError(error, opened), code: null, reason: messageOf(error) })
    })
    socket.on("close", (code, reason) => {
      if (code === NO_FRAME) {
        this.#end({ kind: "broken", code, reason: this.#brokenBy ?? NO_FRAME_REASON })
      } else this.#end({ kind: "closed", code, reason: reason.toString("utf8") || "no reason given" })
    })
  }

  /**
   * A write fails because the peer has ended the connection, and which of the two we see first is a race: the end is
   * reported by `close`, which also knows a close frame that was not read yet. Destroying the socket makes `close` certain.
   */
  #unsent(error: Error): void {
    if (kindOfError(error, true) === "broken" && errorCodeOf(error) !== undefined) {
      this.#brokenBy = messageOf(error)
      this.#socket.terminate()
    } else this.#end(unsent(messageOf(error)))
  }

  #end(end: FeedEnd): void {
    if (this.#over) return
    this.#over = true
    this.#listener.ended({ ...end, reason: short(end.reason) })
    this.#socket.terminate()
  }
}

/** A connection that could not even be started, because the library rejects the request. */
const failedConnection = (
  error: unknown,
  listener: FeedListener
): FeedConnection & { readonly close: Effect.Effect<void> } => {
  listener.ended({ kind: kindOfError(error, false), code: null, reason: short(messageOf(error)) })
  const nothing = () => {}
  return { send: nothing, ping: nothing, pause: nothing, resume: nothing, close: Effect.void }
}

/** Connections over `ws`. */
export const signalFeedWs = (options: SignalFeedOptions = {}): Layer.Layer<SignalFeed> =>
  Layer.succeed(
    SignalFeed,
    SignalFeed.of({
      read: readFeedMessage,
      open: (address, listener) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            try {
              return new Connection(address, listener, options)
            } catch (error) {
              return failedConnection(error, listener)
            }
          }),
          (connection) => connection.close
        )
    })
  )
