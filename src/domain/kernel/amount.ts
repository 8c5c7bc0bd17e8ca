/**
 * amount: a decimal from outside, with the sign that it may have.
 *
 * Promises: what passes is plain decimal text with every digit of what was sent, as a number or as text.
 * Never: rounds, or repeats a value in a message.
 */
import { Option } from "effect"
import { decimalFromNumber, formatDecimal, parseDecimal } from "./decimal.ts"
import type { ExactNumber } from "./exact-number.ts"
import { decimalLimits } from "./limits-signals.ts"

/** The sign that an amount may have, and the message when it has another one. */
const SIGNS = {
  positive: [(value: bigint) => value > 0n, "must be above zero"],
  notNegative: [(value: bigint) => value >= 0n, "must not be below zero"],
  signed: [() => true, ""]
} as const
export type AmountSign = keyof typeof SIGNS

const { integerDigitsMax, scaleMax } = decimalLimits
const EXPECTED = `must be a decimal such as 1250.5 (no commas), of at most ${integerDigitsMax} digits before and ${scaleMax} after the point`

/** A decimal as plain text; or what is wrong with it. */
export const readAmount = (
  given: number | string | ExactNumber,
  sign: AmountSign
): { text: string } | { message: string } => {
  const parsed =
    typeof given === "number"
      ? decimalFromNumber(given)
      : parseDecimal(typeof given === "string" ? given.trim() : given.text)
  if (Option.isNone(parsed)) return { message: EXPECTED }
  const [allowed, message] = SIGNS[sign]
  return allowed(parsed.value.value) ? { text: formatDecimal(parsed.value) } : { message }
}
