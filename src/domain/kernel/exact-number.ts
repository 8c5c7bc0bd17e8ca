/**
 * exact-number: a JSON number that a double cannot hold, kept as it was written.
 *
 * The native parser silently rounds such a number: 9007199254740993 becomes ...992, so two quantities become one
 * and two bodies become the same post. Money and quantity are decimals, JSON has no largest number, and PostgreSQL's jsonb
 * stores any digits; only the number in between was too narrow. Every other number stays a `number`.
 *
 * Promises: equal values have equal texts, whatever their notation; the text is a plain decimal of bounded length, and
 * is what JSON.stringify writes; no number that a double holds as written is ever one of these.
 * Never: computes; callers that need arithmetic read the text as a decimal.
 */

declare global {
  interface JSON {
    /** A value that `stringify` writes as this text. In the language since Node 22; not yet in the types. */
    rawJSON(text: string): object
  }
}

/** Significant digits kept: no sender has more, and jsonb refuses more than 16,383 after the point. */
const DIGITS_MAX = 1_000

/** A number in the form ±digits x 10^exponent; the digits neither begin nor end with a zero, and are "0" for zero. */
interface Normal {
  readonly negative: boolean
  readonly digits: string
  readonly exponent: number
}

const NUMBER = /^(?<minus>-?)(?<whole>\d+)(?:\.(?<fraction>\d+))?(?:[eE](?<power>[+-]?\d+))?$/
const ZERO = 48

const normalOf = (source: string): Normal | null => {
  const groups = NUMBER.exec(source)?.groups
  if (groups === undefined) return null
  const { fraction = "", minus, power = "0", whole = "" } = groups
  const all = `${whole}${fraction}`
  let start = 0
  let end = all.length
  // Loops and not patterns: a pattern for trailing zeros restarts at every zero in between.
  while (start < end && all.charCodeAt(start) === ZERO) start += 1
  while (end > start && all.charCodeAt(end - 1) === ZERO) end -= 1
  if (start === end) return { negative: false, digits: "0", exponent: 0 }
  return {
    negative: minus === "-",
    digits: all.slice(start, end),
    exponent: Number(power) - fraction.length + (all.length - end)
  }
}

const plainText = ({ digits, exponent, negative }: Normal): string => {
  const sign = negative ? "-" : ""
  if (exponent >= 0) return `${sign}${digits}${"0".repeat(exponent)}`
  const padded = digits.padStart(1 - exponent, "0")
  return `${sign}${padded.slice(0, exponent)}.${padded.slice(exponent)}`
}

/** A number with more digits than a double has. */
export class ExactNumber {
  /** Plain decimal: no exponent, no leading plus, no insignificant zero. */
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  /** The nearest double, for measurements and never for money. */
  get nearest(): number {
    return Number(this.text)
  }

  toJSON(): object {
    return JSON.rawJSON(this.text)
  }
}

/**
 * What a number of a JSON text is: itself when its shortest decimal form has the value that was written, else exact. NaN
 * when it cannot be kept: outside the range of a double (1e999, 1e-999), or of more digits than anybody means.
 */
export const exactNumber = (source: string, value: number): number | ExactNumber => {
  const written = normalOf(source)
  const held = normalOf(String(value))
  if (written === null || held === null) return Number.NaN
  const { digits, exponent, negative } = held
  if (written.digits === digits && written.exponent === exponent && written.negative === negative)
    return value
  // A double that became zero lost everything, and its exponent has no bound.
  if (value === 0 || written.digits.length > DIGITS_MAX) return Number.NaN
  return new ExactNumber(plainText(written))
}

// A double holds every number of 15 digits; an exponent can hide a number beyond its range.
const CANDIDATE = /(?:\d\.?){16}|\d[eE][+-]?\d+\s*(?:[,}\]]|$)/

/** False when no number of the text can be inexact, which a quick scan shows for nearly every text. */
export const mayBeInexact = (text: string): boolean => CANDIDATE.test(text)
