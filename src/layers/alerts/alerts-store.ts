/**
 * Alerts store: the port to the `alerts` table.
 *
 * Promises: storing the same pending alert again adds to the count of its open row and never makes a second one.
 * Never: decides whether something is worth an alert.
 */
import { Context, type Effect } from "effect"
import type { PendingAlert } from "./alerts.ts"
import type { DatabaseError } from "../database/database.ts"

export interface AlertsStoreService {
  readonly store: (alerts: ReadonlyArray<PendingAlert>) => Effect.Effect<void, DatabaseError>
}

export class AlertsStore extends Context.Service<AlertsStore, AlertsStoreService>()(
  "holdfast/layers/AlertsStore"
) {}
