/**
 * limits-execution: the bounds of execution: leases, executors, exits, connections to brokers.
 *
 * A part of limits.ts, whose relations hold these together with the others; apart because one file of all bounds was too long
 * to read.
 *
 * Promises: as limits.ts.
 * Never: reads a setting.
 */

const seconds = (n: number): number => n * 1_000
const minutes = (n: number): number => n * 60_000
const hours = (n: number): number => n * 3_600_000

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
  /** A venue ends the orders of a day by itself; after this long it has another day than we, and they are cancelled. */
  dayOrderGraceMs: seconds(5),
  /** Orders whose stages are measured at once; beyond it the oldest is left out of the figures. A hundred bytes each. */
  onTheWayMax: 4_096,
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
  unreconciledMsMax: minutes(2),
  /** How often accounts are looked for that hold something and that no process has; one that is found twice is an alert. */
  abandonedEveryMs: seconds(30)
} as const

/** Watching positions (design, section 5: exits). */
export const exitLimits = {
  /** The net under the market's ticks and under the fills that open positions. */
  pollMs: seconds(1),
  /** The same while nothing is open that has exit prices: whatever opens, ends or arms a share rings. */
  pollIdleMs: seconds(3),
  /** Fills that follow a look within this time share the next one: two statements, which a burst would pay for every fill. */
  lookPauseMs: 100,
  readMsMax: seconds(6),
  retryMs: seconds(1),
  /** Bars of a trailing stop: in parallel, and far below `readMsMax`, because a stop that waits for bars protects nothing. */
  barsMsMax: seconds(1),
  /** Bars that did not come are asked for again after this; until then the stop stays where it is. */
  barsAgainMs: seconds(5),
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

/** Resolving an order whose outcome is unknown (design, section 5). */
export const lookupLimits = {
  /** Waits before each look-up by client order id. */
  delaysMs: [250, 500, 1_000, 2_000, 4_000, 8_000],
  /** How far the venue's clock may be behind ours when its recent orders are listed. */
  clockSkewMsMax: minutes(1),
  /** "Not found" counts only after several answers that agree. */
  notFoundAnswersMin: 3
} as const
