/**
 * A restart budget: a sliding window over restart times.
 *
 * The window slides with every restart, as in OTP: `max` restarts within any `withinMs` are allowed, one more is
 * not. A counter that is cleared every `withinMs` would let twice as many through around the edge.
 * Promises: at most `max + 1` times are kept; no memory before the first restart.
 * Never: reads a clock; times are given, in milliseconds of one monotonic clock.
 */
import type { Budget } from "./child-policy.ts"

/** Restart times inside the window, oldest first. */
export class RestartWindow {
  #times: Array<number> | undefined
  /** Counts one restart at `nowMs`; true while the budget allows it. */
  spend(budget: Budget, nowMs: number): boolean {
    // An unlimited budget needs no memory of the past.
    if (budget.max === Number.POSITIVE_INFINITY) return true
    const times = this.#prune(budget, nowMs)
    times.push(nowMs)
    return times.length <= budget.max
  }
  /** Restarts inside the window now. */
  used(budget: Budget, nowMs: number): number {
    return this.#times === undefined ? 0 : this.#prune(budget, nowMs).length
  }
  /** Forgets the past, after a stable run. */
  clear(): void {
    this.#times = undefined
  }
  #prune(budget: Budget, nowMs: number): Array<number> {
    const times = (this.#times ??= [])
    let expired = 0
    while (expired < times.length && nowMs - (times[expired] ?? 0) > budget.withinMs) expired++
    if (expired > 0) times.splice(0, expired)
    return times
  }
}
