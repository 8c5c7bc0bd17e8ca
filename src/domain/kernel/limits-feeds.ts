/**
 * limits-feeds: the bounds of signal feeds and their waves.
 *
 * A part of limits.ts, whose relations hold these together with the others; apart because one file of all bounds was too long
 * to read.
 *
 * Promises: as limits.ts.
 * Never: reads a setting.
 */

const seconds = (n: number): number => n * 1_000
const minutes = (n: number): number => n * 60_000
const days = (n: number): number => n * 86_400_000

/** Signal feeds. What an operator may change is a setting of the feed; these are bounds of our own. */
export const feedLimits = {
  signalIdLengthMax: 128,
  /** Close reasons are at most 123 bytes; a reason in a message is cut to something a log line can hold. */
  reasonLengthMax: 200,
  /** Rows of one INSERT: about 300 KB on the wire, some 40 ms on two cores. */
  storeRowsMax: 1_000,
  /** One INSERT of that size may take this long; the pool and a checkpoint included. */
  storeMsMax: seconds(5),
  /** Signals that wait for their INSERT; above it the socket is not read, and the peer's TCP waits with them. */
  waitingSignalsMax: 4_000,
  /** Beyond this, signals are discarded and requested again: a database away for hours, and a reconnect every 30 s. */
  waitingSignalsHard: 16_000,
  /** Waiting signals at which reading resumes. */
  waitingSignalsLow: 1_000,
  /** Log lines about single unusable signals per window: a server that writes none properly must not flood the log. */
  unusableLinesMax: 20,
  unusableLinesPerMs: minutes(1),
  /** Unusable signals remembered so that a server's repetitions are logged once; at most 1 KB each. */
  unusableReportedMax: 1_000,
  /** Requests and pongs that the peer has not read; a server that asks for pongs and reads none must not fill our memory. */
  unsentBytesMax: 1_048_576,
  /** A closing handshake may take this long; after it the socket is destroyed. */
  closeMsMax: 500,
  /** A slow statement does not mark the database away: its signals are requested again after this. */
  storeRetryMs: seconds(1),
  /** The net under the database's return: the signals are requested again at the latest after this. */
  databaseMsMax: seconds(30)
} as const

/** Waves: the schedule, the search for one wave, the ledger (B3 to B8). */
export const waveLimits = {
  /** Shorter waves than tests use mean a unit mistake: seconds where milliseconds were expected. */
  periodMsMin: 1_000,
  periodMsMax: days(7),
  lagMsMax: days(7),
  /** B4: signals of a wave that arrive later than this are past every search. */
  checkMsMax: seconds(120),
  firstLookMs: seconds(1),
  lookEveryMs: seconds(2),
  /** One get_signals. The feed's own liveness is judged by the same ten seconds. */
  requestMsMax: seconds(10),
  /** A wave's lease outlasts this many looks, each of which renews it. */
  leaseLooks: 3,
  /** A suspended machine and a stepped clock are noticed after this, because the wall clock is read again. */
  sliceMs: seconds(1),
  /** Signals that ring no bell in this process are checked for every this many slices. */
  silentSlices: 2,
  /** Below this many polls without a signal the feed is not asked a second time in one check. */
  askAgainLooks: 5,
  /** Rows created for the time the service was down: thirty days of quarter hours. Earlier waves get no rows. */
  ledgerRowsMax: 2_880,
  /** Waves that are ended by one statement. */
  closeRowsMax: 200,
  /** Waves that are done and still counted again: orders may fill after the check has ended. */
  recountWaves: 4,
  /** How far back a wave with a signal that was pending is counted again: what is open after a day needs a human. */
  recountMsMax: days(1),
  /** Checks in a row that fail before the feed is restarted (B8). */
  failedChecksMax: 3,
  /** Restarting a component; below the deadline of what waits for it. */
  restartMsMax: seconds(5),
  /** Missed waves named one by one in an alert. */
  alertWavesMax: 20,
  /** Recording the outcome of a wave, and releasing it. */
  storeMsMax: seconds(10),
  retryMs: seconds(1)
} as const
