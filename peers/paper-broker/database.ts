/**
 * The venue's own database: pool, schema and migrations, and the one way to run a statement.
 *
 * The venue must survive kills of itself and of its clients, so everything it accepts is in PostgreSQL first. It
 * shares a server with holdfast at most, never a table: the search_path of every session is the venue's schema alone.
 *
 * Promises: every call ends soon after `callMsMax`, even against a frozen server, whose connections are cut; a database
 * that is away is the value `DatabaseAway`, even during a transaction; the pool heals by itself.
 * Never: retries. A connection lost during COMMIT leaves the outcome open, and the client has to look.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Cause, Data, Effect, Fiber, Redacted, type Scope } from "effect"
import { Reactivity } from "effect/reactivity"
import { Migrator, SqlClient, SqlError } from "effect/sql"
import { Socket } from "node:net"
import { type PaperBrokerOptions, venueLimits } from "./options.ts"
import type { Refusal } from "./refusal.ts"
import { migrations } from "./schema.ts"

export class DatabaseAway extends Data.TaggedError("DatabaseAway")<{ readonly cause: unknown }> {
  /** The whole chain in one line: the outermost error alone says "query failed". */
  get why(): string {
    return chain(this.cause).map(textOf).join(": ")
  }
}

/** The fields of a server's error come as an object without a prototype, which has no toString. */
const textOf = (link: unknown): string => {
  if (typeof link !== "object" || link === null) return String(link)
  return "message" in link ? String(link.message) : Object.keys(link).join(" ")
}

/** An error, its cause, the cause of that. Bounded: a cause may be circular. */
const chain = (error: unknown): ReadonlyArray<unknown> => {
  const links: Array<unknown> = []
  for (let link = error; link !== undefined && link !== null && links.length < 8;) {
    links.push(link)
    link = link instanceof Error ? link.cause : SqlError.isSqlErrorReason(link) ? link.cause : undefined
  }
  return links
}

export type Sql = SqlClient.SqlClient

export interface VenueDatabase {
  /** Creates the schema and brings it up to date. Run until it succeeds, before anything else. */
  readonly prepare: Effect.Effect<void, DatabaseAway>
  readonly run: <A>(f: (sql: Sql) => Effect.Effect<A, SqlError.SqlError>) => Effect.Effect<A, DatabaseAway>
  /** One transaction. A refusal returned by `f` rolls back. */
  readonly transact: <A>(
    f: (sql: Sql) => Effect.Effect<A, Refusal | SqlError.SqlError>
  ) => Effect.Effect<A, Refusal | DatabaseAway>
}

/** The sockets of one pool. A call that is overdue cuts them all: its own is one of them, and which is not known. */
type Wires = Set<Socket>

const connectTo = (url: URL, wires: Wires): Socket => {
  const host = url.searchParams.get("host") ?? decodeURIComponent(url.hostname)
  const port = Number(url.searchParams.get("port") ?? (url.port === "" ? "5432" : url.port))
  const socket = new Socket()
  wires.add(socket)
  socket.once("close", () => wires.delete(socket))
  if (host.startsWith("/")) return socket.connect({ path: `${host}/.s.PGSQL.${port}` })
  return socket.setNoDelay(true).connect({ host: host === "" ? "localhost" : host, port })
}

/**
 * Ends a call that is overdue by cutting the pool's connections. Interrupting it would not do: the client waits for the
 * server inside BEGIN and COMMIT, and asks a frozen server to cancel the statement. The server's own statement timeout
 * is shorter, so an overdue call means a server that does not answer anybody.
 */
const bounded = <A, E>(effect: Effect.Effect<A, E>, wires: Wires): Effect.Effect<A, E> =>
  Effect.gen(function* () {
    const cut = Effect.sync(() => {
      for (const wire of wires)
        wire.destroy(new Error("no answer from PostgreSQL within the deadline of a call"))
    })
    const watch = yield* Effect.forkChild(
      Effect.forever(Effect.andThen(Effect.sleep(venueLimits.callMsMax), cut))
    )
    return yield* Effect.ensuring(effect, Fiber.interrupt(watch))
  })

