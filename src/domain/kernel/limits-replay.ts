/**
 * limits-replay: the budget of decision replay, which runs beside live trading in the same process.
 *
 * Why apart from limits.ts: it is at its size limit.
 *
 * Promises: every number has its reason beside it; times are in milliseconds.
 * Never: holds anything an operator configures.
 */

const minutes = (count: number): number => count * 60_000

export const decisionReplayLimits = {
  /** Decisions of one read: some 200 KB, and a few milliseconds to make again, which is how long a signal may wait for them. */
  pageRows: 20,
  /** After each page it rests for so many times what the page took: a fifth of one core at most. */
  restRatio: 4,
  /** Decisions of one replay: some minutes of work. A longer time is replayed in parts. */
  decisionsMax: 200_000,
  /** Differences that are kept and shown; all are counted. */
  differencesMax: 500,
  /** Replays that wait for the one that runs. */
  waitingMax: 4,
  /** Replays whose result is kept, for whoever asked. */
  keptMax: 16,
  /** A replay ends by then, done or failed. */
  runMsMax: minutes(30),
  /** One read of a page; it is read again after an outage only by another replay. */
  readMsMax: 10_000
} as const
