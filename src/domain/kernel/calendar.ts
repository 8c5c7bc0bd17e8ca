/**
 * Calendar: when a venue trades.
 *
 * Three calendars exist: `24x7`, which never closes; `XNYS`, the New York Stock Exchange; and `XCME`, the index futures of CME
 * Globex, which trade through the night with a break every afternoon. Holidays and early closes are those that the exchange has
 * announced (calendar-table.ts). Before the first and after the last announced year they follow from rules: a table alone is wrong on
 * the first day after its last row, silently, and a position that waits for its market to open must not wait for a new table.
 *
 * Promises: pure and total for the years 2007 to 2099 (the present daylight saving rule began in 2007); times are
 * milliseconds since the Unix epoch in UTC; a session is the half-open interval [open, close); how far the announced days reach
 * is part of the answer.
 * Never: asks the machine's time zone or clock.
 */
import { type CalendarTable, XCME_TABLE, XNYS_TABLE } from "./calendar-table.ts"

export const CALENDARS = ["24x7", "XNYS", "XCME"] as const
export type CalendarName = (typeof CALENDARS)[number]

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

/** New York's holidays of a year by rule, as epoch days. */
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

/** An eastern offset from UTC at 12:00 local time, in hours: -4 in summer, -5 in winter. The switch is at night. */
const newYorkOffsetHours = (day: number): number => {
  const { year } = fromEpochDay(day)
  const summer = day >= nth(year, 3, sunday, 2) && day < nth(year, 11, sunday, 1)
  return summer ? -4 : -5
}

/** Chicago switches on the same nights, one hour behind. */
const chicagoOffsetHours = (day: number): number => newYorkOffsetHours(day) - 1

const isoOf = (day: number): string => new Date(day * dayMs).toISOString().slice(0, 10)
const minutesOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3))

/** How a weekday trades: not at all, or until this minute of its local day. `early` when that is not the usual one. */
type Trades = { readonly untilMinute: number; readonly early: boolean } | null

/** By the announced days; undefined where they do not reach. */
const announced = (table: CalendarTable, day: number, usualMinute: number): Trades | undefined => {
  const iso = isoOf(day)
  if (iso < table.from || iso > table.validUntil) return undefined
  if (table.closed.includes(iso)) return null
  const early = Object.hasOwn(table.early, iso) ? table.early[iso] : undefined
  return early === undefined
    ? { untilMinute: usualMinute, early: false }
    : { untilMinute: minutesOf(early), early: true }
}

const isWeekend = (day: number): boolean => weekday(day) === saturday || weekday(day) === sunday

const nyseClose = 16 * 60
const nyseByRule = (day: number): Trades => {
  const { year } = fromEpochDay(day)
  if (holidays(year).has(day)) return null
  return earlyCloses(year).has(day)
    ? { untilMinute: 13 * 60, early: true }
    : { untilMinute: nyseClose, early: false }
}
const nyseDay = (day: number): Trades => {
  if (isWeekend(day)) return null
  const listed = announced(XNYS_TABLE, day, nyseClose)
  return listed === undefined ? nyseByRule(day) : listed
}

/** Globex pauses for an hour from here on every day but Friday, on which it ends. */
const cmeClose = 16 * 60
const cmeOpen = 17 * 60

/** It closes for New Year, Good Friday and Christmas alone; on the other holidays of New York it ends at noon. */
const cmeByRule = (day: number): Trades => {
  const { month, year } = fromEpochDay(day)
  if (holidays(year).has(day)) {
    const closes = month === 12 || month === 1 ? day !== nth(year, 1, monday, 3) : day === easter(year) - 2
    return closes ? null : { untilMinute: 12 * 60, early: true }
  }
  return earlyCloses(year).has(day)
    ? { untilMinute: 12 * 60 + 15, early: true }
    : { untilMinute: cmeClose, early: false }
}
const cmeDay = (day: number): Trades => {
  if (isWeekend(day)) return null
  const listed = announced(XCME_TABLE, day, cmeClose)
  return listed === undefined ? cmeByRule(day) : listed
}

const isTradingDay = (day: number): boolean => nyseDay(day) !== null

/** The session of XNYS on a day (counted from the epoch), or null on a weekend or a holiday. 09:30 to 16:00, or 13:00. */
export const sessionOfDay = (day: number): Session | null => {
  const trades = nyseDay(day)
  if (trades === null) return null
  const midnightMs = day * dayMs - newYorkOffsetHours(day) * hourMs
  return {
    openMs: midnightMs + 9 * hourMs + 30 * minuteMs,
    closeMs: midnightMs + trades.untilMinute * minuteMs,
    early: trades.early
  }
}