/** SQL that is wrong, or that the constraints refuse, is a bug of the venue and dies; everything else is transient. */
const isBug = (error: SqlError.SqlError): boolean =>
  ["SqlSyntaxError", "ConstraintError", "UniqueViolation"].includes(error.reason._tag)

/**
 * Turns every way a lost database shows itself into `DatabaseAway`: a failed statement, and the defect
 * that a transaction dies of when its ROLLBACK finds no connection.
 */
const whenAway = <A>(
  effect: Effect.Effect<A, Refusal | SqlError.SqlError>
): Effect.Effect<A, Refusal | DatabaseAway> =>
  effect.pipe(
    Effect.catchCause((cause): Effect.Effect<never, Refusal | SqlError.SqlError | DatabaseAway> => {
      for (const reason of cause.reasons) {
        const error = Cause.isDieReason(reason)
          ? reason.defect
          : Cause.isFailReason(reason)
            ? reason.error
            : null
        if (SqlError.isSqlError(error) && !isBug(error))
          return Effect.fail(new DatabaseAway({ cause: error }))
      }
      return Effect.failCause(cause)
    }),
    Effect.catchTag("SqlError", (bug) => Effect.die(bug))
  )

const migrate = Migrator.make({})({ loader: Migrator.fromRecord(migrations), table: "venue_migrations" })

/** Builds the pool without connecting. It closes with the scope. */
export const makeVenueDatabase = (
  options: PaperBrokerOptions
): Effect.Effect<VenueDatabase, never, Scope.Scope> =>
  Effect.gen(function* () {
    const url = new URL(Redacted.value(options.databaseUrl))
    const wires: Wires = new Set()
    const sql = yield* PgClient.make({
      url: options.databaseUrl,
      stream: () => connectTo(url, wires),
      maxConnections: venueLimits.poolConnections,
      minConnections: 0,
      connectTimeout: venueLimits.connectMsMax,
      applicationName: `paper-broker ${options.schema}`,
      startupParameters: {
        search_path: options.schema,
        statement_timeout: String(venueLimits.statementMsMax),
        lock_timeout: String(venueLimits.statementMsMax),
        idle_in_transaction_session_timeout: String(venueLimits.callMsMax),
        timezone: "UTC"
      }
      // The pool is lazy: a failure here could only be a bug in the options.
    }).pipe(Effect.provideServiceEffect(Reactivity.Reactivity, Reactivity.make), Effect.orDie)

    const prepare = bounded(
      Effect.gen(function* () {
        yield* sql`CREATE SCHEMA IF NOT EXISTS ${sql(options.schema)}`
        yield* migrate
        // Money paid in or taken out since: what the account has made or lost stays.
        yield* sql`
          UPDATE accounts SET cash = cash + (paid.total - starting_cash), starting_cash = paid.total
          FROM unnest(${Object.keys(options.accounts)}::text[], ${Object.values(options.accounts)}::numeric[]) AS paid (id, total)
          WHERE accounts.id = paid.id AND starting_cash <> paid.total`
      }).pipe(Effect.provideService(SqlClient.SqlClient, sql)),
      wires
    ).pipe(
      // Two venues that start at once on one schema collide here; the loser retries and finds the work done.
      // Wrong SQL never becomes right by waiting.
      Effect.catchCause((cause) => {
        const error = Cause.squash(cause)
        const wrong = chain(error).some(
          (link) => SqlError.isSqlError(link) && link.reason._tag === "SqlSyntaxError"
        )
        return wrong ? Effect.die(error) : Effect.fail(new DatabaseAway({ cause: error }))
      })
    )
    return {
      prepare,
      run: (f) => whenAway(bounded(f(sql), wires)).pipe(Effect.catchTag("Refusal", Effect.die)),
      transact: (f) => whenAway(bounded(sql.withTransaction(f(sql)), wires))
    }
  })
