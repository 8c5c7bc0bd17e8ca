/**
 * Live sinks: a viewer's connection as the hub sees it, for WebSocket and for server-sent events.
 *
 * Chunks are written to the bare socket of a WebSocket: the library would frame, copy and queue them for each viewer. It
 * keeps everything else: the handshake, control frames, limits on what the viewer sends.
 *
 * Promises: a frame is never interleaved with another; a viewer that is asked to leave and does not is cut.
 * Never: reads from a viewer more than a ping.
 * Failure: an error of a socket ends its viewer as gone.
 */
import type { ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import type { RawData, WebSocket } from "ws"
import type { ByeReason } from "../../wire/journal.ts"
import { liveLimits } from "../platform/http-limits.ts"
import { encodeMessage } from "./live.encode.ts"
import type { Sink } from "./live.viewer.ts"

/** Status codes of RFC 6455 and its registry: going away, policy, try again later. */
const closeCodes: Readonly<Record<ByeReason, number>> = {
  stopping: 1001,
  unauthorized: 1008,
  too_slow: 1013,
  unavailable: 1013,
  shed: 1013
}

/** What a sink reports back. */
export interface SinkEvents {
  readonly drained: () => void
  readonly gone: () => void
}

const textOf = (data: RawData): string => {
  if (Array.isArray(data)) return Buffer.concat(data).toString("utf8")
  return Buffer.isBuffer(data) ? data.toString("utf8") : Buffer.from(data).toString("utf8")
}

const isPing = (data: RawData): boolean => {
  try {
    const message: unknown = JSON.parse(textOf(data))
    return typeof message === "object" && message !== null && "type" in message && message.type === "ping"
  } catch {
    // Not JSON: ignored, as every other message that means nothing here.
    return false
  }
}

/** The sink of a WebSocket over this bare socket. */
export const webSocketSink = (client: WebSocket, socket: Duplex, events: SinkEvents): Sink => {
  let answered = true
  const write = (bytes: Buffer): void => {
    if (client.readyState === client.OPEN) socket.write(bytes)
  }
  client.on("pong", () => {
    answered = true
  })
  client.on("message", (data) => {
    // A viewer that floods us and does not read gets no more answers than it reads.
    if (isPing(data) && socket.writableLength <= liveLimits.bufferedBytesMax)
      write(encodeMessage("ws", { type: "pong" }))
  })
  client.on("error", () => client.terminate())
  client.once("close", events.gone)
  socket.on("drain", events.drained)
  return {
    format: "ws",
    write,
    buffered: () => socket.writableLength,
    end: (reason) => {
      client.close(closeCodes[reason], reason)
      setTimeout(() => client.terminate(), liveLimits.leaveMs).unref()
    },
    probe: () => {
      const wasAnswered = answered
      answered = false
      client.ping()
      return wasAnswered
    }
  }
}

/** The sink of a response whose headers were sent. */
export const eventStreamSink = (response: ServerResponse, events: SinkEvents): Sink => {
  response.on("drain", events.drained)
  response.once("close", events.gone)
  return {
    format: "sse",
    write: (bytes) => {
      if (!response.writableEnded && !response.destroyed) response.write(bytes)
    },
    buffered: () => response.writableLength,
    end: () => {
      response.end()
      setTimeout(() => response.destroy(), liveLimits.leaveMs).unref()
    },
    // Bytes that nobody takes are the only sign there is.
    probe: () => true
  }
}
