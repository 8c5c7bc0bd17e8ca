/**
 * SignalServers: the port through which practice mode gets a signal server of its own.
 *
 * A feed without a URL is served by this process. It is still reached over a WebSocket like any other, so what works in
 * practice works against any server.
 *
 * Promises: `addressOf` is the address of the server that listens now, or null; a launched server ends with its scope.
 * Never: launches by itself; the signal-server actor owns that.
 */
import { Context, Data, type Effect, type Scope } from "effect"

/** The server could not listen. */
export class SignalServerFailed extends Data.TaggedError("SignalServerFailed")<{
  readonly feed: string
  readonly reason: string
}> {}

export interface SignalServersService {
  /** Starts the server of a feed and publishes its address until the scope closes; returns the address. */
  readonly launch: (
    feed: string,
    signalsPerWave: number
  ) => Effect.Effect<string, SignalServerFailed, Scope.Scope>
  readonly addressOf: (feed: string) => string | null
  /** Resets every connection of the feed; false where no server of it runs. */
  readonly cut: (feed: string) => boolean
}

export class SignalServers extends Context.Service<SignalServers, SignalServersService>()(
  "holdfast/layers/SignalServers"
) {}
