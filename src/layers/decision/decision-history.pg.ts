/**
 * DecisionHistory on PostgreSQL.
 *
 * A span is found by the index of the times of receipt, which yields its first and last number; within these a page is read by
 * number, so that a page of a year costs what a page of an hour does.
 *
 * Promises: decimals stay text; one statement per page.
 * Never: writes.
 * Failure: `DatabaseUnavailable`.
 */
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { KeptOrder, StoredDecision } from "../../domain/decision/decision-replay.ts"
import type { Facts } from "../../domain/decision/facts.ts"
import type { RecordedCheck } from "../../domain/decision/plan-step.ts"
import { CANARY } from "../../domain/kernel/canary.ts"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { decisionReplayLimits } from "../../domain/kernel/limits-replay.ts"
import { Database } from "../database/database.port.ts"
import { DecisionHistory, type DecisionSpan } from "./decision-history.port.ts"

interface Row {
  readonly seq: bigint
  readonly signal_id: string
  readonly decided_at_ms: number
  readonly engine: string
  readonly experiment_id: string
  readonly variant: string
  readonly outcome: string
  readonly reason: string | null
  readonly checks: ReadonlyArray<RecordedCheck>
  readonly facts: Facts | null
  readonly orders: ReadonlyArray<KeptOrder>
}

const pageOf = (
  sql: SqlClient,
  { fromMs, source, toMs }: DecisionSpan,
  after: bigint | null,
  limit: number
) => sql<Row>`
  WITH span AS MATERIALIZED (
    SELECT min(seq) AS first, max(seq) AS last FROM signals
    WHERE received_at >= ${isoOf(fromMs)}::timestamptz AND received_at < ${isoOf(toMs)}::timestamptz)
  SELECT s.seq, d.signal_id, (extract(epoch FROM d.decided_at) * 1000)::float8 AS decided_at_ms, d.engine, d.experiment_id,
    d.variant, d.outcome, d.reason, d.checks, d.facts,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('account', o.account, 'strategy', o.strategy, 'leg', o.leg,
        'intent', o.intent, 'sizing', o.sizing, 'symbol', o.symbol, 'side', o.side, 'wanted', o.wanted::text)
        ORDER BY o.seq), '[]')
      FROM orders o WHERE o.signal_id = d.signal_id) AS orders
  FROM signals s JOIN decisions d ON d.signal_id = s.id
  WHERE s.seq > greatest(${after === null ? "0" : String(after)}::bigint, (SELECT first - 1 FROM span))
    AND s.seq <= (SELECT last FROM span)
    AND s.received_at >= ${isoOf(fromMs)}::timestamptz AND s.received_at < ${isoOf(toMs)}::timestamptz
    AND s.source = coalesce(${source}::text, s.source) AND s.source <> ${CANARY}
  ORDER BY s.seq LIMIT ${limit}::int`

const storedOf = (row: Row): StoredDecision => ({
  signalId: row.signal_id,
  decidedAtMs: row.decided_at_ms,
  engine: row.engine,
  experimentId: row.experiment_id,
  variant: row.variant,
  outcome: row.outcome,
  reason: row.reason,
  checks: row.checks,
  orders: row.orders,
  facts: row.facts
})

export const decisionHistoryPg: Layer.Layer<DecisionHistory, never, Database> = Layer.effect(
  DecisionHistory,
  Effect.map(Database, (database) =>
    DecisionHistory.of({
      page: (span, after, limit) =>
        database
          .run("decisions.page", (sql) => pageOf(sql, span, after, limit), {
            deadlineMs: decisionReplayLimits.readMsMax
          })
          .pipe(
            Effect.map((rows) => ({
              decisions: rows.map(storedOf),
              next: rows.length < limit ? null : (rows.at(-1)?.seq ?? null)
            }))
          )
    })
  )
)
