/**
 * Stop signals: what a request to stop means when it arrives more than once.
 *
 * One Ctrl-C under npm is two signals: the terminal signals the whole foreground group, and npm forwards its own. A
 * signal to a process group does the same. A service that counted them would take one keystroke for two.
 *
 * Promises: pure; the first is a request, another within `stopLimits.sameRequestMs` of the first is the same one
 * repeated, a later one forces the exit.
 * Never: reads a clock; counts faults, which nobody sent.
 */
import { stopLimits } from "../kernel/limits.ts"

export type StopMeaning = "request" | "again" | "now"

/** `firstMs`: when the first signal arrived, null when none has; both on one monotonic clock. */
export const meaningOfStop = (firstMs: number | null, nowMs: number): StopMeaning =>
  firstMs === null ? "request" : nowMs - firstMs <= stopLimits.sameRequestMs ? "again" : "now"
