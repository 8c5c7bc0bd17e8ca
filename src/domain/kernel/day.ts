/**
 * day: the civil day of a time zone, with its start and end.
 *
 * A limit per day needs a time zone: New York's day differs from UTC's, and twice a year it has 23 or 25 hours. The rules are
 * the runtime's IANA data; this file applies them to a given instant.
 *
 * Promises: pure; days follow each other without a gap or an overlap, whatever the clocks do at midnight.
 * Never: asks the machine's own zone or clock.
 */
import { invariant } from "./invariant.ts"

/** A day of one zone: [startMs, endMs). `date` is its ISO date, so that later days compare as greater. */
export interface Day {
  readonly date: string
  readonly startMs: number
  readonly endMs: number
}

// Bounded by the zones of the settings: an unknown one is refused before it is kept.
const formats = new Map<string, Intl.DateTimeFormat>()

const formatOf = (zone: string): Intl.DateTimeFormat => {
  const there = formats.get(zone)
  if (there !== undefined) return there
  // This locale writes dates as ISO does.
  const made = new Intl.DateTimeFormat("sv-SE", {
    timeZone: zone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit"
  })
  formats.set(zone, made)
  return made
}

/** Whether the runtime knows a zone by this name. */
export const isZone = (zone: string): boolean => {
  try {
    formatOf(zone)
    return true
  } catch {
    // The only error is an unknown name. The caller reports it.
    return false
  }
}

const HOUR = 3_600_000
/** No day of any zone is longer: 25 hours, and the half hour of Lord Howe Island. */
const DAY_MAX = 26 * HOUR

/** The first millisecond in (from, to] at which `isThere`, which is false at `from`, true at `to`, and changes once. */
const changeBetween = (from: number, to: number, isThere: (ms: number) => boolean): number => {
  let [low, high] = [from, to]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (isThere(middle)) high = middle
    else low = middle
  }
  return high
}

/** The day of `zone` in which `ms` is. */
export const dayIn = (zone: string, ms: number): Day => {
  const format = formatOf(zone)
  const date = format.format(ms)
  const isToday = (at: number): boolean => format.format(at) === date
  const [before, after] = [ms - DAY_MAX, ms + DAY_MAX]
  invariant(!isToday(before) && !isToday(after), "no day is longer than 26 hours", { zone, ms })
  return {
    date,
    startMs: changeBetween(before, ms, isToday),
    endMs: changeBetween(ms, after, (at) => !isToday(at))
  }
}
