/**
 * field: reading one field of a body from outside, and saying what is wrong with it.
 *
 * A sender that has to fix its template one error at a time loses alerts meanwhile. So the readers here never
 * stop at the first error: they note it and go on, and the caller refuses the body with all of them.
 *
 * Promises: one error per field at most, named by its path; a reader that noted an error returns null.
 * Never: repeats a value in a message (it could be a secret), trims silently inside a value, reads a prototype.
 */
import { Option } from "effect"

import { fieldOf, type JsonObject, type JsonValue } from "./canonical-json.ts"
import { decimalFromNumber, formatDecimal, parseDecimal } from "./decimal.ts"
import { ExactNumber } from "./exact-number.ts"
import { decimalLimits } from "./limits.ts"

/** One thing that is wrong with a body: where, and what it should have been. `path` is "" for the body itself. */
export interface FieldError {
  readonly path: string
  readonly message: string
}

/** Reads the fields of one object and collects what is wrong with them. */
export interface FieldReader {
  readonly errors: ReadonlyArray<FieldError>
  readonly fail: (path: string, message: string) => null
  /** The field, or undefined when it is absent, null, or blank text: a template writes "" for what it does not know. */
  readonly given: (key: string) => JsonValue | undefined
  /** Text of 1 to `lengthMax` characters after trimming, without control characters; null when absent or wrong. */
  readonly text: (key: string, lengthMax: number) => string | null
  /** A decimal above zero as plain text; null when absent or wrong. */
  readonly positive: (key: string) => string | null
  /** A decimal not below zero as plain text; null when absent or wrong. */
  readonly notNegative: (key: string) => string | null
  /** A decimal of any sign as plain text; null when absent or wrong. */
  readonly signed: (key: string) => string | null
  /** Notes an error when nothing was given and nothing is wrong yet at `key`. */
  readonly require: (key: string, value: unknown) => void
}

// C0, DEL and C1: none of them can be meant, and each of them can forge a log line or a terminal.
// Also the line separators and the marks that reverse the direction of what follows.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/

/** The text of a field: trimmed, bounded, free of control characters. A message instead of it when it is wrong. */
export const readText = (value: unknown, lengthMax: number): { text: string } | { message: string } => {
  if (typeof value !== "string") return { message: "must be a string" }
  const text = value.trim()
  if (text === "") return { message: "must not be empty" }
  if (text.length > lengthMax) return { message: `must be at most ${lengthMax} characters` }
  if (CONTROL.test(text)) return { message: "must not contain control characters" }
  return { text }
}

/** The sign that a decimal may have, and the message when it has another one. */
const SIGNS = {
  positive: [(value: bigint) => value > 0n, "must be above zero"],
  notNegative: [(value: bigint) => value >= 0n, "must not be below zero"],
  signed: [() => true, ""]
} as const

const readDecimal = (value: JsonValue, sign: keyof typeof SIGNS): { text: string } | { message: string } => {
  if (typeof value !== "number" && typeof value !== "string" && !(value instanceof ExactNumber))
    return { message: "must be a decimal, as a number or as text" }
  const parsed =
    typeof value === "number"
      ? decimalFromNumber(value)
      : parseDecimal(typeof value === "string" ? value.trim() : value.text)
  if (Option.isNone(parsed)) {
    const { integerDigitsMax, scaleMax } = decimalLimits
    return {
      message: `must be a decimal such as 1250.5 (no commas), of at most ${integerDigitsMax} digits before and ${scaleMax} after the point`
    }
  }
  const [allowed, message] = SIGNS[sign]
  return allowed(parsed.value.value) ? { text: formatDecimal(parsed.value) } : { message }
}

/** A reader over `object` whose errors carry `prefix` before the key. */
export const fieldReader = (object: JsonObject, prefix = ""): FieldReader => {
  const errors: Array<FieldError> = []
  const fail = (path: string, message: string): null => {
    const full = `${prefix}${path}`
    if (!errors.some((known) => known.path === full)) errors.push({ path: full, message })
    return null
  }
  const given = (key: string): JsonValue | undefined => {
    const value = fieldOf(object, key)
    return value === null || (typeof value === "string" && value.trim() === "") ? undefined : value
  }
  const read = (
    key: string,
    reader: (value: JsonValue) => { text: string } | { message: string }
  ): string | null => {
    const value = given(key)
    if (value === undefined) return null
    const answer = reader(value)
    return "text" in answer ? answer.text : fail(key, answer.message)
  }
  return {
    errors,
    fail,
    given,
    text: (key, lengthMax) => read(key, (value) => readText(value, lengthMax)),
    positive: (key) => read(key, (value) => readDecimal(value, "positive")),
    notNegative: (key) => read(key, (value) => readDecimal(value, "notNegative")),
    signed: (key) => read(key, (value) => readDecimal(value, "signed")),
    require: (key, value) => {
      if (value === null) fail(key, "is required")
    }
  }
}
