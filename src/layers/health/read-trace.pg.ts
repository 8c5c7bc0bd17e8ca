/**
 * The whole life of a signal in one read: what it was, how it was decided, its orders, and the exits of what they opened.
 *
 * A signal that adds to a share which another one opened shares its exits with it, from its own first fill on.
 *
 * Promises: one transaction, so its parts fit together; every exit of what the signal opened or added to, whether a rule, an
 * operator or another signal closed it (E5).
 * Never: writes.
 * Failure: `DatabaseUnavailable`.
 */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Facts } from "../../domain/decision/facts.ts"
import { type Vote, votesOfFacts } from "../../domain/decision/panel.ts"
import type { DatabaseService } from "../database/database.port.ts"
import { readLimits } from "../platform/http-limits.ts"
import type { Item, Trace } from "./read-store.port.ts"
import { timesOf } from "./read-latency.pg.ts"
import { fillColumns, jsonItem, orderColumns, signalColumns } from "./read-rows.pg.ts"

const options = { deadlineMs: readLimits.queryMs }

/** Orders that closed, or are to close, what the fills of the signal opened or added to. */
const exitsOf = (sql: SqlClient, id: string) => sql<Item>`
  WITH openings AS (SELECT l.opened_by, min(l.linked_at) AS since FROM trade_strategy_link l
      WHERE l.signal_id = ${id}::uuid AND l.opened_by IS NOT NULL GROUP BY l.opened_by),
    closing AS (SELECT o.id FROM openings g JOIN orders o ON o.opened_by = g.opened_by AND o.created_at >= g.since
      UNION SELECT l.order_id FROM openings g
        JOIN trade_strategy_link l ON l.opened_by = g.opened_by AND l.linked_at >= g.since)
  SELECT ${sql.literal(orderColumns)} FROM orders
  WHERE id IN (SELECT c.id FROM closing c) AND intent = 'reduce' AND signal_id IS DISTINCT FROM ${id}::uuid ORDER BY seq`

/** What agents and endpoints said, which is a part of the facts. */
const votesIn = (facts: unknown): ReadonlyArray<Vote> => {
  const { voters = [], votes = [] } = (facts ?? {}) as Pick<Facts, "voters" | "votes">
  return votesOfFacts([...votes, ...voters])
}

/** Null when there is no such signal. */
export const readTrace = (sql: SqlClient, id: string) =>
  Effect.gen(function* () {
    const [signal] =
      yield* sql<Item>`SELECT ${sql.literal(signalColumns)}, answer FROM signals WHERE id = ${id}::uuid`
    if (signal === undefined) return null
    const [enrichment] =
      yield* sql<Item>`SELECT symbol, bid, ask, last, quoted_at, enriched_at FROM enriched_signals WHERE signal_id = ${id}::uuid`
    const [metadata] =
      yield* sql<Item>`SELECT snapshot_id, pair, trigger, buy_score, sell_score, order_id, side, received_at, linked_at
      FROM signal_metadata WHERE signal_id = ${id}::uuid`
    const [decided] =
      yield* sql<Item>`SELECT engine, experiment_id, variant, outcome, reason, checks, shadow, settings_version, decided_at, facts
      FROM decisions WHERE signal_id = ${id}::uuid`
    const { facts = null, ...decision } = decided ?? {}
    const votes = votesIn(facts)
    const orders =
      yield* sql<Item>`SELECT ${sql.literal(orderColumns)} FROM orders WHERE signal_id = ${id}::uuid ORDER BY seq`
    const exits = yield* exitsOf(sql, id)
    const fills = yield* sql<Item>`SELECT ${sql.literal(fillColumns)} FROM trade_records
      WHERE order_id = ANY (${[...orders, ...exits].map((order) => String(order["id"]))}::uuid[]) ORDER BY seq`
    // A metadata body links by its snapshot, a signal by its own id.
    const links =
      yield* sql<Item>`SELECT trade_record_id, order_id, signal_id, strategy, snapshot_id, linked_by, opened_by, linked_at
      FROM trade_strategy_link WHERE signal_id = ${id}::uuid
        OR snapshot_id IN (SELECT m.snapshot_id FROM signal_metadata m WHERE m.signal_id = ${id}::uuid)
        OR order_id = ANY (${exits.map((order) => String(order["id"]))}::uuid[])
      ORDER BY linked_at, trade_record_id`
    const trace: Trace = {
      signal: jsonItem(signal),
      enrichment: enrichment === undefined ? null : jsonItem(enrichment),
      metadata: metadata === undefined ? null : jsonItem(metadata),
      decision: decided === undefined ? null : { ...jsonItem(decision), votes },
      facts,
      orders: orders.map(jsonItem),
      exits: exits.map(jsonItem),
      fills: fills.map(jsonItem),
      links: links.map(jsonItem),
      times: yield* timesOf(sql, id)
    }
    return trace
  })

export const traceOf = (database: DatabaseService) => (id: string) =>
  database.run("read.trace", (sql) => readTrace(sql, id), options)
