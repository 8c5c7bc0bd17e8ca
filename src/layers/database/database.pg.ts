/**
 * Database on PostgreSQL: the adapter of the `Database` port over `@effect/sql-pg`.
 *
 * Measured facts it is built around: the client has no deadline for a free connection; interrupting a statement asks
 * the server to cancel it and waits up to 5 s for that, forever inside BEGIN and COMMIT; a ROLLBACK on a lost
 * connection is a defect. So every call runs in a fiber of the adapter's scope and its caller only waits for it: at the
 * deadline the caller gets its error, the fiber is interrupted and cleans up in the background, and the watched socket
 * (database.socket.ts) bounds how long that can take.
 *
 * Promises: those of the port; abandoned calls are counted and end with the scope.
 * Never: connects before the first call, retries what was not declared idempotent.
 * Failure: see database-errors.ts; a closed adapter answers `DatabaseUnavailable { reason: "connection" }`.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Statement from "effect/sql/Statement"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import {
  type CallOptions,
  Database,
  type DatabaseError,
  type DatabaseService,
  type DatabaseStats,
  DatabaseFault,
  DatabaseUnavailable,
  type TransactOptions
} from "./database.port.ts"
import { type AvailabilityLedger, makeAvailability } from "./database-availability.ts"
import { makeClient } from "./database.client.ts"
import { findSqlError, hasBug, toDatabaseError } from "./database-errors.ts"
import { databaseLimits } from "./database-limits.ts"
import { type DiskSpace, makeProbe, noteSpace } from "./database-probe.pg.ts"
import type { StatementLedger } from "./database-statements.ts"
import { makeSocketCensus, type SocketCensus } from "./database.socket.ts"
import type { DatabaseTarget } from "./database-target.ts"

export interface PgDatabaseOptions {
  readonly target: DatabaseTarget
  /** Default "holdfast". */
  readonly applicationName?: string
  /** Default `databaseLimits.poolSize`. */
  readonly poolSize?: number
  /** Milliseconds; tests shorten it. Must stay above `statementMs`. */
  readonly silenceMs?: number
  /** Milliseconds; default `databaseLimits.statementMs`. */
  readonly statementMs?: number
  /** Where its statements are noted; nowhere when left out. */
  readonly statements?: StatementLedger
}

/** One attempt at one call, filled in while it runs: what is known when it fails. */
interface Attempt {
  /** A commit, or a statement that commits by itself, may have been sent. */
  commitSent: boolean
  /** How the body of a transaction ended, before COMMIT or ROLLBACK added their own errors. */
  body: Exit.Exit<unknown, unknown> | undefined
}

interface Counters {
  inFlight: number
  abandoned: number
  callsTotal: number
  unavailableTotal: number
  faultsTotal: number
  deadlinesTotal: number
  retriesTotal: number
  /** When the server last answered any call, with success or error: distinguishes a busy database from a silent one. */
  answeredMs: number
}

interface Adapter {
  readonly sql: SqlClient
  readonly scope: Scope.Scope
  readonly census: SocketCensus
  readonly poolSize: number
  readonly availability: AvailabilityLedger
  readonly space: DiskSpace
  readonly counters: Counters
  readonly statements: StatementLedger | null
  /** Milliseconds that never go back. */
  readonly nowMs: () => number
}

type Typed<E> = DatabaseError | Exclude<E, SqlError>

/**
 * The cause of an attempt in the port's terms. The body's own failure wins over that of its rollback: a business error is
 * still that error when the connection died afterwards, because the transaction did not happen either way.
 */
const typedCause = <E>(operation: string, attempt: Attempt, whole: Cause.Cause<E>): Cause.Cause<Typed<E>> => {
  const cause = attempt.body !== undefined && Exit.isFailure(attempt.body) ? attempt.body.cause : whole
  const error = hasBug(cause) ? undefined : findSqlError(cause)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- findSqlError just found no SqlError in it
  if (error === undefined) return cause as Cause.Cause<Typed<E>>
  return Cause.fail(toDatabaseError(operation, error, attempt.commitSent))
}

