/**
 * alert-groups: which alerts are told together.
 *
 * Alerts come alone or by the hundred. Those of one kind and severity are one message that counts the rest, wherever it is sent.
 *
 * Promises: groups are in the order of their first alert, and an alert is in one of them.
 * Never: words a message.
 */
import type { AlertSeverity } from "../kernel/settings-alerts.ts"

interface Groupable {
  readonly severity: AlertSeverity
  readonly kind: string
}

/** Alerts with the same key are told together. */
export const groupKey = ({ kind, severity }: Groupable): string => `${severity} ${kind}`

export interface AlertGroup<A> {
  readonly first: A
  readonly all: ReadonlyArray<A>
}

export const groupsOf = <A extends Groupable>(alerts: ReadonlyArray<A>): ReadonlyArray<AlertGroup<A>> =>
  [...Map.groupBy(alerts, groupKey).values()].flatMap((all) => {
    const [first] = all
    return first === undefined ? [] : [{ first, all }]
  })

/** What stands for the alerts of a group that are not named; "" for none. */
export const moreWords = (count: number): string => (count === 0 ? "" : `${count} more like this`)
