/**
 * A backlog of signals that are too old to trade, written by the database itself.
 *
 * Promises: any number of rows as the intake stores them, in statements short enough for the service's own limits.
 * Never: decides anything; the rows' source and age are the test's.
 */
import { Effect } from "effect"
import type { DatabaseService } from "../../src/layers/database/database.port.ts"

const partRows = 10_000

/** Inserts `count` signals of `source`, each older than the one before it by nothing and than `ageMs` by a little. */
export const insertStale = (
  database: DatabaseService,
  count: number,
  given: { readonly source?: string; readonly ageMs?: number } = {}
) => {
  const { ageMs = 7_200_000, source = "default" } = given
  const parts = Array.from({ length: Math.ceil(count / partRows) }, (_, index) => index * partRows)
  return Effect.forEach(
    parts,
    (from) =>
      database.run(
        "test.stale",
        (sql) => sql`
          INSERT INTO signals (id, kind, source, identity, identity_kind, body_hash, body, symbol, direction, timeframe,
            fired_at, expires_from, request_id, answer, received_at)
          SELECT md5(${source}::text || n)::uuid, 'signal', ${source}::text, 'stale-' || n, 'explicit', 'h', '{"symbol":"SPY"}',
            'SPY', 'LONG', '5m', at, at, 'r', '{"status":"ACCEPTED"}', at
          FROM generate_series(${from + 1}::int, ${Math.min(from + partRows, count)}::int) AS n,
            LATERAL (SELECT now() - ${ageMs}::int * interval '1 millisecond' + n * interval '1 microsecond' AS at) AS moment`
      ),
    { discard: true }
  )
}