/** The session of XCME with this trade date: from 17:00 in Chicago on the evening before. Null when there is none. */
export const cmeSessionOfDay = (day: number): Session | null => {
  const trades = cmeDay(day)
  if (trades === null) return null
  const before = day - 1
  return {
    openMs: before * dayMs - chicagoOffsetHours(before) * hourMs + cmeOpen * minuteMs,
    closeMs: day * dayMs - chicagoOffsetHours(day) * hourMs + trades.untilMinute * minuteMs,
    early: trades.early
  }
}

const sessionOn = (calendar: Exclude<CalendarName, "24x7">, day: number): Session | null =>
  calendar === "XNYS" ? sessionOfDay(day) : cmeSessionOfDay(day)

/** The session that is open at an instant, or the next one. A night session begins on the day before its own. */
const sessionAt = (calendar: Exclude<CalendarName, "24x7">, atMs: number): Session => {
  const today = Math.floor(atMs / dayMs)
  // The longest closing by rule is four days, so the search ends; a fortnight is the bound that proves it.
  for (let day = today - 1; day < today + 14; day += 1) {
    const session = sessionOn(calendar, day)
    if (session !== null && session.closeMs > atMs) return session
  }
  throw new RangeError(`no session of ${calendar} within a fortnight of ${atMs}`)
}

/** True when the calendar is open at an instant (milliseconds since the epoch). */
export const isOpen = (calendar: CalendarName, atMs: number): boolean =>
  calendar === "24x7" || sessionAt(calendar, atMs).openMs <= atMs

/** The first instant at or after `atMs` at which the calendar is open. */
export const nextOpenMs = (calendar: CalendarName, atMs: number): number =>
  calendar === "24x7" ? atMs : Math.max(atMs, sessionAt(calendar, atMs).openMs)

/**
 * The end of the session that is open at an instant, or of the next one. What never closes has the days of UTC, which is how
 * venues of that kind count them.
 */
export const sessionEndMs = (calendar: CalendarName, atMs: number): number =>
  calendar === "24x7" ? (Math.floor(atMs / dayMs) + 1) * dayMs : sessionAt(calendar, atMs).closeMs

/** The announced days behind a calendar: where they come from, and when the last of them is over. Null: it needs none. */
export const coverOf = (
  calendar: CalendarName
): {
  readonly source: string
  readonly asOf: string
  readonly validUntil: string
  readonly endsMs: number
} | null => {
  if (calendar === "24x7") return null
  const { asOf, source, validUntil } = calendar === "XNYS" ? XNYS_TABLE : XCME_TABLE
  return { source, asOf, validUntil, endsMs: Date.parse(`${validUntil}T00:00:00Z`) + dayMs }
}

/** Whether the announced days of a calendar are over: what follows is a rule, on which nothing is opened. */
export const isOver = (calendar: CalendarName, atMs: number): boolean =>
  (coverOf(calendar)?.endsMs ?? Infinity) <= atMs

/** Operators are warned this long before the announced days of a calendar are over. */
export const CALENDAR_WARNING_DAYS = 60

/** What to say about a calendar whose announced days end soon or have ended; null while there is nothing to say. */
export const calendarWarning = (calendar: CalendarName, atMs: number): string | null => {
  const cover = coverOf(calendar)
  if (cover === null || cover.endsMs - atMs > CALENDAR_WARNING_DAYS * dayMs) return null
  return cover.endsMs <= atMs
    ? `the calendar ${calendar} ended with ${cover.validUntil}: nothing is opened by it`
    : `the calendar ${calendar} ends with ${cover.validUntil}`
}

/** Why this calendar allows no new trade now, null while it is open; shown by health and to people (T2). */
export const closedReason = (calendar: CalendarName, atMs: number): string | null =>
  isOpen(calendar, atMs) ? null : `market closed until ${new Date(nextOpenMs(calendar, atMs)).toISOString()}`

/** Why nothing can be traded by any of these calendars: when the first of them opens. Null while one is open. */
export const allClosedReason = (calendars: ReadonlyArray<CalendarName>, atMs: number): string | null => {
  const [first] = calendars.toSorted((a, b) => nextOpenMs(a, atMs) - nextOpenMs(b, atMs))
  return first === undefined ? null : closedReason(first, atMs)
}

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
