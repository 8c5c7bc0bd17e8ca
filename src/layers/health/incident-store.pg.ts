/**
 * Incident store on PostgreSQL: some counts and lists over a span, one statement each.
 *
 * Promises: as the port; each statement is bounded by the span, its rows and its deadline.
 * Never: locks a row.
 * Failure: `DatabaseUnavailable` is the caller's 503.
 */
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"
import { invariant } from "../../domain/kernel/invariant.ts"
import { incidentLimits } from "../../domain/kernel/limits-kept.ts"
import { Database } from "../database/database.port.ts"
import { Instance } from "../platform/instance.port.ts"
import { IncidentStore, type Section } from "./incident-store.port.ts"
import { jsonItem } from "./read-rows.pg.ts"
import type { Item } from "./read-store.port.ts"

interface Span {
  readonly from: Fragment
  readonly to: Fragment
}

const spanOf = (sql: SqlClient, fromMs: number, toMs: number): Span => ({
  from: sql`to_timestamp(${fromMs}::float8 / 1000)`,
  to: sql`to_timestamp(${toMs}::float8 / 1000)`
})

/** How many rows have each word. `rows` selects `word`. */
const counted = (sql: SqlClient, rows: Fragment): Effect.Effect<Record<string, number>, SqlError> =>
  Effect.map(
    sql<{ readonly word: string; readonly count: number }>`
      SELECT word, count(*)::int AS count FROM (${rows}) AS r GROUP BY word ORDER BY word`,
    (found) => Object.fromEntries(found.map(({ count, word }) => [word, count]))
  )

/** The first rows. `rows` is what follows `SELECT`, up to its order. */
const section = (
  sql: SqlClient,
  columns: string,
  rows: Fragment,
  order: string
): Effect.Effect<Section, SqlError> =>
  Effect.map(
    sql<Item & { readonly total: number }>`
      SELECT ${sql.literal(columns)}, count(*) OVER ()::int AS total ${rows}
      ORDER BY ${sql.literal(order)} LIMIT ${incidentLimits.rowsMax}::int`,
    (found) => ({
      total: found[0]?.total ?? 0,
      rows: found.map((row) =>
        jsonItem(Object.fromEntries(Object.entries(row).filter(([name]) => name !== "total")))
      )
    })
  )

/** One process that recorded something on both sides of an edge is one life. */
const aliveIn = (sql: SqlClient, node: string, { from, to }: Span) =>
  sql<{ readonly boot: string; readonly fromMs: number; readonly toMs: number }>`
    WITH told AS (
      SELECT boot, number, at FROM actor_events
      WHERE at >= ${from} AND at < ${to} AND node = ${node} AND number IS NOT NULL
      UNION ALL (SELECT boot, number, at FROM actor_events
        WHERE at < ${from} AND node = ${node} AND number IS NOT NULL ORDER BY at DESC, number DESC LIMIT 1)
      UNION ALL (SELECT boot, number, at FROM actor_events
        WHERE at >= ${to} AND node = ${node} AND number IS NOT NULL ORDER BY at, number LIMIT 1))
    SELECT boot::text AS boot, (extract(epoch FROM min(at)) * 1000)::float8 AS "fromMs",
      (extract(epoch FROM max(at)) * 1000)::float8 AS "toMs"
    FROM told GROUP BY boot ORDER BY min(number)`

const countsIn = (sql: SqlClient, { from, to }: Span) =>
  Effect.all({
    signals: counted(
      sql,
      sql`SELECT status AS word FROM signals
        WHERE received_at >= ${from} AND received_at < ${to} AND kind = 'signal' AND source <> 'canary'`
    ),
    orders: counted(
      sql,
      sql`SELECT status AS word FROM orders
        WHERE created_at >= ${from} AND created_at < ${to} AND source <> 'canary'`
    ),
    fills: Effect.map(
      sql<{ readonly count: number }>`SELECT count(*)::int AS count FROM trade_records
        WHERE recorded_at >= ${from} AND recorded_at < ${to} AND source <> 'canary'`,
      ([row]) => row?.count ?? 0
    ),
    refused: counted(
      sql,
      sql`SELECT reason AS word FROM refused_posts WHERE received_at >= ${from} AND received_at < ${to}`
    ),
    waves: counted(sql, sql`SELECT status AS word FROM waves WHERE due_at >= ${from} AND due_at < ${to}`)
  })

const sectionsIn = (sql: SqlClient, { from, to }: Span) =>
  Effect.all({
    lateWaves: section(
      sql,
      `feed, wave, due_at, status, late, successful, failed, skipped, duration_ms, lost_ms::float8 AS lost_ms, reason`,
      sql`FROM waves WHERE due_at >= ${from} AND due_at < ${to} AND (late OR status = 'missed')`,
      "due_at, feed"
    ),
    unordered: section(
      sql,
      `id, source, symbol, action, status, reason, received_at, decided_at`,
      sql`FROM signals s WHERE received_at >= ${from} AND received_at < ${to} AND kind = 'signal'
        AND source <> 'canary' AND NOT EXISTS (SELECT FROM orders o WHERE o.signal_id = s.id AND o.sent_at IS NOT NULL)`,
      "received_at, seq"
    ),
    alerts: section(
      sql,
      `id, severity, kind, message, component, occurrences, first_at, last_at, resolved_at, resolved_by, acknowledged_at`,
      sql`FROM alerts WHERE first_at < ${to} AND greatest(last_at, coalesce(resolved_at, last_at)) >= ${from}`,
      "first_at, seq"
    ),
    audit: section(
      sql,
      `id, command, scope, by, means, reason, result, result_reason, begun_at, completed_at`,
      sql`FROM audit WHERE begun_at >= ${from} AND begun_at < ${to}`,
      "begun_at, seq"
    )
  })

export const incidentStorePg: Layer.Layer<IncidentStore, never, Database | Instance> = Layer.effect(
  IncidentStore,
  Effect.gen(function* () {
    const database = yield* Database
    const instance = yield* Instance
    const node = (): string => {
      const identity = instance.current()
      invariant(identity !== null, "DATA_DIR is held before there is a database")
      return identity.nodeId
    }
    const options = { deadlineMs: incidentLimits.queryMsMax }
    return IncidentStore.of({
      read: (fromMs, toMs) =>
        Effect.gen(function* () {
          const alive = yield* database.run(
            "incident.alive",
            (sql) => aliveIn(sql, node(), spanOf(sql, fromMs, toMs)),
            options
          )
          const counts = yield* database.run(
            "incident.counts",
            (sql) => countsIn(sql, spanOf(sql, fromMs, toMs)),
            options
          )
          const sections = yield* database.run(
            "incident.sections",
            (sql) => sectionsIn(sql, spanOf(sql, fromMs, toMs)),
            options
          )
          return { alive, ...counts, ...sections }
        })
    })
  })
)
