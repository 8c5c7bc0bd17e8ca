/**
 * limits-signals: the bounds of signals, from the post to the decision, and of what their fields may say.
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

/** What one request may be. */
export const intakeLimits = {
  /** A TradingView alert is at most 4 KiB; 256 KiB leaves room for any producer. */
  bodyBytesMax: 256 * 1_024,
  /** A real alert nests 2 levels. 32 is far from any of them and far from the stack of a recursive walk. */
  bodyDepthMax: 32,
  /** Object keys plus array items of one body: bounds the work of the walk, the sort and the hash. */
  bodyValuesMax: 4_096,
  /** Errors reported for one body: one per known field is about 20, so a real mistake is always shown whole. */
  bodyErrorsMax: 32,
  /** A slow sender may not hold a connection and its buffer longer than any honest one needs. */
  bodyReadMsMax: seconds(5),
  /** TradingView hangs up here and does not come back. */
  senderPatienceMs: seconds(3),
  /** After this the post is refused (later: spooled), so that the answer still reaches the sender. */
  commitMsMax: 1_500,
  /** Rows of one INSERT: the previous commit decides how many wait, so this bounds a statement, not a delay. */
  batchRowsMax: 256,
  /** Posts that wait for a commit. 16 full batches; at 5 ms a commit the last waits 80 ms. More than that gets a 503. */
  waitingPostsMax: 4_096,
  /**
   * Bytes of the bodies that wait for a commit or are in one: as many of TradingView's largest as may wait. With the
   * bodies being read, a thousand of the largest at once were measured to cost 47 MB; without a bound 171 MB. More is a
   * 503.
   */
  waitingBytesMax: 16 * 1_024 * 1_024,
  /** Bytes of the bodies that are being read, over all connections: 16 of the largest at once. More than that gets a 503. */
  readingBytesMax: 4 * 1_024 * 1_024,
  /** The part of a body that is not counted there: an alert of usual size is read however large the others are. */
  readingBytesFree: 8 * 1_024,
  /** The Retry-After of a refused sender: longer than a database restart, shorter than a signal's age limit. */
  retryAfterMs: seconds(5),
  /** Log lines about refused posts of one source with one status; what exceeds this becomes one total. */
  refusalLinesMax: 20,
  refusalLinesPerMs: minutes(1),
  /** Accepted senders that are watched for refusals: TradingView has four addresses per source. */
  sendersMax: 1_000,
  /** Consecutive refusals of a sender that was accepted before: a single one may be an accident. */
  unauthorizedInRow: 3,
  /** Prefix and UUID fit twice; an idempotency key longer than this is a mistake of the sender. */
  identityLengthMax: 255,
  /** Longest `x-request-id` adopted from the caller; a longer one is replaced by our own. */
  requestIdLengthMax: 128,
  /** Name of a source in the URL; a label of metrics, so it stays short. */
  sourceLengthMax: 64,
  /** Clock difference accepted for the timestamps of Standard Webhooks, the value of its specification. */
  signatureToleranceMs: minutes(5),
  /** Time bucket of a payload that names no event and no time (T3). */
  identityBucketMs: seconds(60)
} as const

/** What one field of a body may be. */
export const fieldLimits = {
  /** Longest symbol seen on any venue is an OCC option symbol of 21; exchanges prefix theirs (`BINANCE:...`). */
  symbolLengthMax: 64,
  strategyLengthMax: 128,
  triggerLengthMax: 128,
  /** `12M`, `1440m`: nothing longer means anything. */
  timeframeLengthMax: 8,
  /** ISO 8601 with nanoseconds and offset is 35 characters. */
  timestampLengthMax: 40,
  /** A venue's order id. */
  orderIdLengthMax: 128,
  /** Years outside are a unit mistake (microseconds, a missing digit), never a signal. */
  timestampYearMin: 2_000,
  timestampYearMax: 2_099,
  /** A one-year bar is the longest that charts offer, and `12M` counts each of its months as 31 days. */
  timeframeMsMax: days(372)
} as const

/** Sizes of decimal numbers. */
export const decimalLimits = {
  /** Characters of a decimal as sent; more is noise or an attack on the arithmetic. */
  lengthMax: 48,
  /** Digits before the point: 10^20 of anything is beyond every market. */
  integerDigitsMax: 20,
  /** Digits after the point: the smallest unit of any coin (wei). */
  scaleMax: 18,
  /**
   * Digits after the point of a computed average price. Division must stop somewhere; at 18 the error of one
   * step is below half a wei of price, and the tests bound the accumulated error.
   */
  averageScale: 18
} as const

