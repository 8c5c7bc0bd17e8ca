/**
 * TradingStateStore on PostgreSQL: one row per scope; `global` is always there, the others from their first change on.
 *
 * Promises: those of the port; every call has the deadline of an API read.
 * Never: reads a state it does not know: that is a defect.
 * Failure: `DatabaseUnavailable` is the caller's 503.
 */
import { Effect, Layer } from "effect"
import { invariant } from "../../domain/kernel/invariant.ts"
import { TRADING_STATES } from "../../domain/kernel/trading-state.ts"
import { Database } from "../database/database.port.ts"
import { readLimits } from "../platform/http-limits.ts"
import { type TradingStateRow, TradingStateStore } from "./trading-state-store.port.ts"

interface Stored {
  readonly scope: string
  readonly state: string
  readonly reason: string
  readonly changed_by: string
  readonly version: number
  readonly changed_at: Date
}

const columns = "scope, state, reason, changed_by, version, changed_at"
const options = { deadlineMs: readLimits.queryMs }

const decoded = (row: Stored | undefined): TradingStateRow => {
  const state = TRADING_STATES.find((name) => name === row?.state)
  invariant(row !== undefined && state !== undefined, "the trading state row holds a known state", { row })
  return { ...row, state, changed_at: row.changed_at.toISOString() }
}

export const tradingStateStorePg: Layer.Layer<TradingStateStore, never, Database> = Layer.effect(
  TradingStateStore,
  Effect.map(Database, (database) =>
    TradingStateStore.of({
      read: database.run(
        "trading_state.read",
        (sql) =>
          Effect.map(
            sql<Stored>`SELECT ${sql.literal(columns)} FROM trading_state ORDER BY scope <> 'global', scope`,
            (rows) => rows.map(decoded)
          ),
        options
      ),
      set: (change) =>
        database.transact(
          "trading_state.set",
          (sql) =>
            Effect.gen(function* () {
              const rows = yield* sql<Stored>`
                INSERT INTO trading_state AS t (scope, state, reason, changed_by, changed_at)
                VALUES (${change.scope}, ${change.state}, ${change.reason}, ${change.changedBy}, hf_now())
                ON CONFLICT (scope) DO UPDATE SET state = excluded.state, reason = excluded.reason,
                  changed_by = excluded.changed_by, version = t.version + 1, changed_at = excluded.changed_at
                RETURNING ${sql.literal(columns)}`
              yield* sql`INSERT INTO actor_events (at, path, event, detail)
                VALUES (hf_now(), 'root/http', 'trading_state.changed', ${JSON.stringify(change)}::text::jsonb)`
              return decoded(rows[0])
            }),
          options
        )
    })
  )
)
