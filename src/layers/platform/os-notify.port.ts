/**
 * OS notification: the port through which the process tells its service manager how it is.
 *
 * systemd starts what depends on us at READY=1, shows STATUS to the operator, and kills a process whose
 * WATCHDOG pings stop. All three are derived from the tree; this port only carries the text.
 *
 * Promises: `send` never fails and never blocks; without a service manager it does nothing.
 * Never: decides what to say.
 */
import { Context, type Effect } from "effect"

export interface OsNotifyService {
  /** Sends one datagram of `KEY=VALUE` lines, for example `READY=1`. False when it could not be sent. */
  readonly send: (text: string) => Effect.Effect<boolean>
  /** The watchdog interval asked for by the service manager in milliseconds, or null. */
  readonly watchdogMs: number | null
  readonly enabled: boolean
  /** What an operator should know about the way to the service manager; empty when nothing is in it. */
  readonly notices: ReadonlyArray<string>
}

export class OsNotify extends Context.Service<OsNotify, OsNotifyService>()("holdfast/layers/OsNotify") {}
