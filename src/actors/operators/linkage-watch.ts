/**
 * Linkage watch: looks every half minute whether the latest fills of our own orders are linked to a strategy (A4), and counts all
 * fills now and then, for whoever shows that figure: a scrape must cost the same, however many fills there are.
 *
 * A fill and its link are one transaction, so the rate is 1 until something is wrong; a trade without a strategy has no share,
 * no stop and no owner. Metadata is another matter: a producer may lose some, so its coverage is a figure and no alert.
 *
 * Promises: the alert lasts while the rate of the latest fills is below the setting; a look that fails leaves "unknown".
 * Never: queries a database that is away, or ends before it is interrupted.
 */
import { Effect, Stream } from "effect"
import { linkageLimits } from "../../domain/kernel/limits-kept.ts"
import { metadataSources } from "../../domain/signals/metadata.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { Database } from "../../layers/database/database.port.ts"
import { LinkageFigures } from "../../layers/health/linkage.port.ts"
import { ReadStore } from "../../layers/health/read-store.port.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { describeCause } from "../../runtime/exit-reason.ts"
import { logEvent } from "../../runtime/log-event.ts"

const dedupKey = "linkage.low"
const component = "root"

const percent = (rate: number): string => `${Math.floor(rate * 1_000) / 10} %`

const lookOnce = Effect.gen(function* () {
  const reads = yield* ReadStore
  const figures = yield* LinkageFigures
  const alerts = yield* Alerts
  const settings = yield* Config
  const { linkage } = settings
  const recent = yield* reads.recentLinkage(metadataSources(settings))
  figures.assign(recent)
  const { linked, ours, rate } = recent
  if (rate === null || rate >= linkage.rateMin)
    return yield* alerts.resolve(dedupKey, "the latest fills are linked again")
  return yield* alerts.raise({
    severity: "HIGH",
    kind: "linkage.low",
    dedupKey,
    component,
    message: `${ours - linked} of the last ${ours} fills of our orders have no strategy: ${percent(rate)} are linked`,
    detail: { ours, linked, rate, rate_min: linkage.rateMin },
    standing: true
  })
})

/** Runs until it is interrupted. */
export const linkageWatch = Effect.gen(function* () {
  const database = yield* Database
  const figures = yield* LinkageFigures
  const look = lookOnce.pipe(
    // A defect too is only a failed look: nobody restarts this fiber, and health would keep showing the last one.
    Effect.catchCause((cause) => {
      figures.assign(null)
      return logEvent(
        "warn",
        "linkage.unread",
        `how fills are linked could not be read: ${describeCause(cause)}`,
        {
          component
        }
      )
    }),
    Effect.andThen(Effect.sleep(linkageLimits.lookEveryMs))
  )
  const reads = yield* ReadStore
  const count = Effect.suspend(() => reads.linkage).pipe(
    Effect.map(figures.assignAll),
    Effect.catchCause((cause) => {
      figures.assignAll(null)
      return logEvent("warn", "linkage.uncounted", `fills could not be counted: ${describeCause(cause)}`, {
        component
      })
    }),
    Effect.andThen(Effect.sleep(linkageLimits.countEveryMs))
  )
  const forget = Effect.sync(() => {
    figures.assign(null)
    figures.assignAll(null)
  })
  return yield* database.availability.changes.pipe(
    Stream.switchMap((state) =>
      Stream.fromEffect(
        state === "available"
          ? Effect.all([Effect.forever(look), Effect.forever(count)], { concurrency: 2, discard: true })
          : forget
      )
    ),
    Stream.runDrain
  )
})
