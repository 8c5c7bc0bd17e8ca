/**
 * Since which settings flags are as they are (11.7).
 *
 * Promises: one statement; only the changes of the node that runs under the version in force count, `CHANGES_MAX` at most: copies
 * of an installation may run under settings of their own.
 * Never: decides whether a flag is on.
 * Failure: `DatabaseUnavailable`.
 */
import { Effect } from "effect"
import type { FlagLine } from "../../domain/kernel/flags.ts"
import type { DatabaseService } from "../database/database.port.ts"
import { readLimits } from "../platform/http-limits.ts"
import { jsonItem } from "./read-rows.pg.ts"
import type { Item } from "./read-store.port.ts"

/** Changes of settings that are looked through, the latest. */
const CHANGES_MAX = 500

/** The lines in their order, each with the version and the time since which it has been so; null where none is stored. */
export const flagsOf = (database: DatabaseService) => (version: string, lines: ReadonlyArray<FlagLine>) =>
  database.run(
    "read.flags",
    (sql) =>
      Effect.map(
        sql<Item>`
            WITH changes AS MATERIALIZED (
              SELECT c.seq, c.version, c.at, v.settings FROM settings_changes c JOIN settings_versions v ON v.version = c.version
              WHERE c.node = (SELECT n.node FROM settings_changes n WHERE n.version = ${version} ORDER BY n.seq DESC LIMIT 1)
              ORDER BY c.seq DESC LIMIT ${CHANGES_MAX}::int),
            asked AS (
              SELECT l.nth, l.path, l.on, l.is_set FROM jsonb_to_recordset(${JSON.stringify(
                lines.map(({ isSet, on, path }, nth) => ({ nth, path, on, is_set: isSet }))
              )}::text::jsonb) AS l (nth int, path text[], "on" boolean, is_set boolean))
            SELECT since.version AS settings_version, since.at AS since
            FROM asked LEFT JOIN LATERAL (
              SELECT c.version, c.at FROM changes c
              WHERE c.seq > coalesce((SELECT max(o.seq) FROM changes o
                WHERE coalesce((o.settings -> 'flags' #>> asked.path)::boolean, true) <> asked.on), 0)
              ORDER BY c.seq LIMIT 1) AS since ON true
            ORDER BY asked.nth`,
        (rows) => rows.map(jsonItem)
      ),
    { deadlineMs: readLimits.queryMs }
  )
