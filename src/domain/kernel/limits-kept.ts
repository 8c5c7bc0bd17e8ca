/**
 * limits-kept: the bounds of what is kept beside the trades, and of how it goes again.
 *
 * A part of limits.ts, whose relations hold these together with the others; on its own because one file of all bounds had
 * become too long to read.
 *
 * Promises: as limits.ts.
 * Never: reads a setting; how long rows live is one (settings.retention).
 */

const seconds = (n: number): number => n * 1_000
const minutes = (n: number): number => n * 60_000
const days = (n: number): number => n * 86_400_000

/** Refused posts of authenticated senders, which are kept (T12). */
export const refusedLimits = {
  /** The first 64 KiB (T12): all of any alert that a person wrote. */
  bodyBytesMax: 64 * 1_024,
  /** Posts of one source that are kept in `perMs`: a template that is wrong is understood from its first ones. */
  keptMax: 120,
  perMs: minutes(1),
  /** Posts that wait to be stored, and the bytes of their bodies: what is more is dropped and counted. */
  waitingMax: 512,
  waitingBytesMax: 4 * 1_024 * 1_024,
  /** Rows of one INSERT; with `batchBytesMax` some 20 ms. */
  batchMax: 64,
  batchBytesMax: 1_024 * 1_024,
  /** An answer waits this long for its row, and then leaves without the row's id. */
  answerMsMax: 300,
  /** The net under a lost bell, and how late a replay by another process shows. */
  pollMs: seconds(30),
  retryMs: seconds(1),
  storeMsMax: seconds(5),
  /** Storing what waits at a stop. */
  flushMsMax: 1_500,
  /** Items that one replay takes: it is answered when all are done, and each is a row of the intake. */
  replayMax: 1_000,
  /** Of which so many are in memory at a time: 6 MB of the longest bodies. */
  replayBatch: 100,
  /** Items that a filter is counted up to. */
  countMax: 10_000
} as const

/** The local spool, which takes posts while the database cannot (T3). How much it holds is a setting. */
export const spoolLimits = {
  /**
   * A segment that reached this is closed. A drained one is removed whole, so it is the unit in which room comes back; it is
   * also read whole, which takes some 15 ms in which nothing else moves.
   */
  segmentBytesMax: 1_024 * 1_024,
  /** Posts and bytes of one write and its fsync: those that came during the write before. */
  groupMax: 1_024,
  groupBytesMax: 4 * 1_024 * 1_024,
  /** Posts and bytes that wait for a write; more is refused. */
  waitingMax: 4_096,
  waitingBytesMax: 16 * 1_024 * 1_024,
  /** Write and fsync of a group. */
  writeMsMax: seconds(1),
  /**
   * From the arrival of a post to its answer, the commit that was waited for and all that is written before it included: before its
   * sender hangs up.
   */
  answerMsMax: 2_700,
  /** What a group still gets that is overdue when its turn comes, after slow writes or a stall of the process. */
  writeMsMin: 50,
  /** Every other operation on one file. */
  fileMsMax: seconds(5),
  /** Reading what a life before left, as much as the setting allows. */
  openMsMax: seconds(30),
  /** Between two attempts to read a file then. */
  readPauseMs: 100,
  /** How often DATA_DIR is looked at until its lock is held. */
  lockPollMs: 20,
  /** A disk that refused is tried again this often, and so is a drain that failed. */
  retryMs: seconds(1),
  /** How often the disk is proven while posts depend on it and none has come. */
  proveEveryMs: seconds(5),
  /** What is written and removed again to prove that there is room. */
  probeBytes: 64 * 1_024,
  /** Rows of one statement of the drain, and the bytes of their bodies: some 10 ms. */
  drainRowsMax: 256,
  drainBytesMax: 1_024 * 1_024,
  /** The last write at a stop. */
  closeMsMax: 1_500
} as const

