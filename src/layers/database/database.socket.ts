/**
 * Database socket: a connection to PostgreSQL that notices silence.
 *
 * The SQL client waits forever for an answer, and its BEGIN and COMMIT cannot be interrupted: against a server frozen
 * by SIGSTOP, or behind a network that drops packets, a pool drains connection by connection and never comes back.
 * The client lets its owner open the socket, so this socket watches the exchange: bytes went out, no ReadyForQuery and
 * no byte came back for `silenceMs` -> it destroys itself, the client sees a lost connection, the pool replaces it.
 *
 * Promises: an exchange without any answer ends after `silenceMs`; an idle connection (even one that only listens) and a
 * reader that paused on purpose are left alone; a socket that is not open yet is destroyed the same way.
 * Never: looks at statements or rows. It reads six bytes: `Z`, a length of 5 and a status end every exchange.
 * Failure: the destroyed socket carries an error that states how long the server was silent.
 * Rejected: closing connections from the deadline of the call, because a call does not know its connection.
 */
import { Socket } from "node:net"
import type { SocketAddress } from "./database-target.ts"

type WriteCallback = (error?: Error | null) => void

const readyForQuery = Buffer.from([0x5a, 0, 0, 0, 5])

/** What a set of sockets reports about itself. Mutable on purpose: counters of the owner. */
export interface SocketCensus {
  readonly open: Set<WatchedSocket>
  silentTotal: number
}

export const makeSocketCensus = (): SocketCensus => ({ open: new Set(), silentTotal: 0 })

export class WatchedSocket extends Socket {
  #timer: NodeJS.Timeout | undefined
  #tail = Buffer.alloc(0)
  #encrypted = false
  #heard = false
  readonly #silenceMs: number
  readonly #census: SocketCensus

  constructor(silenceMs: number, census: SocketCensus) {
    super()
    this.#silenceMs = silenceMs
    this.#census = census
    census.open.add(this)
    this.once("close", () => {
      this.#disarm()
      census.open.delete(this)
    })
  }

  /** True while an exchange waits for the server. */
  get waiting(): boolean {
    return this.#timer !== undefined
  }

  // The two hooks a stream writes through. Overriding `write` itself has no effect: `connect` puts the original back.
  override _write(chunk: unknown, encoding: BufferEncoding, callback: WriteCallback): void {
    if (this.#timer === undefined) this.#arm()
    super._write(chunk, encoding, callback)
  }

  override _writev(
    chunks: Array<{ chunk: unknown; encoding: BufferEncoding }>,
    callback: WriteCallback
  ): void {
    if (this.#timer === undefined) this.#arm()
    // Declared optional for streams in general; a socket has it.
    super._writev?.(chunks, callback)
  }

  // Every byte from the kernel passes here once, before any `data` listener: unlike a listener of our own this
  // does not change when the stream flows.
  override push(chunk: unknown, encoding?: BufferEncoding): boolean {
    if (Buffer.isBuffer(chunk)) this.#hear(chunk)
    return super.push(chunk, encoding)
  }

  #hear(chunk: Buffer): void {
    // The very first byte may be the answer to a TLS request: from then on the content is hidden and any byte counts.
    if (!this.#heard && chunk.length === 1 && chunk[0] === 0x53) this.#encrypted = true
    this.#heard = true
    if (this.#timer === undefined) return
    this.#tail =
      chunk.length >= 6 ? Buffer.from(chunk.subarray(-6)) : Buffer.concat([this.#tail, chunk]).subarray(-6)
    if (this.#encrypted || (this.#tail.length === 6 && this.#tail.subarray(0, 5).equals(readyForQuery)))
      this.#disarm()
    else this.#arm()
  }

  #arm(): void {
    this.#disarm()
    this.#timer = setTimeout(() => {
      // The reader stopped reading (a slow stream): the silence is ours.
      if (this.isPaused()) return this.#arm()
      this.#census.silentTotal += 1
      this.destroy(
        Object.assign(new Error(`no answer from PostgreSQL for ${this.#silenceMs} ms`), { code: "ESILENT" })
      )
    }, this.#silenceMs)
    // The service's own life decides when the process ends, never a pending answer.
    this.#timer.unref()
  }

  #disarm(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}

/** Opens a watched socket. Errors, refusals included, arrive as its `error` event. */
export const openWatchedSocket = (
  address: SocketAddress,
  silenceMs: number,
  census: SocketCensus
): WatchedSocket => {
  const socket = new WatchedSocket(silenceMs, census)
  if ("path" in address) return socket.connect({ path: address.path })
  socket.setNoDelay(true)
  socket.setKeepAlive(true, 10_000)
  return socket.connect({ host: address.host, port: address.port })
}
