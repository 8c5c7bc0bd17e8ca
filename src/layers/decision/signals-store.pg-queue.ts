/**
 * The queue of undecided signals as statements: what is claimed, what has expired, how much waits.
 *
 * The queue is read in lanes, one per kind and source, because the age limit is the source's. Within a lane the index
 * orders by the moment the age counts from, so the limit is a position in it: a claim begins after that position and never
 * reads what is too old, and ending what is too old begins at the front. The lanes themselves are found by one look per
 * lane, including those of a source that is no longer configured.
 *
 * Promises: age is judged by the database's clock alone; metadata never expires; what a claim costs does not depend on
 * how much has expired; a row that another process holds is skipped, never waited for.
 * Never: decides what becomes of a claimed row.
 * Failure: errors of the SQL client pass through.
 */
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { CANARY } from "../../domain/kernel/canary.ts"
import { ageLimits, claimLimits } from "../../domain/kernel/limits-signals.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import type { Action, Direction, MarketPosition, SignalIntent } from "../../domain/signals/signal.ts"
import type { OrderType, TimeInForce } from "../../domain/signals/order-type.ts"
import type { Backlog, ExpiredSignals } from "./signals-store.port.ts"

export interface SignalRow {
  readonly id: string
  readonly seq: bigint
  readonly kind: "signal" | "metadata"
  readonly source: string
  readonly body: unknown
  readonly symbol: string | null
  readonly action: Action | null
  readonly direction: Direction | null
  readonly quantity: string | null
  readonly price: string | null
  readonly strategy: string | null
  readonly strike: string | null
  readonly expiration: string | null
  readonly intent: SignalIntent | null
  readonly position_size: string | null
  readonly market_position: MarketPosition | null
  readonly prev_market_position: MarketPosition | null
  readonly market_position_size: string | null
  readonly order_type: OrderType | null
  readonly limit_price: string | null
  readonly stop_price: string | null
  readonly time_in_force: TimeInForce | null
  readonly experiment_id: string | null
  readonly variant: string | null
  readonly attempts: number
  /** Rows that could have been claimed, at most the limit. */
  readonly open: number
  readonly received_at_ms: number
  readonly fired_at_ms: number | null
  readonly expires_from_ms: number | null
}

/** The age limits of the configured sources; one that is no longer configured has the default. */
export type SourceAges = Settings["sources"]

/** The CTE `lanes`: kind, source, and the moment before which a signal of it is too old. */
const lanes = (sql: SqlClient, sources: SourceAges): Fragment => sql`
  lane AS (
    (SELECT kind, source FROM signals WHERE status IN ('received', 'processing') ORDER BY kind, source LIMIT 1)
    UNION ALL
    SELECT next.kind, next.source FROM lane CROSS JOIN LATERAL (
      SELECT s.kind, s.source FROM signals s
      WHERE s.status IN ('received', 'processing') AND (s.kind, s.source) > (lane.kind, lane.source)
      ORDER BY s.kind, s.source LIMIT 1) AS next),
  lanes AS MATERIALIZED (
    SELECT lane.kind, lane.source, coalesce(ages.ms, ${ageLimits.signalAgeMsDefault}::int) AS age_ms,
      CASE lane.kind WHEN 'signal' THEN hf_now() - coalesce(ages.ms, ${ageLimits.signalAgeMsDefault}::int) * interval '1 millisecond'
        ELSE '-infinity'::timestamptz END AS cutoff
    FROM lane LEFT JOIN unnest(${Object.keys(sources)}::text[],
      ${Object.values(sources).map(({ ageMaxMs }) => ageMaxMs)}::int[]) AS ages (source, ms) ON ages.source = lane.source)`

/**
 * A row that was claimed before and not decided may be what killed its decider, so it is claimed alone: a batch would
 * make all its rows suspect each time, and dead-letter innocent ones after a few consecutive crashes. The locking CTE is
 * materialized: a plan that ran it twice would lock more rows than it claims. The ids go through an array, because a
 * join by a badly estimated CTE reads the whole table.
 */
