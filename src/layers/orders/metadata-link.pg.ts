/**
 * Metadata link: joins what a producer reported about an order with the trade it became (A1, A2).
 *
 * Either may come first, by minutes, in different transactions of different processes. Two transactions that each
 * look for the other before the other commits would both find nothing, for good; so both sides first take the same
 * advisory locks and look in a later statement, and one of them sees the other.
 *
 * An order id decides. Only metadata that names no order is matched by symbol, side and time, to the nearest trade;
 * and it is replaced when metadata with the order's own id turns up.
 *
 * Promises: all trades of one venue order carry the same snapshot; one snapshot belongs to one venue order; linking
 * twice changes nothing.
 * Never: opens a transaction, links a trade to metadata that names another order, or touches orders and positions.
 * Failure: errors of the SQL client pass through; the caller's transaction rolls back.
 */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Metadata } from "../../domain/signals/metadata.ts"
import { ageLimits } from "../../domain/kernel/limits-signals.ts"

/** A trade as it was just stored, in the same transaction. */
export interface TradeToLink {
  readonly tradeRecordId: string
  readonly venue: string
  readonly account: string
  readonly symbol: string
  readonly side: "buy" | "sell"
  readonly orderTime: Date
  readonly venueOrderId: string
  readonly clientOrderId: string | null
}

export type MetadataMatch =
  | {
      readonly _tag: "Linked"
      readonly snapshotId: string
      readonly by: "order_id" | "window" | "same_order"
    }
  /** No metadata names its order, and none without an order fits its symbol, side and time. */
  | { readonly _tag: "NoMetadata"; readonly why: string }

/** A trade that metadata was linked to. */
export interface LinkedTrade {
  readonly tradeRecordId: string
  readonly orderId: string | null
  readonly symbol: string
  readonly by: "order_id" | "window"
}

/** What became of a snapshot that was reported. */
export type RecordedLinks =
  | { readonly _tag: "Recorded"; readonly linked: ReadonlyArray<LinkedTrade> }
  | { readonly _tag: "Known" }
  | { readonly _tag: "Taken" }

/**
 * Venues spell one pair in several ways (`ZRX-USD`, `ZRX/USD`, `ZRXUSD`): compared without case and separators. The same
 * expression is stored with each row (`pair_key`, `symbol_key`), so that both look-ups have an index.
 */
const spellingOf = (sql: SqlClient, symbol: string) =>
  sql`regexp_replace(upper(${symbol}::text), '[-/_:. ]', '', 'g')`

/** The locks both sides take, in one order for everybody. They are released with the transaction. */
const lock = (sql: SqlClient, symbol: string, orderIds: ReadonlyArray<string>) => sql`
  SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM (
    SELECT 'metadata-link.order:' || id AS name FROM unnest(${orderIds}::text[]) AS ids (id)
    UNION SELECT 'metadata-link.pair:' || ${spellingOf(sql, symbol)}
    ORDER BY name) AS names`

interface Candidate {
  readonly snapshot_id: string
  readonly signal_id: string
  readonly trigger: string
  readonly by: "order_id" | "window" | "same_order"
}

/** The snapshot a trade belongs to: by an id of its order, else that of its order's other trades, else the nearest. */
const candidateFor = (sql: SqlClient, trade: TradeToLink) => sql<Candidate>`
  (SELECT m.snapshot_id, m.signal_id, m.trigger, 'order_id' AS by, 0::float8 AS rank
    FROM signal_metadata m
    WHERE m.order_id IN (${trade.clientOrderId ?? trade.venueOrderId}, ${trade.venueOrderId})
    -- What has trades of an order keeps the order, whenever the other was received.
    ORDER BY m.linked_at NULLS LAST, m.received_at LIMIT 1)
  UNION ALL
  (SELECT m.snapshot_id, m.signal_id, m.trigger, 'same_order', 1
    FROM trade_records t
    JOIN trade_strategy_link l ON l.trade_record_id = t.id
    JOIN signal_metadata m ON m.snapshot_id = l.snapshot_id
    WHERE t.venue = ${trade.venue} AND t.account = ${trade.account} AND t.symbol = ${trade.symbol}
      AND t.venue_order_id = ${trade.venueOrderId}
    LIMIT 1)
  UNION ALL
  (SELECT m.snapshot_id, m.signal_id, m.trigger, 'window',
      2 + abs(extract(epoch FROM (m.at - ${trade.orderTime}::timestamptz)))::float8 AS distance
    FROM signal_metadata m
    WHERE m.linked_at IS NULL AND m.order_id IS NULL
      AND m.pair_key = ${spellingOf(sql, trade.symbol)}
      AND (m.side IS NULL OR m.side = ${trade.side})
      AND m.at BETWEEN ${trade.orderTime}::timestamptz - ${ageLimits.linkWindowMs}::int * interval '1 millisecond'
        AND ${trade.orderTime}::timestamptz + ${ageLimits.linkWindowMs}::int * interval '1 millisecond'
    ORDER BY distance LIMIT 1)
  ORDER BY rank LIMIT 1`

