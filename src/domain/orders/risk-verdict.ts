/**
 * risk-verdict: the result of one check, and its effect on the order.
 *
 * Why apart from the table: the checks are in several files and share these types.
 *
 * Promises: a verdict has a code exactly when it failed, and always its numbers.
 * Never: holds a check.
 */

export type RiskNumbers = Readonly<Record<string, string | number | boolean | null>>

/** What a failed check does to the order. `defer`: retry soon, the reason may go away by itself. */
export type RiskEffect = "deny" | "defer" | "hold"

export interface Failure {
  readonly code: string
  readonly effect: RiskEffect
}

export interface Evaluation {
  readonly failure: Failure | null
  readonly numbers: RiskNumbers
}

export const deny = (code: string): Failure => ({ code, effect: "deny" })
export const defer = (code: string): Failure => ({ code, effect: "defer" })
export const hold = (code: string): Failure => ({ code, effect: "hold" })

export const verdictOf = (failed: boolean, failure: Failure, numbers: RiskNumbers): Evaluation => ({
  failure: failed ? failure : null,
  numbers
})
