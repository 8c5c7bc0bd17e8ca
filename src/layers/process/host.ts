/**
 * Host: the port to the process we live in, as far as its end is concerned.
 *
 * Promises: a stop that was asked for is an event with the name of its signal; a fault that no fiber owns is one too.
 * Never: ends the process by itself.
 */
import { Context, type Effect } from "effect"

export type StopRequest =
  | { readonly _tag: "Signal"; readonly signal: "SIGTERM" | "SIGINT" }
  | { readonly _tag: "Fault"; readonly error: unknown }

export interface HostService {
  /** The first request to stop, at once when it was made before. */
  readonly stopRequested: Effect.Effect<StopRequest>
  /** A second signal while stopping: whoever sends it does not want to wait. */
  readonly forceRequested: Effect.Effect<void>
  /** The next request to look at the configuration again; several while one is under way are one. */
  readonly nextReload: Effect.Effect<void>
}

export class Host extends Context.Service<Host, HostService>()("holdfast/layers/Host") {}
