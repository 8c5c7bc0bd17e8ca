/**
 * telegram-quiet: the hours in which a phone is left alone.
 *
 * In quiet hours only what is CRITICAL is sent; the rest is kept, and is one summary when they end. What was kept must not be too old
 * by then, however long they were, so the age up to which alerts are sent counts from their beginning.
 *
 * Promises: quiet hours are stretches of time, whatever the clocks of their zone do in between; those that touch are one.
 * Never: reads a clock; decides what is CRITICAL.
 */
import type { WeekHours } from "../kernel/settings.ts"
import { merged, sessionsBetween, type Span } from "../signals/expected-schedule.ts"
import { telegramLimits } from "./telegram-limits.ts"

const HOUR_MS = 3_600_000

/** Quiet stretches that touch a stretch of time, whole, oldest first. */
const quietBetween = (quiet: WeekHours | null, between: Span): ReadonlyArray<Span> =>
  quiet === null ? [] : merged(sessionsBetween({ calendar: "24x7", hours: quiet }, between))

const within = (spans: ReadonlyArray<Span>, ms: number): Span | undefined =>
  spans.find(({ fromMs, toMs }) => fromMs <= ms && ms < toMs)

/** What is sent now. */
export interface QuietNow {
  readonly isQuiet: boolean
  /** Alerts that began earlier are history; counted from now. */
  readonly ageMsMax: number
}

export const quietAt = (quiet: WeekHours | null, nowMs: number): QuietNow => {
  const oldestMs = nowMs - telegramLimits.alertsAgeHoursMax * HOUR_MS
  const spans = quietBetween(quiet, {
    fromMs: oldestMs - telegramLimits.quietDaysMax * 24 * HOUR_MS,
    toMs: nowMs + 1
  })
  // What it kept was not sent before it ended, and that was less than the age ago.
  const kept = within(spans, oldestMs)
  return {
    isQuiet: within(spans, nowMs) !== undefined,
    ageMsMax: nowMs - (kept?.fromMs ?? oldestMs)
  }
}

/** Which of these instants were quiet. */
export const quietAmong = (
  quiet: WeekHours | null,
  instants: ReadonlyArray<number>
): ((ms: number) => boolean) => {
  if (quiet === null || instants.length === 0) return () => false
  const fromMs = instants.reduce((least, ms) => Math.min(least, ms))
  const toMs = instants.reduce((most, ms) => Math.max(most, ms)) + 1
  const spans = quietBetween(quiet, { fromMs, toMs })
  return (ms) => within(spans, ms) !== undefined
}
