/**
 * instrument: what a symbol and an option's day look like, and nothing about which ones exist.
 *
 * Senders disagree about symbols (`BTC-USDT`, `BINANCE:BTCUSDT.P`, `ES1!`, `/MESZ26`, `@ES`, `EURUSD=X`, `.SPX270115C5500`), and
 * every alphabet that was tried here excluded some of them. So a symbol is any printable ASCII, trimmed, in upper case:
 * no market distinguishes two instruments by case alone, and a list that names `spy` must match an alert for `SPY`. What a
 * symbol means is defined by the settings (symbol-map.ts); how a venue spells it is its adapter's business.
 *
 * Promises: symbols of intake, feeds and settings are read by one rule; one that passes is one line without control
 * characters or marks that reverse text. It may contain quotes and brackets: code that puts it into a URL, a metric label or a page escapes it.
 * Never: strips an exchange prefix, or guesses a quote currency.
 */
import { readText } from "./text-line.ts"
import { fieldLimits } from "./limits-signals.ts"
import { isUnfilled, unfilledWords } from "./placeholder.ts"

const PRINTABLE = /^[\u0020-\u007e]+$/

/** A symbol in upper case, trimmed; or what is wrong with it. */
export const readSymbol = (value: unknown): { text: string } | { message: string } => {
  const read = readText(value, fieldLimits.symbolLengthMax)
  if ("message" in read) return read
  if (isUnfilled(read.text)) return { message: `must be a symbol: ${unfilledWords(read.text)}` }
  // `{{exchange}}:{{ticker}}` of a template that one of them did not fill.
  if (/^:|:$/.test(read.text)) return { message: "must be a symbol: nothing stands on one side of its colon" }
  return PRINTABLE.test(read.text)
    ? { text: read.text.toUpperCase() }
    : { message: "must be a symbol: printable ASCII characters" }
}

/** How a day is written. */
export const DAY_TEXT = /^(?<year>\d{4})-?(?<month>\d{2})-?(?<day>\d{2})$/

/** Days of a month of the Gregorian calendar; `month` is 1 to 12. */
export const daysInMonth = (year: number, month: number): number => {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

/** An expiration day as `YYYY-MM-DD` (also given as `YYYYMMDD`); or what is wrong with it. */
export const readExpiration = (value: unknown): { text: string } | { message: string } => {
  const groups = typeof value === "string" ? DAY_TEXT.exec(value.trim())?.groups : undefined
  if (groups === undefined) return { message: "must be a day, YYYY-MM-DD" }
  const [year, month, day] = [Number(groups["year"]), Number(groups["month"]), Number(groups["day"])]
  const { timestampYearMin, timestampYearMax } = fieldLimits
  if (year < timestampYearMin || year > timestampYearMax) {
    return { message: `must be a day of the years ${timestampYearMin} to ${timestampYearMax}` }
  }
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) {
    return { message: "must be a day of the calendar" }
  }
  return { text: `${groups["year"]}-${groups["month"]}-${groups["day"]}` }
}
