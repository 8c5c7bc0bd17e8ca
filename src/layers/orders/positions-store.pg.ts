/**
 * Positions store on PostgreSQL.
 *
 * Promises: a confirmation is one transaction that holds the account's row FOR SHARE from its first statement on, so
 * no takeover happens during it.
 * Never: creates a position with a quantity; a row for a symbol only the broker knows is flat on our side.
 * Failure: `DatabaseUnavailable`; a confirmation is the same when it is written twice. A fault is a bug and dies.
 */
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { CANARY } from "../../domain/kernel/canary.ts"
import { positionId } from "../../domain/kernel/ids.ts"
import { exitLimits } from "../../domain/kernel/limits-execution.ts"
import { BLOCKS_SYMBOL, OPEN, type OrderStatus } from "../../domain/orders/order.ts"
import { OPERATOR_CLOSE } from "../../domain/orders/permit.ts"
import { Database, type DatabaseService } from "../database/database.port.ts"
import {
  type ConfirmOutcome,
  type OpenShare,
  type PositionMismatch,
  PositionsStore,
  type PositionsStoreService,
  type RefusedReduce,
  type ReportedPosition
} from "./positions-store.port.ts"
import { accountLeased } from "../accounts/node-life.pg.ts"
import { holdings, holdingsText } from "./account-holdings.pg.ts"

type Reported = ReadonlyArray<ReportedPosition>

const store = (
  sql: SqlClient,
  account: string,
  reported: Reported,
  dispute: boolean,
  askedMsAgo: () => number
) =>
  Effect.gen(function* () {
    // Read after the transaction began, whose instant it is taken from: never later than the request was sent.
    const asked = sql`hf_now() - ${askedMsAgo()}::float8 * interval '1 millisecond'`
    const ids = reported.map(({ symbol }) => positionId(account, symbol))
    const symbols = reported.map(({ symbol }) => symbol)
    const quantities = reported.map(({ quantity }) => quantity)
    const suspects = reported.flatMap(({ problem, symbol }) => (problem === undefined ? [] : [symbol]))
    // An upsert with a named target would fail on the other unique index when a first fill inserts the row at once.
    yield* sql`
      INSERT INTO positions (id, account, symbol, epoch)
      SELECT s.id, ${account}, s.symbol, 0 FROM unnest(${ids}::uuid[], ${symbols}::text[]) AS s (id, symbol)
      ON CONFLICT DO NOTHING`
    // In one order for everybody, so that two confirmations at once wait for each other instead of deadlocking.
    yield* sql`SELECT id FROM positions WHERE account = ${account} ORDER BY id FOR UPDATE`
    yield* sql`
      UPDATE positions p SET confirmed_quantity = s.quantity, confirmed_at = ${asked}
      FROM unnest(${symbols}::text[], ${quantities}::numeric[]) AS s (symbol, quantity)
      WHERE p.account = ${account} AND p.symbol = s.symbol`
    yield* sql`
      UPDATE positions SET confirmed_quantity = 0, confirmed_at = ${asked}
      WHERE account = ${account} AND NOT (symbol = ANY(${symbols}::text[]))
        AND (quantity <> 0 OR confirmed_quantity IS DISTINCT FROM 0)`
    yield* sql`
      UPDATE positions SET disputed_at = CASE
        WHEN symbol = ANY(${suspects}::text[]) THEN coalesce(disputed_at, hf_clock())
        WHEN quantity = confirmed_quantity THEN NULL
        WHEN ${dispute}::boolean THEN coalesce(disputed_at, hf_clock()) ELSE disputed_at END
      WHERE account = ${account}
        AND (disputed_at IS NOT NULL OR quantity <> confirmed_quantity OR symbol = ANY(${suspects}::text[]))`
    return yield* sql<PositionMismatch>`
      SELECT symbol, trim_scale(quantity) AS ours, trim_scale(confirmed_quantity) AS brokers
      FROM positions WHERE account = ${account} AND quantity <> confirmed_quantity ORDER BY symbol`
  })

