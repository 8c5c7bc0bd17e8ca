/**
 * risk-breaker: whether the circuit breakers that concern an order let it enter (T6, row breaker).
 *
 * Promises: pure; only an order that opens something is ever refused; one that is decided while a breaker is OPEN is denied, one
 * that is HALF_OPEN may close within seconds and defers it; an entry that was decided before waits until its own limit.
 * Never: moves a breaker.
 */
import { type BreakerState, partsOf } from "./breaker.ts"
import { opensNothing } from "./risk-closing.ts"
import type { RiskInput } from "./risk-input.ts"
import { defer, deny, type Evaluation, type RiskNumbers } from "./risk-verdict.ts"

/** A breaker that is not closed. Times are epoch milliseconds of the database's clock. */
export interface StoppedBreaker {
  readonly id: string
  readonly state: Exclude<BreakerState, "CLOSED">
  readonly by: string
  readonly reason: string | null
  /** When its cooldown ends; null when only an operator closes it, or probes do. */
  readonly untilMs: number | null
  /** What it was opened by. */
  readonly numbers: RiskNumbers
}

/** The breakers that stop an order: those of the broker it goes to and of its strategy, an OPEN one first. */
export const breakersFor = (
  stopped: ReadonlyMap<string, StoppedBreaker>,
  broker: string | null,
  strategy: string
): ReadonlyArray<StoppedBreaker> =>
  [...(broker === null ? [] : [`broker:${broker}`]), `strategy:${strategy}`]
    .flatMap((id) => stopped.get(id) ?? [])
    .toSorted((a, b) => Number(b.state === "OPEN") - Number(a.state === "OPEN"))

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
