/**
 * Database client: the options of `@effect/sql-pg` that every connection of ours has.
 *
 * The service's pool, the migration runner and the launcher's readiness check all connect; a timeout set in one of them
 * and forgotten in another is how a migration waits forever. They all come through here.
 *
 * Promises: statement, lock and idle-in-transaction timeouts on every session; UTC; our own watched sockets; lazy (the
 * first statement connects).
 * Never: retries a connection.
 * Failure: a bad login, a refused or silent connection is a `SqlError` of the statement that needed it.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import type * as SqlError from "effect/sql/SqlError"
import { databaseLimits } from "./database-limits.ts"
import { openWatchedSocket, type SocketCensus } from "./database.socket.ts"
import { type DatabaseTarget, socketAddress } from "./database-target.ts"

export interface ClientOptions {
  readonly target: DatabaseTarget
  /** Shown in `pg_stat_activity`. */
  readonly applicationName: string
  readonly connections: number
  readonly census: SocketCensus
  /** Milliseconds; default `databaseLimits.statementMs`. */
  readonly statementMs?: number
  /** Milliseconds; must be above `statementMs`. Default `databaseLimits.silenceMs`. */
  readonly silenceMs?: number
}

/** A pool that opens connections when statements need them and closes with the scope. */
export const makeClient = (
  options: ClientOptions
): Effect.Effect<PgClient.PgClient, SqlError.SqlError, Scope.Scope> => {
  const { target } = options
  const address = socketAddress(target)
  const silenceMs = options.silenceMs ?? databaseLimits.silenceMs
  const login =
    target._tag === "Url"
      ? { url: target.url }
      : { username: target.user, database: target.database, host: target.directory }
  return PgClient.make({
    ...login,
    stream: () => openWatchedSocket(address, silenceMs, options.census),
    maxConnections: options.connections,
    minConnections: 0,
    connectTimeout: Duration.millis(databaseLimits.connectMs),
    applicationName: options.applicationName,
    startupParameters: {
      statement_timeout: String(options.statementMs ?? databaseLimits.statementMs),
      lock_timeout: String(databaseLimits.lockMs),
      idle_in_transaction_session_timeout: String(databaseLimits.idleInTransactionMs),
      timezone: "UTC"
    }
  }).pipe(Effect.provideServiceEffect(Reactivity.Reactivity, Reactivity.make))
}
