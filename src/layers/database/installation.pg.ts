/**
 * Installation on PostgreSQL: one row for the mode, the account rows for venue and cash, one row per cash flow.
 *
 * Promises: `adopt` is one transaction that holds the rows it compares, so of two processes that start together one
 * records a change and the other finds it made. `reset` asks the migrations themselves which tables are ours, in a schema
 * of its own that is dropped again: a hand-kept list would one day miss a table, and the database may be shared.
 * Never: drops what our migrations did not make, except the schemas of the practice venues it was given.
 * Failure: `DatabaseUnavailable`; a fault of a statement is a bug and dies.
 */
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { accountChanges, modeProblem } from "../../domain/database/installation.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import { Database, type DatabaseService } from "./database.port.ts"
import { databaseLimits } from "./database-limits.ts"
import {
  Installation,
  type InstallationService,
  ResetRefused,
  type RestrictedScope
} from "./installation.port.ts"
import { projectMigrations } from "./database-migrations.files.ts"

const claimMode = (sql: SqlClient, mode: Settings["mode"]) =>
  Effect.gen(function* () {
    yield* sql`INSERT INTO installation (mode) VALUES (${mode}) ON CONFLICT DO NOTHING`
    const [row] = yield* sql<{ readonly mode: string }>`SELECT mode FROM installation`
    const problem = modeProblem(row?.mode ?? null, mode, "the database")
    if (problem !== null) return yield* problem
  })

interface StoredAccount {
  readonly id: string
  readonly venue: string
  /** Decimal string. */
  readonly startingCash: string
}

interface ConfiguredAccount extends StoredAccount {
  readonly enabled: boolean
}

/**
 * Compares the rows of accounts with the settings and books what these change; fails where they may not. Runs in the caller's
 * transaction, at a start and at a reload (control/account-changes.pg.ts).
 */
export const adoptAccounts = (sql: SqlClient, configured: ReadonlyArray<ConfiguredAccount>) =>
  Effect.gen(function* () {
    const ids = configured.map(({ id }) => id)
    const stored = yield* sql<StoredAccount>`
      SELECT id, venue, starting_cash AS "startingCash" FROM accounts
      WHERE id = ANY(${ids}::text[]) ORDER BY id FOR UPDATE`
    const changes = accountChanges(stored, configured)
    if (!("length" in changes)) return yield* changes
    yield* sql`UPDATE accounts SET retired_at = NULL WHERE id = ANY(${ids}::text[]) AND retired_at IS NOT NULL`
    const enabled = configured.filter((account) => account.enabled).map(({ id }) => id)
    yield* sql`
      UPDATE accounts SET enabled = (id = ANY(${enabled}::text[]))
      WHERE id = ANY(${ids}::text[]) AND enabled <> (id = ANY(${enabled}::text[]))`
    for (const { account, after, amount, before } of changes) {
      yield* sql`UPDATE accounts SET starting_cash = ${after}::numeric WHERE id = ${account}`
      yield* sql`INSERT INTO account_cash_flows (account, amount, cash_before, cash_after, reason)
        VALUES (${account}, ${amount}::numeric, ${before}::numeric, ${after}::numeric, 'startingCash was changed in the settings')`
    }
    return changes
  })

const configuredAccounts = ({ accounts }: Settings): ReadonlyArray<ConfiguredAccount> =>
  Object.entries(accounts).map(([id, { broker, enabled, startingCash }]) => ({
    id,
    venue: broker,
    startingCash,
    enabled
  }))

const adopt = (database: DatabaseService, settings: Settings): InstallationService["adopt"] =>
  database
    .transact(
      "installation.adopt",
      (sql) =>
        Effect.gen(function* () {
          yield* claimMode(sql, settings.mode)
          const flows = settings.roles.has("accounts")
            ? yield* adoptAccounts(sql, configuredAccounts(settings))
            : []
          const restricted = yield* sql<RestrictedScope>`
            SELECT scope, state, reason FROM trading_state WHERE state <> 'ACTIVE' ORDER BY scope`
          return { flows, restricted }
        }),
      { retry: "idempotent" }
    )
    .pipe(Effect.catchTag("DatabaseFault", Effect.die))

/** Statements that recreate our schema next to the real one; what they create there is the list of what is ours. */
const ours = (sql: SqlClient) =>
  Effect.gen(function* () {
    const known = yield* projectMigrations
    yield* sql`CREATE SCHEMA holdfast_reset`
    yield* sql`SET LOCAL search_path TO holdfast_reset`
    for (const { up } of known) yield* Effect.orDie(Effect.provideService(up, SqlClient, sql))
    const tables = yield* sql<{ readonly name: string }>`
      SELECT tablename AS name FROM pg_tables WHERE schemaname = 'holdfast_reset'`
    const functions = yield* sql<{ readonly name: string }>`
      SELECT oid::regprocedure::text AS name FROM pg_proc WHERE pronamespace = 'holdfast_reset'::regnamespace`
    yield* sql`SET LOCAL client_min_messages TO warning`
    yield* sql`DROP SCHEMA holdfast_reset CASCADE`
    yield* sql`SET LOCAL search_path TO DEFAULT`
    return { tables: [...tables.map(({ name }) => name), "schema_migrations"], functions }
  })

const refuseOthers = (sql: SqlClient, node: string) =>
  Effect.gen(function* () {
    const [present] = yield* sql<{ readonly found: boolean }>`
      SELECT to_regclass('installation') IS NOT NULL AS found`
    const [row] =
      present?.found === true ? yield* sql<{ readonly mode: string }>`SELECT mode FROM installation` : []
    if (row?.mode !== "PRACTICE") {
      return yield* new ResetRefused({
        reason: `the database holds ${row === undefined ? "data of no known mode" : `${row.mode} data`}: only practice data can be reset`,
        hint: "use another DATA_DIR and another database; this one stays as it is"
      })
    }
    const [used] = yield* sql<{ readonly accounts: number }>`
      SELECT count(*)::int AS accounts FROM accounts WHERE lease_until > clock_timestamp() AND owner <> ${node}`
    if ((used?.accounts ?? 0) > 0) {
      return yield* new ResetRefused({
        reason: "another process trades on this database",
        hint: "stop it and wait a few seconds until its leases have expired"
      })
    }
  })

const reset =
  (database: DatabaseService, venueSchemas: ReadonlyArray<string>): InstallationService["reset"] =>
  (node) =>
    database
      .transact(
        "installation.reset",
        (sql) =>
          Effect.gen(function* () {
            yield* refuseOthers(sql, node)
            const { functions, tables } = yield* ours(sql)
            for (const table of tables) yield* sql`DROP TABLE IF EXISTS ${sql(table)} CASCADE`
            for (const { name } of functions) yield* sql`DROP FUNCTION IF EXISTS ${sql.literal(name)} CASCADE`
            for (const schema of venueSchemas) yield* sql`DROP SCHEMA IF EXISTS ${sql(schema)} CASCADE`
          }),
        { deadlineMs: databaseLimits.migrationsMs }
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die))

/** `venueSchemas`: where the practice venues of these settings keep their books. */
export const layerInstallationPg = (
  settings: Settings,
  venueSchemas: ReadonlyArray<string>
): Layer.Layer<Installation, never, Database> =>
  Layer.effect(
    Installation,
    Effect.map(Database, (database) => {
      let restricted: ReadonlyArray<RestrictedScope> = []
      return {
        adopt: Effect.tap(adopt(database, settings), (adoption) =>
          Effect.sync(() => {
            restricted = adoption.restricted
          })
        ),
        restricted: () => restricted,
        reset: reset(database, venueSchemas)
      }
    })
  )