const typed = <A, E, R>(
  operation: string,
  attempt: Attempt,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, Typed<E>, R> =>
  Effect.catchCause(effect, (cause) => Effect.failCause(typedCause(operation, attempt, cause)))

const isAway = (error: DatabaseUnavailable): boolean =>
  error.reason === "connection" || error.reason === "silent" || error.reason === "server"

/** Counts an ended call and passes failures on. Every answer of the server, an error included, proves it lives. */
const account = (adapter: Adapter, generation: number, exit: Exit.Exit<unknown, unknown>): void => {
  const { counters } = adapter
  const failure = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined
  if (failure instanceof DatabaseUnavailable) {
    counters.unavailableTotal += 1
    noteSpace(adapter.space, failure)
    if (isAway(failure)) return adapter.availability.lost(generation)
    // A call that ended by its own deadline received nothing: it does not prove that the server answers others.
    if (failure.reason === "busy") return
  } else if (failure instanceof DatabaseFault) {
    counters.faultsTotal += 1
  }
  counters.answeredMs = adapter.nowMs()
}

/** Interrupts a call and waits a moment for it to finish cleaning up; after that it finishes alone, in the scope. */
const abandon = <A, E>(adapter: Adapter, fiber: Fiber.Fiber<A, E>): Effect.Effect<void> =>
  Effect.suspend(() => {
    fiber.interruptUnsafe()
    return Effect.interruptible(Fiber.await(fiber)).pipe(
      Effect.timeoutOption(databaseLimits.abandonGraceMs),
      Effect.map((ended) => {
        if (Option.isSome(ended)) return
        adapter.counters.abandoned += 1
        fiber.addObserver(() => {
          adapter.counters.abandoned -= 1
        })
      })
    )
  })

/**
 * The error of a call whose deadline passed. Silence towards all is the server's; silence towards one call is its own. What
 * counts is the silence up to now: a server that froze right after answering another call is frozen all the same.
 */
const missed = (
  { counters, nowMs }: Adapter,
  operation: string,
  deadlineMs: number,
  attempt: Attempt,
  sinceMs: number
): DatabaseUnavailable =>
  new DatabaseUnavailable({
    operation,
    reason: counters.answeredMs > Math.max(sinceMs, nowMs() - databaseLimits.quietMs) ? "busy" : "silent",
    outcome: attempt.commitSent ? "unknown" : "not_applied",
    cause: new Error(`no answer within ${deadlineMs} ms`)
  })

/** Notes each statement of a call: the client tells a tracer, and, where spans are passed on, when each has its connection. */
const noted = <A, E, R>(
  { statements }: Adapter,
  operation: string,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  statements === null
    ? work
    : work.pipe(
        Effect.withTracer(statements.tracer(operation)),
        Effect.provideService(Statement.SpanPropagationEnabled, true)
      )

/** Runs `work` in the adapter's scope and returns to its caller within `deadlineMs`, whatever `work` does. */
const bounded = <A, E, R>(
  adapter: Adapter,
  operation: string,
  deadlineMs: number,
  attempt: Attempt,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E | DatabaseUnavailable, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const { counters } = adapter
      const sinceMs = adapter.nowMs()
      const generation = adapter.availability.generation()
      counters.callsTotal += 1
      counters.inFlight += 1
      const fiber = yield* Effect.forkIn(noted(adapter, operation, work), adapter.scope, {
        startImmediately: true
      })
      fiber.addObserver(() => {
        counters.inFlight -= 1
      })
      const ended = yield* restore(Effect.timeoutOption(Fiber.await(fiber), deadlineMs)).pipe(
        Effect.onInterrupt(() => abandon(adapter, fiber))
      )
      if (Option.isNone(ended)) yield* abandon(adapter, fiber)
      // It may have finished at the very moment of the deadline: a result is better than a guess.
      const exit = Option.getOrUndefined(ended) ?? fiber.pollUnsafe()
      if (exit !== undefined && !(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))) {
        account(adapter, generation, exit)
        return yield* exit
      }
      const error = Option.isNone(ended)
        ? missed(adapter, operation, deadlineMs, attempt, sinceMs)
        : closed(operation)
      if (Option.isNone(ended)) counters.deadlinesTotal += 1
      account(adapter, generation, Exit.fail(error))
      return yield* error
    })
  )

const closed = (operation: string): DatabaseUnavailable =>
  new DatabaseUnavailable({
    operation,
    reason: "connection",
    outcome: "not_applied",
    cause: new Error("the database client is closed")
  })

const makeRun =
  (adapter: Adapter): DatabaseService["run"] =>
  <A, E, R>(operation: string, f: (sql: SqlClient) => Effect.Effect<A, E, R>, options: CallOptions = {}) => {
    const call = Effect.suspend(() => {
      const attempt: Attempt = { commitSent: true, body: undefined }
      const work = typed(
        operation,
        attempt,
        Effect.suspend(() => f(adapter.sql))
      )
      return bounded(adapter, operation, options.deadlineMs ?? databaseLimits.callMs, attempt, work)
    })
    return call
  }

const worthAnotherTry = (error: unknown): boolean =>
  error instanceof DatabaseUnavailable && (error.reason === "contention" || error.reason === "connection")