const confirm =
  (database: DatabaseService): PositionsStoreService["confirm"] =>
  (grant, reported, dispute = false, askedMsAgo = () => 0) =>
    database
      .transact(
        "positions.confirm",
        (sql) =>
          Effect.gen(function* () {
            const own = yield* sql`
              SELECT id FROM accounts
              WHERE id = ${grant.account} AND owner = ${grant.owner} AND fence = ${grant.fence} FOR SHARE`
            if (own.length === 0) return { _tag: "StaleFence" } satisfies ConfirmOutcome
            const mismatches = yield* store(sql, grant.account, reported, dispute, askedMsAgo)
            return { _tag: "Confirmed", mismatches } satisfies ConfirmOutcome
          }),
        { retry: "idempotent" }
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die))

type ShareRow = Omit<OpenShare, "refused"> & {
  readonly lastReduce: (RefusedReduce & { readonly status: OrderStatus }) | null
}

const openShares =
  (database: DatabaseService): PositionsStoreService["open"] =>
  (accounts, life) =>
    database
      .run(
        "positions.open",
        (sql) => sql<ShareRow>`
          WITH blocking AS MATERIALIZED (
            SELECT account, symbol, side, position_id, status FROM orders
            WHERE account = ANY(${[...accounts]}::text[]) AND ${sql.in("status", [...BLOCKS_SYMBOL])}
              AND (status = 'needs_operator' OR coalesce(sent_at, updated_at)
                < hf_clock() - ${exitLimits.blockedMsMax}::int * interval '1 millisecond')
          )
          SELECT p.id AS "positionId", p.account, p.symbol, p.epoch, h.strategy,
            h.opened_seq::text AS opening, trim_scale(h.quantity) AS quantity,
            trim_scale(h.average_price) AS "averagePrice", trim_scale(h.stop_pct) AS "stopPct",
            trim_scale(h.target_pct) AS "targetPct", trim_scale(h.stop_price) AS "stopPrice",
            trim_scale(h.target_price) AS "targetPrice",
            jsonb_build_object('terms', h.moving_terms, 'best', trim_scale(h.best_price)::text, 'stopBy', h.stop_by,
              'heldMs', greatest(0, floor(extract(epoch FROM hf_clock() - h.opened_at) * 1000))) AS moving,
            (SELECT o.status FROM orders o WHERE o.position_id = p.id AND o.intent = 'reduce'
              AND ${sql.in("o.status", [...OPEN])} LIMIT 1) AS "exitStatus",
            (SELECT jsonb_build_object('status', o.status, 'wanted', trim_scale(o.wanted)::text, 'reason', o.reason,
                'isClose', o.exit_number IS NULL OR o.exit_kind IN ('close_again', ${OPERATOR_CLOSE}),
                'byOperator', o.exit_kind IS NOT DISTINCT FROM ${OPERATOR_CLOSE})
              FROM orders o WHERE o.account = p.account AND o.symbol = p.symbol AND o.intent = 'reduce'
                AND o.strategy = h.strategy AND o.created_at >= h.opened_at AND o.status <> 'withdrawn'
                -- A close at a price that the venue refused is its sender's to repeat: at market it would be another.
                AND o.type = 'market' ORDER BY o.seq DESC LIMIT 1) AS "lastReduce",
            (SELECT min(CASE b.status WHEN 'needs_operator' THEN 'operator' ELSE 'unresolved' END) FROM blocking b
              WHERE b.account = p.account AND b.symbol = p.symbol AND b.position_id IS DISTINCT FROM p.id
              AND b.side = CASE WHEN p.quantity > 0 THEN 'sell' ELSE 'buy' END) AS "blockedBy",
            p.confirmed_quantity IS NULL AND p.disputed_at IS NOT NULL AS "isUnconfirmed",
            coalesce(a.owner <> ${life}::text AND ${accountLeased(sql, "a")}, false) AS "ownedElsewhere"
          FROM position_shares h JOIN positions p ON p.id = h.position_id JOIN accounts a ON a.id = p.account
          WHERE h.quantity <> 0 AND p.account = ANY(${[...accounts]}::text[])
          ORDER BY p.account, p.symbol, h.opened_seq, h.strategy`
      )
      .pipe(
        Effect.map((rows) =>
          rows.map(({ lastReduce, ...share }): OpenShare => {
            if (lastReduce?.status !== "rejected") return { ...share, refused: null }
            const { status: _rejected, ...refused } = lastReduce
            return { ...share, refused }
          })
        ),
        Effect.catchTag("DatabaseFault", Effect.die)
      )

