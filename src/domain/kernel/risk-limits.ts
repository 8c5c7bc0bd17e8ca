/**
 * risk-limits: how often profit and loss is measured, how old its figures may be, and which figures of a venue are absurd.
 *
 * Why apart from limits.ts: it is at its size limit. The relations between these and other limits are checked there.
 *
 * Promises: every number has its reason beside it; times are in milliseconds.
 * Never: holds anything an operator configures.
 */

const seconds = (count: number): number => count * 1_000
const minutes = (count: number): number => count * seconds(60)
const days = (count: number): number => count * minutes(24 * 60)

/** Figures of a venue at or above these are errors: no market and no account has them. */
export const figureLimits = {
  moneyBelow: "1000000000000000",
  quantityBelow: "1000000000000000",
  priceBelow: "1000000000000",
  /** Characters of a refused figure shown in an alert. */
  shownMax: 48
} as const

/** Measuring profit and loss per scope (F2). */
export const riskLimits = {
  /** Interval of checks while a limit depends on them; a check is one statement. */
  lookMs: seconds(2),
  /** Interval while only equity is sampled. */
  lookIdleMs: seconds(10),
  /** Fills within this time share one check. */
  lookPauseMs: 200,
  readMsMax: seconds(6),
  retryMs: seconds(1),
  /** Three checks and a slow read: older figures are unknown, and unknown is denied. */
  figuresAgeMsMax: seconds(15),
  /** Changed marks are written this often; a crash loses a high-water mark of at most this age. */
  saveMs: seconds(10),
  /** Equity is a row per account and minute, while something is open or has changed. */
  sampleMs: minutes(1),
  sampleRetentionMs: days(400),
  /** A venue's balance is requested this often, and used for four times as long. */
  balanceEveryMs: seconds(30),
  balanceAgeMsMax: minutes(2),
  /** Balances requested concurrently. */
  balancesMax: 8
} as const
