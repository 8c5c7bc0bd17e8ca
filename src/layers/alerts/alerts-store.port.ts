/**
 * Alerts store: the port to the `alerts` table.
 *
 * Promises: entries are applied in their order; an outbreak that is open in the table gets the count, a resolved one
 * never does; storing the same entries again changes nothing.
 * Never: decides whether something is worth an alert.
 */
import { Context, type Effect } from "effect"
import type { PendingEntry } from "./alerts.port.ts"
import type { DatabaseError } from "../database/database.port.ts"

/** A stored outbreak that a closing ended. */
export interface ClosedAlert {
  readonly dedupKey: string
  readonly by: string
}

export interface AlertsStoreService {
  readonly store: (
    entries: ReadonlyArray<PendingEntry>
  ) => Effect.Effect<ReadonlyArray<ClosedAlert>, DatabaseError>
}

export class AlertsStore extends Context.Service<AlertsStore, AlertsStoreService>()(
  "holdfast/layers/AlertsStore"
) {}