const abandoned =
  (database: DatabaseService): PositionsStoreService["abandoned"] =>
  (configured) =>
    database
      .run("positions.abandoned", (sql) =>
        Effect.gen(function* () {
          const left = yield* sql<{ readonly id: string }>`
            SELECT a.id FROM accounts a WHERE a.retired_at IS NULL AND NOT ${accountLeased(sql, "a")}
              AND a.id <> ALL (${[...configured]}::text[]) AND a.id <> ${CANARY}`
          if (left.length === 0) return []
          const held = yield* holdings(
            sql,
            left.map(({ id }) => id)
          )
          return held.map((holding) => ({
            account: holding.id,
            symbols: holding.symbols,
            holds: holdingsText(holding)
          }))
        })
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die))

const arm =
  (database: DatabaseService): PositionsStoreService["arm"] =>
  (arming) =>
    database
      .run(
        "positions.arm",
        (sql) => sql`
          UPDATE position_shares h SET stop_pct = ${arming.stopPct}::numeric, target_pct = ${arming.targetPct}::numeric,
            stop_price = ${arming.stopPrice}::numeric, target_price = ${arming.targetPrice}::numeric,
            moving_terms = ${arming.terms}::text, best_price = ${arming.best}::numeric, stop_by = ${arming.stopBy}::text,
            updated_at = hf_clock()
          FROM positions p
          WHERE p.id = h.position_id AND h.position_id = ${arming.positionId} AND h.strategy = ${arming.strategy}
            AND p.epoch = ${arming.epoch}
            -- It may have closed and opened again, beside another share of the position.
            AND h.opened_seq = ${arming.opening}::bigint AND h.quantity <> 0
          RETURNING h.strategy`
      )
      .pipe(
        Effect.map((rows) => rows.length === 1),
        Effect.catchTag("DatabaseFault", Effect.die)
      )

const move =
  (database: DatabaseService): PositionsStoreService["move"] =>
  (moved) => {
    const column = (of: (one: (typeof moved)[number]) => string | null) => moved.map(of)
    return database
      .run(
        "positions.move",
        // Each value on its own: a second process that is late must not take back what the first has stored.
        (sql) => sql`
          UPDATE position_shares h SET
            best_price = CASE WHEN h.quantity > 0 THEN greatest(h.best_price, m.best) ELSE least(h.best_price, m.best) END,
            stop_by = CASE WHEN h.stop_price IS NULL OR (m.stop_price - h.stop_price) * sign(h.quantity) > 0
              THEN m.stop_by ELSE h.stop_by END,
            stop_price = CASE WHEN h.quantity > 0 THEN greatest(h.stop_price, m.stop_price)
              ELSE least(h.stop_price, m.stop_price) END,
            updated_at = hf_clock()
          FROM unnest(${column((one) => one.positionId)}::uuid[], ${column((one) => one.strategy)}::text[],
              ${column((one) => one.opening)}::bigint[], ${column((one) => one.best)}::numeric[],
              ${column((one) => one.stopPrice)}::numeric[], ${column((one) => one.stopBy)}::text[])
            AS m (position_id, strategy, opened_seq, best, stop_price, stop_by)
          WHERE h.position_id = m.position_id AND h.strategy = m.strategy AND h.opened_seq = m.opened_seq
            AND h.quantity <> 0`
      )
      .pipe(Effect.asVoid, Effect.catchTag("DatabaseFault", Effect.die))
  }

export const positionsStorePg: Layer.Layer<PositionsStore, never, Database> = Layer.effect(
  PositionsStore,
  Effect.map(Database, (database) =>
    PositionsStore.of({
      open: openShares(database),
      abandoned: abandoned(database),
      arm: arm(database),
      move: move(database),
      confirm: confirm(database)
    })
  )
)
