/**
 * Alerts: the port through which any component raises an alert for operators, and resolves it.
 *
 * An alert is logged the moment it is raised and stored when the database is there, because the time an
 * alert is needed most is the time the database is away (T4). Between the two it waits here, in memory,
 * merged by its dedup key so that a flapping component cannot fill the queue.
 *
 * One row is one outbreak (T11): repetitions raise its count, what ends it closes it, and the next one is a new row. A
 * `standing` alert is a condition and is closed by `resolve`, whether or not somebody has acknowledged it; any
 * other one is an event, closed by an acknowledgement or by an hour without another.
 *
 * Promises: `raise` and `resolve` never fail, never wait; a raise always logs, at the level of its severity (a
 * condition that merely lasts: at debug); at most
 * `alertLimits.pendingMax` entries wait; of more the least grave is dropped, the oldest of these first, and counted.
 * Never: sends anything (sinks are components of their own) or touches the database.
 */
import { Context, type Effect } from "effect"
import { journalFact, journalText } from "../../domain/platform/journal.ts"
import { logEvent } from "../../runtime/log-event.ts"

export type Severity = "LOW" | "MEDIUM" | "HIGH" | "CRITICAL"

export interface Alert {
  readonly severity: Severity
  /** Stable, dotted, for example `order.needs_operator`. */
  readonly kind: string
  /** What the outbreak is about. Alerts with the same key are one row with a count, until it is resolved. */
  readonly dedupKey: string
  readonly message: string
  readonly component?: string
  readonly correlationId?: string
  readonly detail?: Readonly<Record<string, unknown>>
  /** A condition that lasts until `resolve` is called for it. */
  readonly standing?: true
  /** An operator did it on purpose: alerted, but never logged as an error. */
  readonly byOperator?: true
  /**
   * The UUID under which the transaction that this is about has stored it already (`storeAlertsIn`). Raising it then logs it and
   * changes no row.
   */
  readonly entry?: string
}

/** What ended an outbreak, and when (epoch milliseconds of this process). */
export interface Resolution {
  readonly by: string
  readonly atMs: number
}

/** The part of an outbreak that is not stored yet. */
export interface PendingAlert extends Alert {
  readonly _tag: "Outbreak"
  /** A UUID; storing the same entry twice counts once. */
  readonly id: string
  readonly occurrences: number
  readonly firstAtMs: number
  readonly lastAtMs: number
  /** Message and detail of the last repetition; those of the first stay with the outbreak. */
  readonly last: Pick<Alert, "message" | "detail">
  readonly resolved: Resolution | null
}

/** The first occurrence of an alert, as it is stored. */
export const outbreakOf = ({ entry: _entry, ...alert }: Alert, id: string, atMs: number): PendingAlert => ({
  ...alert,
  _tag: "Outbreak",
  id,
  occurrences: 1,
  firstAtMs: atMs,
  lastAtMs: atMs,
  last: alert,
  resolved: null
})

/** Which alerts are resolved: those of these keys, or all of a prefix but these, which still hold. */
export type Ended =
  | { readonly _tag: "Keys"; readonly keys: ReadonlyArray<string> }
  | { readonly _tag: "AllBut"; readonly prefix: string; readonly keys: ReadonlyArray<string> }

/** Closes what is open in the table. */
export interface PendingClosing {
  readonly _tag: "Closing"
  readonly ended: Ended
  readonly resolution: Resolution
}

export type PendingEntry = PendingAlert | PendingClosing

/** The entry under which a transaction stores an alert (`storeAlertsIn`), and under which it is raised afterwards. */
export interface AlertDraft {
  readonly entry: string
  /** The alert as it is stored: masked as `raise` masks it, as of the moment of the draft. */
  readonly of: (alert: Alert) => PendingAlert
}

export interface AlertsService {
  readonly raise: (alert: Alert) => Effect.Effect<void>
  /** A new entry for a transaction of what an alert is about; see committed-alert.ts. */
  readonly draft: Effect.Effect<AlertDraft>
  /**
   * What an alert was about has ended; `by` names briefly what ended it. Cheap to repeat, even when none was raised.
   * Many keys are one entry of the queue.
   */
  readonly resolve: (dedupKeys: string | ReadonlyArray<string>, by: string) => Effect.Effect<void>
  /** Of the alerts whose key begins with `prefix` only those of `keys` still hold. */
  readonly resolveAllBut: (prefix: string, keys: ReadonlyArray<string>, by: string) => Effect.Effect<void>
  /** Takes everything that waits, in order; what cannot be stored is returned with `putBack`. */
  readonly takePending: () => ReadonlyArray<PendingEntry>
  readonly putBack: (entries: ReadonlyArray<PendingEntry>) => void
  readonly counts: () => { readonly raised: number; readonly pending: number; readonly dropped: number }
}

export class Alerts extends Context.Service<Alerts, AlertsService>()("holdfast/layers/Alerts") {}

/** The log line of a resolved outbreak. Logged by whichever side knows that there was one. */
export const resolvedLine = (dedupKey: string, by: string): Effect.Effect<void> =>
  logEvent("info", "alert.resolved", by, { dedup_key: dedupKey })

/** The same for the journal. */
export const resolvedFact = (dedupKey: string, by: string, at: number) =>
  journalFact({
    type: "alert",
    at,
    path: "root",
    event: "alert.resolved",
    cause: journalText(by),
    detail: { dedup_key: journalText(dedupKey) }
  })
