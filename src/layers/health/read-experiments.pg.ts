/**
 * How engines compare (D9, G5): what the signals of each came to, and what a shadow would have made of them.
 *
 * The profit of an engine is that of the closes of shares which its signals opened; who closed them, a rule, an operator or another
 * signal, does not matter. A shadow engine orders nothing, so what is known of it is what it would have kept or left of these; what a
 * shadow strategy filled on paper is counted apart, to the engine that decided the signal which opened it.
 *
 * Promises: one statement; the newest decisions of the span, `experimentSignalsMax` at most.
 * Never: counts the canary (T9); writes.
 * Failure: `DatabaseUnavailable`.
 */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { CANARY } from "../../domain/kernel/canary.ts"
import type { DatabaseService } from "../database/database.port.ts"
import { readLimits } from "../platform/http-limits.ts"
import { jsonItem } from "./read-rows.pg.ts"
import type { ExperimentSpan, Item } from "./read-store.port.ts"

/** With fewer closes the spread of their profit says nothing. */
const INTERVAL_CLOSES_MIN = 5
/** Standard errors on both sides of a mean, for 95 percent. */
const NORMAL_95 = 1.96

const query = (sql: SqlClient, { from, strategy, to }: ExperimentSpan) => sql<Item>`
  WITH span AS MATERIALIZED (
    SELECT d.signal_id, d.experiment_id, d.engine, d.outcome, d.shadow
    FROM decisions d JOIN signals s ON s.id = d.signal_id
    WHERE s.source <> ${CANARY} AND d.experiment_id <> 'none' AND ${sql.and([
      sql`true`,
      ...(from === null ? [] : [sql`s.received_at >= ${from}::timestamptz`]),
      ...(to === null ? [] : [sql`s.received_at < ${to}::timestamptz`]),
      ...(strategy === null ? [] : [sql`d.experiment_id = ${strategy}`])
    ])}
    ORDER BY s.seq DESC LIMIT ${readLimits.experimentSignalsMax}::int),
  decided AS (
    SELECT experiment_id, engine, count(*)::int AS signals,
      count(*) FILTER (WHERE outcome = 'ordered')::int AS ordered, count(*) FILTER (WHERE outcome = 'held')::int AS held,
      count(*) FILTER (WHERE outcome = 'denied')::int AS denied, count(*) FILTER (WHERE outcome = 'ignored')::int AS ignored
    FROM span GROUP BY experiment_id, engine),
  made AS (
    SELECT span.experiment_id, span.engine, count(*)::int AS orders FROM span JOIN orders o ON o.signal_id = span.signal_id
    WHERE o.status <> 'denied' GROUP BY span.experiment_id, span.engine),
  shades AS MATERIALIZED (
    SELECT span.signal_id, span.experiment_id, span.engine, one ->> 'engine' AS shadow, one ->> 'would' AS would,
      EXISTS (SELECT FROM orders o WHERE o.signal_id = span.signal_id AND o.account = one ->> 'account'
        AND o.strategy = one ->> 'strategy' AND o.leg = (one ->> 'leg')::int AND o.status <> 'denied') AS real
    FROM span CROSS JOIN LATERAL jsonb_array_elements(span.shadow) AS one),
  compared AS (
    SELECT experiment_id, engine, shadow, count(*) FILTER (WHERE would <> 'unknown')::int AS orders,
      count(*) FILTER (WHERE would <> 'unknown' AND (would = 'order') = real)::int AS agreed,
      count(*) FILTER (WHERE would = 'deny' AND real)::int AS only_deciding,
      count(*) FILTER (WHERE would = 'order' AND NOT real)::int AS only_shadow,
      count(*) FILTER (WHERE would = 'unknown')::int AS unknown
    FROM shades GROUP BY experiment_id, engine, shadow),
  closing AS MATERIALIZED (
    SELECT span.signal_id, span.experiment_id, span.engine, c.profit
    FROM span JOIN LATERAL (SELECT DISTINCT l.order_id, l.strategy FROM trade_strategy_link l
        WHERE l.opened_by = span.signal_id AND l.order_id IS NOT NULL) AS l ON true
      JOIN closes c ON c.cause = l.order_id AND c.strategy = l.strategy),
  gained AS (
    SELECT experiment_id, engine, count(*)::int AS closes, sum(profit) AS pnl, avg(profit)::float8 AS mean,
      (${NORMAL_95}::float8 * stddev_samp(profit)::float8 / sqrt(count(*))) AS around
    FROM closing GROUP BY experiment_id, engine),
  papered AS (
    SELECT span.experiment_id, span.engine, count(p.profit)::int AS closes, coalesce(sum(p.profit), 0) AS pnl, sum(p.fee) AS fees
    FROM span JOIN paper_trades p ON p.opened_by = span.signal_id GROUP BY span.experiment_id, span.engine),
  kept AS (
    SELECT closing.experiment_id, closing.engine, judged.shadow, sum(closing.profit) AS pnl FROM closing
      JOIN (SELECT DISTINCT signal_id, shadow FROM shades WHERE would = 'order') AS judged ON judged.signal_id = closing.signal_id
    GROUP BY closing.experiment_id, closing.engine, judged.shadow)
  SELECT d.experiment_id, d.engine, d.signals, d.ordered, d.held, d.denied, d.ignored, coalesce(m.orders, 0) AS orders,
    coalesce(g.closes, 0) AS closes, trim_scale(coalesce(g.pnl, 0))::text AS pnl, g.mean AS pnl_mean,
    CASE WHEN g.closes >= ${INTERVAL_CLOSES_MIN}::int THEN g.mean - g.around END AS pnl_low,
    CASE WHEN g.closes >= ${INTERVAL_CLOSES_MIN}::int THEN g.mean + g.around END AS pnl_high,
    coalesce(p.closes, 0) AS paper_closes, trim_scale(coalesce(p.pnl, 0))::text AS paper_pnl,
    trim_scale(coalesce(p.fees, 0))::text AS paper_fees,
    CASE WHEN c.shadow IS NOT NULL THEN jsonb_build_object('engine', c.shadow, 'orders', c.orders, 'agreed', c.agreed,
      'agreement', c.agreed::float8 / nullif(c.orders, 0), 'only_deciding', c.only_deciding, 'only_shadow', c.only_shadow,
      'unknown', c.unknown, 'pnl', trim_scale(coalesce(k.pnl, 0))::text) END AS shadow
  FROM decided d LEFT JOIN made m USING (experiment_id, engine) LEFT JOIN gained g USING (experiment_id, engine)
    LEFT JOIN papered p USING (experiment_id, engine)
    LEFT JOIN compared c USING (experiment_id, engine)
    LEFT JOIN kept k ON k.experiment_id = d.experiment_id AND k.engine = d.engine AND k.shadow = c.shadow
  ORDER BY d.experiment_id, d.engine, c.shadow`

/** One row per strategy, engine and shadow that it had. */
export const experimentsOf = (database: DatabaseService) => (span: ExperimentSpan) =>
  database.run("read.experiments", (sql) => Effect.map(query(sql, span), (rows) => rows.map(jsonItem)), {
    deadlineMs: readLimits.queryMs
  })
