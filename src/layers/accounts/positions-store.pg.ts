/**
 * Positions store on PostgreSQL.
 *
 * Promises: a confirmation is one transaction that holds the account's row FOR SHARE from its first statement on, so
 * no takeover happens in the middle of it.
 * Never: creates a position with a quantity; a row for a symbol only the broker knows is flat on our side.
 * Failure: `DatabaseUnavailable`; a confirmation is the same when it is written twice. A fault is a bug and dies.
 */
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { positionId } from "../../domain/ids.ts"
import { exitLimits } from "../../domain/limits.ts"
import { BLOCKS_SYMBOL, OPEN } from "../../domain/order.ts"
import type { AccountGrant } from "./accounts-store.ts"
import { Database, type DatabaseService } from "../database/database.ts"
import {
  type ConfirmOutcome,
  type OpenPosition,
  type PositionMismatch,
  PositionsStore,
  type PositionsStoreService
} from "./positions-store.ts"

type Said = ReadonlyArray<{ readonly symbol: string; readonly quantity: string }>

const store = (sql: SqlClient, account: string, said: Said) =>
  Effect.gen(function* () {
    const ids = said.map(({ symbol }) => positionId(account, symbol))
    const symbols = said.map(({ symbol }) => symbol)
    const quantities = said.map(({ quantity }) => quantity)
    // An upsert with a named target would fail on the other unique index when a first fill inserts the row at once.
    yield* sql`
      INSERT INTO positions (id, account, symbol, epoch)
      SELECT s.id, ${account}, s.symbol, 0 FROM unnest(${ids}::uuid[], ${symbols}::text[]) AS s (id, symbol)
      ON CONFLICT DO NOTHING`
    // In one order for everybody, so that two confirmations at once wait for each other instead of deadlocking.
    yield* sql`SELECT id FROM positions WHERE account = ${account} ORDER BY id FOR UPDATE`
    yield* sql`
      UPDATE positions p SET confirmed_quantity = s.quantity, confirmed_at = clock_timestamp()
      FROM unnest(${symbols}::text[], ${quantities}::numeric[]) AS s (symbol, quantity)
      WHERE p.account = ${account} AND p.symbol = s.symbol`
    yield* sql`
      UPDATE positions SET confirmed_quantity = 0, confirmed_at = clock_timestamp()
      WHERE account = ${account} AND NOT (symbol = ANY(${symbols}::text[]))
        AND (quantity <> 0 OR confirmed_quantity IS DISTINCT FROM 0)`
    return yield* sql<PositionMismatch>`
      SELECT symbol, trim_scale(quantity) AS ours, trim_scale(confirmed_quantity) AS brokers
      FROM positions WHERE account = ${account} AND quantity <> confirmed_quantity ORDER BY symbol`
  })

const confirm =
  (database: DatabaseService): PositionsStoreService["confirm"] =>
  (grant: AccountGrant, said: Said) =>
    database
      .transact(
        "positions.confirm",
        (sql) =>
          Effect.gen(function* () {
            const own = yield* sql`
              SELECT id FROM accounts
              WHERE id = ${grant.account} AND owner = ${grant.owner} AND fence = ${grant.fence} FOR SHARE`
            if (own.length === 0) return { _tag: "StaleFence" } satisfies ConfirmOutcome
            const mismatches = yield* store(sql, grant.account, said)
            return { _tag: "Confirmed", mismatches } satisfies ConfirmOutcome
          }),
        { retry: "idempotent" }
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die))

export const positionsStorePg: Layer.Layer<PositionsStore, never, Database> = Layer.effect(
  PositionsStore,
  Effect.map(Database, (database) =>
    PositionsStore.of({
      confirm: confirm(database),
      open: (accounts, nodeId) =>
        database
          .run(
            "positions.open",
            (sql) => sql<OpenPosition>`
              WITH blocking AS MATERIALIZED (
                SELECT account, symbol, side, position_id, status FROM orders
                WHERE account = ANY(${[...accounts]}::text[]) AND ${sql.in("status", [...BLOCKS_SYMBOL])}
                  AND (status = 'needs_operator' OR coalesce(sent_at, updated_at)
                    < clock_timestamp() - ${exitLimits.blockedMsMax}::int * interval '1 millisecond')
              )
              SELECT p.id, p.account, p.symbol, p.epoch, trim_scale(p.quantity) AS quantity,
                trim_scale(p.average_price) AS "averagePrice", trim_scale(p.stop_price) AS "stopPrice",
                trim_scale(p.target_price) AS "targetPrice",
                trim_scale(p.confirmed_quantity) AS "confirmedQuantity",
                (SELECT o.status FROM orders o WHERE o.position_id = p.id AND o.intent = 'reduce'
                  AND ${sql.in("o.status", [...OPEN])} LIMIT 1) AS "exitStatus",
                (SELECT min(CASE b.status WHEN 'needs_operator' THEN 'operator' ELSE 'unresolved' END) FROM blocking b
                  WHERE b.account = p.account AND b.symbol = p.symbol AND b.position_id IS DISTINCT FROM p.id
                  AND b.side = CASE WHEN p.quantity > 0 THEN 'sell' ELSE 'buy' END) AS "blockedBy",
                coalesce(a.owner <> ${nodeId}::text AND a.lease_until > clock_timestamp(), false) AS "ownedElsewhere"
              FROM positions p JOIN accounts a ON a.id = p.account
              WHERE p.quantity <> 0 AND p.account = ANY(${[...accounts]}::text[])
              ORDER BY p.account, p.symbol`
          )
          .pipe(Effect.catchTag("DatabaseFault", Effect.die))
    })
  )
)
