/**
 * Stop signals: what a request to stop means when it comes more than once.
 *
 * One Ctrl-C under npm is two signals: the terminal tells the whole foreground group, and npm passes its own on. A
 * signal to a process group does the same. Counting them, a service would take the first keystroke for impatience.
 *
 * Promises: pure; the first is a request, another within `stopLimits.sameRequestMs` of the first is the same one told
 * again, a later one means: now.
 * Never: reads a clock; counts faults, which nobody sent.
 */
import { stopLimits } from "../kernel/limits.ts"

export type StopMeaning = "request" | "again" | "now"

/** `firstMs`: when the first signal came, null when none has; both on one monotonic clock. */
export const meaningOfStop = (firstMs: number | null, nowMs: number): StopMeaning =>
  firstMs === null ? "request" : nowMs - firstMs <= stopLimits.sameRequestMs ? "again" : "now"
