/**
 * Stage store on PostgreSQL: what shadows hold and have resting on paper, between decisions.
 *
 * What ends a resting entry early is judged by the rows that take back a real one (order-resting.pg.ts): a session that is over,
 * trading that was stopped, a disabled account, an open breaker. What a later alert wants is judged by the decision itself.
 *
 * Promises: those of the port; each write holds the lock of the account's decisions, so that none trades in between what another
 * has read.
 * Never: touches an order of an account.
 * Failure: `DatabaseUnavailable`; every write is guarded by what was read. A fault is a bug and dies.
 */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { riskLimits } from "../../domain/kernel/risk-limits.ts"
import type { PaperHolding } from "../../domain/orders/stage.ts"
import type { DatabaseService } from "../database/database.port.ts"
import { paperOrder } from "./paper-row.pg.ts"
import type { OpenPaper, RestingPaper, StageStoreService } from "./stage-store.port.ts"

/** All that rests, as a column. */
export const restingIn = (sql: SqlClient): Fragment => sql`
  (SELECT coalesce(jsonb_agg(${paperOrder(sql)} || jsonb_build_object('strategy', o.strategy, 'account', o.account, 'gone', CASE
      WHEN o.expires_at <= hf_clock() THEN 'session_over'
      WHEN o.intent = 'entry' AND EXISTS (SELECT FROM trading_state t WHERE t.state <> 'ACTIVE'
        AND t.scope IN ('global', 'account:' || o.account, 'strategy:' || o.strategy)) THEN 'trading_stopped'
      WHEN o.intent = 'entry' AND NOT a.enabled THEN 'account_disabled'
      WHEN o.intent = 'entry' AND EXISTS (SELECT FROM circuit_breakers b WHERE b.state = 'OPEN'
        AND b.id IN ('strategy:' || o.strategy, 'broker:' || a.venue)) THEN 'breaker_open'
    END) ORDER BY o.seq), '[]')
    FROM paper_orders o JOIN accounts a ON a.id = o.account)`

/** A decision in between writes what it makes of the holding that it has read (signals-store.pg-decide.ts). */
const locked = (sql: SqlClient, account: string) =>
  sql`SELECT pg_advisory_xact_lock(hashtextextended(${`decide:${account}`}, 0))`

interface Place {
  readonly strategy: string
  readonly account: string
  readonly symbol: string
}

const at = (sql: SqlClient, { account, strategy, symbol }: Place): Fragment =>
  sql`strategy = ${strategy} AND account = ${account} AND symbol = ${symbol}`

/** As it was seen: nobody traded it in between. */
const asSeen = (
  sql: SqlClient,
  place: Place,
  { averagePrice, quantity }: Pick<PaperHolding, "averagePrice" | "quantity">
): Fragment =>
  sql`${at(sql, place)} AND quantity = ${quantity}::numeric AND average_price = ${averagePrice}::numeric`

const follow =
  (database: DatabaseService): StageStoreService["follow"] =>
  (open, bestPrice) =>
    database
      .run(
        "stages.follow",
        (sql) =>
          sql`UPDATE paper_positions SET best_price = ${bestPrice}::numeric WHERE ${asSeen(sql, open, open)}`
      )
      .pipe(Effect.asVoid, Effect.catchTag("DatabaseFault", Effect.die))

const close =
  (database: DatabaseService): StageStoreService["close"] =>
  (open: OpenPaper, { fee, kind, price, profit }) =>
    database
      .transact("stages.close", (sql) =>
        Effect.gen(function* () {
          yield* locked(sql, open.account)
          const side = open.quantity.startsWith("-") ? "buy" : "sell"
          return yield* sql`
            WITH gone AS (DELETE FROM paper_positions WHERE ${asSeen(sql, open, open)} RETURNING *),
            old AS (DELETE FROM paper_trades
              WHERE at < hf_now() - ${riskLimits.sampleRetentionMs}::float8 * interval '1 millisecond' AND exit_kind IS NOT NULL)
            INSERT INTO paper_trades (exit_kind, strategy, account, leg, symbol, side, quantity, price, fee, profit, opened_by)
            SELECT ${kind}, strategy, account, 0, symbol, ${side}, abs(quantity), ${price}::numeric, ${fee}::numeric,
              ${profit}::numeric, opened_by FROM gone
            RETURNING seq`
        })
      )
      .pipe(
        Effect.map((rows) => rows.length > 0),
        Effect.catchTag("DatabaseFault", Effect.die)
      )