/** How old things may be. */
export const ageLimits = {
  /**
   * Default age limit of a signal. The wrong trade of the incident came 20 minutes after the signal it repeated;
   * an honest alert is seconds old, a re-sent one at most a minute.
   */
  signalAgeMsDefault: minutes(5),
  /** The most an operator may configure: an older post whose identity was forgotten could be accepted a second time (T13). */
  signalAgeMsMax: days(90) - 1,
  /** How far ahead of our clock a sender's clock may run before its timestamp is a mistake. */
  clockSkewMsMax: minutes(1),
  /** Identities are kept at least this long after the moment the age limit counts from (T13): a bar may end long after its post. */
  identityRetentionMs: days(90),
  /** An order that was intended and not sent within this time is stale: the price it was decided on is gone (T5). */
  orderUnsentMsMax: minutes(1),
  /** A quote older than this protects nothing and prices nothing. */
  quoteAgeMsMax: seconds(10),
  /** Metadata and fills are matched by symbol and time only within this window (the last resort of A2). */
  linkWindowMs: minutes(5)
} as const

/** The pipeline's claims on stored signals (T4). */
export const claimLimits = {
  /** A decision takes milliseconds; a claim this old belongs to a process that died. */
  leaseMs: seconds(30),
  batchMax: 64,
  /** A signal that kills its decider this often is dead-lettered instead of killing it again. */
  attemptsMax: 5,
  /**
   * A signal claimed this often without any outcome took its decider's life each time, or was in its hands when
   * something else did. Twice the attempts: a process that is repeatedly killed at its start proves nothing.
   */
  claimsMax: 10,
  /** How soon a signal is retried whose account is not reconciled, or whose symbol waits for a look-up. */
  deferMs: 200,
  /**
   * How long a decision may be deferred that way, counted from when this process began to decide. Longer than a
   * restart with reconciliation and than all look-ups of an unknown order (15.75 s); after it the check denies.
   */
  deferMsMax: seconds(30),
  /** The pause after a decision that threw; long enough that five attempts outlast a hiccup, short of the age limit. */
  retryMs: seconds(1),
  /** The net under a lost bell. What another process stored, the watch of the queue rings for within `backlogEveryMs`. */
  pollMs: seconds(10),
  /** How long a batch waits for quotes of new symbols: a decision needs to be prompt more than it needs a price. */
  enrichMsMax: 50,
  /**
   * Signals that one statement ends because they are too old: 60 ms on two quiet cores. Where it takes longer than
   * `expireMsMax`, fewer are ended at once, because a fresh signal may have to wait for one such statement.
   */
  expireMax: 1_000,
  expireMin: 50,
  expireMsMax: 150,
  /** How soon a signal that expires while it waits is ended; until then a claim leaves it alone. */
  expireEveryMs: seconds(1),
  /** A backlog that takes long to clear is reported in between, not only at the end. */
  expireReportMs: seconds(10),
  /** How often the depth and age of the queue are sampled, and the bell rung for what waits in it. */
  backlogEveryMs: seconds(1),
  /** Signals of one source are counted up to here: 10 ms of an index. Beyond it the exact number helps nobody. */
  backlogCountMax: 10_000,
  /**
   * A signal undecided for this long degrades the status (T2). Deciding takes milliseconds and a full batch less than a
   * second, so this is a backlog, or an account that is not ready; a restart of the database is shorter.
   */
  queueAgeMsMax: seconds(10),
  /** One claim: above the deadline of the call below it, so that the call's own error is the one reported. */
  claimMsMax: seconds(8)
} as const

/** Choosing an option contract where the alert leaves it open (D7). */
export const optionLimits = {
  /** Units of the underlying one listed contract stands for. */
  contractMultiplier: 100n,
  /** A chosen expiration is at least this many days away: in its last week a contract is mostly time decay. */
  expirationDaysMin: 7,
  /** Steps between strikes, by the price they are below; above the last rung the step is 5. */
  strikeLadder: [
    { below: "25", step: "0.5" },
    { below: "200", step: "1" }
  ]
} as const

/** Instruments, as tables and settings describe them. */
export const instrumentLimits = {
  /** Symbols whose instrument is remembered: 300 bytes each, and more than a service trades in a day. */
  rememberedMax: 10_000,
  /** Entries of the settings' maps; more are a catalogue, which belongs elsewhere. */
  entriesMax: 10_000
} as const