/**
 * Gives a trade its snapshot, inside the caller's transaction and after the trade, and its link row if it is ours,
 * were written. An external trade gets its link row here, with the trigger as its strategy.
 */
export const linkMetadataForOrder = Effect.fnUntraced(function* (
  sql: SqlClient,
  trade: TradeToLink
): Effect.fn.Return<MetadataMatch, SqlError> {
  const ids = trade.clientOrderId === null ? [trade.venueOrderId] : [trade.venueOrderId, trade.clientOrderId]
  yield* lock(sql, trade.symbol, ids)
  const [found] = yield* candidateFor(sql, trade)
  if (found === undefined) {
    const why = `no metadata names the order, and none without an order fits symbol, side and ${ageLimits.linkWindowMs / 1_000} s`
    return { _tag: "NoMetadata", why }
  }
  yield* sql`
    WITH linked AS (
      INSERT INTO trade_strategy_link AS link (trade_record_id, signal_id, strategy, snapshot_id, linked_by)
      VALUES (${trade.tradeRecordId}, ${found.signal_id}, ${found.trigger}, ${found.snapshot_id},
        ${found.by === "window" ? "window" : "order_id"})
      ON CONFLICT (trade_record_id) DO UPDATE SET snapshot_id = excluded.snapshot_id WHERE link.snapshot_id IS NULL)
    UPDATE signal_metadata SET linked_at = hf_now() WHERE snapshot_id = ${found.snapshot_id} AND linked_at IS NULL`
  return {
    _tag: "Linked",
    snapshotId: found.snapshot_id,
    by: found.by
  }
})

interface TradeRow {
  readonly trade_record_id: string
  readonly order_id: string | null
  readonly symbol: string
}

/** Every stored trade of the order the metadata names. */
const tradesNamed = (sql: SqlClient, orderId: string) => sql<TradeRow>`
  SELECT t.id AS trade_record_id, t.order_id, t.symbol FROM trade_records t WHERE t.client_order_id = ${orderId}
  UNION
  SELECT t.id, t.order_id, t.symbol FROM trade_records t WHERE t.venue_order_id = ${orderId}
  UNION
  SELECT t.id, t.order_id, t.symbol FROM trade_records t JOIN orders o ON o.id = t.order_id
    WHERE o.client_order_id = ${orderId}`

/** Every trade of the one venue order nearest in time that no snapshot belongs to yet. */
const tradesNear = (sql: SqlClient, metadata: Metadata, at: Date) => sql<TradeRow>`
  WITH nearest AS (
    SELECT t.venue, t.account, t.symbol, t.venue_order_id FROM trade_records t
    LEFT JOIN trade_strategy_link l ON l.trade_record_id = t.id
    WHERE l.snapshot_id IS NULL AND t.symbol_key = ${spellingOf(sql, metadata.pair)}
      AND (${metadata.side}::text IS NULL OR t.side = ${metadata.side}::text)
      AND t.order_time BETWEEN ${at}::timestamptz - ${ageLimits.linkWindowMs}::int * interval '1 millisecond'
        AND ${at}::timestamptz + ${ageLimits.linkWindowMs}::int * interval '1 millisecond'
    ORDER BY abs(extract(epoch FROM (t.order_time - ${at}::timestamptz))), t.seq LIMIT 1)
  SELECT t.id AS trade_record_id, t.order_id, t.symbol FROM trade_records t JOIN nearest n
    ON (n.venue, n.account, n.symbol, n.venue_order_id) = (t.venue, t.account, t.symbol, t.venue_order_id)`

