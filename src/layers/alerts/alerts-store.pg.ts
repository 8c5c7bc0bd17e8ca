/**
 * Alerts store on PostgreSQL.
 *
 * One statement for everything that waited. The partial unique index on open alerts makes the dedup key the
 * identity: until an operator acknowledges an alert, the next of its kind only raises the count.
 *
 * Promises: all of the batch or nothing; `last_at` and `version` move with every repetition.
 * Never: reopens an acknowledged alert.
 * Failure: `DatabaseUnavailable` gives the batch back to the caller, who keeps it in memory.
 */
import { Effect, Layer } from "effect"
import { randomUUID } from "node:crypto"
import { AlertsStore } from "./alerts-store.ts"
import type { PendingAlert } from "./alerts.ts"
import { Database } from "../database/database.ts"

const detailOf = (alert: PendingAlert): string =>
  JSON.stringify({
    ...alert.detail,
    ...(alert.correlationId === undefined ? {} : { correlation_id: alert.correlationId })
  })

export const alertsStorePg: Layer.Layer<AlertsStore, never, Database> = Layer.effect(
  AlertsStore,
  Effect.map(Database, (database) =>
    AlertsStore.of({
      store: (alerts) =>
        database.run("alerts.store", (sql) =>
          alerts.length === 0
            ? Effect.void
            : sql`
          INSERT INTO alerts (id, severity, kind, dedup_key, message, component, detail, occurrences)
          SELECT * FROM unnest(
            ${alerts.map(() => randomUUID())}::uuid[],
            ${alerts.map((alert) => alert.severity)}::text[],
            ${alerts.map((alert) => alert.kind)}::text[],
            ${alerts.map((alert) => alert.dedupKey)}::text[],
            ${alerts.map((alert) => alert.message)}::text[],
            ${alerts.map((alert) => alert.component ?? "")}::text[],
            ${alerts.map(detailOf)}::jsonb[],
            ${alerts.map((alert) => alert.occurrences)}::int[]
          )
          ON CONFLICT (dedup_key) WHERE acknowledged_at IS NULL DO UPDATE SET
            occurrences = alerts.occurrences + excluded.occurrences,
            severity = excluded.severity, message = excluded.message, detail = excluded.detail,
            last_at = now(), version = alerts.version + 1`.pipe(Effect.asVoid)
        )
    })
  )
)
