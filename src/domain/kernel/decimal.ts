/**
 * decimal: money and quantity as text outside, exact numbers inside.
 *
 * Outside (bodies, rows, wires) a decimal is a plain string such as "0.25"; inside it is Effect's BigDecimal.
 * Two traps of BigDecimal are closed here: it parses the empty string as zero, and its own `format` switches to
 * exponents from 16 decimals on, which PostgreSQL reads but no person and no venue expects. Senders do write exponents
 * (JavaScript prints 0.00000023 as 2.3e-7), so they are read, exactly, and written out plainly from there on.
 *
 * Promises: `formatDecimal` never writes an exponent, a leading plus, a trailing zero or a negative zero;
 * what it writes, `parseDecimal` reads back to an equal number.
 * Never: goes through binary floating point, except for a JSON number that a double holds as it was written.
 */
import { BigDecimal, Option } from "effect"

import { invariant } from "./invariant.ts"
import { decimalLimits } from "./limits-signals.ts"

export type Decimal = BigDecimal.BigDecimal

// What programs and people write for a decimal: a sign, a bare point on either side, an exponent. No blanks inside, no
// commas (1,000 is a thousand or one, depending on the country), no names for what is not a number.
export const DECIMAL_TEXT =
  /^(?<sign>[+-]?)(?:(?<whole>\d+)(?:\.(?<fraction>\d*))?|\.(?<bare>\d+))(?:[eE](?<exponent>[+-]?\d{1,4}))?$/

/** Zero, the quantity of a flat position. */
export const zero: Decimal = BigDecimal.fromBigInt(0n)

/** Digits before and after the point, without insignificant zeros. */
const withinSize = ({ value, scale }: Decimal): boolean => {
  const digits = `${value < 0n ? -value : value}`.length
  return digits - scale <= decimalLimits.integerDigitsMax && scale <= decimalLimits.scaleMax
}

/**
 * Reads a decimal as it is written outside: `12`, `-0.5`, `+1`, `.5`, `5.`, `2.3e-7`, exactly. None for blanks, commas,
 * names such as NaN, or more digits than the limits.
 */
export const parseDecimal = (text: string): Option.Option<Decimal> => {
  const groups = text.length <= decimalLimits.lengthMax ? DECIMAL_TEXT.exec(text)?.groups : undefined
  if (groups === undefined) return Option.none()
  const fraction = groups["fraction"] ?? groups["bare"] ?? ""
  const digits = BigInt(`${groups["whole"] ?? ""}${fraction}`)
  const scale = fraction.length - Number(groups["exponent"] ?? "0")
  // Normalized: the scale is negative for 1e3, and without its trailing zeros for 1.500.
  const read = BigDecimal.normalize(BigDecimal.make(groups["sign"] === "-" ? -digits : digits, scale))
  return withinSize(read) ? Option.some(read) : Option.none()
}

/**
 * Reads a JSON number by its shortest decimal text, the one the sender most likely wrote (0.1 is 0.1).
 * None for NaN, infinities and numbers with more digits than the limits.
 */
export const decimalFromNumber = (value: number): Option.Option<Decimal> => parseDecimal(String(value))

/** Reads a decimal that our own code or database wrote; anything else is a bug and dies. */
export const decimal = (text: string): Decimal => {
  const parsed = BigDecimal.fromString(text)
  invariant(text !== "" && Option.isSome(parsed), "a stored decimal is readable", { text })
  return BigDecimal.normalize(parsed.value)
}

/** Writes a decimal as plain text: "-0.00000000000000000012", never "-1.2e-19". */
export const formatDecimal = (value: Decimal): string => {
  const { value: digits, scale } = BigDecimal.normalize(value)
  if (scale <= 0) return `${digits * 10n ** BigInt(-scale)}`
  const negative = digits < 0n
  const padded = `${negative ? -digits : digits}`.padStart(scale + 1, "0")
  return `${negative ? "-" : ""}${padded.slice(0, -scale)}.${padded.slice(-scale)}`
}

/** `dividend / divisor`, rounded half to even at `averageScale` digits. The divisor is not zero. */
export const divideRounded = (dividend: Decimal, divisor: Decimal): Decimal => {
  invariant(divisor.value !== 0n, "a divisor is not zero")
  // Scaled integers: exact until the one rounding below, unlike a division of fixed precision that is rounded again.
  const shift = BigInt(decimalLimits.averageScale + divisor.scale - dividend.scale)
  const top = shift >= 0n ? dividend.value * 10n ** shift : dividend.value
  const bottom = shift >= 0n ? divisor.value : divisor.value * 10n ** -shift
  return BigDecimal.normalize(BigDecimal.make(roundedQuotient(top, bottom), decimalLimits.averageScale))
}

const roundedQuotient = (top: bigint, bottom: bigint): bigint => {
  const quotient = top / bottom
  const rest = top % bottom
  const twice = 2n * (rest < 0n ? -rest : rest)
  const size = bottom < 0n ? -bottom : bottom
  const away = top < 0n === bottom < 0n ? 1n : -1n
  if (twice < size) return quotient
  if (twice > size) return quotient + away
  return quotient % 2n === 0n ? quotient : quotient + away
}
