/**
 * HttpFront: the port between the listening socket and everything that is served behind it.
 *
 * The listener knows sockets, limits and bad HTTP; the front knows paths. Keeping them apart lets the contract of
 * each be tested alone, and lets the socket be bound before anything behind it exists.
 *
 * Promises: `handle` answers every exchange exactly once, now or later, and never throws.
 * Never: binds, closes or counts connections.
 * Failure: an exchange whose handling breaks is answered 500 by the implementation.
 */
import { Context, type Effect } from "effect"
import { logEvent } from "../../runtime/log-event.ts"
import { type Exchange, refuse } from "./http.exchange.ts"

/** What the listener passes along with an exchange. */
export interface Handling {
  /** The caller waits for 100 before it sends the body. */
  readonly expectsContinue: boolean
  /** Runs an effect as a fiber of the listener; the returned function interrupts it. */
  readonly run: (effect: Effect.Effect<void>) => () => void
  /** Effects in progress. */
  readonly running: () => number
}

export interface HttpFrontService {
  /** Takes an exchange whose headers are complete. */
  readonly handle: (exchange: Exchange, handling: Handling) => void
  /** The listener closes: streams that would never end by themselves are ended. */
  readonly endStreams: () => void
}

/**
 * Runs a part of the handling that no fiber owns. A bug in it must cost one response and not the process, which an
 * exception in a listener of a socket would end.
 */
export const guarded = (exchange: Exchange, handling: Handling, part: () => void): void => {
  try {
    part()
  } catch (error) {
    refuse(exchange, 500, {}, { connection: "close" })
    handling.run(
      logEvent("error", "http.handler_broke", "handling a request broke", {
        component: "root/http",
        request_id: exchange.requestId,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error)
      })
    )
  }
}

export class HttpFront extends Context.Service<HttpFront, HttpFrontService>()("holdfast/layers/HttpFront") {}
