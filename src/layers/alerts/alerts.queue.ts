/**
 * Alerts queue: the in-memory half of the `Alerts` port.
 *
 * Promises: what alerts.ts promises; alerts with one dedup key are one entry with a count; what an alert repeats of a
 * peer or an error is masked before it is kept, because it is shown and stored; a `resolve` that was just told is not
 * told to the database again.
 * Never: waits for anything or calls the database.
 * Failure: none; when more than `alertLimits.pendingMax` entries wait, the oldest is dropped, counted, and
 * still in the log.
 */
import { Clock, Effect, Layer } from "effect"
import { randomUUID } from "node:crypto"
import { alertLimits } from "../../domain/limits.ts"
import { type Mask, maskedRecord, redactUrls } from "../../domain/redaction.ts"
import { logEvent, type LogLevelName } from "../../runtime/log-event.ts"
import { closes, makePendingAlerts } from "./alerts-pending.ts"
import {
  type Alert,
  Alerts,
  type AlertsService,
  type PendingClosing,
  resolvedLine,
  type Severity
} from "./alerts.ts"
import { Wake } from "../process/wake.ts"

const masked = (mask: Mask, alert: Alert): Alert => ({
  ...alert,
  message: mask(alert.message),
  ...(alert.detail === undefined ? {} : { detail: maskedRecord(mask, alert.detail) })
})

const levels: Readonly<Record<Severity, LogLevelName>> = {
  LOW: "info",
  MEDIUM: "warn",
  HIGH: "error",
  CRITICAL: "error"
}

/** What an operator did is no fault of the process, however grave (T11). */
const levelOf = ({ byOperator, severity }: Alert): LogLevelName =>
  byOperator === true && levels[severity] === "error" ? "warn" : levels[severity]

/** That a state lasts is no news: it was said when it began, and its row counts on. */
const raisedLine = (alert: Alert, lasts: boolean) =>
  logEvent(lasts ? "debug" : levelOf(alert), lasts ? "alert.repeated" : "alert.raised", alert.message, {
    ...alert.detail,
    severity: alert.severity,
    kind: alert.kind,
    dedup_key: alert.dedupKey,
    ...(alert.component === undefined ? {} : { component: alert.component }),
    ...(alert.correlationId === undefined ? {} : { correlation_id: alert.correlationId })
  })

/** When a closing was last told, so that a component may say at every look that all is well. */
const makeSettled = () => {
  const told = new Map<string, { readonly closing: PendingClosing; readonly atMs: number }>()
  const keyOf = ({ allBut, key }: PendingClosing): string =>
    allBut === null ? key : JSON.stringify([key, allBut])
  return {
    isNews: (closing: PendingClosing, nowMs: number): boolean => {
      const last = told.get(keyOf(closing))
      return last === undefined || nowMs - last.atMs >= alertLimits.resolveAgainMs
    },
    note: (closing: PendingClosing, nowMs: number): void => {
      // Forgetting costs one statement that closes nothing.
      if (told.size >= alertLimits.settledMax) told.clear()
      told.set(keyOf(closing), { closing, atMs: nowMs })
    },
    /** An alert was raised: whoever has said that it is over must say so again. */
    forget: (dedupKey: string): void => {
      for (const [key, { closing }] of told) if (closes(closing, dedupKey)) told.delete(key)
    }
  }
}

const makeAlerts = (mask: Mask): Effect.Effect<AlertsService, never, Wake> =>
  Effect.gen(function* () {
    const wake = yield* Wake
    const pending = makePendingAlerts()
    const settled = makeSettled()
    let raised = 0
    // States that were raised here and are not over, with their last raise; bounded like what is settled.
    const lasting = new Map<string, number>()
    const lasts = ({ dedupKey, standing }: Alert, nowMs: number): boolean => {
      if (standing !== true) return false
      const at = lasting.get(dedupKey)
      if (lasting.size >= alertLimits.settledMax) lasting.clear()
      lasting.set(dedupKey, nowMs)
      // Another process may have ended it meanwhile; after a pause it is news in any case.
      return at !== undefined && nowMs - at < alertLimits.resolveAgainMs
    }
    const close = (key: string, allBut: ReadonlyArray<string> | null, given: string) =>
      Effect.flatMap(Clock.currentTimeMillis, (atMs) => {
        const by = mask(given)
        const closing: PendingClosing = { _tag: "Closing", key, allBut, resolution: { by, atMs } }
        const known = pending.open(closing)
        if (known.length === 0 && !settled.isNews(closing, atMs)) return Effect.void
        pending.add(closing)
        settled.note(closing, atMs)
        for (const dedupKey of lasting.keys()) if (closes(closing, dedupKey)) lasting.delete(dedupKey)
        wake.notify("alerts")
        return Effect.forEach(known, (dedupKey) => resolvedLine(dedupKey, by), { discard: true })
      })
    return Alerts.of({
      raise: (given) =>
        Effect.flatMap(Clock.currentTimeMillis, (atMs) => {
          const alert = masked(mask, given)
          raised += 1
          pending.add({
            ...alert,
            _tag: "Outbreak",
            id: randomUUID(),
            occurrences: 1,
            firstAtMs: atMs,
            lastAtMs: atMs,
            last: alert,
            resolved: null
          })
          settled.forget(alert.dedupKey)
          wake.notify("alerts")
          return raisedLine(alert, lasts(alert, atMs))
        }),
      resolve: (dedupKey, by) => close(dedupKey, null, by),
      resolveAllBut: (prefix, keys, by) => close(prefix, keys, by),
      takePending: pending.take,
      putBack: pending.putBack,
      counts: () => ({ raised, pending: pending.size(), dropped: pending.dropped() })
    })
  })

/** The queue of a service with these secrets. */
export const alertsQueueMasked = (mask: Mask): Layer.Layer<Alerts, never, Wake> =>
  Layer.effect(Alerts, makeAlerts(mask))

/** The queue of a world that has no secrets. */
export const alertsQueue: Layer.Layer<Alerts, never, Wake> = alertsQueueMasked(redactUrls)
