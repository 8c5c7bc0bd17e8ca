/**
 * What is logged and alerted about posts after their senders were answered.
 *
 * The pipeline is woken, every post leaves a line with its correlation id, and the two results that need a person (one
 * identity with two bodies, an alert that came too late to act on) raise an alert. It runs after the response, so
 * none of it costs the sender time.
 *
 * Promises: the wake comes before anything that could be slow; one line per post.
 * Never: fails, or holds back the next batch for more than writing lines.
 * Failure: an alert that cannot be stored waits in the alerts' own queue.
 */
import { Effect } from "effect"
import { CANARY } from "../../domain/kernel/canary.ts"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { logEvent } from "../../runtime/log-event.ts"
import type { AlertsService } from "../alerts/alerts.port.ts"
import type { SettledPost } from "./intake-queue.port.ts"
import type { IntakeRow } from "../signals/intake-store.port.ts"
import type { MetricsService } from "../platform/metrics.port.ts"
import type { WakeService } from "../platform/wake.port.ts"

/** Name of this component in lines and alerts; what a spool has held is its post all the same. */
const component = "root/http"

const fieldsOf = (row: IntakeRow): Record<string, unknown> => ({
  component,
  correlation_id: row.id,
  request_id: row.requestId,
  source: row.source,
  symbol: row.symbol,
  ...(row.receivedAtMs === undefined ? {} : { received_at: isoOf(row.receivedAtMs) })
})

/** Metadata is named by its snapshot: that is what an operator of the old service greps for. */
const snapshotOf = (row: IntakeRow): unknown => {
  const body: unknown = JSON.parse(row.body)
  return typeof body === "object" && body !== null && "snapshot_id" in body ? body.snapshot_id : null
}

const stored = (row: IntakeRow): Effect.Effect<void> => {
  const fields = fieldsOf(row)
  if (row.kind === "metadata")
    return logEvent("info", "metadata.recorded", "metadata recorded", {
      ...fields,
      snapshot: snapshotOf(row)
    })
  return logEvent("info", "signal.received", "signal received", {
    ...fields,
    status: row.status,
    reason: row.reason
  })
}

/**
 * Signals that were too old on arrival, or became so in the spool: an alert per source and commit, because they come in floods. A repetition of one raises it
 * as well: the process that stored the first may have died before it answered or alerted, and its sender comes again.
 */
const alertTooOld = (posts: ReadonlyArray<SettledPost>, alerts: AlertsService): Effect.Effect<void> => {
  const bySource = new Map<string, Array<IntakeRow>>()
  for (const { result, row } of posts) {
    const isNew = result._tag === "Stored" && row.kind === "signal" && row.status === "rejected"
    if (!isNew && !(result._tag === "Duplicate" && result.tooOld)) continue
    bySource.set(row.source, [...(bySource.get(row.source) ?? []), row])
  }
  return Effect.forEach(
    bySource.values(),
    ([first, ...others]) =>
      first === undefined
        ? Effect.void
        : alerts.raise({
            severity: "MEDIUM",
            kind: "signal.too_old",
            dedupKey: `signal.too_old:${first.source}`,
            message: `${others.length === 0 ? "a signal" : `${others.length + 1} signals`} of source ${first.source} ${
              others.length === 0 ? "was" : "were"
            } too old ${first.receivedAtMs === undefined ? "on arrival" : "when the database was back"}`,
            component,
            correlationId: first.id,
            detail: {
              count: others.length + 1,
              symbol: first.symbol,
              expires_from: first.expiresFromMs === null ? null : new Date(first.expiresFromMs).toISOString()
            }
          }),
    { discard: true }
  )
}

const logPost = ({ result, row }: SettledPost, alerts: AlertsService): Effect.Effect<void> => {
  switch (result._tag) {
    case "Stored":
      return stored(row)
    case "Duplicate":
      return logEvent("info", "signal.duplicate", "seen before", fieldsOf(row))
    case "Conflict":
      return alerts.raise({
        severity: "HIGH",
        kind: "signal.conflict",
        dedupKey: `signal.conflict:${result.signalId}`,
        message: `one identity was sent with two different bodies by source ${row.source}: if its id is the name of an order, as TradingView's {{strategy.order.id}} is, set "identity" of the source to "body" or "id+timestamp"`,
        component,
        correlationId: result.signalId,
        detail: { source: row.source, request_id: row.requestId }
      })
    case "Spooled":
      return logEvent("info", "signal.spooled", "signal spooled until the database takes it", fieldsOf(row))
    case "Late":
    case "Unavailable":
      // The refusal itself is logged where it is answered, with a bound.
      return logEvent("debug", "signal.unavailable", "a post could not be stored in time", fieldsOf(row))
    case "Broken":
      return logEvent("error", "signal.broken", "a post could not be stored", {
        ...fieldsOf(row),
        error: String(result.cause).slice(0, 1_000)
      })
  }
}

/** What the worker of the intake queue runs after each batch. */
export const settleWith =
  (services: {
    readonly wake: WakeService
    readonly alerts: AlertsService
    readonly metrics: MetricsService
  }) =>
  (posts: ReadonlyArray<SettledPost>): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (posts.some(({ result }) => result._tag === "Stored")) services.wake.notify("signals")
      // The canary is no post of anybody's (T9): it has one line and one alert of its own.
      const theirs = posts.filter(({ row }) => row.source !== CANARY)
      for (const { result, row } of theirs) services.metrics.postSettled(row.source, result._tag)
      return Effect.andThen(
        Effect.forEach(theirs, (post) => logPost(post, services.alerts), { discard: true }),
        alertTooOld(theirs, services.alerts)
      )
    })
