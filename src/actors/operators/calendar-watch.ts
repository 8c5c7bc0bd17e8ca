/**
 * Calendar watch: looks every hour whether the announced days of a calendar in use are about to end.
 *
 * A list that ends makes a service deny entries from one day to the next, and nobody looks for the cause in a calendar. So
 * operators are alerted two months before, and health names it from then on.
 *
 * Promises: one alert per calendar, standing until an update brings a longer list or the calendar is no longer used.
 * Never: needs the database: alerts wait for it by themselves.
 */
import { Clock, Effect } from "effect"
import { coverOf } from "../../domain/kernel/calendar.ts"
import { healthLimits } from "../../domain/kernel/limits.ts"
import { endingCalendars } from "../../domain/kernel/settings-calendars.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { Config, snapshotOf } from "../../layers/platform/config.port.ts"

const prefix = "calendar.ending:"

const look = Effect.gen(function* () {
  const alerts = yield* Alerts
  const ending = endingCalendars(snapshotOf(yield* Config), yield* Clock.currentTimeMillis)
  for (const { calendar, message } of ending) {
    const cover = coverOf(calendar)
    yield* alerts.raise({
      severity: "MEDIUM",
      kind: "calendar.ending",
      dedupKey: `${prefix}${calendar}`,
      message,
      component: "root",
      detail: { calendar, valid_until: cover?.validUntil ?? null, source: cover?.source ?? null },
      standing: true
    })
  }
  yield* alerts.resolveAllBut(
    prefix,
    ending.map(({ calendar }) => `${prefix}${calendar}`),
    "its days are known for longer, or it is not used"
  )
})

/** Runs until it is interrupted. */
export const calendarWatch = Effect.forever(Effect.andThen(look, Effect.sleep(healthLimits.calendarLookMs)))
