/**
 * outbox-route: which sinks are told of an alert.
 *
 * Promises: pure; a sink is never told of its own trouble, which would be sent by what is broken; an alert that concerns no account
 * passes every filter of accounts.
 * Never: drops an alert: what no sink takes is in the table of alerts as before.
 */
import { type AlertSeverity, SEVERITIES, type SinkSettings } from "../kernel/settings-alerts.ts"

/** What routing reads of an alert. */
export interface RoutedAlert {
  readonly severity: AlertSeverity
  readonly kind: string
  /** The component it is about, by its path. */
  readonly component: string | null
  /** The account it concerns, where it names one. */
  readonly account: string | null
}

/** The component of a sink. */
export const sinkPath = (name: string): string => `root/operators/sink:${name}`

const ACCOUNT_PATH = /^root\/trading\/accounts\/([^/]+)$/

/** The account that an alert concerns: the one it names, or the one whose executor raised it. */
export const accountOf = (named: string | null, component: string | null): string | null =>
  named ?? ACCOUNT_PATH.exec(component ?? "")?.[1] ?? null

export const isKind = (pattern: string, kind: string): boolean =>
  pattern.endsWith("*") ? kind.startsWith(pattern.slice(0, -1)) : kind === pattern

const takes = (
  { accounts, kinds, severityMin }: SinkSettings,
  { account, kind, severity }: RoutedAlert
): boolean =>
  SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(severityMin) &&
  (kinds === null || kinds.some((pattern) => isKind(pattern, kind))) &&
  (accounts === null || account === null || accounts.includes(account))

/** The names of the sinks that are told of it. */
export const sinksFor = (
  alert: RoutedAlert,
  sinks: Readonly<Record<string, SinkSettings>>
): ReadonlyArray<string> =>
  Object.entries(sinks).flatMap(([name, sink]) =>
    alert.component !== sinkPath(name) && takes(sink, alert) ? [name] : []
  )
