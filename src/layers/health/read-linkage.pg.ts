/**
 * How many fills are linked to what caused them (A4).
 *
 * Promises: the canary is in no figure (T9).
 * Never: writes.
 * Failure: `DatabaseUnavailable`, also when a count over all fills takes longer than a read may.
 */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { RecentLinkage } from "../../domain/health/health.ts"
import { ageLimits } from "../../domain/kernel/limits-signals.ts"
import { linkageLimits } from "../../domain/kernel/limits-kept.ts"
import type { DatabaseService } from "../database/database.port.ts"
import { readLimits } from "../platform/http-limits.ts"
import type { Linkage, ReadStoreService } from "./read-store.port.ts"

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

/** A link of a fill may still get its metadata for this long, so it is not counted as without. */
const settled = (sql: SqlClient) =>
  sql`t.recorded_at < hf_now() - ${ageLimits.linkWindowMs}::int * interval '1 millisecond'`

export const recentLinkageOf =
  (database: DatabaseService): ReadStoreService["recentLinkage"] =>
  (withMetadata) =>
    database.run(
      "read.recent_linkage",
      (sql) =>
        Effect.map(
          sql<Omit<RecentLinkage, "coverage" | "rate">>`
            SELECT count(*)::int AS ours, count(l.trade_record_id)::int AS linked,
              (count(*) FILTER (WHERE s.id IS NOT NULL AND ${settled(sql)}))::int AS "metadataExpected",
              (count(l.snapshot_id) FILTER (WHERE s.id IS NOT NULL AND ${settled(sql)}))::int AS "withMetadata"
            FROM (SELECT * FROM trade_records WHERE source NOT IN ('external', 'canary')
                ORDER BY seq DESC LIMIT ${linkageLimits.fillsMax}) AS t
              LEFT JOIN trade_strategy_link l ON l.trade_record_id = t.id
              LEFT JOIN orders o ON o.id = t.order_id
              LEFT JOIN signals s ON s.id = o.signal_id AND s.source = ANY (${[...withMetadata]}::text[])`,
          ([row]): RecentLinkage => {
            const { linked = 0, metadataExpected = 0, ours = 0, withMetadata: covered = 0 } = row ?? {}
            return {
              ours,
              linked,
              rate: ours === 0 ? null : linked / ours,
              metadataExpected,
              withMetadata: covered,
              coverage: metadataExpected === 0 ? null : covered / metadataExpected
            }
          }
        ),
      options
    )
