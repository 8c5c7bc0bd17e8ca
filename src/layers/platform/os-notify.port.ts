/**
 * OS notification: the port through which the process reports its state to its service manager.
 *
 * systemd starts what depends on us at READY=1, shows STATUS to the operator, and kills a process whose
 * WATCHDOG pings stop. All three are derived from the tree; this port only carries the text.
 *
 * Promises: `send` never fails and never blocks; without a service manager it does nothing.
 * Never: decides what to send.
 */
import { Context, type Effect } from "effect"

export interface OsNotifyService {
  /** Sends one datagram of `KEY=VALUE` lines, for example `READY=1`. False when it could not be sent. */
  readonly send: (text: string) => Effect.Effect<boolean>
  /** The watchdog interval requested by the service manager in milliseconds, or null. */
  readonly watchdogMs: number | null
  readonly enabled: boolean
  /** What an operator should know about the path to the service manager; empty when nothing is in the way. */
  readonly notices: ReadonlyArray<string>
}

export class OsNotify extends Context.Service<OsNotify, OsNotifyService>()("holdfast/layers/OsNotify") {}
