/**
 * Calendar: when a venue trades, by rule and not by a table that somebody has to maintain.
 *
 * Two calendars exist: `24x7`, which never closes, and `XNYS`, the New York Stock Exchange, whose holidays, early
 * closes and daylight saving time all follow from the year. A calendar that is a downloaded table is wrong on the
 * first day after its last row, silently; a rule is wrong only when the exchange changes it, which it announces.
 *
 * Promises: pure and total for the years 2007 to 2099 (the present daylight saving rule began in 2007); times are
 * milliseconds since the Unix epoch in UTC; a session is the half-open interval [open, close).
 * Never: asks the machine's time zone or clock.
 */

export type CalendarName = "24x7" | "XNYS"

/** A civil date without a zone. `month` is 1..12. */
export interface CivilDate {
  readonly year: number
  readonly month: number
  readonly day: number
}

/** One trading session, [openMs, closeMs). */
export interface Session {
  readonly openMs: number
  readonly closeMs: number
  readonly early: boolean
}

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** Days since 1970-01-01, the one number on which all date arithmetic here is done. */
const epochDay = (date: CivilDate): number => Date.UTC(date.year, date.month - 1, date.day) / dayMs

const fromEpochDay = (day: number): CivilDate => {
  const at = new Date(day * dayMs)
  return { year: at.getUTCFullYear(), month: at.getUTCMonth() + 1, day: at.getUTCDate() }
}

/** 0 = Sunday ... 6 = Saturday. 1970-01-01 was a Thursday. */
const weekday = (day: number): number => (((day + 4) % 7) + 7) % 7
const sunday = 0
const monday = 1
const thursday = 4
const friday = 5
const saturday = 6

/** The n-th (1..5) given weekday of a month, as an epoch day. */
const nth = (year: number, month: number, wanted: number, n: number): number => {
  const first = epochDay({ year, month, day: 1 })
  return first + ((wanted - weekday(first) + 7) % 7) + 7 * (n - 1)
}

const last = (year: number, month: number, wanted: number): number => {
  const final =
    month === 12
      ? epochDay({ year: year + 1, month: 1, day: 1 }) - 1
      : epochDay({ year, month: month + 1, day: 1 }) - 1
  return final - ((weekday(final) - wanted + 7) % 7)
}

/** Easter Sunday by the anonymous Gregorian computus, as an epoch day. */
const easter = (year: number): number => {
  const golden = year % 19
  const century = Math.floor(year / 100)
  const ofCentury = year % 100
  const correction = Math.floor((century - Math.floor((century + 8) / 25) + 1) / 3)
  const epact = (19 * golden + century - Math.floor(century / 4) - correction + 15) % 30
  const toSunday = (32 + 2 * (century % 4) + 2 * Math.floor(ofCentury / 4) - epact - (ofCentury % 4)) % 7
  const overflow = Math.floor((golden + 11 * epact + 22 * toSunday) / 451)
  const month = Math.floor((epact + toSunday - 7 * overflow + 114) / 31)
  const day = ((epact + toSunday - 7 * overflow + 114) % 31) + 1
  return epochDay({ year, month, day })
}

/** A fixed holiday on a Saturday is observed on the Friday before, on a Sunday on the Monday after. */
const observed = (day: number): number => {
  if (weekday(day) === saturday) return day - 1
  return weekday(day) === sunday ? day + 1 : day
}

/** Closings that no rule predicts. The exchange announces them one by one; days of mourning are the usual reason. */
const closedOnce: ReadonlyArray<CivilDate> = [{ year: 2025, month: 1, day: 9 }]

/** The exchange's holidays of a year, as epoch days. */
const holidays = (year: number): ReadonlySet<number> => {
  const newYear = epochDay({ year, month: 1, day: 1 })
  const days = [
    // On a Saturday it is not moved: the Friday before closes the accounting year (rule 7.2).
    weekday(newYear) === sunday ? newYear + 1 : newYear,
    nth(year, 1, monday, 3), // Martin Luther King, Jr. Day
    nth(year, 2, monday, 3), // Washington's Birthday
    easter(year) - 2, // Good Friday
    last(year, 5, monday), // Memorial Day
    observed(epochDay({ year, month: 7, day: 4 })), // Independence Day
    nth(year, 9, monday, 1), // Labor Day
    nth(year, 11, thursday, 4), // Thanksgiving
    observed(epochDay({ year, month: 12, day: 25 })) // Christmas
  ]
  // Juneteenth is an exchange holiday since 2022.
  if (year >= 2022) days.push(observed(epochDay({ year, month: 6, day: 19 })))
  for (const date of closedOnce) if (date.year === year) days.push(epochDay(date))
  return new Set(days)
}

