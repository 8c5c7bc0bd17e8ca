/**
 * risk-scope: the figures of a scope, and when it has lost too much.
 *
 * A limit applies to the whole installation, to an account, or to a strategy in all its accounts. An order must pass all three.
 * Losses are measured periodically (risk-marks.ts) and given here as figures with a timestamp: prices move without orders,
 * so a trigger must not depend on one.
 *
 * Promises: pure; the rule that denies an order is the rule that sets REDUCING or HALTED; a missing or old figure is
 * unknown, never zero.
 * Never: reads a clock, a table or a quote; decides what follows from a breach.
 */
import { BigDecimal } from "effect"
import { decimal } from "../kernel/decimal.ts"
import { riskLimits } from "../kernel/risk-limits.ts"
import type { ScopeLimits } from "../kernel/settings.ts"
import type { TradingStateName } from "../kernel/trading-state.ts"
import type { RiskNumbers } from "./risk-verdict.ts"

/** The scopes that concern an order, the widest first. */
export const scopesOf = (account: string, strategy: string): ReadonlyArray<string> => [
  "global",
  `account:${account}`,
  `strategy:${strategy}`
]

/** The figures of a scope. Money is signed text; a loss is positive. Null: unknown. */
export interface ScopeFigures {
  /** When they were measured, by the clock of the database. */
  readonly atMs: number
  readonly day: string | null
  readonly dayLoss: string | null
  readonly drawdown: string | null
  /** Consecutive closes at a loss, at most since `sinceMs`; counted up to the limit. */
  readonly losses: number | null
  readonly lastLossAtMs: number | null
  /** When a process last started after a life that was not stopped cleanly. */
  readonly crashedAtMs: number | null
  /** When measuring began: the first check, or the last resume. */
  readonly sinceMs: number | null
  /** The rule that stopped the scope: it stays breached until an operator resumes, whatever its figure does meanwhile. */
  readonly tripped: string | null
}

/** Entries of a scope within the last minute. */
export interface Rate {
  readonly sent: number
  /** Decided and not sent yet. */
  readonly waiting: number
}

export interface ScopeState {
  readonly scope: string
  readonly limits: ScopeLimits
  readonly rate: Rate
  readonly figures: ScopeFigures | null
}

/** Entries of one strategy in one account. */
export interface EntryRate extends Rate {
  readonly account: string
  readonly strategy: string
}

/** The rates with one more entry that waits. */
export const withWaiting = (
  rates: ReadonlyArray<EntryRate>,
  account: string,
  strategy: string
): ReadonlyArray<EntryRate> => {
  const isOwn = (rate: EntryRate): boolean => rate.account === account && rate.strategy === strategy
  return rates.some(isOwn)
    ? rates.map((rate) => (isOwn(rate) ? { ...rate, waiting: rate.waiting + 1 } : rate))
    : [...rates, { account, strategy, sent: 0, waiting: 1 }]
}

/** Figures of a stopped scope that is active again are from before the resume, so they are unknown until the next check. */
const unlessResumed = (
  figures: ScopeFigures | null,
  state: TradingStateName | undefined
): ScopeFigures | null =>
  (figures?.tripped ?? null) !== null && (state ?? "ACTIVE") === "ACTIVE" ? null : figures

/** The scopes with limits that concern an order, with their figures. */
export const scopeStates = (given: {
  readonly scopes: Readonly<Record<string, ScopeLimits>>
  readonly rates: ReadonlyArray<EntryRate>
  /** Trading states by scope. */
  readonly trading: ReadonlyMap<string, TradingStateName>
  readonly figuresOf: (scope: string) => ScopeFigures | null
  readonly account: string
  readonly strategy: string
}): ReadonlyArray<ScopeState> =>
  scopesOf(given.account, given.strategy).flatMap((scope) => {
    const limits = given.scopes[scope]
    if (limits === undefined) return []
    const counted = given.rates.filter(
      ({ account, strategy }) => scope === "global" || scopesOf(account, strategy).includes(scope)
    )
    const sum = (of: keyof Rate): number => counted.reduce((total, rate) => total + rate[of], 0)
    const rate = { sent: sum("sent"), waiting: sum("waiting") }
    return [{ scope, limits, rate, figures: unlessResumed(given.figuresOf(scope), given.trading.get(scope)) }]
  })

/** The figures of a scope unless they are too old. */
export const freshFigures = (figures: ScopeFigures | null, nowMs: number): ScopeFigures | null =>
  figures !== null && nowMs - figures.atMs <= riskLimits.figuresAgeMsMax ? figures : null

/** The rules that stop a scope, in the order in which breaches are reported. */
export const lossRules = ["daily_loss", "drawdown", "loss_streak"] as const
export type LossRule = (typeof lossRules)[number]

/** One rule against its figure. `over` is null when the figure is not known. */
export interface Measure {
  readonly over: boolean | null
  readonly numbers: RiskNumbers
}

const reached = (value: string | null | undefined, limit: string): boolean | null =>
  value === null || value === undefined
    ? null
    : BigDecimal.isGreaterThanOrEqualTo(decimal(value), decimal(limit))

/** A rule of a scope, null when it is off. Reaching the limit is a breach, and it stays one until a resume. */
export const measure = (
  rule: LossRule,
  state: Pick<ScopeState, "limits" | "scope">,
  figures: ScopeFigures | null
): Measure | null => {
  const now = measuredNow(rule, state, figures)
  if (now === null) return null
  const tripped = figures?.tripped === rule
  return { over: tripped || now.over, numbers: { ...now.numbers, tripped } }
}

const measuredNow = (
  rule: LossRule,
  { limits, scope }: Pick<ScopeState, "limits" | "scope">,
  figures: ScopeFigures | null
): Measure | null => {
  const since_ms = figures?.sinceMs ?? null
  switch (rule) {
    case "daily_loss": {
      const limit = limits.dailyLossMax
      if (limit === null) return null
      const loss = figures?.dayLoss ?? null
      return {
        over: reached(loss, limit),
        numbers: { scope, limit, loss, day: figures?.day ?? null, since_ms }
      }
    }
    case "drawdown": {
      const limit = limits.drawdownMax
      if (limit === null) return null
      const drawdown = figures?.drawdown ?? null
      return { over: reached(drawdown, limit), numbers: { scope, limit, drawdown, since_ms } }
    }
    case "loss_streak": {
      const limit = limits.lossStreakMax
      if (limit === null) return null
      const losses = figures?.losses ?? null
      return { over: losses === null ? null : losses >= limit, numbers: { scope, limit, losses, since_ms } }
    }
  }
}

/** The first rule that a scope has breached, null when none is known to be. */
export const breachOf = (
  state: Pick<ScopeState, "limits" | "scope">,
  figures: ScopeFigures
): { readonly rule: LossRule; readonly numbers: RiskNumbers } | null => {
  for (const rule of lossRules) {
    const measured = measure(rule, state, figures)
    if (measured?.over === true) return { rule, numbers: measured.numbers }
  }
  return null
}
