/**
 * One connection to the practice signal server: the protocol, and the faults of the script.
 *
 * It writes raw frames through the socket instead of through the WebSocket library, because most of what it is for is
 * what a library refuses to do.
 *
 * Promises: what it has begun (timers, floods) ends with the connection.
 * Never: keeps anything between two connections.
 */
import type { Socket } from "node:net"
import type { WebSocket } from "ws"
import { closeFrame, frameOf, textFrame } from "./frames.ts"
import type { Deed, Fault, Moment, ServerScript } from "./script.ts"
import { numbered, type Offer } from "./signals.ts"

/** How many of the script's faults can be distinguished on this connection. */
export class FaultPlan {
  readonly #faults: ReadonlyArray<Fault>
  readonly #connection: number
  readonly #seen = new Map<Moment, number>()
  constructor(faults: ReadonlyArray<Fault>, connection: number) {
    this.#faults = faults
    this.#connection = connection
  }
  /** The faults of this moment, in the order of the script; counts the moment. */
  at(moment: Moment): ReadonlyArray<Fault> {
    const seen = (this.#seen.get(moment) ?? 0) + 1
    this.#seen.set(moment, seen)
    return this.#faults.filter(
      (fault) =>
        fault.on === moment &&
        (fault.connection === null || fault.connection === this.#connection) &&
        (fault.nth === null || fault.nth === seen)
    )
  }
}

export interface ConnectionOptions {
  readonly script: ServerScript
  readonly offer: Offer
  readonly plan: FaultPlan
  readonly socket: Socket
  readonly webSocket: WebSocket
  readonly now: () => number
}

const typeOf = (text: string): { readonly type: unknown; readonly token?: unknown } => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null && "type" in value ? value : { type: undefined }
  } catch {
    return { type: undefined }
  }
}

export class Connection {
  readonly #options: ConnectionOptions
  readonly #timers = new Set<NodeJS.Timeout>()
  #authenticated = false
  #frozen = false
  #messages = 0

  constructor(options: ConnectionOptions) {
    this.#options = options
    const { plan, webSocket } = options
    webSocket.on("message", (bytes) => {
      this.#messages += 1
      if (Buffer.isBuffer(bytes)) this.#hear(bytes.toString("utf8"))
    })
    webSocket.on("ping", (payload) => {
      this.#answer("ping_frame", () => this.write(frameOf(0x8a, payload)))
    })
    webSocket.on("close", () => this.#over())
    // The end is what counts here; why a client disconnected is the client's business.
    webSocket.on("error", () => this.#over())
    for (const fault of plan.at("open")) this.#later(fault, () => {})
  }

  get authenticated(): boolean {
    return this.#authenticated
  }

  /** Sends a pushed signal. */
  push(signal: unknown): void {
    if (this.#authenticated) this.write(textFrame(JSON.stringify({ type: "signal", signal })))
  }

  /** Says that the server stops, as it is usual to (RFC 6455, section 7.4.1). */
  leave(): void {
    this.write(closeFrame(1001, "the server stops"))
  }

  write(bytes: Buffer): boolean {
    const { socket } = this.#options
    return this.#frozen || socket.destroyed || !socket.writable ? true : socket.write(bytes)
  }

  #hear(text: string): void {
    if (this.#frozen) return
    const message = typeOf(text)
    switch (message.type) {
      case "auth":
        return this.#answer("auth", () => this.#authenticate(message.token))
      case "get_signals":
        return this.#answer("get_signals", () => this.#ifKnown(() => this.#sendAll()))
      case "get_stats":
        return this.#answer("get_stats", () => this.#ifKnown(() => this.write(textFrame(this.#stats()))))
      case "ping":
        return this.#answer("ping", () => this.write(textFrame(JSON.stringify({ type: "pong" }))))
      default:
    }
  }

  /** With a token set, nothing is told to who has not shown it. */
  #ifKnown(tell: () => void): void {
    if (this.#authenticated || this.#options.script.token === null) tell()
    else this.#refuse("not authenticated")
  }

  #authenticate(token: unknown): void {
    const { plan, script } = this.#options
    if (script.token !== null && token !== script.token) return this.#refuse("the token is wrong")
    this.write(textFrame(JSON.stringify({ type: "auth_success" })))
    this.#welcome(plan.at("live"))
  }

  #welcome(faults: ReadonlyArray<Fault>): void {
    this.#authenticated = true
    this.#sendAll()
    for (const fault of faults) this.#later(fault, () => {})
  }

  #refuse(reason: string): void {
    this.write(textFrame(JSON.stringify({ type: "auth_failed", reason })))
    this.write(closeFrame(1008, "authentication failed"))
  }

