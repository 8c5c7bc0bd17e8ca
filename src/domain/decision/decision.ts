/**
 * Decision: one stored signal in, one decision with its complete order rows out.
 *
 * This is all of "decide" as one function: strategies subscribed to the source, each in each of its accounts. The
 * store only commits what comes out of here, so what was decided and why is tested without a database.
 *
 * Promises: pure; one decision per signal, whatever its fan-out; every verdict is in it; a signal that one account
 * could not judge yet is deferred as a whole, because a second decision for the same signal can never be stored.
 * Never: reads a clock, a quote feed or a table.
 */
import {
  ageMaxOf,
  type DecisionSignal,
  type PlanInput,
  type PlannedOrder,
  planTarget,
  type RecordedCheck,
  type Step,
  type Target
} from "./order-plan.ts"
import { CANARY, canaryStrategy } from "../kernel/canary.ts"
import { type PlanContext, type PlanQuote, type PlanSettings } from "../orders/plan-context.ts"
import type { RiskNumbers } from "../orders/risk-verdict.ts"
import { meaningOf, type SymbolRules } from "../kernel/symbol-map.ts"
import { takersOf } from "../signals/routing.ts"

export type DecisionOutcome = "ordered" | "held" | "denied" | "ignored"

export interface Decision {
  readonly signalId: string
  readonly engine: "A"
  readonly experimentId: string
  readonly variant: string
  readonly outcome: DecisionOutcome
  readonly reason: string | null
  readonly checks: ReadonlyArray<RecordedCheck>
  readonly orders: ReadonlyArray<PlannedOrder>
  readonly signalStatus: "done" | "rejected"
  /** The quote it was decided on. */
  readonly quote: PlanQuote | null
  /** The name of the settings it was decided under. */
  readonly settingsVersion: string
}

export type Plan =
  /** `context` is the given one with the planned orders in its books, for the next signal of the batch. */
  | { readonly _tag: "Decided"; readonly decision: Decision; readonly context: PlanContext }
  /** Some check may pass soon; retry. `codes` as `account:code`. */
  | { readonly _tag: "Deferred"; readonly codes: ReadonlyArray<string> }

/** Where a signal goes: each account of each strategy that takes it. */
export const targetsOf = (
  signal: DecisionSignal,
  settings: PlanSettings
): ReadonlyArray<Target> | "strategy_unknown" => {
  if (signal.source === CANARY) return [{ name: CANARY, strategy: canaryStrategy, account: CANARY }]
  const takers = takersOf(settings.strategies, signal.source, signal.strategy)
  if (signal.strategy !== null && takers.length === 0) return "strategy_unknown"
  return takers.flatMap(([name, strategy]) =>
    strategy.accounts.map((account) => ({ name, strategy, account }))
  )
}

const combined = (
  steps: ReadonlyArray<Step>
): { readonly outcome: DecisionOutcome; readonly reason: string | null } => {
  for (const outcome of ["ordered", "held", "denied", "ignored"] as const) {
    const step = steps.find(({ result }) => result === outcome)
    if (step !== undefined) return { outcome, reason: step.code }
  }
  return { outcome: "ignored", reason: "no_strategy" }
}

/** How the signal's symbol was resolved. Nothing is recorded for one that means itself at a price that somebody quoted. */
const symbolCheck = (
  given: string,
  { mode, symbols }: SymbolRules
): { readonly symbol: string; readonly check: RecordedCheck | null } => {
  const meaning = meaningOf(given, { mode, symbols })
  const whole = { strategy: null, account: null, leg: null, check: "symbol" }
  if (meaning._tag === "Refused") {
    const { code, hint } = meaning
    return { symbol: given, check: { ...whole, ok: false, code, numbers: { given, hint } } }
  }
  const { how, symbol } = meaning
  const invented = mode === "PRACTICE"
  if (how === "as_given" && !invented) return { symbol, check: null }
  return {
    symbol,
    check: { ...whole, ok: true, code: null, numbers: { given, symbol, how, price_invented: invented } }
  }
}

/** Decides one signal. `Deferred` only when `mayDefer` is true. */
export const planSignal = (given: PlanInput): Plan => {
  const { settings } = given
  const named = symbolCheck(given.signal.symbol, settings)
  const input = { ...given, signal: { ...given.signal, symbol: named.symbol } }
  const { signal } = input
  const steps: Array<Step> = []
  let { context } = input
  const ageMs = context.nowMs - signal.expiresFromMs
  const ageMaxMs = ageMaxOf(signal, settings)
  const targets = targetsOf(signal, settings)
  const whole = (check: string, code: string, numbers: RiskNumbers): RecordedCheck => ({
    strategy: null,
    account: null,
    leg: null,
    check,
    ok: false,
    code,
    numbers
  })
  const early =
    ageMs > ageMaxMs
      ? whole("age", "too_old", { age_ms: ageMs, limit_ms: ageMaxMs })
      : targets === "strategy_unknown"
        ? whole("strategy", targets, { strategy: signal.strategy })
        : named.check?.ok === false
          ? named.check
          : null
  if (early === null && targets !== "strategy_unknown") {
    for (const target of targets) {
      const step = planTarget(input, context, target)
      steps.push(step)
      context = step.context
    }
  }
  const waiting = steps.filter(({ result }) => result === "deferred")
  if (waiting.length > 0) {
    return {
      _tag: "Deferred",
      codes: waiting.map(({ checks, code }) => `${checks[0]?.account ?? ""}:${code ?? ""}`)
    }
  }
  const { outcome, reason } =
    early === null ? combined(steps) : { outcome: "denied" as const, reason: early.code }
  const decision: Decision = {
    signalId: signal.id,
    engine: "A",
    experimentId: signal.experimentId ?? "none",
    variant: signal.variant ?? "A",
    outcome,
    reason,
    // Last, because it concerns the whole signal, and the first check of a target is its engine's wish.
    checks:
      early === null
        ? [...steps.flatMap(({ checks }) => checks), ...(named.check === null ? [] : [named.check])]
        : [early],
    orders: steps.flatMap(({ orders }) => orders),
    signalStatus: outcome === "denied" ? "rejected" : "done",
    quote: input.quoteOf(signal.symbol),
    settingsVersion: settings.version
  }
  return { _tag: "Decided", decision, context }
}
