/**
 * breaker-limits: how often circuit breakers are looked at, how long their counts are kept, and the bounds of a probe.
 *
 * Promises: every number has its reason beside it; times are in milliseconds.
 * Never: holds anything an operator configures.
 */
import { invariant } from "./invariant.ts"

const seconds = (count: number): number => count * 1_000

export const breakerLimits = {
  /** The longest window: what failed an hour ago predicts nothing. */
  windowMsMax: 3_600_000,
  /** Calls of this long are one count in memory; a window is at least as long. */
  bucketMs: seconds(1),
  /** Interval of looks while a breaker is not closed, so that its cooldown ends on time. */
  lookMs: 500,
  /** Interval while all are closed: failures of this process ring, those of others show this late. */
  lookIdleMs: seconds(5),
  /** Failures within this time share one look. */
  lookPauseMs: 100,
  readMsMax: seconds(6),
  retryMs: seconds(1),
  /** How often the prober checks whether a breaker is HALF_OPEN: memory only. */
  probeLookMs: 250,
  /** One probe with all its look-ups; each has the deadline of its adapter, below this. */
  probeMsMax: seconds(5),
  /** Accounts that one probe of a strategy reads at most, one for each broker. */
  probeAccountsMax: 8,
  /** Characters of a reason that came from a venue. */
  reasonLengthMax: 300
} as const

invariant(breakerLimits.bucketMs <= 1_000, "the shortest window, one second, has at least one count")
