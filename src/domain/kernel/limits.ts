/**
 * limits: the bounds of the process, and the relations between every bound of the trading system.
 *
 * A bound that lives where it is used is never compared with the bounds it depends on. So they are in files by subject
 * (limits-signals.ts, limits-execution.ts, limits-feeds.ts, limits-kept.ts, risk-limits.ts), each with its reason, and the relations between them are asserted when this module loads, so a change of one number
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
import { ageLimits, claimLimits, intakeLimits } from "./limits-signals.ts"
import { accountLimits, executionLimits, exitLimits, lookupLimits, nodeLimits } from "./limits-execution.ts"
import { feedLimits, waveLimits } from "./limits-feeds.ts"
import { refusedLimits, retentionLimits, spoolLimits } from "./limits-kept.ts"

const seconds = (n: number): number => n * 1_000
const minutes = (n: number): number => n * 60_000

/** What the settings file may be. An operator wrote it, so its bounds guard against mistakes, not attackers. */
export const settingsLimits = {
  /** Ten thousand accounts with every key are some 2 MB. */
  fileBytesMax: 32 * 1_024 * 1_024,
  valuesMax: 1_000_000,
  depthMax: 32,
  /** The file of a secret: one line. */
  secretBytesMax: 4_096
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

/** What health reports when. */
export const healthLimits = {
  /** How often health is derived for the log: a shorter change is seen only by whoever asks. */
  lookEveryMs: 250,
  /** A canary older than this many of its periods degrades the status (T2). */
  canaryPeriodsMax: 3,
  /** How often the announced days of calendars are compared with the clock: they end on a day, not at an instant. */
  calendarLookMs: minutes(60),
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

/** Writes that one post may wait for, its own included: full groups, and the one that was begun before. */
const spoolGroupsMax =
  Math.ceil(
    Math.max(
      spoolLimits.waitingMax / spoolLimits.groupMax,
      spoolLimits.waitingBytesMax / spoolLimits.groupBytesMax
    )
  ) + 1

/** Every relation between limits. Checked when this module loads and by a test. */
export const limitRelations: ReadonlyArray<LimitRelation> = [
  {
    rule: "a look of the exits that waits for bars still has time to read and to store",
    holds: exitLimits.barsMsMax * 2 <= exitLimits.readMsMax
  },
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
    holds: ageLimits.identityRetentionMs > ageLimits.signalAgeMsMax
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
    rule: "a post that waits for the spool is answered before its sender hangs up",
    holds: spoolLimits.answerMsMax + spoolGroupsMax * spoolLimits.writeMsMin < intakeLimits.senderPatienceMs
  },
  {
    rule: "a post that waited for its commit has the time of a whole write of the spool",
    holds: intakeLimits.commitMsMax + spoolLimits.writeMsMax < spoolLimits.answerMsMax
  },
  {
    rule: "all posts that wait for a late commit fit among those that wait for the spool",
    holds:
      spoolLimits.waitingMax >= intakeLimits.waitingPostsMax &&
      spoolLimits.waitingBytesMax >= intakeLimits.waitingBytesMax
  },
  {
    rule: "a drain gives the store no larger batch than the intake does",
    holds: spoolLimits.drainRowsMax <= intakeLimits.batchRowsMax
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
    rule: "what opens between two rare looks at positions is not called unwatched before the next one",
    holds: exitLimits.lookAgeMsMax >= exitLimits.readMsMax + exitLimits.pollIdleMs
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
