/**
 * expected-schedule: when a source should have sent a signal (F4).
 *
 * A sender that has gone silent looks like one that has nothing to report, unless it was agreed how often it reports. Two
 * agreements exist. Bars: at the end of every bar of an interval while its market is open. A rate: so many signals in any
 * stretch of time, of which only the part counts in which the market was open and this installation took posts, because
 * what it could not have received proves nothing about the sender.
 *
 * Promises: pure; due instants follow each other without a gap or a repetition, across sessions, early closes and the
 * changes of clocks; each has a window of its own, so a signal belongs to one of them.
 * Never: reads a clock, or judges what arrived.
 */
import type { Expected, WeekHours, Weekday } from "../kernel/settings.ts"
import { sessionOfDay } from "../kernel/calendar.ts"
import { dayIn } from "../kernel/day.ts"
import { invariant } from "../kernel/invariant.ts"
import { expectedLimits } from "../kernel/limits-kept.ts"
import { readTimeframe } from "../kernel/moment.ts"

/** How a due moment ended. `unobserved`: posts were not taken for all of its time, so nothing is known of the sender. */
export const EXPECTED_STATUSES = ["received", "late", "missed", "unobserved"] as const
export type ExpectedStatus = (typeof EXPECTED_STATUSES)[number]

/** A half-open stretch of time, [fromMs, toMs). */
export interface Span {
  readonly fromMs: number
  readonly toMs: number
}

/**
 * One expected moment. A signal that is received in [fromMs, graceMs] is in time, one in (graceMs, untilMs) is late; `untilMs` is
 * where the next window begins.
 */
export interface Due {
  readonly dueMs: number
  readonly fromMs: number
  readonly graceMs: number
  readonly untilMs: number
}

const dayMs = 86_400_000
const minuteMs = 60_000

/** Length of the interval; the settings were checked (settings-expected.ts). */
export const everyMsOf = ({ every }: Pick<Expected, "every">): number => {
  const read = readTimeframe(every)
  invariant("ms" in read && read.ms > 0, "the interval of an expectation has a length", { every })
  return read.ms
}

/** How early the sender's clock may let a signal come and still be that of the bar which ends now. */
const earlyMsOf = (everyMs: number): number => Math.min(expectedLimits.earlyMsMax, everyMs / 4)

const weekdays: ReadonlyArray<Weekday> = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

const minutesOf = (clock: string): number => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3))

const clocks = new Map<string, Intl.DateTimeFormat>()
/** What a clock on a wall of the zone shows at an instant, read as if it were UTC. */
const wallClock = (zone: string, ms: number): number => {
  const format =
    clocks.get(zone) ??
    new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric"
    })
  // Bounded by the zones of the settings.
  clocks.set(zone, format)
  const part = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]))
  const { day = 1, hour = 0, minute = 0, month = 1, second = 0, year = 1970 } = part
  return Date.UTC(year, month - 1, day, hour, minute, second)
}

/** The instant at which clocks of the zone show this; in an hour that is skipped, the one after it. */
const instantOf = (zone: string, wallMs: number): number => {
  const first = wallMs - (wallClock(zone, wallMs) - wallMs)
  const second = wallMs - (wallClock(zone, first) - first)
  // No clock shows it: of the two guesses one is before the hour that is skipped, and one after it.
  return wallClock(zone, second) === wallMs ? second : Math.max(first, second)
}

/** The session that begins on the local date `date`, which is read as if it were UTC; null on a day without one. */
const hoursOfDate = (hours: WeekHours, date: number): Span | null => {
  const name = weekdays[new Date(date).getUTCDay()]
  if (name === undefined || !hours.days.includes(name)) return null
  const [from, to] = [minutesOf(hours.from), minutesOf(hours.to)]
  // An end that is not after the beginning is on the next day: the night session of futures.
  const end = to > from ? to : to + 24 * 60
  return {
    fromMs: instantOf(hours.zone, date + from * minuteMs),
    toMs: instantOf(hours.zone, date + end * minuteMs)
  }
}

/** When it is open. */
type Sessions = Pick<Expected, "calendar" | "hours">

const sessionOn = (expected: Sessions, day: number): Span | null => {
  if (expected.hours !== null) return hoursOfDate(expected.hours, day * dayMs)
  if (expected.calendar === "24x7") return { fromMs: day * dayMs, toMs: (day + 1) * dayMs }
  const session = sessionOfDay(day)
  return session === null ? null : { fromMs: session.openMs, toMs: session.closeMs }
}

