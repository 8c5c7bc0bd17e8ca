/**
 * HttpListener: the port that binds the address of the service and releases it again.
 *
 * The listener is the first thing that comes up and the last that goes, so it depends on nothing that can be away:
 * not on the database, not on the tree. What is served behind it answers 503 until it can do better.
 *
 * Promises: an address that cannot be bound is a typed error with a hint for the person who reads it; a socket that
 * dies after it was bound is an error of `lost`, never silence; closing ends within its grace.
 * Never: opens anything while its layer is built.
 */
import { Context, Data, type Effect, type Scope } from "effect"

interface BindFailure {
  readonly host: string
  readonly port: number
  /** What the operator can do about it, one sentence. */
  readonly hint: string
  readonly cause: unknown
}

const where = (failure: BindFailure): string => `${failure.host}:${failure.port}`

/** EADDRINUSE: another process holds the port. */
export class PortInUse extends Data.TaggedError("PortInUse")<BindFailure> {
  override get message(): string {
    return `port in use: ${where(this)}`
  }
}

/** EACCES: this user may not bind that port. */
export class PortForbidden extends Data.TaggedError("PortForbidden")<BindFailure> {
  override get message(): string {
    return `port forbidden: ${where(this)}`
  }
}

/** The host is not an address of this machine, or not an address at all. */
export class AddressUnavailable extends Data.TaggedError("AddressUnavailable")<BindFailure> {
  override get message(): string {
    return `address unavailable: ${where(this)}`
  }
}

/** Anything else that kept the listener from binding, its own deadline included. */
export class ListenFailed extends Data.TaggedError("ListenFailed")<BindFailure> {
  override get message(): string {
    return `cannot listen on ${where(this)}: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

/** The listening socket ended without being asked to. A crash for the supervisor. */
export class ListenerLost extends Data.TaggedError("ListenerLost")<{ readonly cause: unknown }> {
  override get message(): string {
    return `the listener is gone: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

export type BindError = PortInUse | PortForbidden | AddressUnavailable | ListenFailed

/** What closing did: answers that were finished, and connections that had to be cut. */
export interface ListenerClosed {
  readonly finished: number
  readonly cut: number
}

export interface BoundListener {
  readonly host: string
  /** The actual port, even when 0 was requested. */
  readonly port: number
  /** Fails when the listening socket dies unexpectedly; otherwise never ends. */
  readonly lost: Effect.Effect<never, ListenerLost>
  /** Open connections and exchanges in progress, for `/health` and `/metrics`. */
  readonly load: () => { readonly connections: number; readonly exchanges: number }
  /** Accepts nothing new, closes idle connections, lets responses in progress finish for `graceMs`, cuts the rest. */
  readonly close: (graceMs: number) => Effect.Effect<ListenerClosed>
}

export interface HttpListenerService {
  /** Binds host and port of the settings. The scope's end closes what is still open, without grace. */
  readonly bind: Effect.Effect<BoundListener, BindError, Scope.Scope>
}

export class HttpListener extends Context.Service<HttpListener, HttpListenerService>()(
  "holdfast/layers/HttpListener"
) {}