/** Expected signals (F4), and how it is known whether this installation could have received them. */
export const expectedLimits = {
  /** An interval that is shorter is a stream; it would be judged more often than it is looked at. */
  everyMsMin: seconds(10),
  /** The longest stretch of a rate; `observedMsMax` must cover it with nights and weekends. */
  rateMsMax: days(7),
  /** A bar ends by the clock of its sender, which may be ahead of ours by this. */
  earlyMsMax: seconds(5),
  /** One look: notes that posts are taken, and judges what is due. */
  lookEveryMs: seconds(2),
  lookMsMax: seconds(8),
  /** After a pause of more than this nobody knows whether posts were taken meanwhile: a sender gives up after 3 s. */
  gapMsMax: seconds(6),
  /** A signal is judged missing this long after its grace: one that came in time may still be on its way into its row. */
  settleMs: seconds(4),
  /** Late signals are looked for this long after their window; at the first look further back, to before a restart. */
  recountMs: seconds(16),
  recountFirstMs: days(2),
  /** How often a rate is measured: as `everyMs` divided by this, within these bounds. */
  rateShare: 60,
  rateEveryMsMax: seconds(30),
  /** Due instants that one look judges; after a long absence the next looks follow at once. */
  duesMax: 2_000,
  /** What was due longer ago is history: nobody looks it up. */
  behindMsMax: days(30),
  /** How long it is kept when posts were taken; a rate is measured within it. */
  observedMsMax: days(40),
  observedRowsMax: 5_000,
  retryMs: seconds(2)
} as const

/** Alert logs of senders, which are accounted line by line (G2). */
export const alertLogLimits = {
  /** What is posted at once: some months of one strategy, and read in a few tens of milliseconds. */
  bytesMax: 4 * 1_024 * 1_024,
  linesMax: 5_000,
  /** Lines that are read as posts before others have a turn. */
  batch: 50,
  wordMax: 200,
  /** The sender's clock may be ahead of ours by this: a signal that came earlier was there before the alert. */
  skewMs: seconds(30),
  /** An alert without an identity of its own may take this long; a sender gives up after its resends, within a minute. */
  delayMsMax: minutes(5),
  /** Equal bodies less than a minute apart are one signal (T3). */
  sameMsMax: minutes(1),
  deadlineMs: seconds(30)
} as const

/** How fills are linked (A4). */
export const linkageLimits = {
  /** The latest fills of our own orders that the figure is of: a day of a busy desk, read by their order in milliseconds. */
  fillsMax: 1_000,
  lookEveryMs: seconds(30),
  /** Counting all fills reads two tables from end to end: a second of one connection for some millions. */
  countEveryMs: minutes(10)
} as const

/** The canary (T9). Its period is a setting. */
export const canaryLimits = {
  /** The first one after a start: the components it needs have the time to reconcile, and health soon has its word. */
  firstMsMax: seconds(5),
  /** One that takes longer is late; a period that is shorter bounds it further. A backlog of decisions is late by its own limit. */
  flightMsMax: seconds(10),
  /** The first look at its rows where nobody rings; each further pause is twice as long. */
  lookFirstMs: 100,
  /** Above the time in which the queue answers every post. */
  enterMsMax: seconds(5),
  /** Two reads and the removal. */
  graceMs: seconds(15),
  retryMsMax: seconds(10),
  haltedLookMs: seconds(1),
  /** What did not come through is kept for whoever looks for the reason, at least for two minutes. */
  keptPeriods: 3,
  keptMsMin: minutes(2)
} as const

/** Signals that practice mode sends itself. Their period is a setting. */
export const practiceSignalLimits = {
  /** The first one after a start: its account is reconciled by then, so that it is not deferred. */
  firstMsMax: seconds(3),
  /** Above the time in which the queue answers every post. */
  sendMsMax: seconds(5),
  /** So long after the beginning of its period one is still sent: below the age at which a signal is too old. */
  lateMsMax: minutes(1),
  /** After one that was not answered. */
  retryMsMax: seconds(10)
} as const

