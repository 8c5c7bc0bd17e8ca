/**
 * risk-marks: the reference points that the loss limits of a scope are measured from, and when they are reset.
 *
 * The daily loss is measured from the last figure known before midnight, so a night without a process hides no loss; the
 * drawdown from the high-water mark; the loss streak from the first check. When an operator resumes a scope that a rule
 * stopped, all three are reset to the figures of that moment: the operator knows the loss, and a rule that triggered again at
 * once would override the decision. It triggers again after another full limit.
 *
 * Promises: pure; the day never goes back and the high-water mark never falls, except by a resume; an unknown figure
 * changes nothing.
 * Never: resumes: a scope that a rule stopped stays stopped until its state is ACTIVE.
 */
import { BigDecimal } from "effect"
import { decimal, formatDecimal } from "../kernel/decimal.ts"
import type { TradingStateName } from "../kernel/trading-state.ts"

/** Profit and loss in total (`net` of profit.ts), as signed text. */
export interface Marks {
  /** ISO date of the current day. */
  readonly day: string
  readonly dayBase: string
  readonly highWater: string
  /** The last known figure. */
  readonly pnl: string
  readonly sinceMs: number
  /** The rule that stopped the scope, null when none did since the last resume. */
  readonly tripped: string | null
}

export interface Seen {
  readonly nowMs: number
  readonly day: string
  /** Null: unknown. */
  readonly pnl: string | null
  readonly state: TradingStateName
}

/** Whether the marks of a scope are reset: a rule had stopped it, and an operator resumed it. */
export const isResumed = (before: Marks, { state }: Pick<Seen, "state">): boolean =>
  before.tripped !== null && state === "ACTIVE"

const begun = ({ day, nowMs }: Seen, pnl: string): Marks => ({
  day,
  dayBase: pnl,
  highWater: pnl,
  pnl,
  sinceMs: nowMs,
  tripped: null
})

/** The marks after a check; null while no figure was ever known. */
export const nextMarks = (before: Marks | null, seen: Seen): Marks | null => {
  const { day, pnl } = seen
  if (pnl === null) return before
  if (before === null || isResumed(before, seen)) return begun(seen, pnl)
  const isNewDay = day > before.day
  const higher = BigDecimal.isGreaterThan(decimal(pnl), decimal(before.highWater))
  return {
    ...before,
    day: isNewDay ? day : before.day,
    dayBase: isNewDay ? before.pnl : before.dayBase,
    highWater: higher ? pnl : before.highWater,
    pnl
  }
}

/** Stored marks combined with what this process has seen since, as long as both began at the same time. */
export const mergedMarks = (written: Marks | null, seen: Marks | null): Marks | null => {
  if (written === null || seen === null || written.sinceMs !== seen.sinceMs) return written ?? seen
  const higher = BigDecimal.isGreaterThan(decimal(seen.highWater), decimal(written.highWater))
  return {
    ...written,
    // If another process has started a new day, its figures win.
    ...(seen.day >= written.day ? { day: seen.day, dayBase: seen.dayBase, pnl: seen.pnl } : {}),
    highWater: higher ? seen.highWater : written.highWater
  }
}

const less = (a: string, b: string): string => formatDecimal(BigDecimal.subtract(decimal(a), decimal(b)))

/** Losses by the marks: positive is a loss. Null when the present figure is not known. */
export const lossesOf = (
  marks: Marks | null,
  pnl: string | null
): { readonly dayLoss: string | null; readonly drawdown: string | null } =>
  marks === null || pnl === null
    ? { dayLoss: null, drawdown: null }
    : { dayLoss: less(marks.dayBase, pnl), drawdown: less(marks.highWater, pnl) }
