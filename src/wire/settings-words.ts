/**
 * settings-words: the values that several parts of the settings are made of.
 *
 * Promises: a wrong value is answered with what would be right.
 * Never: knows a setting.
 */
import { z } from "zod"
import { CALENDARS } from "../domain/kernel/calendar.ts"
import { oneOf } from "./words.ts"

export const text = z.string("must be a text").min(1, "must not be empty")
export const wholeFrom = (least: number, most: number = Number.MAX_SAFE_INTEGER) => {
  const words =
    most === Number.MAX_SAFE_INTEGER
      ? `must be a whole number from ${least}`
      : `must be a whole number from ${least} to ${most}`
  return z.int(words).min(least, words).max(most, words)
}
export const natural = wholeFrom(1)
export const calendar = oneOf(CALENDARS)
export const zoneWords = "must be a time zone by its IANA name, such as America/New_York"

/** An exact number, as text. */
const decimal = z
  .string('must be a decimal string such as "12.5"')
  .regex(/^(0|[1-9]\d{0,17})(\.\d{1,18})?$/, 'must be a decimal string such as "12.5"')
export const amount = decimal
/** The same above zero. */
export const positive = decimal.regex(/[1-9]/, "must be greater than 0")

/** Settings by name. */
export const mapOf = <Item extends z.ZodType>(key: z.ZodString, item: Item) =>
  z.record(key, item, "must be an object")
