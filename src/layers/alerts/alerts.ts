/**
 * Alerts: the port through which any component says that an operator should look.
 *
 * An alert is logged the moment it is raised and stored when the database is there, because the time an
 * alert is needed most is the time the database is away (T4). Between the two it waits here, in memory,
 * merged by its dedup key so that a flapping component cannot fill the queue.
 *
 * Promises: `raise` never fails, never waits and always logs; at most `alertLimits.pendingMax` wait, the oldest
 * makes room and is counted as dropped.
 * Never: sends anything (sinks are components of their own) or touches the database.
 */
import { Context, type Effect } from "effect"

export type Severity = "LOW" | "MEDIUM" | "HIGH" | "CRITICAL"

export interface Alert {
  readonly severity: Severity
  /** Stable, dotted, for example `order.needs_operator`. */
  readonly kind: string
  /** Alerts with the same key are one row with a count, until an operator acknowledges it. */
  readonly dedupKey: string
  readonly message: string
  readonly component?: string
  readonly correlationId?: string
  readonly detail?: Readonly<Record<string, unknown>>
}

export interface PendingAlert extends Alert {
  readonly occurrences: number
}

export interface AlertsService {
  readonly raise: (alert: Alert) => Effect.Effect<void>
  /** Takes everything that waits; what cannot be stored is given back with `putBack`. */
  readonly takePending: () => ReadonlyArray<PendingAlert>
  readonly putBack: (alerts: ReadonlyArray<PendingAlert>) => void
  readonly counts: () => { readonly raised: number; readonly pending: number; readonly dropped: number }
}

export class Alerts extends Context.Service<Alerts, AlertsService>()("holdfast/layers/Alerts") {}
