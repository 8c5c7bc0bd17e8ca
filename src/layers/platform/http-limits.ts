/**
 * The numbers of the HTTP side in one place, each with its reason and with the relations that must hold.
 *
 * What a signal may be is bounded in `domain/kernel/limits.ts`; these live next to the adapters because no trading rule
 * depends on them: they define how much an unknown client may cost us, and how long a caller is kept waiting.
 *
 * Promises: the relations asserted at the end hold, or the process does not load.
 * Never: read from the environment; what an operator may set is a setting, not a limit.
 */
import { invariant } from "../../domain/kernel/invariant.ts"
import { intakeLimits } from "../../domain/kernel/limits-signals.ts"

export const listenerLimits = {
  /** `listen` on an address answers in microseconds; a host name may need the resolver. */
  bindMs: 3_000,
  /** How much later than its effect a machine gives up by itself: the effect names the cause, so it goes first. */
  netMs: 500,
  /** Complete headers. A slow client on a bad line needs a second; a slowloris takes forever. */
  headersMs: 5_000,
  /** Complete request, body included. TradingView hangs up at 3 s, so nobody slower is worth a connection. */
  requestMs: 10_000,
  /** How often the two limits above are checked; a limit is therefore late by at most this. */
  checkMs: 1_000,
  /** An idle keep-alive connection. Longer than the 60 s of common proxies, so that the proxy closes first. */
  keepAliveMs: 65_000,
  /** No byte in either direction inside an exchange: a reader that does not read. */
  inactivityMs: 70_000,
  /** Connections at once. 10 k descriptors are not ours alone; a burst of alerts is a few hundred. */
  connectionsMax: 1_024,
  /** Request line and headers together. Node's default, and above what browsers send. */
  headerBytesMax: 16_384,
  /** Number of header lines; the rest of a request that has more is not read as headers. */
  headersMax: 100,
  /** At close, responses in progress may take this long before their connections are cut. */
  closeGraceMs: 2_000
} as const

export const postLimits = {
  /** Bytes of a refused body that are still read, so that the sender sees our response and not a reset connection. */
  lingerBytesMax: 8 * 1_024 * 1_024,
  /** Time for the same. */
  lingerMs: 2_000,
  /** One INSERT may take this long before the worker gives the batch up and takes the next. Above the commit deadline:
   * by then every post of the batch has its 503, and a row stored late answers its own re-send with 200. */
  storeMs: 3_000,
  /** Senders remembered by the rate limits of all sources. Above it the longest unseen is forgotten first. */
  rateSendersMax: 10_000,
  /** Posts of all sources that wait for their turn, each with its body: at worst 16 MB of the largest. More get a 429. */
  rateWaitingMax: 64
} as const

export const readLimits = {
  /** One read of the API, pool wait included. A person waits; a deadline below the proxy's usual 30 s names the cause. */
  queryMs: 4_000,
  /** Orders whose times are put into one distribution: a few hundred milliseconds, and more make no other p99. */
  latencyOrdersMax: 10_000,
  /** Decisions that one comparison of engines looks at. */
  experimentSignalsMax: 50_000,
  /** Bodies that one search reads: a tenth of a second for bodies of a usual size, and below `queryMs` for the largest. */
  searchRowsMax: 10_000,
  /** Tables whose sizes are shown, largest first: all of ours. */
  tablesMax: 80,
  /** For a lock of a table whose size is asked for: enough for one that is held for a statement. */
  sizeLockMs: 100,
  /** Sessions that wait for a lock: as many as the server may have twice over. */
  waitsMax: 80,
  /** One route as a whole: the query, or two of them, and the response. */
  routeMs: 5_000,
  /** Bodies of control posts. */
  bodyBytesMax: 16_384,
  /** An update of the Telegram bot: a message of 4,096 characters with another that it answers, several times over. */
  telegramBytesMax: 262_144,
  /**
   * Concurrent requests that may ask the database; above it 503. Those that wait for a turn count: half of the pool is theirs
   * (`databaseInTurns`), so what more would only wait until its deadline is refused at once.
   */
  concurrentMax: 32,
  /** /health and /metrics query the tree; a tree that is silent this long counts as unresponsive. */
  pingMs: 1_000
} as const

/** Viewers of the journal. */
export const liveLimits = {
  /** Viewers at once. A desk has a dozen screens; the one above is answered 503. */
  viewersMax: 64,
  /** The pause between two writes: a thousand entries a second are ten writes for each viewer. What comes after a pause leaves at once. */
  coalesceMs: 100,
  /** Entries of one write, at most some 100 KB. */
  chunkMax: 256,
  /** Bytes waiting for one viewer above which it gets no more. They are the same bytes for all viewers, held once. */
  bufferedBytesMax: 256 * 1_024,
  /** A viewer that stays above it for so long is dropped; it resumes where it was. */
  slowMsMax: 10_000,
  /** The same for one that memory has left behind meanwhile: a burst is not its fault. */
  behindMsMax: 1_000,
  /** A page that hears nothing for five seconds takes its stream for dead, which leaves room for one that is lost. */
  heartbeatMs: 2_000,
  /** A peer that answers no ping for so long is gone; a line may stand still for some seconds. */
  probeMs: 15_000,
  /** How often blocked viewers and heartbeats are looked at. */
  sweepMs: 500,
  /** A viewer that was told to leave is cut after this. */
  leaveMs: 2_000,
  /** Viewers that read the table at the same time; the others wait their turn. */
  replaysMax: 2,
  /** One frame of a viewer; it has nothing to say but a ping. */
  frameBytesMax: 4_096
} as const

/** Logins of the console. */
export const sessionLimits = {
  /** A shift. Longer ones would outlive the person at the screen; a restart of the service ends them all. */
  lifeMs: 12 * 3_600_000,
  /** Sessions at once. A desk has a dozen screens; above it the oldest ends. */
  sessionsMax: 64,
  /** Random bytes of a session's name, and of its CSRF token. */
  secretBytes: 32
} as const

invariant(readLimits.queryMs < readLimits.routeMs, "a slow query is named by its own deadline")
invariant(listenerLimits.headersMs <= listenerLimits.requestMs, "headers are part of the request")
invariant(
  listenerLimits.keepAliveMs < listenerLimits.inactivityMs,
  "an idle connection ends as idle, not as stuck"
)
invariant(intakeLimits.commitMsMax < postLimits.storeMs, "a post is answered before its batch is given up")
invariant(intakeLimits.batchRowsMax <= intakeLimits.waitingPostsMax, "a full batch fits the queue")
invariant(intakeLimits.bodyReadMsMax <= listenerLimits.requestMs, "the body is part of the request")
invariant(
  intakeLimits.bodyBytesMax < postLimits.lingerBytesMax,
  "a body slightly over the limit is answered, not cut"
)
invariant(
  2 * liveLimits.probeMs < listenerLimits.inactivityMs,
  "a peer that is gone is noticed before its connection is cut as stuck"
)
invariant(
  2 * (liveLimits.heartbeatMs + liveLimits.sweepMs) <= 5_000,
  "two signs of life come in the time after which a page takes its stream for dead"
)