/** The days that close at 13:00: the eve of Independence Day, the day after Thanksgiving, and Christmas Eve. */
const earlyCloses = (year: number): ReadonlySet<number> =>
  new Set([
    epochDay({ year, month: 7, day: 3 }),
    nth(year, 11, thursday, 4) + 1,
    epochDay({ year, month: 12, day: 24 })
  ])

/** New York's offset from UTC at 12:00 local time, in hours: -4 in summer, -5 in winter. The switch is at night. */
const newYorkOffsetHours = (day: number): number => {
  const { year } = fromEpochDay(day)
  const summer = day >= nth(year, 3, sunday, 2) && day < nth(year, 11, sunday, 1)
  return summer ? -4 : -5
}

const isTradingDay = (day: number): boolean =>
  weekday(day) !== saturday && weekday(day) !== sunday && !holidays(fromEpochDay(day).year).has(day)

/** The session of XNYS on a day (counted from the epoch), or null on a weekend or a holiday. 09:30 to 16:00, or 13:00. */
export const sessionOfDay = (day: number): Session | null => {
  if (!isTradingDay(day)) return null
  const early = earlyCloses(fromEpochDay(day).year).has(day)
  const midnightMs = day * dayMs - newYorkOffsetHours(day) * hourMs
  return {
    openMs: midnightMs + 9 * hourMs + 30 * minuteMs,
    closeMs: midnightMs + (early ? 13 : 16) * hourMs,
    early
  }
}

/** True when the calendar is open at an instant (milliseconds since the epoch). */
export const isOpen = (calendar: CalendarName, atMs: number): boolean => {
  if (calendar === "24x7") return true
  // A New York session lies within one UTC day, so the UTC date is the exchange's date while it is open.
  const session = sessionOfDay(Math.floor(atMs / dayMs))
  return session !== null && atMs >= session.openMs && atMs < session.closeMs
}

/**
 * The first instant at or after `atMs` at which the calendar is open.
 * The longest closing by rule is four days, so the search ends; a fortnight is the bound that proves it.
 */
export const nextOpenMs = (calendar: CalendarName, atMs: number): number => {
  if (isOpen(calendar, atMs)) return atMs
  const today = Math.floor(atMs / dayMs)
  for (let day = today; day < today + 14; day += 1) {
    const session = sessionOfDay(day)
    if (session !== null && session.openMs >= atMs) return session.openMs
  }
  throw new RangeError(`no session within a fortnight of ${atMs}`)
}

/** Why this calendar allows no new trade now, null while it is open; shown by health and to people (T2). */
export const closedReason = (calendar: CalendarName, atMs: number): string | null =>
  isOpen(calendar, atMs) ? null : `market closed until ${new Date(nextOpenMs(calendar, atMs)).toISOString()}`

/**
 * The standard monthly expiration: the third Friday, or the trading day before it when the exchange is closed.
 * Returns the first one that is at least `daysAheadMin` whole days after the UTC date of `atMs`.
 */
export const monthlyExpiration = (atMs: number, daysAheadMin: number): CivilDate => {
  const earliest = Math.floor(atMs / dayMs) + daysAheadMin
  const { year, month } = fromEpochDay(earliest)
  for (let ahead = 0; ahead < 3; ahead += 1) {
    const index = month - 1 + ahead
    const third = nth(year + Math.floor(index / 12), (index % 12) + 1, friday, 3)
    const day = isTradingDay(third) ? third : third - 1
    if (day >= earliest) return fromEpochDay(day)
  }
  throw new RangeError(`no monthly expiration within three months of ${atMs}`)
}