export const claimRows = (
  sql: SqlClient,
  sources: SourceAges,
  token: string,
  limit: number
) => sql<SignalRow>`
  WITH RECURSIVE quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS mode),
  ${lanes(sql, sources)},
  open AS MATERIALIZED (
    SELECT fresh.id, fresh.seq, fresh.attempts FROM lanes CROSS JOIN LATERAL (
      SELECT s.id, s.seq, s.attempts FROM signals s
      WHERE s.status IN ('received', 'processing') AND s.kind = lanes.kind AND s.source = lanes.source
        AND coalesce(s.expires_from, s.received_at) >= lanes.cutoff AND (s.status = 'received' OR s.lease_until < hf_now())
      ORDER BY coalesce(s.expires_from, s.received_at), s.seq LIMIT ${limit}::int FOR UPDATE SKIP LOCKED) AS fresh
    ORDER BY fresh.seq LIMIT ${limit}::int),
  ranked AS (
    SELECT id, row_number() OVER oldest AS place, count(*) FILTER (WHERE attempts > 0) OVER oldest AS suspects
    FROM open WINDOW oldest AS (ORDER BY seq)),
  picked AS MATERIALIZED (SELECT id FROM ranked WHERE suspects = 0 OR place = 1)
  UPDATE signals s SET status = 'processing', claim = ${token}::uuid, attempts = s.attempts + 1,
    lease_until = hf_now() + ${claimLimits.leaseMs}::int * interval '1 millisecond'
  WHERE s.id = ANY (ARRAY (SELECT picked.id FROM picked, quick WHERE quick.mode = 'off'))
  RETURNING s.id, s.seq, s.kind, s.source, CASE WHEN s.kind = 'metadata' THEN s.body END AS body, s.symbol, s.action, s.direction,
    s.quantity, s.price, s.strategy, s.strike, to_char(s.expiration, 'YYYY-MM-DD') AS expiration, s.intent, s.position_size,
    s.market_position, s.prev_market_position, s.market_position_size, s.order_type, s.limit_price, s.stop_price,
    s.time_in_force, s.experiment_id, s.variant,
    s.attempts, (SELECT count(*)::int FROM open) AS open,
    (extract(epoch FROM s.received_at) * 1000)::float8 AS received_at_ms,
    (extract(epoch FROM s.fired_at) * 1000)::float8 AS fired_at_ms,
    (extract(epoch FROM s.expires_from) * 1000)::float8 AS expires_from_ms`

/**
 * Ends what is too old, oldest first, with the decision the planner would have made, and the facts that it would have made it
 * from: signal and clock, to the millisecond. It waits for no disk: a rejection that a server crash loses is made again by the
 * next pass.
 */
