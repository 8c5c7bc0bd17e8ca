/**
 * risk-marks: where the limits of a scope begin to count, and when they begin anew.
 *
 * A loss per day counts from the last figure known before midnight, so a night without a process hides none; a drawdown from
 * the best moment; a row of losses from the first look. After a rule has stepped in, an operator's resume begins all three
 * anew, from the figure at that moment: who resumes knows what is lost, and a rule that stepped in again at once would take
 * the decision from him. It steps in again after another full limit.
 *
 * Promises: pure; the day never goes back and the best moment never falls, except by a resume; a figure that is not known
 * moves nothing.
 * Never: resumes: a scope that was stopped by a rule stays so until its state is ACTIVE.
 */
import { BigDecimal } from "effect"
import { decimal, formatDecimal } from "../kernel/decimal.ts"
import type { TradingStateName } from "../kernel/trading-state.ts"

/** Profit and loss in total (`net` of profit.ts), as signed text. */
export interface Marks {
  /** ISO date of the day that is counted. */
  readonly day: string
  readonly dayBase: string
  readonly highWater: string
  /** The last figure that was known. */
  readonly pnl: string
  readonly sinceMs: number
  /** The rule that stopped the scope, null when none did since the last resume. */
  readonly tripped: string | null
}

export interface Seen {
  readonly nowMs: number
  readonly day: string
  /** Null: not known. */
  readonly pnl: string | null
  readonly state: TradingStateName
}

/** Whether the marks of a scope begin anew: a rule had stopped it, and somebody let it go on. */
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

/** The marks after a look; null while nothing was ever known. */
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

/** What was written, and what this process has seen since: the later of both, as far as they tell of the same stretch. */
export const mergedMarks = (written: Marks | null, seen: Marks | null): Marks | null => {
  if (written === null || seen === null || written.sinceMs !== seen.sinceMs) return written ?? seen
  const higher = BigDecimal.isGreaterThan(decimal(seen.highWater), decimal(written.highWater))
  return {
    ...written,
    // Of a day that another process has begun, its figure counts.
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
