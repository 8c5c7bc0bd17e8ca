/**
 * Decision: the facts of one stored signal in, one decision with its complete order rows out.
 *
 * This is all of "decide" as one function: strategies subscribed to the source, each in each of its accounts. The
 * store only commits what comes out of here, so what was decided and why is tested without a database, and decided again from
 * what was stored (T15).
 *
 * Promises: pure; the same facts and settings give the same decision; one decision per signal, whatever its fan-out; every
 * verdict is in it; a signal that one account could not judge yet is deferred as a whole, because a second decision for the
 * same signal can never be stored.
 * Never: reads a clock, a quote feed, a table, or anything that is not in the facts.
 */
import { type Facts, gatherFacts, inputFrom, targetsOf } from "./facts.ts"
import { planTarget } from "./order-plan.ts"
import { ageMaxOf, type PlannedOrder } from "./planned-order.ts"
import type { PlanInput } from "./plan-input.ts"
import type { OnPaper, RecordedCheck, Step, TargetStep } from "./plan-step.ts"
import type { ShadowOrder } from "./shadow-order.ts"
import { type PlanContext, type PlanQuote, type PlanSettings } from "../orders/plan-context.ts"
import type { RiskNumbers } from "../orders/risk-verdict.ts"
import type { StrategyStage } from "../orders/stage.ts"
import type { EngineName } from "../kernel/settings.ts"
import { meaningOf, type SymbolRules } from "../kernel/symbol-map.ts"
import { engineOf } from "../signals/routing.ts"

export type DecisionOutcome = "ordered" | "held" | "denied" | "ignored"

/** With what it does on paper, of strategies that run as shadows. */
export interface Decision extends OnPaper {
  readonly signalId: string
  readonly engine: EngineName
  readonly experimentId: string
  readonly variant: string
  readonly outcome: DecisionOutcome
  readonly reason: string | null
  readonly checks: ReadonlyArray<RecordedCheck>
  readonly orders: ReadonlyArray<PlannedOrder>
  readonly signalStatus: "done" | "rejected"
  /** What shadow engines would have done; empty without any. */
  readonly shadows: ReadonlyArray<ShadowOrder>
  /** The quote it was decided on. */
  readonly quote: PlanQuote | null
  /** The name of the settings it was decided under. */
  readonly settingsVersion: string
}

/** Some check may pass soon; retry. `codes` as `account:code`. */
interface Deferred {
  readonly _tag: "Deferred"
  readonly codes: ReadonlyArray<string>
}

/** What facts come to. `context` is the one of the facts with the planned orders in its books. */
export type Decided =
  | { readonly _tag: "Decided"; readonly decision: Decision; readonly context: PlanContext }
  | Deferred

export type Plan =
  /** `context` is the given one with the planned orders in its books, for the next signal of the batch. */
  | {
      readonly _tag: "Decided"
      readonly decision: Decision
      readonly facts: Facts
      readonly context: PlanContext
    }
  | Deferred

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

/** `isWhole`: decided for the signal as a whole, before any account was looked at. */
const decideFrom = (given: PlanInput): { readonly decided: Decided; readonly isWhole: boolean } => {
  const { settings } = given
  const named = symbolCheck(given.signal.symbol, settings)
  const input = { ...given, signal: { ...given.signal, symbol: named.symbol } }
  const { signal } = input
  const steps: Array<TargetStep> = []
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
    const codes = waiting.map(({ checks, code }) => `${checks[0]?.account ?? ""}:${code ?? ""}`)
    return { decided: { _tag: "Deferred", codes }, isWhole: false }
  }
  const { outcome, reason } =
    early === null ? combined(steps) : { outcome: "denied" as const, reason: early.code }
  const [first] = targets === "strategy_unknown" ? [] : targets
  const engine = first === undefined ? "A" : engineOf([first.name, first.strategy], signal)
  const decision: Decision = {
    signalId: signal.id,
    engine,
    experimentId: signal.experimentId ?? "none",
    variant: signal.variant === null ? "A" : engine,
    outcome,
    reason,
    // Last, because it concerns the whole signal, and the first check of a target is its engine's wish.
    checks:
      early === null
        ? [...steps.flatMap(({ checks }) => checks), ...(named.check === null ? [] : [named.check])]
        : [early],
    orders: steps.flatMap(({ orders }) => orders),
    shadows: steps.flatMap(({ shadows }) => shadows),
    papers: steps.flatMap(({ papers }) => papers),
    placed: steps.flatMap(({ placed }) => placed),
    withdrawn: steps.flatMap(({ withdrawn }) => withdrawn),
    signalStatus: outcome === "denied" ? "rejected" : "done",
    quote: input.quoteOf(signal.symbol),
    settingsVersion: settings.version
  }
  return { decided: { _tag: "Decided", decision, context }, isWhole: early !== null }
}

/**
 * Decides one signal from its facts. `Deferred` only when they allow it. `missing` names what these settings made it read and the
 * facts do not have: always empty under the settings that they were gathered under.
 */
export const decide = (
  facts: Facts,
  settings: PlanSettings
): { readonly decided: Decided; readonly missing: ReadonlyArray<string> } => {
  const { input, missing } = inputFrom(facts, settings)
  const { decided, isWhole } = decideFrom(input)
  return { decided, missing: isWhole ? [] : [...missing].toSorted() }
}

/** The stored stages with the books, and what rests, that a decision left. */
const withBooks = (before: PlanContext["stages"], after: PlanContext["stages"]): PlanContext["stages"] =>
  new Map([
    ...before,
    ...[...after].map(([name, stage]): [string, StrategyStage] => [
      name,
      {
        ...stage,
        book: { ...before.get(name)?.book, ...stage.book },
        resting: { ...before.get(name)?.resting, ...stage.resting }
      }
    ])
  ])

/** Gathers the facts of a signal out of all that is known and decides it from these. */
export const planSignal = (input: PlanInput): Plan => {
  const facts = gatherFacts(input)
  const { decided } = decide(facts, input.settings)
  if (decided._tag === "Deferred") return decided
  const { accounts, rates, stages } = decided.context
  return {
    ...decided,
    facts,
    context: {
      ...input.context,
      accounts: new Map([...input.context.accounts, ...accounts]),
      rates,
      // Those of the facts have only the accounts that this signal reached.
      stages: withBooks(input.context.stages, stages)
    }
  }
}
