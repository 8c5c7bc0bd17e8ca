/**
 * settings-calendars: which calendars the settings use, and what there is to say about them.
 *
 * Promises: pure; a calendar is named once.
 * Never: knows when a market is open (calendar.ts).
 */
import { type CalendarName, calendarWarning } from "./calendar.ts"
import type { Settings } from "./settings.ts"

const calendarsOf = ({
  accounts,
  instruments
}: Pick<Settings, "accounts" | "instruments">): ReadonlyArray<CalendarName> => [
  ...new Set([
    ...Object.values(accounts).map(({ calendar }) => calendar),
    ...Object.values(instruments).flatMap(({ calendar }) => calendar ?? [])
  ])
]

/** The calendars in use whose announced days end within two months, or have ended. */
export const endingCalendars = (
  settings: Pick<Settings, "accounts" | "instruments">,
  nowMs: number
): ReadonlyArray<{ readonly calendar: CalendarName; readonly message: string }> =>
  calendarsOf(settings).flatMap((calendar) => {
    const message = calendarWarning(calendar, nowMs)
    return message === null ? [] : [{ calendar, message }]
  })
