/**
 * How many fills are linked to what caused them (A4).
 *
 * Promises: the canary is in no figure (T9).
 * Never: writes.
 * Failure: `DatabaseUnavailable`, also when a count over all fills takes longer than a read may.
 */
import { Effect } from "effect"
import type { DatabaseService } from "../database/database.port.ts"
import { readLimits } from "../platform/http-limits.ts"
import type { Linkage } from "./read-store.port.ts"

const options = { deadlineMs: readLimits.queryMs }

export const linkageOf = (database: DatabaseService) =>
  database.run(
    "read.linkage",
    (sql) =>
      sql<{ readonly ours: number; readonly linked: number; readonly external: number }>`
        SELECT count(*) FILTER (WHERE t.source <> 'external')::int AS ours,
          count(l.trade_record_id) FILTER (WHERE t.source <> 'external')::int AS linked,
          count(*) FILTER (WHERE t.source = 'external')::int AS external
        FROM trade_records t LEFT JOIN trade_strategy_link l ON l.trade_record_id = t.id
        WHERE t.source <> 'canary'`.pipe(
        Effect.map(([row]): Linkage => {
          const { external = 0, linked = 0, ours = 0 } = row ?? {}
          return { ours, linked, rate: ours === 0 ? null : linked / ours, external }
        })
      ),
    options
  )