/** What the process has left (E9). The limits of each figure are settings. */
export const resourceLimits = {
  /** A burst of one reading is no shortage; three are a quarter of a minute at the default pace. */
  overReadings: 3,
  /** Back slower than there: what is returned too early costs the process, what is returned too late a chart. */
  calmReadings: 6,
  /** Of the memory that the process may have, where no limit is set: a database and a kernel are beside it. */
  rssHighShare: 0.6,
  rssCriticalShare: 0.8,
  /** A row of history. */
  sampleMs: minutes(1),
  /** Rows that wait in memory while the database is away: an hour. */
  samplesWaitingMax: 60
} as const

/** How long rows are kept (T13), and how they are removed. The periods are settings. */
export const retentionLimits = {
  /** Rows that one statement looks at: a few milliseconds, and as many row locks. */
  pageMax: 200,
  /** A page may wait so long for a lock, and take so long in all; whoever else wants the rows goes first. */
  lockMs: 100,
  statementMs: seconds(2),
  pageMsMax: seconds(5),
  /** The pause after a page: this many times what the page took, and at least the first. */
  pauseMsMin: 50,
  pauseTimes: 4,
  /** One round over all rules; what is left then is the next round's, which begins at once. */
  roundMsMax: minutes(5),
  /** The last page, and the pauses that were begun before the end. */
  roundGraceMs: minutes(1),
  /** The pause after a round that had no time for everything. */
  againMs: seconds(5),
  roundEveryMs: minutes(10),
  retryMs: minutes(1),
  /** Closes of each strategy and account that stay whatever their age: more than any loss streak that is a limit. */
  closesKept: 200,
  /** A removable row kept this long past its period: retention is late. */
  lateMsMax: days(2)
} as const

/** The journal of a process (domain/platform/journal.ts): what is in memory, and how it reaches the database. */
export const journalLimits = {
  /**
   * Entries in memory: eight seconds at a thousand a second, a quarter of an hour of an idle service without its database. About
   * 4 MB when all of them are used.
   */
  entriesMax: 8_192,
  /** Rows of one INSERT: making their text takes less than a millisecond, in which no machine moves. */
  batchMax: 256,
  /** The pause between looks at what waits. What a kill loses is at most this old. */
  flushEveryMs: 500,
  retryMs: seconds(1),
  storeMsMax: seconds(5),
  /** Storing what waits at a stop. */
  flushMsMax: 1_500,
  /** Entries of one page read from the table. */
  pageMax: 500
} as const

/** Incident reports (G8). */
export const incidentLimits = {
  /** A longer one is not read by anybody, and its entries would be hundreds of thousands. */
  spanMsMax: days(2),
  /** Rows of each section; what is more is counted and said to be missing. */
  rowsMax: 500,
  /** Entries of the timeline: restarts, alerts, health, readiness, orders. Also of one page in which the cause is looked for. */
  entriesMax: 2_000,
  /** What health said: one change every nine seconds of two days. A span with more is refused, and not measured in part. */
  verdictsMax: 20_000,
  queryMsMax: seconds(4),
  routeMsMax: seconds(20)
} as const

/** Pictures of what a process was, from which any moment of the journal is shown (G6). */
export const pictureLimits = {
  /** How often the keeper follows the journal: an eighth of what its ring holds at a thousand entries a second. */
  lookEveryMs: seconds(1),
  /** Until there is one: what comes before the first picture has no orders and positions. */
  firstLookMs: 50,
  /** A picture of thirty components is some 6 KB; one a minute is less than the entries of that minute. */
  everyMs: minutes(1),
  /** After so many entries sooner, so that showing a moment reads a bounded number of them. */
  everyEntries: 5_000,
  /** But not more often than this. */
  everyMsMin: seconds(10),
  /** Open orders and positions of one picture; the answer names that there are more. */
  ordersMax: 1_000,
  positionsMax: 1_000,
  /** Reading the rows, and storing the picture. */
  rowsMsMax: seconds(4),
  storeMsMax: seconds(5),
  /** Pictures in memory, for while the database is away: a quarter of an hour, as the ring of the entries. */
  heldMax: 16,
  /** Entries that are folded for one moment. Twice what lies between two pictures at two thousand a second. */
  foldMax: 40_000
} as const
