/**
 * Alerts queue: the in-memory half of the `Alerts` port.
 *
 * Promises: what alerts.ts promises; alerts with one dedup key are one entry with a count; what an alert repeats of a
 * peer or an error is masked before it is kept, because it is shown and stored.
 * Never: waits for anything or calls the database.
 * Failure: none; when more than `alertLimits.pendingMax` different alerts wait, the oldest is dropped, counted, and
 * still in the log.
 */
import { Effect, Layer } from "effect"
import { alertLimits } from "../../domain/limits.ts"
import { type Mask, maskedRecord, redactUrls } from "../../domain/redaction.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { type Alert, Alerts, type AlertsService, type PendingAlert } from "./alerts.ts"
import { Wake } from "../process/wake.ts"

const masked = (mask: Mask, alert: Alert): Alert => ({
  ...alert,
  message: mask(alert.message),
  ...(alert.detail === undefined ? {} : { detail: maskedRecord(mask, alert.detail) })
})

const makeAlerts = (mask: Mask): Effect.Effect<AlertsService, never, Wake> =>
  Effect.gen(function* () {
    const wake = yield* Wake
    const pending = new Map<string, PendingAlert>()
    let raised = 0
    let dropped = 0
    const enqueue = (alert: PendingAlert): void => {
      const waiting = pending.get(alert.dedupKey)
      if (waiting !== undefined) {
        pending.set(alert.dedupKey, { ...alert, occurrences: waiting.occurrences + alert.occurrences })
        return
      }
      if (pending.size >= alertLimits.pendingMax) {
        const oldest = pending.keys().next()
        if (oldest.done !== true) pending.delete(oldest.value)
        dropped += 1
      }
      pending.set(alert.dedupKey, alert)
    }
    return Alerts.of({
      raise: (given) =>
        Effect.suspend(() => {
          const alert = masked(mask, given)
          raised += 1
          enqueue({ ...alert, occurrences: 1 })
          wake.notify("alerts")
          const level = alert.severity === "LOW" ? "info" : alert.severity === "MEDIUM" ? "warn" : "error"
          return logEvent(level, "alert.raised", alert.message, {
            severity: alert.severity,
            kind: alert.kind,
            ...(alert.component === undefined ? {} : { component: alert.component }),
            ...(alert.correlationId === undefined ? {} : { correlation_id: alert.correlationId }),
            ...alert.detail
          })
        }),
      takePending: () => {
        const taken = [...pending.values()]
        pending.clear()
        return taken
      },
      putBack: (alerts) => {
        for (const alert of alerts) enqueue(alert)
      },
      counts: () => ({ raised, pending: pending.size, dropped })
    })
  })

/** The queue of a service with these secrets. */
export const alertsQueueMasked = (mask: Mask): Layer.Layer<Alerts, never, Wake> =>
  Layer.effect(Alerts, makeAlerts(mask))

/** The queue of a world that has no secrets. */
export const alertsQueue: Layer.Layer<Alerts, never, Wake> = alertsQueueMasked(redactUrls)
