/**
 * Alerts queue: the in-memory half of the `Alerts` port.
 *
 * Promises: those of the port; alerts with one dedup key are one entry with a count; what an alert repeats from a
 * peer or an error is masked before it is kept, because it is shown and stored; a `resolve` that was just reported is not
 * sent to the database again.
 * Never: waits for anything or calls the database.
 * Failure: when more than `alertLimits.pendingMax` entries wait, the least grave is dropped, the oldest of these first; it is counted, and
 * still in the log.
 */
import { Clock, Effect, Layer } from "effect"
import { alertLimits } from "../../domain/kernel/limits.ts"
import { type Mask, maskedRecord } from "../../domain/kernel/redaction.ts"
import { logEvent, type LogLevelName } from "../../runtime/log-event.ts"
import { endedOf, makePendingAlerts } from "./alerts-pending.ts"
import {
  type Alert,
  Alerts,
  type AlertsService,
  type Ended,
  outbreakOf,
  resolvedFact,
  resolvedLine,
  type Severity
} from "./alerts.port.ts"
import { journalFact, journalText } from "../../domain/platform/journal.ts"
import { Entropy } from "../platform/entropy.port.ts"
import { Journal } from "../platform/journal.port.ts"
import { Wake } from "../platform/wake.port.ts"

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

/** What an operator did is not a fault of the process, however grave (T11). */
const levelOf = ({ byOperator, severity }: Alert): LogLevelName =>
  byOperator === true && levels[severity] === "error" ? "warn" : levels[severity]

/** That a condition lasts is no news: it was logged when it began, and its row keeps counting. */
const raisedLine = (alert: Alert, lasts: boolean) =>
  logEvent(lasts ? "debug" : levelOf(alert), lasts ? "alert.repeated" : "alert.raised", alert.message, {
    ...alert.detail,
    severity: alert.severity,
    kind: alert.kind,
    dedup_key: alert.dedupKey,
    ...(alert.component === undefined ? {} : { component: alert.component }),
    ...(alert.correlationId === undefined ? {} : { correlation_id: alert.correlationId })
  })

/** When something was last reported as resolved, so that a component may report at every look that all is well. */
const makeSettled = () => {
  const keys = new Map<string, number>()
  const prefixes = new Map<string, { readonly prefix: string; readonly atMs: number }>()
  const nameOf = (prefix: string, allBut: ReadonlyArray<string>): string => JSON.stringify([prefix, allBut])
  const isNews = (last: number | undefined, nowMs: number): boolean =>
    last === undefined || nowMs - last >= alertLimits.resolveAgainMs
  return {
    /** What of this is news; null when nothing is. */
    newsOf: (ended: Ended, nowMs: number): Ended | null => {
      if (ended._tag === "AllBut")
        return isNews(prefixes.get(nameOf(ended.prefix, ended.keys))?.atMs, nowMs) ? ended : null
      const news = ended.keys.filter((key) => isNews(keys.get(key), nowMs))
      return news.length === 0 ? null : { _tag: "Keys", keys: news }
    },
    note: (ended: Ended, nowMs: number): void => {
      // Forgetting costs one statement that closes nothing.
      if (keys.size >= alertLimits.settledMax) keys.clear()
      if (prefixes.size >= alertLimits.settledMax) prefixes.clear()
      if (ended._tag === "Keys") for (const key of ended.keys) keys.set(key, nowMs)
      else prefixes.set(nameOf(ended.prefix, ended.keys), { prefix: ended.prefix, atMs: nowMs })
    },
    /** An alert was raised: an earlier report that it is resolved must be repeated. */
    forget: (dedupKey: string): void => {
      keys.delete(dedupKey)
      for (const [name, { prefix }] of prefixes) if (dedupKey.startsWith(prefix)) prefixes.delete(name)
    }
  }
}

/** That an alert was raised, with texts that are masked already. */
const raisedFact = ({ component, correlationId, dedupKey, kind, message, severity }: Alert, at: number) =>
  journalFact({
    type: "alert",
    at,
    path: component ?? "root",
    event: "alert.raised",
    cause: journalText(message),
    correlationId: correlationId ?? null,
    detail: { severity, kind: journalText(kind), dedup_key: journalText(dedupKey) }
  })

const makeAlerts = (mask: Mask): Effect.Effect<AlertsService, never, Entropy | Journal | Wake> =>
  Effect.gen(function* () {
    const entropy = yield* Entropy
    const wake = yield* Wake
    const journal = yield* Journal
    const pending = makePendingAlerts()
    const settled = makeSettled()
    let raised = 0
    // Conditions that were raised here and are not resolved, with their last raise; bounded like what is settled.
    const lasting = new Map<string, number>()
    const lasts = ({ dedupKey, standing }: Alert, nowMs: number): boolean => {
      if (standing !== true) return false
      const at = lasting.get(dedupKey)
      if (lasting.size >= alertLimits.settledMax) lasting.clear()
      lasting.set(dedupKey, nowMs)
      // Another process may have ended it meanwhile; after a pause it is news in any case.
      return at !== undefined && nowMs - at < alertLimits.resolveAgainMs
    }
    const close = (ended: Ended, given: string) =>
      Effect.flatMap(Clock.currentTimeMillis, (atMs) => {
        const by = mask(given)
        const known = pending.open(ended)
        const news = known.length > 0 ? ended : settled.newsOf(ended, atMs)
        if (news === null) return Effect.void
        pending.add({ _tag: "Closing", ended: news, resolution: { by, atMs } })
        settled.note(news, atMs)
        for (const dedupKey of endedOf(news, lasting)) lasting.delete(dedupKey)
        wake.notify("alerts")
        for (const dedupKey of known) journal.record(resolvedFact(dedupKey, by, atMs))
        return Effect.forEach(known, (dedupKey) => resolvedLine(dedupKey, by), { discard: true })
      })
    return Alerts.of({
      raise: (given) =>
        Effect.flatMap(Clock.currentTimeMillis, (atMs) => {
          const alert = masked(mask, given)
          raised += 1
          pending.add(outbreakOf(alert, given.entry ?? entropy.uuid(), atMs))
          settled.forget(alert.dedupKey)
          wake.notify("alerts")
          const isRepeated = lasts(alert, atMs)
          if (!isRepeated) journal.record(raisedFact(alert, atMs))
          return raisedLine(alert, isRepeated)
        }),
      draft: Effect.map(Clock.currentTimeMillis, (atMs) => {
        const entry = entropy.uuid()
        return { entry, of: (alert) => outbreakOf(masked(mask, alert), entry, atMs) }
      }),
      resolve: (keys, by) => close({ _tag: "Keys", keys: typeof keys === "string" ? [keys] : keys }, by),
      resolveAllBut: (prefix, keys, by) => close({ _tag: "AllBut", prefix, keys }, by),
      takePending: pending.take,
      putBack: pending.putBack,
      counts: () => ({ raised, pending: pending.size(), dropped: pending.dropped() })
    })
  })

/** The queue of a service with these secrets. */
export const alertsQueueMasked = (mask: Mask): Layer.Layer<Alerts, never, Entropy | Journal | Wake> =>
  Layer.effect(Alerts, makeAlerts(mask))
