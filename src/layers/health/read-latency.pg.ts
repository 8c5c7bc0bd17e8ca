/**
 * The execution ledger (G10): for each order of a signal the instants of its way, and what it cost against the quote it was
 * decided on; over a span, how they are distributed.
 *
 * The bar is when the bar or wave of the alert ended, where its sender gives that; `fired` is when the sender says that it fired. So
 * a signal has one of them. What an order was sent and acknowledged at are the first events that say so: a second send of
 * one order is a part of its latency.
 *
 * Promises: an instant that is not known is null, and no figure is made from it; slippage is per unit and positive where it cost.
 * Never: counts the canary (T9); writes.
 * Failure: `DatabaseUnavailable`, also when a span has more orders than can be read in the time a read may take.
 */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { readLimits } from "../platform/http-limits.ts"
import type { DatabaseService } from "../database/database.port.ts"
import { jsonItem } from "./read-rows.pg.ts"
import type { Item, LatencySpan, Stage } from "./read-store.port.ts"

const firstEvent = (status: string): string =>
  `(SELECT min(e.at) FROM order_events e WHERE e.order_id = o.id AND e.to_status = '${status}')`

/** The instants of signal `s`, and of order `o` of it. */
const signalInstants = `CASE WHEN s.expires_from > s.fired_at THEN s.expires_from END AS bar,
  CASE WHEN s.expires_from > s.fired_at THEN NULL ELSE s.fired_at END AS fired,
  s.received_at AS received, s.decided_at AS decided`
const orderInstants = `${firstEvent("submitting")} AS sent, ${firstEvent("acked")} AS acked,
  CASE WHEN o.status = 'filled' THEN (SELECT max(t.recorded_at) FROM trade_records t WHERE t.order_id = o.id) END AS filled`

/** The ledger as a list, one row per order of a signal; `seq` orders it. */
export const latencyLedger = {
  from: `(SELECT o.seq, o.id AS order_id, o.signal_id, s.source, o.strategy, o.account, o.venue, o.symbol, o.side, o.type, o.status,
      o.created_at, ${signalInstants}, ${orderInstants}, trim_scale(o.average_price) AS average_price,
      trim_scale(q.price) AS quoted_price,
      trim_scale(CASE o.side WHEN 'buy' THEN o.average_price - q.price ELSE q.price - o.average_price END) AS slippage
    FROM orders o JOIN signals s ON s.id = o.signal_id
      LEFT JOIN LATERAL (SELECT CASE o.side WHEN 'buy' THEN coalesce(e.ask, e.last) ELSE coalesce(e.bid, e.last) END AS price
        FROM enriched_signals e WHERE e.signal_id = s.id AND e.symbol = o.symbol) q ON true
    WHERE o.source <> 'canary') AS latency`,
  columns: `order_id, signal_id, source, strategy, account, venue, symbol, side, status,
    bar, fired, received, decided, sent, acked, filled, average_price, quoted_price, slippage`
} as const

/** An order with a price fills when the market reaches it, which says nothing of us. */
const filled = "CASE WHEN type = 'market' THEN filled END"

/** The stages of the way: from which instant to which. `bar` or `fired`, whichever a signal has. */
const stages: Readonly<Record<Stage, readonly [from: string, to: string]>> = {
  fired_to_received: ["coalesce(fired, bar)", "received"],
  received_to_decided: ["received", "decided"],
  decided_to_sent: ["decided", "sent"],
  sent_to_acked: ["sent", "acked"],
  acked_to_filled: ["acked", filled],
  received_to_filled: ["received", filled]
}

const quantilesOf = (name: string, value: string): string =>
  `percentile_cont(0.5) WITHIN GROUP (ORDER BY ${value})::float8 AS ${name}_p50,
   percentile_cont(0.99) WITHIN GROUP (ORDER BY ${value})::float8 AS ${name}_p99, count(${value})::int AS ${name}_count`

const summary = Object.entries(stages)
  .map(([name, [from, to]]) => quantilesOf(name, `(extract(epoch FROM ${to} - ${from}) * 1000)`))
  .join(", ")

const quantiles = (row: Item, name: string) => ({
  p50: row[`${name}_p50`] ?? null,
  p99: row[`${name}_p99`] ?? null,
  count: row[`${name}_count`] ?? 0
})

/** How the latest orders of a span are distributed: milliseconds by stage, slippage in basis points of the quoted price. */
export const latencyOf = (database: DatabaseService) => (span: LatencySpan) =>
  database.run(
    "read.latency",
    (sql) =>
      Effect.map(
        sql<Item>`SELECT ${sql.literal(`${summary}, ${quantilesOf("slippage", "(slippage / quoted_price * 10000)")}`)}
          FROM (SELECT * FROM ${sql.literal(latencyLedger.from)} WHERE ${sql.and([
            sql`true`,
            ...(span.from === null ? [] : [sql`created_at >= ${span.from}::timestamptz`]),
            ...(span.to === null ? [] : [sql`created_at < ${span.to}::timestamptz`]),
            ...Object.entries(span.filters).map(([name, value]) => sql`${sql.literal(name)} = ${value}`)
          ])} ORDER BY seq DESC LIMIT ${readLimits.latencyOrdersMax}) AS span`,
        ([row = {}]) => ({
          ...Object.fromEntries(Object.keys(stages).map((name) => [`${name}_ms`, quantiles(row, name)])),
          slippage_bps: quantiles(row, "slippage")
        })
      ),
    { deadlineMs: readLimits.queryMs }
  )

/** The instants of a signal and of its first order; null for what has not happened. */
export const timesOf = (sql: SqlClient, id: string) =>
  Effect.map(
    sql<Item>`SELECT ${sql.literal(`${signalInstants}, ${orderInstants}`)} FROM signals s
      LEFT JOIN LATERAL (SELECT * FROM orders WHERE signal_id = s.id ORDER BY seq LIMIT 1) o ON true WHERE s.id = ${id}::uuid`,
    ([row = {}]) => jsonItem(row)
  )