/** The date on which to look first for sessions that overlap what follows `ms`: a session lasts a day at most. */
const firstDay = ({ hours }: Sessions, ms: number): number => {
  const date = hours === null ? null : dayIn(hours.zone, ms).date
  return (date === null ? Math.floor(ms / dayMs) : Date.parse(date) / dayMs) - 2
}

/** The sessions that overlap [fromMs, toMs), oldest first. */
export const sessionsBetween = (expected: Sessions, { fromMs, toMs }: Span): ReadonlyArray<Span> => {
  const sessions: Array<Span> = []
  for (let day = firstDay(expected, fromMs); day * dayMs < toMs + 2 * dayMs; day += 1) {
    const session = sessionOn(expected, day)
    if (session !== null && session.toMs > fromMs && session.fromMs < toMs) sessions.push(session)
  }
  return sessions
}

/** Ends of the bars of a session: counted from its opening, the last one at its close even where it is shorter. */
const endsOf = ({ fromMs, toMs }: Span, everyMs: number, afterMs: number, max: number): Array<number> => {
  const ends: Array<number> = []
  const passed = Math.max(0, Math.floor((afterMs - fromMs) / everyMs))
  for (let end = fromMs + (passed + 1) * everyMs; ends.length < max; end += everyMs) {
    if (end >= toMs) {
      if (toMs > afterMs) ends.push(toMs)
      break
    }
    if (end > afterMs) ends.push(end)
  }
  return ends
}

/** The first `max` due instants after `afterMs`. Fewer where no session follows within a fortnight. */
const dueTimes = (expected: Expected, afterMs: number, max: number): ReadonlyArray<number> => {
  const everyMs = everyMsOf(expected)
  const times: Array<number> = []
  const first = firstDay(expected, afterMs)
  for (let day = first, empty = 0; times.length < max && empty < 14; day += 1) {
    const session = sessionOn(expected, day)
    const ends = session === null ? [] : endsOf(session, everyMs, afterMs, max - times.length)
    // Sessions of a zone may touch where its clocks change.
    for (const end of ends) if (end > (times.at(-1) ?? afterMs)) times.push(end)
    empty = ends.length === 0 ? empty + 1 : 0
  }
  return times
}

/** At most `max` dues with afterMs < due <= throughMs, oldest first. */
export const duesBetween = (
  expected: Expected,
  afterMs: number,
  throughMs: number,
  max: number
): ReadonlyArray<Due> => {
  if (throughMs <= afterMs) return []
  const early = earlyMsOf(everyMsOf(expected))
  // One more than asked for: where it begins is where the last one ends.
  const times = dueTimes(expected, afterMs, max + 1)
  return times.slice(0, max).flatMap((dueMs, index): ReadonlyArray<Due> => {
    const next = times[index + 1] ?? dueMs + dayMs
    if (dueMs > throughMs) return []
    const untilMs = next - early
    // The last bar of a session may be shorter than its grace.
    return [{ dueMs, fromMs: dueMs - early, graceMs: Math.min(dueMs + expected.graceMs, untilMs), untilMs }]
  })
}

/** The next moment at which a signal is expected; null where the market has no session. */
export const nextDueMs = (expected: Expected, afterMs: number): number | null =>
  dueTimes(expected, afterMs, 1)[0] ?? null

/** Spans sorted and merged where they overlap or touch. */
export const merged = (spans: ReadonlyArray<Span>): ReadonlyArray<Span> => {
  const result: Array<Span> = []
  for (const span of spans.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const last = result.at(-1)
    if (last !== undefined && span.fromMs <= last.toMs)
      result[result.length - 1] = { fromMs: last.fromMs, toMs: Math.max(last.toMs, span.toMs) }
    else result.push(span)
  }
  return result
}

/**
 * From when on a rate is measured: the latest moment since which the market was open, and posts were taken (`observed`), for the
 * interval and its grace together. Null while that has not been so long.
 */
export const measuredSinceMs = (
  expected: Expected,
  observed: ReadonlyArray<Span>,
  nowMs: number
): number | null => {
  let leftMs = everyMsOf(expected) + expected.graceMs
  for (const span of merged(observed).toReversed()) {
    const seen = { fromMs: span.fromMs, toMs: Math.min(span.toMs, nowMs) }
    if (seen.toMs <= seen.fromMs) continue
    for (const session of sessionsBetween(expected, seen).toReversed()) {
      const toMs = Math.min(seen.toMs, session.toMs)
      const fromMs = Math.max(seen.fromMs, session.fromMs)
      if (toMs - fromMs >= leftMs) return toMs - leftMs
      leftMs -= toMs - fromMs
    }
  }
  return null
}
