/**
 * Database: the port through which everything of ours reaches PostgreSQL.
 *
 * The SQL client underneath is lazy, has no deadline for a free connection, hangs on a frozen server, and turns a
 * connection lost inside a transaction into a defect. Every caller would have to handle all four. This port handles them
 * once: a call gets a deadline, a result or a typed error, whatever the server does.
 *
 * Promises: every call ends within its deadline (default `databaseLimits.callMs`), even against a server frozen by
 * SIGSTOP; transient trouble is `DatabaseUnavailable`, everything else `DatabaseFault`; a lost connection is never a
 * defect; building it does no I/O.
 * Never: retries on its own (`transact` does when the caller declares the transaction idempotent), and never reports
 * itself available: only a probe of the database actor does, through `availability.mark`.
 */
import { Context, Data, type Effect, type Stream } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

/**
 * Why the database could not do it now.
 * `connection`: refused, lost, cannot log in. `silent`: no answer within the deadline. `server`: it answered that it is
 * starting, stopping, out of space or out of connections. `slow`: it cancelled the statement. `contention`: lock
 * timeout, deadlock, serialization. `busy`: the deadline passed while other calls were answered, for example waiting
 * for a free connection. The first three mark the database unavailable, the others do not.
 */
export type UnavailableReason = "connection" | "silent" | "server" | "slow" | "contention" | "busy"

/**
 * Transient: the same call may succeed later. `outcome` is whether the writes of the call can be in the database:
 * `not_applied` when no commit was sent, `unknown` when one was and its answer was not seen (or, for `run`, when any
 * statement may have been sent). A retry after `unknown` needs an idempotency key.
 */
export class DatabaseUnavailable extends Data.TaggedError("DatabaseUnavailable")<{
  readonly operation: string
  readonly reason: UnavailableReason
  readonly outcome: "not_applied" | "unknown"
  readonly cause: unknown
}> {
  override get message(): string {
    return `${this.operation}: database unavailable (${this.reason}): ${causeText(this.cause)}`
  }
}

/** Permanent: a constraint, a bad statement, missing rights. `sqlState` is PostgreSQL's five characters when it answered. */
export class DatabaseFault extends Data.TaggedError("DatabaseFault")<{
  readonly operation: string
  readonly cause: unknown
  readonly sqlState: string | undefined
  /** Name of the violated unique or exclusion constraint (SQLSTATE 23505, 23P01), else undefined. */
  readonly uniqueViolation: string | undefined
}> {
  override get message(): string {
    return `${this.operation}: database fault ${this.sqlState ?? ""}: ${causeText(this.cause)}`
  }
}

const causeText = (cause: unknown): string => {
  if (typeof cause === "string") return cause
  // A hostile value (no prototype, a throwing toString) must not turn a typed error into a defect.
  if (!(cause instanceof Error)) return Object.prototype.toString.call(cause)
  const inner: unknown = cause.cause
  return inner instanceof Error && inner.message !== cause.message
    ? `${cause.message}: ${causeText(inner)}`
    : cause.message
}

export type DatabaseError = DatabaseUnavailable | DatabaseFault

/** What is known about the database now. `unknown` until the first verdict. */
export type AvailabilityState = "unknown" | "available" | "unavailable"

export interface Availability {
  readonly current: () => AvailabilityState
  /** The current state first, then every change. Bounded: a slow reader sees the latest states, not all of them. */
  readonly changes: Stream.Stream<AvailabilityState>
  /** A verdict from outside: the database actor after a probe, or when it stops the server itself. */
  readonly mark: (state: "available" | "unavailable") => void
}

export interface CallOptions {
  /** Milliseconds for the whole call: pool wait, statements, commit, retries. */
  readonly deadlineMs?: number
}

export interface TransactOptions extends CallOptions {
  /** `idempotent`: running it twice is the same as once, so contention and lost connections are retried. */
  readonly retry?: "never" | "idempotent"
}

/** Counters since start (`…Total`) and gauges of this process. */
export interface DatabaseStats {
  readonly inFlight: number
  /** Calls beyond the pool's size, which therefore wait for a connection. */
  readonly waiting: number
  /** Calls whose caller returned at the deadline while the cleanup still runs. */
  readonly abandoned: number
  readonly openConnections: number
  readonly callsTotal: number
  readonly unavailableTotal: number
  readonly faultsTotal: number
  readonly deadlinesTotal: number
  readonly retriesTotal: number
  /** Sockets destroyed because a started exchange stayed unanswered. */
  readonly silentSocketsTotal: number
}

export interface DatabaseService {
  /**
   * Runs statements, each on any connection, each its own transaction. `operation` names the call in errors and
   * metrics ("signals.claim"). Errors of `f` that are not SQL errors pass unchanged.
   */
  readonly run: <A, E, R>(
    operation: string,
    f: (sql: SqlClient) => Effect.Effect<A, E, R>,
    options?: CallOptions
  ) => Effect.Effect<A, DatabaseError | Exclude<E, SqlError>, R>
  /** Runs `f` inside one transaction; any error of `f` rolls it back. Nested use of `sql.withTransaction` is a savepoint. */
  readonly transact: <A, E, R>(
    operation: string,
    f: (sql: SqlClient) => Effect.Effect<A, E, R>,
    options?: TransactOptions
  ) => Effect.Effect<A, DatabaseError | Exclude<E, SqlError>, R>
  /** One `SELECT 1` on the pool within `databaseLimits.probeMs`. Failing marks `unavailable` like any call, success marks nothing. */
  readonly probe: Effect.Effect<void, DatabaseUnavailable>
  readonly availability: Availability
  readonly stats: () => DatabaseStats
}

export class Database extends Context.Service<Database, DatabaseService>()("holdfast/layers/Database") {}
