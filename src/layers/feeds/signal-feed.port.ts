/**
 * SignalFeed: the port through which a feed gets a connection to its signal server, and learns what the server sends.
 *
 * One connection is one scope. What happens on it is passed to a listener as it happens, synchronously and in order,
 * because the machine decides about it and a queue in between would only hide who is slow.
 *
 * Promises: `ended` is called exactly once per connection that was not closed by its scope, with kind, code and reason;
 * nothing is reported after it, nor after the scope closed; closing the scope sends a close frame and destroys the socket.
 * Never: reconnects, acts on what a message means, or waits.
 */
import { Context, type Effect, type Scope } from "effect"
import type { FeedEnd } from "../../domain/feeds/feed-end.ts"
import type { FeedMessage } from "../../domain/feeds/feed-wire.ts"

export interface FeedListener {
  /** The handshake is done. */
  readonly opened: () => void
  /** A text of the server, whichever kind of frame carried it: some servers send their JSON in binary ones. */
  readonly text: (text: string) => void
  /** A frame that is not UTF-8: not of this protocol. */
  readonly unreadable: () => void
  /** A pong frame. */
  readonly pong: () => void
  readonly ended: (end: FeedEnd) => void
}

export interface FeedAddress {
  readonly url: string
  /** A larger frame ends the connection. */
  readonly frameBytesMax: number
}

export interface FeedConnection {
  /** Sends a text frame; a send that fails, or a peer that reads nothing of what was sent, ends the connection. */
  readonly send: (text: string) => void
  /** Sends a ping frame. */
  readonly ping: () => void
  /** Stops reading: the peer's TCP waits, and so do pongs and close frames. */
  readonly pause: () => void
  readonly resume: () => void
}

export interface SignalFeedService {
  /** What a text of the server means; never throws. */
  readonly read: (text: string) => FeedMessage
  /** Begins to connect, at once and without waiting. */
  readonly open: (
    address: FeedAddress,
    listener: FeedListener
  ) => Effect.Effect<FeedConnection, never, Scope.Scope>
}

export class SignalFeed extends Context.Service<SignalFeed, SignalFeedService>()(
  "holdfast/layers/SignalFeed"
) {}
