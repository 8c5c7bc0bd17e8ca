/**
 * An alert that is committed together with what it is about.
 *
 * An alert that is raised after a commit is lost when the process ends in between, and for what happens once nobody finds it again.
 * So the transaction stores it (`storeAlertsIn`), and whoever committed raises it afterwards under the same entry, which logs it,
 * notifies whoever delivers alerts and changes no row.
 *
 * Promises: both halves are one outbreak with one count; what is stored is masked as what is raised.
 * Never: stores or raises by itself; is needed for a condition that its component finds again at every look.
 */
import { Effect } from "effect"
import { type Alert, Alerts, type PendingAlert } from "./alerts.port.ts"

export interface CommittedAlert<A> {
  /** For the transaction. */
  readonly stored: (of: A) => PendingAlert
  /** For after the commit. */
  readonly raise: (of: A) => Effect.Effect<void>
}

/** `alertOf` makes the alert of what the transaction did; both halves are given the same. */
export const committedAlert = <A>(
  alertOf: (of: A) => Alert
): Effect.Effect<CommittedAlert<A>, never, Alerts> =>
  Alerts.use((alerts) =>
    Effect.map(alerts.draft, (draft): CommittedAlert<A> => {
      return {
        stored: (of) => draft.of(alertOf(of)),
        raise: (of) => alerts.raise({ ...alertOf(of), entry: draft.entry })
      }
    })
  )