  #stats(): string {
    const { now, offer } = this.#options
    return JSON.stringify({ type: "stats", signals: offer.all(now()).length, messages: this.#messages })
  }

  #sendAll(): void {
    const { now, offer, script } = this.#options
    const all = offer.all(now())
    for (let at = 0; at === 0 || at < all.length; at += script.frame) {
      this.write(textFrame(JSON.stringify({ type: "signals", signals: all.slice(at, at + script.frame) })))
    }
  }

  #answer(moment: Moment, usual: () => void): void {
    const faults = this.#options.plan.at(moment)
    if (faults.length === 0) usual()
    for (const fault of faults) this.#later(fault, usual)
  }

  #later(fault: Fault, usual: () => void): void {
    if (fault.afterMs === 0) return this.#perform(fault.do, usual)
    this.#timer(() => this.#perform(fault.do, usual), fault.afterMs)
  }

  #timer(run: () => void, ms: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      run()
    }, ms)
    this.#timers.add(timer)
  }

  #over(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    this.#authenticated = false
  }

  #perform(deed: Deed, usual: () => void): void {
    const { socket } = this.#options
    switch (deed.type) {
      case "nothing":
      case "http":
      case "bad_accept":
        return undefined
      case "close":
        return void this.write(closeFrame(deed.code, deed.reason))
      case "reset":
        return void socket.resetAndDestroy()
      case "end":
        return socket.destroySoon()
      case "freeze":
        this.#frozen = true
        return void socket.pause()
      case "auth_failed":
        return this.#refuse(deed.reason)
      case "raw":
        return void this.write(Buffer.from(deed.hex, "hex"))
      case "text":
        return void this.write(textFrame(deed.text))
      case "binary":
        return void this.write(frameOf(0x82, Buffer.from(deed.hex, "hex")))
      case "oversize":
        return void this.write(textFrame(`"${"x".repeat(deed.bytes)}"`))
      case "batch":
        return this.#batch(deed.prefix, deed.signals, deed.frame)
      case "flood":
        return this.#flood(deed.prefix, deed.signals, 0)
      case "slow":
        return this.#slowly(usual, deed.everyMs)
    }
  }

  #batch(prefix: string, signals: number, frame: number): void {
    const waveMs = this.#options.offer.waveAt(this.#options.now())
    for (let at = 0; at < signals; at += frame) {
      const part = numbered(prefix, at, Math.min(signals, at + frame), waveMs)
      this.write(textFrame(JSON.stringify({ type: "signals", signals: part })))
    }
  }

  /** As fast as the peer reads, a hundred at a time, so that the flood is the peer's problem and not our memory's. */
  #flood(prefix: string, signals: number, from: number): void {
    const waveMs = this.#options.offer.waveAt(this.#options.now())
    let at = from
    while (at < signals) {
      const to = Math.min(signals, at + 100)
      const frames = numbered(prefix, at, to, waveMs).map((signal) =>
        textFrame(JSON.stringify({ type: "signal", signal }))
      )
      at = to
      if (!this.write(Buffer.concat(frames))) {
        this.#options.socket.once("drain", () => this.#flood(prefix, signals, at))
        return
      }
    }
  }

  /** Collects what the usual answer writes, and trickles it out. */
  #slowly(usual: () => void, everyMs: number): void {
    const written: Array<Buffer> = []
    const { socket } = this.#options
    const write = socket.write.bind(socket)
    socket.write = (bytes: Uint8Array | string) => {
      written.push(Buffer.from(bytes))
      return true
    }
    usual()
    socket.write = write
    const bytes = Buffer.concat(written)
    const next = (at: number): void => {
      if (at >= bytes.length) return
      this.write(bytes.subarray(at, at + 1))
      this.#timer(() => next(at + 1), everyMs)
    }
    next(0)
  }
}
