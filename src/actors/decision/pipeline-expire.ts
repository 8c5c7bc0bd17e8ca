/**
 * Pipeline expiry: ends signals that waited until they were too old, and reports it once.
 *
 * After an outage, or with a runaway source, hundreds of thousands may be too old at once. Each is ended with its decision, so
 * its trace shows why; a line and an alert for each would bury what an operator has to read. So what was ended is summed
 * per source, and reported when nothing is left, or periodically when that takes long.
 *
 * Promises: one bounded statement per call; what was ended is reported once, at the latest when the pipeline ends.
 * Never: touches a signal that is being decided, or judges an age by our own clock.
 */
import { Clock, Effect, Metric } from "effect"
import { CANARY } from "../../domain/kernel/canary.ts"
import { claimLimits } from "../../domain/kernel/limits-signals.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { type ExpiredSignals, SignalsStore } from "../../layers/decision/signals-store.port.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { decidedTotal } from "./pipeline-batch.ts"

/** What one incarnation of the pipeline remembers of its expiries. Times are of the process's clock. */
export interface Expiry {
  lookedAtMs: number
  /** How many the next pass may end: as many as take a moment, which a fresh signal may have to wait for. */
  limit: number
  /** The last pass ended as many as it may: others are left. */
  more: boolean
  /** What is not reported yet, by source. */
  readonly unreported: Map<string, ExpiredSignals>
  unreportedSinceMs: number
}

export const expiryAt = (): Expiry => ({
  lookedAtMs: Number.NEGATIVE_INFINITY,
  limit: claimLimits.expireMax,
  more: false,
  unreported: new Map(),
  unreportedSinceMs: 0
})

/** Reports what was ended since the last time, one log line and one alert per source. */
export const reportExpired = (component: string, expiry: Expiry) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const sources = [...expiry.unreported.values()]
    expiry.unreported.clear()
    for (const { count, oldestId, oldestMs, source } of sources) {
      const oldestSeconds = Math.round(oldestMs / 1_000)
      const fields = { source, count, oldest_ms: oldestMs, oldest: oldestId }
      const message = `${count === 1 ? "a signal" : `${count} signals`} of source ${source} ${count === 1 ? "was" : "were"} too old to trade when ${count === 1 ? "its" : "their"} turn came; the oldest was ${oldestSeconds} s old`
      yield* logEvent("warn", "signals.expired", message, {
        component,
        ...(count === 1 ? { correlation_id: oldestId } : {}),
        ...fields
      })
      yield* alerts.raise({
        severity: "MEDIUM",
        kind: "signal.too_old",
        dedupKey: `signal.too_old:${source}`,
        component,
        ...(count === 1 ? { correlationId: oldestId } : {}),
        message,
        detail: fields
      })
    }
  })

const add = (expiry: Expiry, found: ExpiredSignals, nowMs: number): void => {
  if (expiry.unreported.size === 0) expiry.unreportedSinceMs = nowMs
  const before = expiry.unreported.get(found.source)
  const older = before === undefined || found.oldestMs > before.oldestMs ? found : before
  expiry.unreported.set(found.source, { ...older, count: found.count + (before?.count ?? 0) })
}

/** Half as many after a statement that took too long, twice as many after a quick one. */
const nextLimit = (limit: number, tookMs: number): number =>
  tookMs > claimLimits.expireMsMax
    ? Math.max(Math.floor(limit / 2), claimLimits.expireMin)
    : tookMs < claimLimits.expireMsMax / 3
      ? Math.min(limit * 2, claimLimits.expireMax)
      : limit

/** Ends what is too old when it is time to look; true when others are left. */
export const expireSome = (component: string, expiry: Expiry) =>
  Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    if (!expiry.more && nowMs - expiry.lookedAtMs < claimLimits.expireEveryMs) return false
    const store = yield* SignalsStore
    const { limit } = expiry
    const found = yield* store.expire(limit)
    expiry.limit = nextLimit(limit, (yield* Clock.currentTimeMillis) - nowMs)
    const count = (of: ReadonlyArray<ExpiredSignals>): number => of.reduce((sum, one) => sum + one.count, 0)
    const ended = count(found)
    // Whoever sends canaries reports the one that is missing; it is in no figure (T9).
    const reported = found.filter(({ source }) => source !== CANARY)
    expiry.lookedAtMs = nowMs
    expiry.more = ended >= limit
    for (const expired of reported) add(expiry, expired, nowMs)
    const counted = count(reported)
    if (counted > 0) yield* Metric.update(Metric.withAttributes(decidedTotal, { outcome: "denied" }), counted)
    if (!expiry.more || nowMs - expiry.unreportedSinceMs >= claimLimits.expireReportMs)
      yield* reportExpired(component, expiry)
    return expiry.more
  })
