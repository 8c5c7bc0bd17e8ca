/**
 * wave-clock: which wave is checked at which moment, in UTC epoch milliseconds.
 *
 * `wave = floor((now - offset) / period) * period + offset - lag`. The schedule alone defines what is due: never "the wave
 * after the last one", which repeats a gap forever, and never a local date, which sends every wave after midnight of
 * the wrong zone into the future (W1). So a restart, a suspended machine and a stepped clock all recover by
 * asking once.
 *
 * Promises: every function is a function of its arguments; due times are exactly one period apart, across days, leap
 * days and changes of any local time; a wave that is due now stays the same one until the next is due.
 * Never: reads a clock or the local zone, or counts waves.
 */
import { invariant } from "./invariant.ts"
import { waveLimits } from "./limits-feeds.ts"

/** A schedule: a check every `periodMs`, at `offsetMs` after each multiple of it, for the wave `lagMs` before the check. */
export interface WaveSchedule {
  readonly periodMs: number
  readonly offsetMs: number
  readonly lagMs: number
}

/** One line of the schedule, epoch milliseconds. */
export interface ScheduledWave {
  readonly waveMs: number
  readonly dueAtMs: number
}

/** The latest due time at or before `nowMs`. */
const lastDueAtMs = ({ offsetMs, periodMs }: WaveSchedule, nowMs: number): number =>
  Math.floor((nowMs - offsetMs) / periodMs) * periodMs + offsetMs

/** The wave whose check is the latest that is due at `nowMs`. */
export const waveAt = (schedule: WaveSchedule, nowMs: number): number =>
  lastDueAtMs(schedule, nowMs) - schedule.lagMs

/** When a wave is checked. */
export const dueAtMs = (schedule: WaveSchedule, waveMs: number): number => waveMs + schedule.lagMs

/** The first due time after `nowMs`. */
export const nextDueAtMs = (schedule: WaveSchedule, nowMs: number): number =>
  lastDueAtMs(schedule, nowMs) + schedule.periodMs

/**
 * The waves that become due after `afterMs` and not later than `untilMs`, oldest first. More than `max` of them: the
 * newest `max`, because what is oldest is least worth a row.
 */
export const wavesBetween = (
  schedule: WaveSchedule,
  afterMs: number,
  untilMs: number,
  max: number
): ReadonlyArray<ScheduledWave> => {
  const last = lastDueAtMs(schedule, untilMs)
  const count = Math.min(max, Math.round((last - lastDueAtMs(schedule, afterMs)) / schedule.periodMs))
  return Array.from({ length: Math.max(0, count) }, (_, index) => {
    const due = last - (count - 1 - index) * schedule.periodMs
    return { waveMs: due - schedule.lagMs, dueAtMs: due }
  })
}

/** How long one wave may be searched for: shorter than the period, so that no search is in the way of the next check. */
export const checkDeadlineMs = ({ periodMs }: WaveSchedule): number =>
  Math.min(waveLimits.checkMsMax, Math.floor(0.8 * periodMs))

/**
 * The one wave that is searched for at `nowMs`: the latest that is due, as long as its signals may be traded (`freshMs`).
 * Earlier ones may still be fresh where the period is short, but a search for them would hold up the next check; what
 * arrives for them is handed over without one.
 */
export const searchedAt = (schedule: WaveSchedule, freshMs: number, nowMs: number): ScheduledWave | null => {
  const due = lastDueAtMs(schedule, nowMs)
  return nowMs - due <= freshMs ? { waveMs: due - schedule.lagMs, dueAtMs: due } : null
}

/** How long a search that starts at `nowMs` may take: it ends before the next check, and before its wave is stale. */
export const searchMs = (schedule: WaveSchedule, freshMs: number, dueMs: number, nowMs: number): number =>
  Math.max(1, Math.min(checkDeadlineMs(schedule), dueMs + Math.min(freshMs, schedule.periodMs) - nowMs))

/** How often a wave is polled while it is searched for, milliseconds. */
export interface WavePace {
  readonly firstLookMs: number
  readonly lookEveryMs: number
  /** One get_signals; what is not answered by then is requested again. */
  readonly requestMs: number
  /** Ownership of a wave; renewed by every look. */
  readonly leaseMs: number
  /** The longest sleep without reading the wall clock. */
  readonly sliceMs: number
}

/** The pace of the contract (1 s, then every 2 s), quicker where the deadline leaves no room for it. */
export const paceOf = (schedule: WaveSchedule): WavePace => {
  const deadlineMs = checkDeadlineMs(schedule)
  const lookEveryMs = Math.min(waveLimits.lookEveryMs, Math.ceil(deadlineMs / 4))
  return {
    firstLookMs: Math.min(waveLimits.firstLookMs, Math.ceil(deadlineMs / 8)),
    lookEveryMs,
    requestMs: Math.min(waveLimits.requestMsMax, Math.ceil(deadlineMs / 2)),
    leaseMs: waveLimits.leaseLooks * lookEveryMs,
    sliceMs: Math.min(waveLimits.sliceMs, Math.ceil(schedule.periodMs / 10))
  }
}

/** What is wrong with a schedule, or null. */
export const scheduleProblem = ({ lagMs, offsetMs, periodMs }: WaveSchedule): string | null => {
  const whole = [periodMs, offsetMs, lagMs].every(Number.isSafeInteger)
  if (!whole) return "must be whole milliseconds"
  if (periodMs < waveLimits.periodMsMin || periodMs > waveLimits.periodMsMax) {
    return `a period must be from ${waveLimits.periodMsMin} to ${waveLimits.periodMsMax} ms`
  }
  // An offset of a period or more means its remainder, so that a shorter period can be set alone.
  if (offsetMs < 0 || offsetMs > waveLimits.periodMsMax) {
    return `an offset must be from 0 to ${waveLimits.periodMsMax} ms`
  }
  if (lagMs < 0 || lagMs > waveLimits.lagMsMax) return `a lag must be from 0 to ${waveLimits.lagMsMax} ms`
  return null
}

/** A moment as logs show it: UTC, and the local time with its zone named, so that nobody takes one for the other (B3). */
export interface ShownMoment {
  readonly utc: string
  readonly local: string
}

/** Shows a moment for people in `timeZone` (an IANA name). */
export const showMoment = (ms: number, timeZone: string): ShownMoment => {
  invariant(Number.isFinite(ms), "a moment is a number", { ms })
  const at = new Date(ms)
  const local = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" })
  return { utc: at.toISOString(), local: `${local.format(at)} ${timeZone}` }
}
