/**
 * Reading a body to its end, and refusing one without reading it.
 *
 * A sender of two megabytes must see 413 and not a reset connection, although we keep none of it: closing a socket
 * with unread bytes makes the kernel send a reset that can overtake the response. So a refusal writes the whole response
 * first, then reads and drops a bounded rest, then closes.
 *
 * Promises: at most `bytesMax` bytes of a body are ever held, and of all bodies together what their room allows, at most twice that
 * while they grow, in however many pieces they come; `then` is called exactly once; a refused body costs a bounded number of
 * bytes and a bounded time.
 * Never: waits for a sender beyond the deadline.
 * Failure: a sender that disconnects is `gone`, and nobody is answered.
 */
import { intakeLimits } from "../../domain/kernel/limits-signals.ts"
import {
  elapsedMs,
  type Exchange,
  refusalWords,
  type RefusalBody,
  type RefusalStatus,
  refuse
} from "./http.exchange.ts"
import { postLimits } from "../platform/http-limits.ts"

/**
 * A body, or why there is none. `no_room`: too much is being read from others; `gone`: the sender disconnected, and nobody is
 * left to be answered.
 */
export type BodyRead = Buffer | "too_large" | "too_slow" | "no_room" | "gone"

/** What the bodies being read may occupy together, not counting the first bytes of each. */
export interface BodyRoom {
  /** Takes that many more bytes; false when they do not fit, and then none are taken. */
  readonly take: (bytes: number) => boolean
  readonly giveBack: (bytes: number) => void
}

/** Room for `bytesMax` bytes. */
export const makeBodyRoom = (bytesMax: number): BodyRoom => {
  let held = 0
  return {
    take: (bytes) => {
      if (held + bytes > bytesMax) return false
      held += bytes
      return true
    },
    giveBack: (bytes) => {
      held -= bytes
    }
  }
}

/** Unlimited room, for bodies that are small and few. */
const endlessRoom: BodyRoom = { take: () => true, giveBack: () => undefined }

/** The announced length in bytes, undefined when chunked, 0 when there is no body. */
export const declaredLength = ({ request }: Exchange): number | undefined => {
  const length = request.headers["content-length"]
  if (length !== undefined) return Number(length)
  return request.headers["transfer-encoding"] === undefined ? 0 : undefined
}

const nothing = Buffer.alloc(0)

/** `held`, of which the first `at` bytes are filled, with `chunk` behind them: itself, or one twice as large. */
const appended = (held: Buffer, at: number, chunk: Buffer, bytesMax: number): Buffer => {
  const bytes = at + chunk.length
  let grown = held
  if (bytes > held.length) {
    grown = Buffer.allocUnsafe(Math.min(bytesMax, Math.max(bytes, 2 * held.length, 1_024)))
    held.copy(grown, 0, 0, at)
  }
  chunk.copy(grown, at)
  return grown
}

/**
 * Reads the body. The listener must have sent 100 already where the sender waits for it. What it takes of the room is
 * released when `then` returns.
 */
export const readBody = (
  exchange: Exchange,
  bytesMax: number,
  then: (body: BodyRead) => void,
  room: BodyRoom = endlessRoom
): void => {
  const { request } = exchange
  // The usual body is one chunk, and is not copied. Chunks are not kept: each costs more than a byte it may consist of.
  let held: Buffer = nothing
  let bytes = 0
  let taken = 0
  const fits = (): boolean => {
    const more = Math.max(0, bytes - intakeLimits.readingBytesFree) - taken
    if (!room.take(more)) return false
    taken += more
    return true
  }
  const settle = (body: BodyRead): void => {
    clearTimeout(timer)
    request.off("data", onData).off("end", onEnd).off("close", onClose).off("error", onClose)
    // An abort after we stopped listening must not become an unhandled error event.
    request.on("error", () => undefined)
    try {
      then(body)
    } finally {
      held = nothing
      room.giveBack(taken)
    }
  }
  const onData = (chunk: Buffer): void => {
    const at = bytes
    bytes += chunk.length
    if (bytes > bytesMax) settle("too_large")
    else if (!fits()) settle("no_room")
    else held = at === 0 ? chunk : appended(held, at, chunk, bytesMax)
  }
  const onEnd = (): void => settle(held.length === bytes ? held : held.subarray(0, bytes))
  const onClose = (): void => settle("gone")
  const timer = setTimeout(
    () => settle("too_slow"),
    Math.max(1, intakeLimits.bodyReadMsMax - elapsedMs(exchange))
  )
  request.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose)
}

/** Whether what is left of the body is small enough for Node to read it away and keep the connection. */
const isSmall = (exchange: Exchange): boolean => {
  const declared = declaredLength(exchange)
  return declared !== undefined && declared <= intakeLimits.bodyBytesMax
}

/**
 * Refuses a request whose body is not read to its end. `waiting`: the sender has not begun to send it (Expect: 100).
 * The connection is kept when the rest is small and closed after a bounded rest otherwise.
 */
export const refuseUnread = (
  exchange: Exchange,
  status: RefusalStatus,
  more: RefusalBody = {},
  headers: Record<string, string> = {},
  waiting = false
): void => {
  const { request, response } = exchange
  if (request.complete || (isSmall(exchange) && !waiting)) {
    refuse(exchange, status, more, headers)
    return
  }
  if (response.headersSent || response.destroyed) return
  exchange.errors = more.errors ?? []
  const bytes = Buffer.from(
    `${JSON.stringify({ status: refusalWords[status], ...more, request_id: exchange.requestId })}\n`
  )
  response.writeHead(status, {
    "x-request-id": exchange.requestId,
    "content-type": "application/json; charset=utf-8",
    "content-length": bytes.length,
    "cache-control": "no-store",
    connection: "close",
    ...exchange.headers,
    ...headers
  })
  if (exchange.method !== "HEAD") response.write(bytes)
  if (waiting) {
    response.end()
    return
  }
  let dropped = 0
  const end = (): void => {
    clearTimeout(timer)
    response.end()
  }
  const timer = setTimeout(end, postLimits.lingerMs)
  request.on("data", (chunk: Buffer) => {
    dropped += chunk.length
    if (dropped > postLimits.lingerBytesMax) end()
  })
  request.once("end", end).once("close", end)
  request.on("error", end)
}