const retrySchedule = Schedule.exponential(databaseLimits.transactRetryMs).pipe(
  Schedule.jittered,
  Schedule.upTo({ times: databaseLimits.transactAttemptsMax - 1 })
)

const makeTransact =
  (adapter: Adapter): DatabaseService["transact"] =>
  <A, E, R>(
    operation: string,
    f: (sql: SqlClient) => Effect.Effect<A, E, R>,
    options: TransactOptions = {}
  ) =>
    Effect.suspend(() => {
      const attempt: Attempt = { commitSent: false, body: undefined }
      let tries = 0
      const once = Effect.suspend(() => {
        // One record for all attempts: a commit of unknown outcome stays unknown, whatever the next attempt meets.
        attempt.body = undefined
        if (tries > 0) adapter.counters.retriesTotal += 1
        tries += 1
        let commitMs: number | undefined
        const body = Effect.suspend(() => f(adapter.sql)).pipe(
          Effect.onExit((exit) =>
            Effect.sync(() => {
              attempt.body = exit
              if (Exit.isFailure(exit)) return
              attempt.commitSent = true
              commitMs = adapter.nowMs()
            })
          )
        )
        const whole = adapter.sql.withTransaction(body).pipe(
          Effect.onExit((exit) =>
            Effect.sync(() => {
              // No statement of its own to the client; on a slow disk it is the slowest of all.
              if (commitMs !== undefined)
                adapter.statements?.note(
                  operation,
                  "COMMIT",
                  adapter.nowMs() - commitMs,
                  Exit.isFailure(exit)
                )
            })
          )
        )
        return typed(operation, attempt, whole)
      })
      const work =
        options.retry === "idempotent"
          ? Effect.retry(once, { while: worthAnotherTry, schedule: retrySchedule })
          : once
      return bounded(adapter, operation, options.deadlineMs ?? databaseLimits.callMs, attempt, work)
    })

const statsOf = (adapter: Adapter): DatabaseStats => {
  const { counters, census } = adapter
  return {
    inFlight: counters.inFlight,
    waiting: Math.max(0, counters.inFlight - adapter.poolSize),
    abandoned: counters.abandoned,
    openConnections: census.open.size,
    callsTotal: counters.callsTotal,
    unavailableTotal: counters.unavailableTotal,
    faultsTotal: counters.faultsTotal,
    deadlinesTotal: counters.deadlinesTotal,
    retriesTotal: counters.retriesTotal,
    silentSocketsTotal: census.silentTotal
  }
}

/** The port's service; its connections and abandoned calls end with the scope. */
export const makePgDatabase = (
  options: PgDatabaseOptions
): Effect.Effect<DatabaseService, never, Scope.Scope> =>
  Effect.gen(function* () {
    const census = makeSocketCensus()
    const clock = yield* Clock.Clock
    const poolSize = options.poolSize ?? databaseLimits.poolSize
    const client = yield* makeClient({
      target: options.target,
      applicationName: options.applicationName ?? "holdfast",
      connections: poolSize,
      census,
      ...(options.silenceMs === undefined ? {} : { silenceMs: options.silenceMs }),
      ...(options.statementMs === undefined ? {} : { statementMs: options.statementMs })
      // With no minimum of connections nothing is opened here, so nothing can fail here.
    }).pipe(Effect.orDie)
    const adapter: Adapter = {
      sql: client,
      // A scope of its own, made before the finalizer below is added: finalizers run in reverse, so waiting exchanges are
      // cut first and the calls that hang on them can then be awaited without hanging too.
      scope: yield* Scope.fork(yield* Effect.scope),
      census,
      poolSize,
      availability: makeAvailability(),
      space: { wanting: false },
      counters: {
        inFlight: 0,
        abandoned: 0,
        callsTotal: 0,
        unavailableTotal: 0,
        faultsTotal: 0,
        deadlinesTotal: 0,
        retriesTotal: 0,
        answeredMs: Number.NEGATIVE_INFINITY
      },
      statements: options.statements ?? null,
      nowMs: () => Number(clock.monotonicTimeNanosUnsafe() / 1_000n) / 1_000
    }
    // Runs before the pool closes: an exchange that still waits (a frozen server) must not hold up the stop.
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const socket of census.open) if (socket.waiting) socket.destroy()
      })
    )
    const run = makeRun(adapter)
    return {
      run,
      transact: makeTransact(adapter),
      probe: makeProbe(run, adapter.space, options.target),
      availability: adapter.availability,
      stats: () => statsOf(adapter)
    }
  })

export const layerPg = (options: PgDatabaseOptions): Layer.Layer<Database> =>
  Layer.effect(Database, makePgDatabase(options))