export const expireRows = (
  sql: SqlClient,
  { sources, version }: { readonly sources: SourceAges; readonly version: string },
  limit: number
) => sql<ExpiredSignals>`
  WITH RECURSIVE quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS mode),
  ${lanes(sql, sources)},
  expired AS MATERIALIZED (
    SELECT old.id FROM lanes CROSS JOIN LATERAL (
      SELECT s.id FROM signals s
      WHERE s.status IN ('received', 'processing') AND s.kind = lanes.kind AND s.source = lanes.source
        AND coalesce(s.expires_from, s.received_at) < lanes.cutoff AND (s.status = 'received' OR s.lease_until < hf_now())
      ORDER BY coalesce(s.expires_from, s.received_at), s.seq LIMIT ${limit}::int FOR UPDATE SKIP LOCKED) AS old
    LIMIT ${limit}::int),
  ended AS (
    UPDATE signals s SET status = 'rejected', reason = 'too_old', decided_at = hf_now(), claim = NULL, lease_until = NULL
    WHERE s.id = ANY (ARRAY (SELECT expired.id FROM expired, quick WHERE quick.mode = 'off'))
    RETURNING s.*, round(extract(epoch FROM coalesce(s.expires_from, s.received_at)) * 1000) AS from_ms,
      -- Up: an age that is beyond the limit by less than a millisecond is beyond it in the facts as well.
      ceil(extract(epoch FROM hf_now() - coalesce(s.expires_from, s.received_at)) * 1000) AS age_ms),
  decision AS (
    INSERT INTO decisions (signal_id, engine, experiment_id, variant, outcome, reason, checks, facts, settings_version)
    SELECT ended.id, 'A', coalesce(ended.experiment_id, 'none'), coalesce(ended.variant, 'A'), 'denied', 'too_old',
      jsonb_build_array(jsonb_build_object('strategy', NULL, 'account', NULL, 'leg', NULL, 'check', 'age', 'ok', false,
        'code', 'too_old', 'numbers', jsonb_build_object('age_ms', ended.age_ms, 'limit_ms', lanes.age_ms))),
      jsonb_build_object('v', 1, 'nowMs', ended.from_ms + ended.age_ms, 'mayDefer', false, 'settings', ${version}::text,
        'signal', jsonb_strip_nulls(jsonb_build_object('id', ended.id, 'source', ended.source, 'symbol', ended.symbol,
          'action', ended.action, 'direction', ended.direction, 'quantity', ended.quantity::text, 'price', ended.price::text,
          'strategy', ended.strategy, 'strike', ended.strike::text, 'expiration', to_char(ended.expiration, 'YYYY-MM-DD'),
          'intent', ended.intent, 'positionSize', ended.position_size::text, 'marketPosition', ended.market_position,
          'prevMarketPosition', ended.prev_market_position, 'marketPositionSize', ended.market_position_size::text,
          'orderType', ended.order_type, 'limitPrice', ended.limit_price::text, 'stopPrice', ended.stop_price::text,
          'timeInForce', ended.time_in_force,
          'experimentId', ended.experiment_id, 'variant', ended.variant, 'expiresFromMs', ended.from_ms)),
        'quotes', '{}'::jsonb, 'accounts', '{}'::jsonb, 'figures', '{}'::jsonb, 'trading', '{}'::jsonb), ${version}
    FROM ended JOIN lanes ON lanes.kind = 'signal' AND lanes.source = ended.source)
  SELECT source, count(*)::int AS count, max(age_ms)::float8 AS "oldestMs",
    (array_agg(id::text ORDER BY age_ms DESC))[1] AS "oldestId"
  FROM ended GROUP BY source ORDER BY source`

/**
 * What waits. The oldest of a lane is its first by age. It has waited since it was stored, a signal of a feed since its
 * wave was due as well. Counting stops where more would only be a larger number.
 */
export const backlogRow = (sql: SqlClient, sources: SourceAges) => sql<Backlog>`
  WITH RECURSIVE ${lanes(sql, sources)},
  lines AS (SELECT * FROM lanes WHERE source <> ${CANARY})
  SELECT (SELECT count(*)::int FROM lines AS lanes CROSS JOIN LATERAL (
      SELECT FROM signals s
      WHERE s.status IN ('received', 'processing') AND s.kind = lanes.kind AND s.source = lanes.source
      ORDER BY coalesce(s.expires_from, s.received_at), s.seq LIMIT ${claimLimits.backlogCountMax}::int) AS waiting) AS open,
    coalesce((SELECT max(greatest(extract(epoch FROM hf_now() - first.since) * 1000, 0)) FROM lines AS lanes CROSS JOIN LATERAL (
      SELECT CASE WHEN s.wave IS NULL THEN s.received_at ELSE greatest(s.received_at, s.expires_from) END AS since FROM signals s
      WHERE s.status IN ('received', 'processing') AND s.kind = lanes.kind AND s.source = lanes.source
      ORDER BY coalesce(s.expires_from, s.received_at), s.seq LIMIT 1) AS first), 0)::float8 AS "oldestMs",
    (SELECT count(*)::int FROM lines AS lanes CROSS JOIN LATERAL (
      SELECT FROM signals s
      WHERE s.status IN ('received', 'processing') AND s.kind = lanes.kind AND s.source = lanes.source
        AND coalesce(s.expires_from, s.received_at) < lanes.cutoff
      ORDER BY coalesce(s.expires_from, s.received_at), s.seq LIMIT ${claimLimits.expireMax}::int) AS old) AS expired,
    (SELECT count(*)::int FROM (SELECT FROM dead_letters d WHERE d.replayed_at IS NULL
      ORDER BY d.seq LIMIT ${claimLimits.backlogCountMax}::int) AS letters) AS dead,
    EXISTS (SELECT FROM lane) AS waiting`
