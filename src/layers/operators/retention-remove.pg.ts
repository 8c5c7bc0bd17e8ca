/**
 * Removing rows with all that points to them, children first.
 *
 * Promises: a fill leaves its id, so that it is known when its venue reports it again; a
 * row that somebody holds, and all of it, is left.
 * Never: runs outside of a transaction; asks whether a row may go (retention-rules.pg.ts).
 * Failure: errors of the SQL client pass through: a row that was given a child meanwhile fails the page, which the next
 * round tries again.
 */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"

interface Row {
  readonly id: string
}
const idsOf = (rows: ReadonlyArray<Row>): ReadonlyArray<string> => rows.map(({ id }) => id)

/** The ids of rows that nobody else holds, which are ours from here on. */
const taken = (sql: SqlClient, table: "orders" | "signals" | "trade_records", seqs: ReadonlyArray<bigint>) =>
  Effect.map(
    sql<Row>`SELECT id FROM ${sql.literal(table)} WHERE seq = ANY (${seqs.map(String)}::bigint[])
      ORDER BY seq FOR UPDATE SKIP LOCKED`,
    idsOf
  )

const removeFills = (sql: SqlClient, fills: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    if (fills.length === 0) return
    yield* sql`DELETE FROM trade_strategy_link WHERE trade_record_id = ANY (${fills}::uuid[])`
    yield* sql`
      WITH gone AS (DELETE FROM trade_records WHERE id = ANY (${fills}::uuid[]) RETURNING id)
      INSERT INTO pruned_fills (id) SELECT id FROM gone ON CONFLICT DO NOTHING`
  })

const removeOrders = (sql: SqlClient, orders: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    if (orders.length === 0) return
    const fills = yield* sql<Row>`SELECT id FROM trade_records WHERE order_id = ANY (${orders}::uuid[])`
    yield* removeFills(sql, idsOf(fills))
    yield* sql`DELETE FROM order_events WHERE order_id = ANY (${orders}::uuid[])`
    yield* sql`DELETE FROM orders WHERE id = ANY (${orders}::uuid[])`
  })

/** Fills by their `seq`. */
export const removeFillRows = (sql: SqlClient, seqs: ReadonlyArray<bigint>) =>
  Effect.gen(function* () {
    const fills = yield* taken(sql, "trade_records", seqs)
    yield* removeFills(sql, fills)
    return fills.length
  })

/** Orders by their `seq`, with events and fills. */
export const removeOrderRows = (sql: SqlClient, seqs: ReadonlyArray<bigint>) =>
  Effect.gen(function* () {
    const orders = yield* taken(sql, "orders", seqs)
    yield* removeOrders(sql, orders)
    return orders.length
  })

/** Signals by their `seq`, with all that came of them. */
export const removeSignalRows = (sql: SqlClient, seqs: ReadonlyArray<bigint>) =>
  Effect.gen(function* () {
    const signals = yield* taken(sql, "signals", seqs)
    if (signals.length === 0) return 0
    const orders = yield* sql<Row>`SELECT id FROM orders WHERE signal_id = ANY (${signals}::uuid[])`
    yield* removeOrders(sql, idsOf(orders))
    yield* sql`DELETE FROM enriched_signals WHERE signal_id = ANY (${signals}::uuid[])`
    yield* sql`DELETE FROM decisions WHERE signal_id = ANY (${signals}::uuid[])`
    yield* sql`DELETE FROM signal_metadata WHERE signal_id = ANY (${signals}::uuid[])`
    yield* sql`DELETE FROM signals WHERE id = ANY (${signals}::uuid[])`
    return signals.length
  })

/** Changes of settings by their `seq`, and the versions that no change names any more. */
export const removeSettingsRows = (sql: SqlClient, seqs: ReadonlyArray<bigint>) =>
  Effect.gen(function* () {
    const gone = yield* sql<{ readonly version: string }>`
      DELETE FROM settings_changes WHERE seq = ANY (${seqs.map(String)}::bigint[]) RETURNING version`
    yield* sql`DELETE FROM settings_versions v WHERE v.version = ANY (${gone.map(({ version }) => version)}::text[])
      AND NOT EXISTS (SELECT FROM settings_changes c WHERE c.version = v.version)`
    return gone.length
  })