const fill =
  (database: DatabaseService): StageStoreService["fill"] =>
  (order, { after, before, fee, opened, price, profit, quantity }) =>
    database
      .transact("stages.fill", (sql) =>
        Effect.gen(function* () {
          yield* locked(sql, order.account)
          const isAsSeen =
            before === null
              ? sql`NOT EXISTS (SELECT FROM paper_positions WHERE ${at(sql, order)})`
              : sql`EXISTS (SELECT FROM paper_positions WHERE ${asSeen(sql, order, before)})`
          const isOwn = opened && profit === null
          const done = yield* sql<{ readonly opener: string | null }>`
            WITH gone AS (DELETE FROM paper_orders WHERE id = ${order.id}::uuid AND ${isAsSeen} RETURNING *)
            INSERT INTO paper_trades (signal_id, strategy, account, leg, symbol, side, quantity, price, fee, profit, opened_by)
            SELECT g.signal_id, g.strategy, g.account, g.leg, g.symbol, g.side, ${quantity}::numeric, ${price}::numeric,
              ${fee}::numeric, ${profit}::numeric,
              CASE WHEN ${isOwn}::boolean THEN g.signal_id ELSE (SELECT opened_by FROM paper_positions WHERE ${at(sql, order)}) END
            FROM gone g
            RETURNING CASE WHEN ${opened}::boolean THEN signal_id ELSE opened_by END AS opener`
          const [trade] = done
          if (trade === undefined) return false
          if (after.quantity === "0") yield* sql`DELETE FROM paper_positions WHERE ${at(sql, order)}`
          else
            yield* sql`
              INSERT INTO paper_positions AS p (strategy, account, symbol, quantity, average_price, fees, opened_by)
              VALUES (${order.strategy}, ${order.account}, ${order.symbol}, ${after.quantity}::numeric,
                ${after.averagePrice}::numeric, ${after.fees ?? "0"}::numeric, ${trade.opener}::uuid)
              ON CONFLICT (strategy, account, symbol) DO UPDATE SET quantity = excluded.quantity,
                average_price = excluded.average_price, fees = excluded.fees, opened_by = excluded.opened_by,
                best_price = CASE WHEN ${opened}::boolean THEN NULL ELSE p.best_price END,
                opened_at = CASE WHEN ${opened}::boolean THEN hf_clock() ELSE p.opened_at END`
          return true
        })
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die))

const trigger =
  (database: DatabaseService): StageStoreService["trigger"] =>
  ({ id }) =>
    database
      .run("stages.trigger", (sql) => sql`UPDATE paper_orders SET triggered = true WHERE id = ${id}::uuid`)
      .pipe(Effect.asVoid, Effect.catchTag("DatabaseFault", Effect.die))

const withdraw =
  (database: DatabaseService): StageStoreService["withdraw"] =>
  ({ id }: RestingPaper) =>
    database
      .run("stages.withdraw", (sql) => sql`DELETE FROM paper_orders WHERE id = ${id}::uuid RETURNING seq`)
      .pipe(
        Effect.map((rows) => rows.length > 0),
        Effect.catchTag("DatabaseFault", Effect.die)
      )

/** The part of the store that is about paper. */
export const paperStore = (
  database: DatabaseService
): Pick<StageStoreService, "close" | "fill" | "follow" | "trigger" | "withdraw"> => ({
  follow: follow(database),
  close: close(database),
  fill: fill(database),
  trigger: trigger(database),
  withdraw: withdraw(database)
})