/**
 * Stores metadata and links the trades that are there already, inside the caller's transaction. `at` is the moment
 * the metadata refers to. What it is: `Known` when the snapshot is stored already, under another signal; `Taken` when the order
 * that it names belongs to another snapshot, so that it links nothing, now or later.
 */
export const recordMetadata = Effect.fnUntraced(function* (
  sql: SqlClient,
  signalId: string,
  metadata: Metadata,
  at: Date
) {
  yield* lock(sql, metadata.pair, metadata.orderId === null ? [] : [metadata.orderId])
  const inserted = yield* sql`
    INSERT INTO signal_metadata (snapshot_id, signal_id, pair, trigger, buy_score, sell_score, order_id, side, received_at, at)
    SELECT ${metadata.snapshotId}, s.id, ${metadata.pair}, ${metadata.trigger}, ${metadata.buyScore}::float8,
      ${metadata.sellScore}::float8, ${metadata.orderId}, ${metadata.side}, s.received_at,
      coalesce(s.fired_at, s.received_at)
    FROM signals s WHERE s.id = ${signalId}
    ON CONFLICT DO NOTHING RETURNING snapshot_id`
  if (inserted.length === 0) return { _tag: "Known" } satisfies RecordedLinks
  const by = metadata.orderId === null ? "window" : "order_id"
  const trades =
    metadata.orderId === null
      ? yield* tradesNear(sql, metadata, at)
      : yield* tradesNamed(sql, metadata.orderId)
  if (trades.length === 0) return { _tag: "Recorded", linked: [] } satisfies RecordedLinks
  const ids = trades.map((trade) => trade.trade_record_id)
  // The trade may carry a guess: a snapshot without an order id, matched by time. The order's own metadata replaces
  // it, and the guessed one waits again for the order it really belongs to.
  const taken = yield* sql<{ readonly id: string }>`
    WITH guessed AS (
      SELECT DISTINCT m.snapshot_id FROM trade_strategy_link l JOIN signal_metadata m ON m.snapshot_id = l.snapshot_id
      WHERE l.trade_record_id = ANY (${ids}::uuid[]) AND m.order_id IS NULL),
    freed AS (
      UPDATE signal_metadata m SET linked_at = NULL FROM guessed g WHERE m.snapshot_id = g.snapshot_id)
    INSERT INTO trade_strategy_link AS link (trade_record_id, signal_id, strategy, snapshot_id, linked_by)
    SELECT id, ${signalId}::uuid, ${metadata.trigger}, ${metadata.snapshotId}::uuid, ${by}
    FROM unnest(${ids}::uuid[]) AS trades (id)
    ON CONFLICT (trade_record_id) DO UPDATE SET snapshot_id = excluded.snapshot_id,
      strategy = CASE WHEN link.order_id IS NULL THEN excluded.strategy ELSE link.strategy END,
      signal_id = CASE WHEN link.order_id IS NULL THEN excluded.signal_id ELSE link.signal_id END,
      linked_by = CASE WHEN link.order_id IS NULL THEN excluded.linked_by ELSE link.linked_by END
      WHERE link.snapshot_id IS NULL OR link.snapshot_id IN (SELECT snapshot_id FROM guessed)
    RETURNING link.trade_record_id AS id`
  if (taken.length === 0) return { _tag: "Taken" } satisfies RecordedLinks
  yield* sql`UPDATE signal_metadata SET linked_at = hf_now() WHERE snapshot_id = ${metadata.snapshotId}`
  const own = new Set(taken.map(({ id }) => id))
  const linked = trades
    .filter(({ trade_record_id }) => own.has(trade_record_id))
    .map(({ order_id, symbol, trade_record_id }): LinkedTrade => {
      return { tradeRecordId: trade_record_id, orderId: order_id, symbol, by }
    })
  return { _tag: "Recorded", linked } satisfies RecordedLinks
})
