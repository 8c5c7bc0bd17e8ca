/**
 * Database schema on PostgreSQL: our own small migration runner.
 *
 * `PgMigrator` was considered: it skips an out-of-order id silently, knows no "newer than the code", and needs the
 * barrel of platform services. What is needed is one transaction, one lock and a comparison of two lists.
 *
 * Promises: all pending migrations in ONE transaction under an advisory lock, so two processes starting together apply
 * them once and a crash half-way applies none; the applied list must be a prefix of the code's list, by id and name.
 * Never: uses the service's pool: a migration may take minutes where a statement may take seconds.
 * Failure: `SchemaNewer`, `MigrationFailed` (permanent), `DatabaseUnavailable` (transient; nothing applied unless
 * `outcome` is unknown, and applying again is safe either way).
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { DatabaseUnavailable } from "./database.port.ts"
import { makeClient } from "./database.client.ts"
import { findSqlError, toDatabaseError } from "./database-errors.ts"
import { databaseLimits } from "./database-limits.ts"
import {
  DatabaseSchema,
  type DatabaseSchemaService,
  MigrationFailed,
  type SchemaError,
  SchemaNewer,
  type SchemaReport
} from "./database-schema.port.ts"
import { makeSocketCensus } from "./database.socket.ts"
import type { DatabaseTarget } from "./database-target.ts"
import { type Migration, projectMigrations } from "./database-migrations.files.ts"

export interface SchemaOptions {
  readonly target: DatabaseTarget
  /** Default: those of this project. */
  readonly migrations?: ReadonlyArray<Migration>
}

/** "hold" in ASCII, twice: any constant works as long as every process of ours uses the same. */
const lockKey = 0x68_6f_6c_64

interface AppliedRow {
  readonly id: number
  readonly name: string
}

/** Compares what is applied with what the code knows; succeeds with what is pending. */
export const pendingOf = (
  known: ReadonlyArray<Migration>,
  applied: ReadonlyArray<AppliedRow>
): Effect.Effect<ReadonlyArray<Migration>, SchemaNewer | MigrationFailed> =>
  Effect.gen(function* () {
    const newest = applied.at(-1)?.id ?? 0
    const code = known.at(-1)?.id ?? 0
    if (newest > code) {
      return yield* new SchemaNewer({
        database: newest,
        code,
        hint: "start the version of holdfast that migrated this database, or a newer one"
      })
    }
    for (const [index, row] of applied.entries()) {
      const migration = known[index]
      if (migration?.id === row.id && migration.name === row.name) continue
      return yield* new MigrationFailed({
        name: migration?.name ?? row.name,
        cause: new Error(
          `the database has ${row.name} as number ${row.id}, the code has ${migration?.name ?? "nothing"}`
        ),
        hint: "an applied migration was renamed or renumbered: restore its file"
      })
    }
    return known.slice(applied.length)
  })

const applyOne = (sql: SqlClient, migration: Migration): Effect.Effect<void, unknown> =>
  migration.up.pipe(
    Effect.andThen(sql`INSERT INTO schema_migrations (id, name) VALUES (${migration.id}, ${migration.name})`),
    Effect.provideService(SqlClient, sql),
    Effect.asVoid,
    Effect.catchCause((cause): Effect.Effect<void, unknown> => {
      const error = findSqlError(cause)
      // A connection lost in the middle is not the migration's fault.
      if (
        error !== undefined &&
        toDatabaseError("schema.apply", error, false)._tag === "DatabaseUnavailable"
      ) {
        return Effect.fail(error)
      }
      return Effect.fail(
        new MigrationFailed({
          name: migration.name,
          cause: error ?? Cause.squash(cause),
          hint: "nothing was applied; the cause is the statement's error"
        })
      )
    })
  )

const applyAll = (sql: SqlClient, known: ReadonlyArray<Migration>): Effect.Effect<SchemaReport, unknown> =>
  sql.withTransaction(
    Effect.gen(function* () {
      yield* sql`SELECT pg_advisory_xact_lock(${lockKey})`
      yield* sql`CREATE TABLE IF NOT EXISTS schema_migrations (
        id integer PRIMARY KEY,
        name text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
      )`
      const applied = yield* sql<AppliedRow>`SELECT id, name FROM schema_migrations ORDER BY id`
      const pending = yield* pendingOf(known, applied)
      yield* Effect.forEach(pending, (migration) => applyOne(sql, migration), { discard: true })
      return { applied: pending.map((migration) => migration.name), version: known.at(-1)?.id ?? 0 }
    })
  )

const operation = "schema.apply"

const toSchemaError = (cause: Cause.Cause<unknown>): SchemaError => {
  // The runner's own verdict first: a failed rollback after it is noise.
  for (const reason of cause.reasons) {
    const error: unknown = Cause.isFailReason(reason)
      ? reason.error
      : Cause.isDieReason(reason)
        ? reason.defect
        : undefined
    if (error instanceof SchemaNewer || error instanceof MigrationFailed) return error
  }
  const error = findSqlError(cause)
  const mapped = error === undefined ? undefined : toDatabaseError(operation, error, true)
  if (mapped instanceof DatabaseUnavailable) return mapped
  return new MigrationFailed({
    name: "schema_migrations",
    cause: mapped ?? Cause.squash(cause),
    hint: "the table of applied migrations could not be read or written"
  })
}

/** Applies pending migrations over one connection of its own. */
export const applySchema = (options: SchemaOptions): Effect.Effect<SchemaReport, SchemaError> =>
  Effect.gen(function* () {
    const known = options.migrations ?? (yield* projectMigrations)
    const census = makeSocketCensus()
    const work = Effect.gen(function* () {
      const sql = yield* makeClient({
        target: options.target,
        applicationName: "holdfast migrations",
        connections: 1,
        census,
        statementMs: databaseLimits.migrationStatementMs,
        silenceMs: databaseLimits.migrationStatementMs + databaseLimits.lockMs
      })
      return yield* applyAll(sql, known)
    }).pipe(
      Effect.scoped,
      Effect.catchCause((cause) => Effect.fail(toSchemaError(cause)))
    )
    // The work has a fiber of its own: cutting its socket is what ends a statement of a frozen server, and only a
    // waiting parent can do that in time.
    const fiber = yield* Effect.forkChild(work)
    const cut = Effect.suspend(() => {
      for (const socket of census.open) socket.destroy()
      return Fiber.interrupt(fiber)
    })
    const timedOut = Effect.suspend(() => {
      const cause = new Error(`no end within ${databaseLimits.migrationsMs} ms`)
      return Effect.fail(new DatabaseUnavailable({ operation, reason: "silent", outcome: "unknown", cause }))
    })
    return yield* Fiber.join(fiber).pipe(
      Effect.onInterrupt(() => cut),
      Effect.timeoutOrElse({ duration: databaseLimits.migrationsMs, orElse: () => timedOut })
    )
  })

export const schemaOn = (options: SchemaOptions): DatabaseSchemaService => ({ apply: applySchema(options) })

export const layerSchemaPg = (options: SchemaOptions): Layer.Layer<DatabaseSchema> =>
  Layer.succeed(DatabaseSchema, schemaOn(options))
