/**
 * feed-end: the ways a feed's connection can end, as one vocabulary.
 *
 * In the incident a connection ended with code 1000 and that end had no name, so nobody owned it. Here each end has a
 * kind, and a close code where the peer gave one; only two of the kinds change what happens next.
 *
 * Promises: every end is one of these kinds; `credentials` is the only one that waits for a human.
 * Never: knows sockets.
 */

export type FeedEndKind =
  /** A close frame, whatever its code. */
  | "closed"
  /** The TCP connection ended or was reset without a close frame. */
  | "broken"
  | "refused"
  /** The name does not resolve. */
  | "unresolved"
  | "unreachable"
  | "tls"
  /** An HTTP status instead of the upgrade. */
  | "http"
  /** 401, 403 or auth_failed. */
  | "credentials"
  /** The response to the handshake was not a valid one. */
  | "handshake"
  /** A violation of the WebSocket protocol. */
  | "protocol"
  /** A frame above the limit. */
  | "oversize"
  /** A send that failed. */
  | "send"
  | "no_handshake"
  | "no_auth"
  | "no_pong"
  | "no_signals"
  | "no_stats"
  /** We ended it ourselves. */
  | "given_up"

/** How a connection ended. `code` is the WebSocket close code of the peer's frame, null when there was none. */
export interface FeedEnd {
  readonly kind: FeedEndKind
  readonly code: number | null
  readonly reason: string
}
