/**
 * What the server of the database says of itself: sizes, sessions, and who waits for a lock of whom.
 *
 * Who looks at this may do so because a table is locked, and to ask for the size of a table waits for its lock. So sizes come last, in a
 * transaction of their own that waits for hardly anything, and are left out where one has to be waited for.
 *
 * Promises: statements on the catalog, which need no extension and no right beyond those of the service; a table that others add is named
 * with its schema.
 * Never: shows the text of a statement of somebody else; waits for a lock for longer than `readLimits.sizeLockMs`; writes.
 * Failure: `DatabaseUnavailable`.
 */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { DatabaseService } from "../database/database.port.ts"
import { readLimits } from "../platform/http-limits.ts"
import { jsonItem } from "./read-rows.pg.ts"
import type { Item, ServerLook } from "./read-store.port.ts"

const wholeOf = (sql: SqlClient) => sql<Item>`
  SELECT current_setting('server_version') AS version, pg_database_size(current_database())::float8 AS bytes,
    (SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database()) AS sessions,
    current_setting('max_connections')::int AS sessions_max`

/** Blockers are asked for of those alone that wait: to ask holds up the server's lock manager. */
const waitsOf = (sql: SqlClient) => sql<Item>`
  SELECT pid, application_name AS application, wait_event AS waits_for, query_start AS since,
    to_json(pg_blocking_pids(pid)) AS blocked_by
  FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
  ORDER BY query_start, pid LIMIT ${readLimits.waitsMax}`

const tablesOf = (sql: SqlClient) => sql<Item>`
  SELECT c.oid::regclass::text AS "table", pg_total_relation_size(c.oid)::float8 AS bytes,
    pg_indexes_size(c.oid)::float8 AS index_bytes, greatest(c.reltuples, 0)::float8 AS rows_about
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  ORDER BY pg_total_relation_size(c.oid) DESC NULLS LAST, c.oid LIMIT ${readLimits.tablesMax}`

export const serverOf = (database: DatabaseService) =>
  Effect.gen(function* () {
    const { waits, whole } = yield* database.run(
      "read.database",
      (sql) =>
        Effect.gen(function* () {
          const [first] = yield* wholeOf(sql)
          return { whole: first ?? {}, waits: yield* waitsOf(sql) }
        }),
      { deadlineMs: readLimits.queryMs / 2 }
    )
    const tables = yield* database
      .transact(
        "read.database_sizes",
        (sql) =>
          Effect.andThen(
            sql`SELECT set_config('lock_timeout', ${String(readLimits.sizeLockMs)}, true)`,
            tablesOf(sql)
          ),
        { deadlineMs: readLimits.queryMs / 2 }
      )
      .pipe(
        Effect.catchIf(
          (error) => error._tag === "DatabaseUnavailable" && error.reason === "contention",
          () => Effect.succeed(null)
        )
      )
    const look: ServerLook = {
      ...jsonItem(whole),
      tables: tables?.map(jsonItem) ?? null,
      waits: waits.map(jsonItem)
    }
    return look
  })
