/**
 * Host: the port to the process we live in, as far as its end and its signals are concerned.
 *
 * Promises: a requested stop is an event with the name of its signal; a fault that no fiber owns is one too; a
 * signal without a meaning here is reported, and does nothing.
 * Never: ends the process by itself.
 */
import { Context, type Effect } from "effect"

/** SIGHUP stops only a process whose terminal has closed. */
export type StopSignal = "SIGTERM" | "SIGINT" | "SIGHUP"
/** Signals that other programs use to open a debugger or to die. */
export type StraySignal = "SIGUSR1" | "SIGUSR2"

export type StopRequest =
  | { readonly _tag: "Signal"; readonly signal: StopSignal }
  | { readonly _tag: "Fault"; readonly error: unknown }

export interface HostService {
  /** The first request to stop, at once when it was made before. */
  readonly stopRequested: Effect.Effect<StopRequest>
  /** A second stop signal, too late to be a repetition of the first: whoever sends it does not want to wait. */
  readonly forceRequested: Effect.Effect<void>
  /** The next request to reread the configuration; several during one reread are one. */
  readonly nextReload: Effect.Effect<void>
  /** The next signal without a meaning here. */
  readonly nextStray: Effect.Effect<StraySignal>
}

export class Host extends Context.Service<Host, HostService>()("holdfast/layers/Host") {}
