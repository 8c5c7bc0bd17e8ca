/**
 * instrument: what a symbol and an option contract look like, and nothing about which ones exist.
 *
 * Venues disagree about symbols (`BTC-USDT`, `BTCUSDT`, `BINANCE:BTCUSDT`, `ES1!`, `BRK.B`), and a mapping that
 * guesses trades the wrong thing. So a symbol is kept as it was given, trimmed and checked for form only; two
 * spellings are two instruments until a venue's adapter says otherwise.
 *
 * Promises: a symbol that passes is safe in a URL segment after encoding, in a log line and in a metric label.
 * Never: changes case, strips an exchange prefix, or guesses a quote currency.
 */
import { readText } from "./field.ts"
import { fieldLimits } from "./limits.ts"

// Letters and digits first; after that what real symbols use: ES1!, BRK.B, BTC/USD, BINANCE:ETH-PERP, ^SPX, O:SPY251219C00600000.
const SYMBOL = /^[\p{L}\p{N}^$][\p{L}\p{N}.\-_:/!$^&*+ ]*$/u

/** A symbol as given, trimmed; or what is wrong with it. */
export const readSymbol = (value: unknown): { text: string } | { message: string } => {
  const read = readText(value, fieldLimits.symbolLengthMax)
  if ("message" in read) return read
  return SYMBOL.test(read.text)
    ? read
    : { message: "must be a symbol: letters and digits, then also . - _ : / ! $ ^ & * + and spaces" }
}

const DATE = /^(?<year>\d{4})-?(?<month>\d{2})-?(?<day>\d{2})$/

/** Days of a month of the Gregorian calendar; `month` is 1 to 12. */
export const daysInMonth = (year: number, month: number): number => {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

/** An expiration day as `YYYY-MM-DD` (also given as `YYYYMMDD`); or what is wrong with it. */
export const readExpiration = (value: unknown): { text: string } | { message: string } => {
  const groups = typeof value === "string" ? DATE.exec(value.trim())?.groups : undefined
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
