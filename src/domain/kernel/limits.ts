/**
 * limits: every bound of the trading system, in one place, each with its reason.
 *
 * A bound that lives where it is used is never compared with the bounds it depends on. Here they are side
 * by side, and the relations between them are asserted when this module loads, so a change of one number
 * that breaks another stops the process at boot and fails a test, instead of surfacing in an outage.
 * Supervision policies (restart budgets, backoff, stop budgets) live in the child specs instead, and the
 * deadlines of sockets, pools and statements next to their adapters: no trading rule depends on those.
 *
 * Promises: durations end in `Ms`, sizes in `Bytes`, counts name what they count; every relation listed in
 * `limitRelations` holds whenever this module could be imported.
 * Never: reads a setting; a limit an operator may change is a default here and a key of the configuration.
 */
import { riskLimits } from "./risk-limits.ts"
import { invariant } from "./invariant.ts"
import { refusedLimits, retentionLimits } from "./limits-kept.ts"

const seconds = (n: number): number => n * 1_000
const minutes = (n: number): number => n * 60_000
const hours = (n: number): number => n * 3_600_000
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
  /** Time bucket of a payload that names no event and no time (T3). */
  identityBucketMs: seconds(60)
} as const

/** What the settings file may be. An operator wrote it, so its bounds guard against mistakes, not attackers. */
export const settingsLimits = {
  /** Ten thousand accounts with every key are some 2 MB. */
  fileBytesMax: 32 * 1_024 * 1_024,
  valuesMax: 1_000_000,
  depthMax: 32
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
  /** The most an operator may configure: beyond it a signal is history, not an instruction. */
  signalAgeMsMax: hours(24),
  /** How far ahead of our clock a sender's clock may run before its timestamp is a mistake. */
  clockSkewMsMax: minutes(1),
  /** Identities are kept at least this long after receipt (T13); a signal of a long bar longer (`retainUntilMs`). */
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
  /** The net under the in-process wake. */
  pollMs: seconds(1),
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
  /** How often the depth and age of the queue are sampled. */
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

/** The database component: when it probes, and how long each of its states may take. */
export const databaseActorLimits = {
  /** A frozen database on an idle service is noticed within this plus one probe. */
  checkEveryMs: seconds(5),
  /** A restarted server answers in 130 to 230 ms; the first retry must not be what makes it slower. */
  retryFirstMs: 100,
  retryMaxMs: seconds(2),
  /** Above the launcher's own deadlines, which name the step that was slow. */
  launchDeadlineMs: seconds(90),
  /** Above the deadline of the probe itself. */
  probeDeadlineMs: seconds(5),
  migrateDeadlineMs: minutes(3),
  /** An absence is an alert from here on (T11): our own server is back a quarter of a second after it died. */
  awayMsMax: seconds(5)
} as const

/** Notifications to the service manager, and how often their state is checked. */
export const notifierLimits = {
  /** Until ready, a start-up script waits for us: check often, it costs one walk over a small tree. */
  readyEveryMs: 25,
  statusEveryMs: seconds(1)
} as const

/** This process's view of the trading state. */
export const tradingStateLimits = {
  /** How late a change made by another process may show in health; decisions read the row itself. */
  pollMs: seconds(5),
  retryMs: seconds(1),
  readMsMax: seconds(10)
} as const

/** Raised alerts on their way to the table. */
export const alertLimits = {
  /** Different alerts that wait while the database is away: one per key, so a storm of one kind is one entry. */
  pendingMax: 1_000,
  /** Another process may have raised it in between, so its end is reported again, but not at every look. */
  resolveAgainMs: minutes(10),
  /** Keys known to be resolved: every account and position of a large installation. */
  settledMax: 10_000,
  /** An event (not a state) is closed when none of its kind came for this long; the next one opens a new outbreak. */
  quietMs: minutes(60),
  /** The net under a lost wake. */
  pollMs: seconds(5),
  retryMs: seconds(1),
  storeMsMax: seconds(10)
} as const

/** What supervision logs. */
export const reportLimits = {
  /** Simultaneous readiness changes of one supervisor's components that get a line each; the others share one line. */
  burstLinesMax: 16,
  /** What goes on for longer is another burst. */
  burstMsMax: seconds(1)
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

/** The lease of a node, under which it holds accounts (T4, T16). One row, so it may be short and renewed often. */
export const nodeLimits = {
  /** What a standby waits for after a kill: the largest part of a takeover, which takes less than 5 s. */
  leaseMs: seconds(4),
  renewEveryMs: 800,
  /** A renewal is one small statement; a probe of the database is given as much. */
  renewMsMax: seconds(2),
  /**
   * Nothing is written to a socket when less than this is left: the step from the lease check to the wire, and what
   * two clocks drift apart in the seconds of a lease. What was written before must become visible at the venue in its window,
   * for which the next owner waits before it believes a "not found" (T5).
   */
  leaseMarginMs: seconds(1),
  /** A stall of the event loop, a collection or a starved machine, that must cost no lease. */
  stallMsMax: seconds(2),
  /** How long an account of a former incarnation that nobody here executes is watched before it is released. */
  orphanMs: seconds(4),
  /** Finding out whether the lease is free; above the deadline of its two statements. */
  openMsMax: seconds(17),
  retryFirstMs: 250,
  retryMsMax: seconds(5),
  /** How often a copy of a node checks whether the other has gone. */
  clonedAskMs: seconds(1),
  /** Releasing the lease at a stop; otherwise it expires by itself. */
  releaseMsMax: seconds(2)
} as const

/** The executor's dealings with its account's venue and rows (T4). */
export const accountLimits = {
  /** One round trip to the venue, after which the outcome is unknown. */
  brokerCallMsMax: seconds(5),
  /** The net under the in-process wake. */
  pollMs: seconds(1),
  /** Accounts of one statement: some 100 KB of parameters, and a few tens of milliseconds at the server. */
  batchMax: 2_000
} as const

/** How the executor of an account, its resolver and its reconciliation pace themselves. */
export const executionLimits = {
  /** Waiting for the round trip of a former grant, then one statement: both have deadlines of their own below this. */
  takeLeaseMsMax: seconds(20),
  retryFirstMs: 250,
  retryMsMax: seconds(10),
  /** A broker that does not answer is retried this often: one look-up costs it nothing, and its return is seen soon. */
  askAgainMsMax: seconds(2),
  /**
   * A reconciliation reads orders, fills and positions of one account when its turn comes; each read has a deadline of its
   * own, so this one is for the wait of the last of thousands.
   */
  reconcileMsMax: minutes(3),
  /**
   * With more accounts than this, idle ones rest without a machine (60 KB and 4 ms each). The first
   * order of a resting one waits for its lease and a comparison, some 50 ms; a few accounts need not pay that.
   */
  awakeMax: 64,
  /** Opening all resting accounts: a few statements and a few pages of look-ups, each with its own deadline. */
  openRestingMsMax: seconds(30),
  /** Concurrent reconciliations of one broker: a few per socket keep it busy and leave no look-up waiting. */
  reconcilesMax: 16,
  /** One step of the executor: a confirmation, a commit, a round trip, a commit. */
  stepMsMax: seconds(30),
  /** Releasing the lease at the stop, after a round trip that began right before; otherwise it expires by itself. */
  releaseMsMax: 5_800,
  /** Orders resolved at once per account. Each blocks its symbol, so more than a few is an outage, not a load. */
  resolversMax: 8,
  /** Creates under one client order id, after which more look-ups and sends help nobody and a human decides. */
  sendsMax: 5,
  /** A cancel the venue has accepted and not carried out is checked again after this. */
  cancelAgainMs: seconds(2),
  /** Fills that are compared with the stored ones in one statement; the cursor moves this far at a time. */
  catchUpFillsMax: 256,
  /** Fetching all fills of an account because its books differ: expensive, so no more often than this. */
  fullLookEveryMs: seconds(30),
  /** The net under the reconciliations that a reconnect asks for. */
  reconcileEveryMs: minutes(5),
  /** How often the reconciler checks that accounts are reconciled and orders settled. */
  checkEveryMs: seconds(15),
  /** After a check that settled nothing an order is due again after this, doubled each time: a fill is late by seconds. */
  settleAgainFirstMs: seconds(15),
  /** What never adds up is still checked this often, since a fill may turn up after days. */
  settleAgainMsMax: hours(1),
  /** Checks (some eight minutes, each answered by the venue) after which a human is alerted. */
  settleLooksMax: 6,
  /** An account that is not reconciled this long after it should be is an alert. */
  unreconciledMsMax: minutes(2)
} as const

/** Watching positions (design, section 5: exits). */
export const exitLimits = {
  /** The net under the market's ticks and under the fills that open positions. */
  pollMs: seconds(1),
  readMsMax: seconds(6),
  retryMs: seconds(1),
  /** After an exit that ended without closing its position the next one waits this long, doubled each time. */
  againFirstMs: seconds(1),
  againMsMax: minutes(1),
  /** Three polls and one slow read: a look older than this protects nothing. */
  lookAgeMsMax: seconds(9),
  /** A position that is not protected for this long is an alert; a late quote and a reconnect take less. */
  unprotectedAlertMs: seconds(5),
  /** An order whose outcome is open this long blocks the exit of its side; a round trip alone is shorter. */
  blockedMsMax: seconds(6)
} as const

/** Connections to brokers (traps: WebSocket). */
export const brokerStreamLimits = {
  connectMsMax: seconds(10),
  retryFirstMs: 500,
  retryMsMax: seconds(30),
  /** Consecutive attempts without a stream after which an operator is alerted: about a quarter of a minute. */
  alertAfterAttempts: 5,
  /** A connection that lived this long was good: the next backoff starts small again. */
  goodAfterMs: seconds(30)
} as const

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

/** Resolving an order whose outcome is unknown (design, section 5). */
export const lookupLimits = {
  /** Waits before each look-up by client order id. */
  delaysMs: [250, 500, 1_000, 2_000, 4_000, 8_000],
  /** How far the venue's clock may be behind ours when its recent orders are listed. */
  clockSkewMsMax: minutes(1),
  /** "Not found" counts only after several answers that agree. */
  notFoundAnswersMin: 3
} as const

/** What health reports when. */
export const healthLimits = {
  /** How often health is derived for the log: a shorter change is seen only by whoever asks. */
  lookEveryMs: 250,
  /** A canary older than this many of its periods degrades the status (T2). */
  canaryPeriodsMax: 3,
  /** Reasons named in one document. */
  reasonsMax: 16
} as const

/** Signals to the process that request nothing. */
export const processLimits = {
  /** Such a signal is for people: half a second feels instant, and costs one small read of /proc. */
  blockedLookMs: 500,
  /** Logged one by one; a flood of them adds nothing to its last few. */
  straysKept: 16,
  /** npm and a shell or two are between a service manager and us; a longer chain is not one of parents. */
  ancestorsMax: 32
} as const

/** Stopping (T8). */
export const stopLimits = {
  /** npm forwards a terminal's signal within milliseconds, on a busy machine within hundreds; no human repeats so fast. */
  sameRequestMs: seconds(2),
  /** The whole orderly stop. */
  deadlineMs: seconds(12),
  /** The service manager kills after this; stop and start together stay below it too. */
  serviceManagerMs: seconds(15)
} as const

/** What an operator's command may take. */
export const controlLimits = {
  /** Reading what is open before a pause. If it takes longer, positions count as open. */
  positionsMsMax: seconds(2),
  /** How long a restart of the listener waits for a refusal before its answer goes out through the listener that drains. */
  answerFirstMs: 50,
  /** A command to a supervisor waits for the stop of all its children, which the whole orderly stop bounds. */
  commandMsMax: stopLimits.deadlineMs + seconds(3)
} as const

/** A relation between limits that must hold; the name is its reason. */
export interface LimitRelation {
  readonly rule: string
  readonly holds: boolean
}

const lookupTotalMs = lookupLimits.delaysMs.reduce((sum, ms) => sum + ms, 0)

/** Every relation between limits. Checked when this module loads and by a test. */
export const limitRelations: ReadonlyArray<LimitRelation> = [
  {
    rule: "a post is committed or refused before its sender hangs up",
    holds: intakeLimits.commitMsMax * 2 <= intakeLimits.senderPatienceMs
  },
  {
    rule: "posts of TradingView's largest size are bounded by their number, not by their bytes",
    holds: intakeLimits.waitingPostsMax * 4_096 <= intakeLimits.waitingBytesMax
  },
  {
    rule: "every body that waits and every one that is read fit into memory together",
    holds: intakeLimits.waitingBytesMax + intakeLimits.readingBytesMax <= 20 * 1_024 * 1_024
  },
  {
    rule: "several of the largest bodies may be read at once",
    holds: intakeLimits.readingBytesMax >= 8 * intakeLimits.bodyBytesMax
  },
  {
    rule: "a post refused now may be retried while its signal is still young enough",
    holds: intakeLimits.retryAfterMs * 4 < ageLimits.signalAgeMsDefault
  },
  {
    rule: "an identity outlives every signal that could still be accepted (T3 retention)",
    holds: ageLimits.identityRetentionMs > ageLimits.signalAgeMsMax + ageLimits.clockSkewMsMax
  },
  {
    rule: "what waits of refused posts is stored in a few statements, and one of the largest fits into each",
    holds:
      refusedLimits.batchBytesMax > refusedLimits.bodyBytesMax &&
      refusedLimits.waitingBytesMax <= 4 * refusedLimits.batchBytesMax
  },
  {
    rule: "a refused sender is answered before it hangs up, whatever becomes of its row",
    holds: refusedLimits.answerMsMax + intakeLimits.commitMsMax < intakeLimits.senderPatienceMs
  },
  {
    rule: "a batch of a replay is one batch of the intake",
    holds: refusedLimits.replayBatch <= intakeLimits.batchRowsMax
  },
  {
    rule: "retention is called late only after many rounds",
    holds: retentionLimits.lateMsMax > 10 * (retentionLimits.roundEveryMs + retentionLimits.roundMsMax)
  },
  {
    rule: "the default age limit is one an operator could set",
    holds: ageLimits.signalAgeMsDefault <= ageLimits.signalAgeMsMax
  },
  {
    rule: "a repeat after twenty minutes is too old by default (W7)",
    holds: ageLimits.signalAgeMsDefault < minutes(20)
  },
  {
    rule: "a signal that only fails is given up before one that is only claimed",
    holds: claimLimits.claimsMax > claimLimits.attemptsMax
  },
  {
    rule: "a claim is given up before its lease expires",
    holds: claimLimits.claimMsMax < claimLimits.leaseMs
  },
  {
    rule: "a decision is deferred until every look-up of an unknown order was made, and not past the signal's age limit",
    holds: claimLimits.deferMsMax > lookupTotalMs && claimLimits.deferMsMax < ageLimits.signalAgeMsDefault
  },
  {
    rule: "a lease survives one renewal without a response, and nothing sent has to wait for it",
    holds: nodeLimits.renewEveryMs + nodeLimits.renewMsMax < nodeLimits.leaseMs - nodeLimits.leaseMarginMs
  },
  {
    rule: "a process whose event loop stalls keeps its lease, and may still send when it resumes",
    holds: nodeLimits.renewEveryMs + nodeLimits.stallMsMax < nodeLimits.leaseMs - nodeLimits.leaseMarginMs
  },
  {
    rule: "a killed owner's accounts are taken over in less than five seconds",
    holds: nodeLimits.leaseMs + nodeLimits.renewEveryMs < seconds(5)
  },
  {
    rule: "a clock that runs one percent slow keeps a lease no longer than the database's",
    holds: nodeLimits.leaseMs / 100 < nodeLimits.leaseMarginMs
  },
  {
    rule: "a former grant's round trip and its commit end before a new lease is given up on",
    holds: executionLimits.takeLeaseMsMax >= 4 * accountLimits.brokerCallMsMax
  },
  {
    rule: "a step of the executor outlasts the deadlines of what it does",
    holds: executionLimits.stepMsMax > 4 * accountLimits.brokerCallMsMax
  },
  {
    rule: "a full buffer of signals is written in a few statements, and reading resumes before it is empty",
    holds:
      feedLimits.waitingSignalsMax >= 2 * feedLimits.storeRowsMax &&
      feedLimits.waitingSignalsLow < feedLimits.waitingSignalsMax &&
      feedLimits.waitingSignalsHard >= 2 * feedLimits.waitingSignalsMax
  },
  {
    rule: "look-ups go on for longer than one round trip",
    holds: lookupTotalMs > accountLimits.brokerCallMsMax
  },
  {
    rule: "enough look-ups are made for a not-found to count",
    holds: lookupLimits.delaysMs.length >= lookupLimits.notFoundAnswersMin
  },
  {
    rule: "an on-time check ends while its signals are young enough to be traded",
    holds: waveLimits.checkMsMax + waveLimits.requestMsMax < ageLimits.signalAgeMsDefault
  },
  {
    rule: "a wave's lease survives a look that was lost",
    holds: waveLimits.leaseLooks >= 2
  },
  {
    rule: "an orderly stop ends before the service manager kills",
    holds: stopLimits.deadlineMs < stopLimits.serviceManagerMs
  },
  {
    rule: "a second stop request takes effect long before the stop would have finished anyway",
    holds: stopLimits.sameRequestMs * 4 < stopLimits.deadlineMs
  },
  {
    rule: "watching positions survives a slow read",
    holds: exitLimits.lookAgeMsMax >= exitLimits.readMsMax + 3 * exitLimits.pollMs
  },
  {
    rule: "figures outlive a slow check",
    holds: riskLimits.figuresAgeMsMax > 2 * riskLimits.lookMs + riskLimits.readMsMax
  },
  {
    rule: "a balance outlives two requests without a response",
    holds: riskLimits.balanceAgeMsMax > 2 * riskLimits.balanceEveryMs + accountLimits.brokerCallMsMax
  },
  {
    rule: "an order in its round trip is not yet called a blocked exit",
    holds: exitLimits.blockedMsMax > accountLimits.brokerCallMsMax
  },
  {
    rule: "a stop waits for the round trip that was begun right before it",
    holds: executionLimits.releaseMsMax > accountLimits.brokerCallMsMax
  },
  {
    rule: "an order that does not add up alerts a human only after a periodic reconciliation",
    holds:
      executionLimits.settleAgainFirstMs * (2 ** (executionLimits.settleLooksMax - 1) - 1) >
      executionLimits.reconcileEveryMs
  },
  {
    rule: "a broker round trip fits into an orderly stop",
    holds: accountLimits.brokerCallMsMax < stopLimits.deadlineMs
  }
]

for (const { rule, holds } of limitRelations) invariant(holds, rule)
