/**
 * moment: reading the time fields of a body, a timestamp and a timeframe.
 *
 * A timestamp decides whether a signal is still acted on, so one that could mean two instants is refused: a
 * local time without a zone, a day that does not exist, a number whose unit is unclear. Seconds and
 * milliseconds are distinguished by size; between the years 2000 and 2099 their ranges do not overlap.
 *
 * Promises: what is accepted is one instant, in epoch milliseconds; a refusal names what was expected.
 * Never: uses Date.parse (it guesses zones and rolls over days), the local zone, or the current time.
 */
import { ExactNumber } from "./exact-number.ts"
import { daysInMonth } from "./instrument.ts"
import { fieldLimits } from "./limits-signals.ts"

const LOCAL = String.raw`(?<year>\d{4})-(?<month>\d{2})-(?<day>\d{2})[Tt ](?<hour>\d{2}):(?<minute>\d{2})(?::(?<second>\d{2})(?:[.,](?<fraction>\d{1,9}))?)?`
const ZONE = String.raw` ?(?<zone>[Zz]|[+-]\d{2}(?::?\d{2})?)`
const ISO = new RegExp(`^${LOCAL}(?:${ZONE})?$`)
const EPOCH = /^\d{9,13}(?:\.\d{1,9})?$/
/** How an instant is written as text; a time without a zone is none. */
export const TIME_TEXT = new RegExp(`^(?:${LOCAL}${ZONE}|${EPOCH.source.slice(1, -1)})$`)

const { timestampYearMin, timestampYearMax } = fieldLimits
/** The years that a time may be of, as epoch milliseconds: from the first, before the second. */
export const EPOCH_MS_MIN = Date.UTC(timestampYearMin, 0, 1)
export const EPOCH_MS_END = Date.UTC(timestampYearMax + 1, 0, 1)
const EXPECTED = "must be a time: ISO 8601 with a zone, or epoch seconds or milliseconds"
const OUTSIDE = `must be a time of the years ${timestampYearMin} to ${timestampYearMax}`

type Read = { ms: number } | { message: string }

const withinYears = (ms: number): Read =>
  ms >= EPOCH_MS_MIN && ms < EPOCH_MS_END ? { ms } : { message: OUTSIDE }

// Rounded and not cut: a fraction of a second is not exact in binary, and a cut could land one millisecond early.
const readEpoch = (value: number): Read => {
  if (value >= EPOCH_MS_MIN && value < EPOCH_MS_END) return { ms: Math.trunc(value) }
  if (value >= EPOCH_MS_MIN / 1_000 && value < EPOCH_MS_END / 1_000) return { ms: Math.round(value * 1_000) }
  return { message: OUTSIDE }
}

const zoneOffsetMs = (zone: string): number | null => {
  if (zone === "Z" || zone === "z") return 0
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(3).replace(":", ""))
  // The largest offset in use is +14:00.
  if (hours > 14 || minutes > 59) return null
  return (zone.startsWith("-") ? -1 : 1) * (hours * 60 + minutes) * 60_000
}

const readIso = (groups: Readonly<Record<string, string | undefined>>): Read => {
  const part = (name: string): number => Number(groups[name] ?? "0")
  const [year, month, day] = [part("year"), part("month"), part("day")]
  const [hour, minute, second] = [part("hour"), part("minute"), part("second")]
  const zone = groups["zone"]
  if (zone === undefined)
    return { message: "must have a zone, such as Z or +02:00: a local time could be any of 27" }
  const offsetMs = zoneOffsetMs(zone)
  if (offsetMs === null) return { message: "must have a zone that exists, such as Z or +02:00" }
  // Before Date.UTC, which reads the years 0 to 99 as 1900 to 1999.
  if (year < timestampYearMin - 1 || year > timestampYearMax + 1) return { message: OUTSIDE }
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) {
    return { message: "must be a day of the calendar" }
  }
  // A leap second (60) is refused with the rest: no source of ours sends one, and the epoch has no room for it.
  if (hour > 23 || minute > 59 || second > 59) return { message: "must be a time of the day" }
  const fractionMs = Number((groups["fraction"] ?? "").slice(0, 3).padEnd(3, "0"))
  return withinYears(Date.UTC(year, month - 1, day, hour, minute, second, fractionMs) - offsetMs)
}

/**
 * A timestamp as epoch milliseconds. Accepts ISO 8601 with a zone (`2025-10-21T22:45:00Z`, a space for the T,
 * offsets with or without colon or minutes, seconds and
 * their fraction optional) and epoch seconds or milliseconds as a number or its text.
 */
export const readTimestamp = (value: unknown): Read => {
  if (typeof value === "number") return Number.isFinite(value) ? readEpoch(value) : { message: EXPECTED }
  // Nanoseconds have more digits than a double holds; milliseconds, which is all that is kept, do not.
  if (value instanceof ExactNumber) return readEpoch(value.nearest)
  if (typeof value !== "string") return { message: EXPECTED }
  const text = value.trim()
  if (text === "") return { message: "must not be empty" }
  if (text.length > fieldLimits.timestampLengthMax) return { message: EXPECTED }
  if (EPOCH.test(text)) return readEpoch(Number(text))
  const groups = ISO.exec(text)?.groups
  return groups === undefined ? { message: EXPECTED } : readIso(groups)
}

const SECOND = 1_000
const MINUTE = 60 * SECOND
const DAY = 24 * 60 * MINUTE

// Case distinguishes minutes from months, as on charts: `5m` is five minutes, `3M` is three months. The longest month and
// year are used: a bar's end may then be taken as late as it can be, never so early that a fresh signal is refused.
const UNIT_MS: Readonly<Record<string, number>> = {
  s: SECOND,
  S: SECOND,
  m: MINUTE,
  min: MINUTE,
  h: 60 * MINUTE,
  H: 60 * MINUTE,
  d: DAY,
  D: DAY,
  w: 7 * DAY,
  W: 7 * DAY,
  M: 31 * DAY,
  y: 366 * DAY,
  Y: 366 * DAY,
  // Bars of a number of trades or a price range have no fixed length: such a bar ends at its own time.
  T: 0,
  R: 0
}

/** How a timeframe is written. */
export const TIMEFRAME_TEXT = new RegExp(`^(?<count>\\d{1,5})?(?<unit>${Object.keys(UNIT_MS).join("|")})?$`)

/**
 * A timeframe: its text as given and its length in milliseconds, zero for ticks (`100T`) and ranges (`10R`). Accepts `5m`,
 * `1h`, `1D`, `W`, `3M`, `30S`, and a bare number, text or not, which is minutes as in TradingView's `{{interval}}`.
 */
export const readTimeframe = (value: unknown): { text: string; ms: number } | { message: string } => {
  const expected = {
    message:
      "must be a timeframe such as 5m, 1h, 1D, 1W, 1M, 100T (ticks), 10R (range), or a number of minutes"
  }
  if (typeof value !== "string" && typeof value !== "number") return expected
  const text = String(value).trim()
  if (text === "") return { message: "must not be empty" }
  const groups = text.length > fieldLimits.timeframeLengthMax ? undefined : TIMEFRAME_TEXT.exec(text)?.groups
  if (groups === undefined) return expected
  const count = Number(groups["count"] ?? "1")
  if (count <= 0) return { message: "must be longer than zero" }
  const ms = count * (UNIT_MS[groups["unit"] ?? "m"] ?? 0)
  return ms <= fieldLimits.timeframeMsMax ? { text, ms } : { message: "must not be longer than a year" }
}
