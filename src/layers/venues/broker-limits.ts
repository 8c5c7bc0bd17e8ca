/**
 * Broker limits: the bounds of every adapter that talks to a venue, each with its reason.
 *
 * The deadline of a create is in `domain/kernel/limits.ts`, because the lease of an account depends on it; these depend on
 * nothing but each other and the venues.
 *
 * Promises: durations end in `Ms`, sizes in `Bytes`; the relations at the end hold whenever this module could be imported.
 * Never: a setting. A venue that needs other numbers gets an adapter of its own.
 */
import { invariant } from "../../domain/kernel/invariant.ts"
import { accountLimits } from "../../domain/kernel/limits-execution.ts"

export const brokerLimits = {
  /** A look-up takes milliseconds; one that takes longer is retried, which a create never is. */
  readMsMax: 3_000,
  /** Handshake of the stream, and the venue's hello after it: what the clients of real venues use. */
  streamConnectMsMax: 10_000,
  streamHelloMsMax: 10_000,
  /**
   * Sockets of a frozen or unplugged peer stay open, and while nobody orders its pong is all it sends. A ping is a few
   * bytes, so it is sent often; a pong takes microseconds, and 4 s outlast a long pause of either process.
   */
  pingEveryMs: 5_000,
  pongMsMax: 4_000,
  /** Events that wait for their reader. A burst of fills after an outage is fetched, not streamed, so this is ample. */
  streamEventsMax: 4_096,
  /** One message of the stream is one order or one fill: 1 KiB. */
  streamMessageBytesMax: 65_536,
  /** One page of a list: 500 orders of 600 bytes, ten times over. */
  answerBytesMax: 4_194_304,
  /** Pages of one look-up. Beyond it the cursor is wrong or the venue counts in circles. */
  pagesMax: 200,
  /** Fills from before a cursor that are fetched again: what became visible out of order. One short page. */
  fillsOverlap: 64,
  /** Connections to one venue: one round trip per account at a time, plus the look-ups. */
  socketsMax: 32,
  /** Characters of an answer that are quoted in a reason. */
  excerptLengthMax: 120
} as const

invariant(brokerLimits.pongMsMax < brokerLimits.pingEveryMs, "a pong is due before the next ping")
invariant(
  brokerLimits.readMsMax < accountLimits.brokerCallMsMax,
  "a look-up gives up before a create would: it is the way to learn what the create did"
)
