/**
 * The numbers of the database layer in one place, each with its reason and with the relations that must hold.
 *
 * They live next to the adapters and not in `domain/kernel/limits.ts` because no trading rule depends on them:
 * they define how long a peer may stay silent before it counts as away.
 *
 * Promises: the relations asserted at the end hold, or the process does not load.
 * Never: read from the environment; what an operator may set is a setting, not a limit.
 */
import { invariant } from "../../domain/kernel/invariant.ts"

export const databaseLimits = {
  /** Connections of one process. Two cores saturate at 8 to 32 writers; 10 leaves room for a second process under 40. */
  poolSize: 10,
  /** Default deadline of one call, pool wait included. Longer than the server's own limits, so that a slow statement is
   * named by the server and only silence is named by us. */
  callMs: 8_000,
  /** The server gives up on one statement. Every statement of ours is indexed and small. */
  statementMs: 5_000,
  /** The server gives up on one lock. Shorter than `statementMs`, so that contention is distinguished from slowness. */
  lockMs: 2_000,
  /** A transaction whose owner is gone is rolled back by the server, which frees its row locks. */
  idleInTransactionMs: 10_000,
  /** A started exchange without one byte of response for this long means a frozen server or a dead network: the socket is
   * destroyed. Above `statementMs`, because a living server answers by then, if only with an error. */
  silenceMs: 6_000,
  /** No call was answered for this long when one misses its deadline: then the server is silent and not the call
   * slow. As long as a commit of the intake may take before posts are refused for it. */
  quietMs: 1_500,
  /** TCP and authentication of a new connection. */
  connectMs: 3_000,
  /** A probe is `SELECT 1`: 2 s is four hundred times its usual time on a busy machine. */
  probeMs: 2_000,
  /**
   * Disk space a probe takes after a call was refused for lack of it: 16 of the largest bodies, 30 ms to write. Less
   * would report "back" for a disk that the next second of load fills again.
   */
  roomBytes: 4 * 1_024 * 1_024,
  /** After a deadline the abandoned call may clean up for this long before its caller gets a result anyway. */
  abandonGraceMs: 50,
  /** Attempts at a transaction that its caller declared idempotent. */
  transactAttemptsMax: 4,
  /** First pause between such attempts; doubles, with jitter. */
  transactRetryMs: 20,
  /** One migration statement. Building an index on a grown table takes longer than any statement of the service. */
  migrationStatementMs: 60_000,
  /** All pending migrations together, lock included. */
  migrationsMs: 120_000
} as const

export const postgresLimits = {
  /** Longest path of a unix socket on Linux, the terminating zero excluded (`sockaddr_un.sun_path`). macOS has 103. */
  socketPathBytesMax: process.platform === "darwin" ? 103 : 107,
  /** `initdb` takes 0.6 s on two quiet cores; a slow disk with fsync takes tens of seconds. */
  initdbMs: 60_000,
  /** Short commands: a version, a reachability check, a chown. */
  commandMs: 10_000,
  /** Copying 60 MB of binaries to a readable place takes 0.3 s. */
  copyMs: 60_000,
  /** Ready after spawn. Usually 40-80 ms; crash recovery replays at most `max_wal_size`. */
  readyMs: 60_000,
  /** Creating our database in a new cluster: 8 MB of files, 50 ms unless the disk is starved. */
  createDatabaseMs: 30_000,
  /** How often the pid file is read while the server starts. */
  readyPollMs: 10,
  /** How long our server that is already shutting down may take before it is signalled again. */
  oldServerGraceMs: 1_000,
  /** How long a previous server of ours may take to end once it was asked. */
  oldServerMs: 15_000,
  /** SIGINT, the fast shutdown: ends sessions, writes a checkpoint. Usually 15-60 ms. */
  stopFastMs: 5_000,
  /** SIGQUIT, the immediate shutdown: no checkpoint, recovery at the next start. */
  stopImmediateMs: 2_000,
  /** SIGKILL, for a frozen server: the kernel needs no cooperation. */
  stopKillMs: 1_000,
  /** Lines of the server's own log kept for an error report. */
  logLinesMax: 200,
  /** The server's connection limit: two processes of ours (10 each), the venue of tests, an operator's psql. */
  connectionsMax: 40,
  /** Shared buffers: measured at 18-21 MB resident in all when idle. */
  sharedBuffersMb: 16,
  /** The write-ahead log may grow to this between checkpoints: bounds the disk and the recovery time. */
  walSizeMbMax: 256
} as const

invariant(databaseLimits.lockMs < databaseLimits.statementMs, "a lock wait ends before its statement")
invariant(
  databaseLimits.statementMs < databaseLimits.silenceMs,
  "a living server answers before it is called silent"
)
invariant(
  databaseLimits.silenceMs < databaseLimits.callMs,
  "silence is found inside the default deadline of a call"
)
invariant(
  databaseLimits.statementMs < databaseLimits.idleInTransactionMs,
  "an idle owner outlives one statement"
)
invariant(2 * databaseLimits.poolSize < postgresLimits.connectionsMax, "two processes fit the server")
