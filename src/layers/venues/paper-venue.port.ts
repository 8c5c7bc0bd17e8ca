/**
 * Paper venue: the port through which practice mode gets a venue of its own.
 *
 * A broker without a URL is a venue that this process runs for itself. It is still reached over HTTP and WebSocket like
 * any other, so the only thing the rest of the service has to learn is its address, which changes with every start.
 *
 * Promises: `addressOf` is the address of the venue that takes orders now, or null; a launched venue ends with its scope.
 * Never: launches by itself; the paper-venue actor owns that.
 */
import { Context, Data, type Effect, type Scope } from "effect"

/** The venue could not listen, or died of a bug. */
export class PaperVenueFailed extends Data.TaggedError("PaperVenueFailed")<{
  readonly broker: string
  readonly reason: string
}> {}

export const paperVenueLimits = {
  /** Listening takes milliseconds and the migrations of an empty schema 50 ms; ten seconds are a stuck database. */
  startMsMax: 10_000,
  retryMsFirst: 250,
  retryMsMax: 10_000
} as const

export interface RunningVenue {
  /** Base URL on loopback. */
  readonly url: string
  /** Completes when the venue has reached its database and takes orders. */
  readonly serving: Effect.Effect<void>
  /** Never succeeds; fails when the venue cannot go on. */
  readonly ended: Effect.Effect<never, PaperVenueFailed>
}

export interface PaperVenuesService {
  /** Starts the venue of a broker; its address is published from `serving` until the scope closes. */
  readonly launch: (broker: string) => Effect.Effect<RunningVenue, PaperVenueFailed, Scope.Scope>
  /** Base URL of the venue that takes orders for this broker now, or null. */
  readonly addressOf: (broker: string) => string | null
}

export class PaperVenues extends Context.Service<PaperVenues, PaperVenuesService>()(
  "holdfast/layers/PaperVenues"
) {}
