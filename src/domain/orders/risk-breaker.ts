/**
 * risk-breaker: whether the circuit breakers that concern an order let it enter (T6, row breaker).
 *
 * Promises: pure; only an order that opens something is ever refused; one that is decided while a breaker is OPEN is denied, one
 * that is HALF_OPEN may close within seconds and defers it; an entry that was decided before waits until its own limit.
 * Never: moves a breaker.
 */
import { partsOf } from "./breaker.ts"
import { opensNothing } from "./risk-closing.ts"
import type { RiskInput } from "./risk-input.ts"
import { defer, deny, type Evaluation } from "./risk-verdict.ts"

const codes = { OPEN: "breaker_open", HALF_OPEN: "breaker_half_open" } as const

export const breaker = (input: RiskInput): Evaluation => {
  const [worst] = input.breakers
  if (worst === undefined) return { failure: null, numbers: { breaker: null } }
  const { by, id, numbers, reason, state, untilMs: until_ms } = worst
  const shown = { breaker: id, kind: partsOf(id).kind, state, by, reason, until_ms, ...numbers }
  if (opensNothing(input)) return { failure: null, numbers: shown }
  const code = codes[state]
  const failure = input.step === "send" || state === "HALF_OPEN" ? defer(code) : deny(code)
  return { failure, numbers: shown }
}
