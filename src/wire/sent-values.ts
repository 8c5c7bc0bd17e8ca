/**
 * sent-values: what senders outside send: symbols, times, decimals, names.
 *
 * Promises: webhook, metadata and feeds read one value by one rule; an amount is plain decimal text with every digit of what
 * was sent.
 * Never: knows the field that it is read for.
 */
import { z } from "zod"
import { type AmountSign, readAmount } from "../domain/kernel/amount.ts"
import { DECIMAL_TEXT } from "../domain/kernel/decimal.ts"
import { DAY_TEXT, readExpiration, readSymbol } from "../domain/kernel/instrument.ts"
import {
  EPOCH_MS_END,
  EPOCH_MS_MIN,
  readTimeframe,
  readTimestamp,
  TIME_TEXT,
  TIMEFRAME_TEXT
} from "../domain/kernel/moment.ts"
import { readText } from "../domain/kernel/text-line.ts"
import { type Described, exactNumber, patternOf, readBy, text, wordsOf } from "./sent.ts"

const ofText = ({ text: read }: { readonly text: string }): string => read

/** One line of text, blanks at its ends taken off. */
export const line = (lengthMax: number) =>
  readBy(
    text("must be a string", { minLength: 1, maxLength: lengthMax }),
    (given) => readText(given, lengthMax),
    ofText
  )

/** A symbol, in upper case. */
export const symbol = readBy(text(wordsOf(readSymbol), { pattern: "^\\s*[ -~]+\\s*$" }), readSymbol, ofText)

/** What a JSON value must be for each sign, and what must not stand in front of it as text. */
const SIGNS: Readonly<Record<AmountSign, readonly [number: Described, but: string]>> = {
  positive: [{ exclusiveMinimum: 0 }, String.raw`-|\+?[0.]+(?:[eE]|\s*$)`],
  notNegative: [{ minimum: 0 }, String.raw`-[\d.]*[1-9]`],
  signed: [{}, ""]
}

/** A decimal as plain text, whichever way it was written. */
export const amount = (sign: AmountSign) => {
  const [number, but] = SIGNS[sign]
  return readBy(
    z.union(
      [text("", { pattern: patternOf(DECIMAL_TEXT, but) }), exactNumber(number)],
      "must be a decimal, as a number or as text"
    ),
    (given) => readAmount(given, sign),
    ofText
  )
}

const SECOND = 1_000

/** An instant, as epoch milliseconds. */
export const time = readBy(
  z.union(
    [
      text("", { pattern: patternOf(TIME_TEXT) }),
      exactNumber({
        anyOf: [
          { minimum: EPOCH_MS_MIN / SECOND, exclusiveMaximum: EPOCH_MS_END / SECOND },
          { minimum: EPOCH_MS_MIN, exclusiveMaximum: EPOCH_MS_END }
        ]
      })
    ],
    wordsOf(readTimestamp)
  ),
  readTimestamp,
  ({ ms }) => ms
)

/** The length of a bar. */
export const timeframe = readBy(
  z.union(
    [
      text("", { pattern: patternOf(TIMEFRAME_TEXT, String.raw`0+(?:\D|$)|\s*$`) }),
      exactNumber({ type: "integer", minimum: 1, maximum: 99_999 })
    ],
    wordsOf(readTimeframe)
  ),
  readTimeframe,
  (read) => read
)

/** A day of the calendar, as `YYYY-MM-DD`. */
export const day = readBy(
  text(wordsOf(readExpiration), { pattern: patternOf(DAY_TEXT) }),
  readExpiration,
  ofText
)
