/**
 * What is known of accounts at one moment, read from PostgreSQL in one statement: the context of a decision and of a send.
 *
 * Risk compares numbers of seven tables; read one after the other they would describe five different moments. One
 * statement sees one snapshot, and costs one round trip.
 *
 * Promises: money and quantities never pass through a float (they travel as text inside the JSON); open orders come
 * aggregated by symbol, strategy, side, intent and status, so that a backlog of thousands does not become thousands of rows.
 * Never: locks anything, or reads an account that was not requested.
 * Failure: errors of the SQL client pass through.
 */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { CANARY } from "../../domain/kernel/canary.ts"
import { invariant } from "../../domain/kernel/invariant.ts"
import type { PlanAccount, PlanContext } from "../../domain/orders/plan-context.ts"
import type { EntryRate } from "../../domain/orders/risk-scope.ts"
import type { StoppedBreaker } from "../../domain/orders/breaker.ts"
import type { StrategyStage } from "../../domain/orders/stage.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import type { BookOrder } from "../../domain/orders/risk-book.ts"
import type { TradingStateName } from "../../domain/kernel/trading-state.ts"
import { paperOrder } from "./paper-row.pg.ts"

interface AccountPart {
  readonly id: string
  readonly venue: string
  readonly enabled: boolean
  readonly reconciled_at_ms: number | null
  readonly starting_cash: string
  readonly realised_pnl: string
  readonly buying_power: string | null
  readonly balance_at_ms: number | null
  readonly balance_book: Readonly<Record<string, string>> | null
}
interface PositionPart {
  readonly account: string
  readonly symbol: string
  readonly quantity: string
  readonly average_price: string
  readonly confirmed: string | null
  readonly disputed: boolean
  readonly shares: ReadonlyArray<{ readonly strategy: string; readonly quantity: string }>
}
interface OrderPart {
  readonly account: string
  readonly symbol: string
  readonly strategy: string
  readonly side: BookOrder["side"]
  readonly intent: BookOrder["intent"]
  readonly status: BookOrder["status"]
  readonly count: number
  readonly quantity: string
  readonly filled_quantity: string
  readonly price: string | null
  readonly rests: boolean
}
interface ContextRow {
  readonly now_ms: number
  readonly trading: ReadonlyArray<{ readonly scope: string; readonly state: TradingStateName }>
  readonly accounts: ReadonlyArray<AccountPart>
  readonly positions: ReadonlyArray<PositionPart>
  readonly orders: ReadonlyArray<OrderPart>
  readonly order_ids: ReadonlyArray<string>
  readonly rates: ReadonlyArray<EntryRate>
  readonly breakers: ReadonlyArray<StoppedBreaker>
  readonly stages: ReadonlyArray<
    Omit<StrategyStage, "resting"> & {
      readonly strategy: string
      readonly resting: Exclude<StrategyStage["resting"], undefined> | null
    }
  >
}

/** Settings of the query. */
export interface ContextTerms {
  readonly calendarOf: (account: string) => PlanAccount["calendar"]
  /** Names of the accounts and of the strategies. */
  readonly accounts: () => ReadonlyArray<string>
  readonly strategies: () => ReadonlyArray<string>
  /** Names of the strategies that the settings call a shadow. */
  readonly shadows: () => ReadonlyArray<string>
  /** Whether some scope currently limits orders per minute, so that they are counted. */
  readonly countsRates: () => boolean
  /** Scopes of a strategy's entries that several accounts share and that currently limit orders per minute. */
  readonly sharedRates: (strategy: string) => ReadonlyArray<string>
}

/** Reads settings that may change at run time. */
export const contextTerms = (settings: Pick<Settings, "accounts" | "risk" | "strategies">): ContextTerms => ({
  calendarOf: (account) => settings.accounts[account]?.calendar ?? "24x7",
  accounts: () => Object.keys(settings.accounts),
  strategies: () => Object.keys(settings.strategies),
  shadows: () =>
    Object.entries(settings.strategies).flatMap(([name, { stage }]) => (stage === "shadow" ? [name] : [])),
  countsRates: () =>
    Object.values(settings.risk.scopes).some(({ ordersPerMinuteMax }) => ordersPerMinuteMax !== null),
  sharedRates: (strategy) =>
    ["global", `strategy:${strategy}`].filter(
      (scope) => (settings.risk.scopes[scope]?.ordersPerMinuteMax ?? null) !== null
    )
})

/**
 * Entries of all accounts sent within the last minute, and entries waiting to be sent. A sent order counts whatever its outcome;
 * the order being checked does not count.
 */
const rates = (sql: SqlClient, { countsRates }: ContextTerms, except: string | null) => sql`
  (SELECT coalesce(jsonb_agg(jsonb_build_object('account', account, 'strategy', strategy, 'sent', sent, 'waiting', waiting)
      ORDER BY account, strategy), '[]')
    FROM (SELECT account, strategy, sum(sent)::int AS sent, sum(waiting)::int AS waiting
      FROM (SELECT account, strategy, 1 AS sent, 0 AS waiting FROM orders
          WHERE intent = 'entry' AND sent_at IS NOT NULL AND sent_at > hf_clock() - interval '1 minute'
            AND account <> ${CANARY} AND id IS DISTINCT FROM ${except}::uuid
        UNION ALL SELECT account, strategy, 0, 1 FROM orders
          WHERE intent = 'entry' AND status = 'intended' AND sent_at IS NULL AND account <> ${CANARY} AND id IS DISTINCT FROM ${except}::uuid) AS entries
      WHERE ${countsRates()}::boolean GROUP BY account, strategy) AS counted)`

/** Strategies that were demoted, or have something on paper, with what that is. All of these tables are small. */
const stages = (sql: SqlClient) => sql`
  (SELECT coalesce(jsonb_agg(jsonb_build_object('strategy', known.strategy, 'by', s.changed_by, 'reason', s.reason,
      'book', coalesce(held.book, '{}'), 'resting', rests.resting) ORDER BY known.strategy), '[]')
    FROM (SELECT strategy FROM strategy_stages WHERE stage = 'shadow' UNION SELECT strategy FROM paper_positions
      UNION SELECT strategy FROM paper_orders) AS known
    LEFT JOIN strategy_stages s ON s.strategy = known.strategy AND s.stage = 'shadow'
    LEFT JOIN (SELECT strategy, jsonb_object_agg(account, holdings) AS book
      FROM (SELECT strategy, account, jsonb_agg(jsonb_strip_nulls(jsonb_build_object('symbol', symbol, 'quantity', quantity::text,
          'averagePrice', average_price::text, 'fees', nullif(fees, 0)::text)) ORDER BY symbol) AS holdings
        FROM paper_positions GROUP BY strategy, account) AS by_account GROUP BY strategy) AS held
      ON held.strategy = known.strategy
    LEFT JOIN (SELECT strategy, jsonb_object_agg(account, orders) AS resting
      FROM (SELECT strategy, account, jsonb_agg(${paperOrder(sql)} ORDER BY seq) AS orders
        FROM paper_orders o GROUP BY strategy, account) AS by_account GROUP BY strategy) AS rests
      ON rests.strategy = known.strategy)`

const query = (
  sql: SqlClient,
  terms: ContextTerms,
  accounts: ReadonlyArray<string>,
  signalIds: ReadonlyArray<string>,
  except: string | null
) => sql<ContextRow>`
  SELECT
    (extract(epoch FROM hf_clock()) * 1000)::float8 AS now_ms,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('scope', scope, 'state', state) ORDER BY scope), '[]') FROM trading_state) AS trading,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('id', a.id, 'venue', a.venue, 'enabled', a.enabled,
        'reconciled_at_ms', extract(epoch FROM a.reconciled_at) * 1000, 'starting_cash', a.starting_cash::text,
        'buying_power', a.buying_power::text, 'balance_at_ms', extract(epoch FROM a.balance_at) * 1000,
        'balance_book', a.balance_book,
        'realised_pnl', (SELECT coalesce(sum(p.realised_pnl - p.fees), 0)::text FROM positions p WHERE p.account = a.id)) ORDER BY a.id), '[]')
      FROM accounts a WHERE a.id = ANY (${accounts}::text[])) AS accounts,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('account', p.account, 'symbol', p.symbol, 'quantity', p.quantity::text,
        'average_price', p.average_price::text, 'confirmed', p.confirmed_quantity::text,
        'disputed', p.disputed_at IS NOT NULL, 'shares', (SELECT coalesce(jsonb_agg(jsonb_build_object(
          'strategy', h.strategy, 'quantity', h.quantity::text) ORDER BY h.strategy), '[]') FROM position_shares h
          WHERE h.position_id = p.id AND h.quantity <> 0)) ORDER BY p.account, p.symbol), '[]')
      FROM positions p WHERE p.account = ANY (${accounts}::text[])
        AND (p.quantity <> 0 OR p.disputed_at IS NOT NULL)) AS positions,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('account', account, 'symbol', symbol, 'strategy', strategy, 'side', side,
        'intent', intent, 'status', status, 'count', count, 'quantity', quantity::text, 'filled_quantity', filled::text,
        'price', price::text, 'rests', rests) ORDER BY account, symbol, strategy, side, intent, status, rests), '[]')
      FROM (SELECT account, symbol, strategy, side, intent, status, type <> 'market' AND time_in_force <> 'ioc' AS rests,
          count(*) AS count, sum(quantity) AS quantity, sum(least(filled_quantity, quantity)) AS filled, max(coalesce(limit_price, stop_price, average_price)) AS price
        FROM orders WHERE account = ANY (${accounts}::text[]) AND status IN ('intended', 'submitting', 'acked',
          'partially_filled', 'pending_cancel', 'unknown', 'resolving', 'held', 'needs_operator')
          AND id IS DISTINCT FROM ${except}::uuid
        GROUP BY account, symbol, strategy, side, intent, status, rests) AS open) AS orders,
    (SELECT coalesce(array_agg(id::text ORDER BY seq), '{}') FROM orders WHERE signal_id = ANY (${signalIds}::uuid[])) AS order_ids,
    ${rates(sql, terms, except)} AS rates,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'state', state, 'by', changed_by, 'reason', reason,
        'untilMs', extract(epoch FROM cooldown_until) * 1000, 'numbers', numbers) ORDER BY id), '[]')
      FROM circuit_breakers WHERE state <> 'CLOSED') AS breakers,
    ${stages(sql)} AS stages`

const accountOf = (row: ContextRow, part: AccountPart, calendar: PlanAccount["calendar"]): PlanAccount => ({
  id: part.id,
  venue: part.venue,
  enabled: part.enabled,
  reconciledAtMs: part.reconciled_at_ms,
  calendar,
  startingCash: part.starting_cash,
  realisedPnl: part.realised_pnl,
  balance:
    part.buying_power === null || part.balance_at_ms === null
      ? null
      : { buyingPower: part.buying_power, atMs: part.balance_at_ms, book: part.balance_book ?? {} },
  positions: row.positions
    .filter(({ account }) => account === part.id)
    .map(({ symbol, quantity, average_price, confirmed, disputed, shares }) => ({
      symbol,
      quantity,
      averagePrice: average_price,
      confirmed,
      disputed,
      shares
    })),
  orders: row.orders
    .filter(({ account }) => account === part.id)
    .map(({ symbol, strategy, side, intent, status, count, quantity, filled_quantity, price, rests }) => ({
      symbol,
      strategy,
      side,
      intent,
      status,
      count,
      quantity,
      filledQuantity: filled_quantity,
      price,
      ...(rests ? { rests } : {})
    }))
})

/**
 * Reads what is known about the accounts, and which orders the signals already have. `except` is an order that is not to
 * be in the book: the one that is judged against it.
 */
export const readContext = Effect.fnUntraced(function* (
  sql: SqlClient,
  terms: ContextTerms,
  accounts: ReadonlyArray<string>,
  signalIds: ReadonlyArray<string>,
  except: string | null = null
) {
  const [row] = yield* query(sql, terms, accounts, signalIds, except)
  invariant(row !== undefined, "a select without FROM has one row")
  const context: PlanContext = {
    nowMs: row.now_ms,
    trading: new Map(row.trading.map(({ scope, state }) => [scope, state])),
    accounts: new Map(row.accounts.map((part) => [part.id, accountOf(row, part, terms.calendarOf(part.id))])),
    orderIds: new Set(row.order_ids),
    rates: row.rates,
    breakers: new Map(row.breakers.map((breaker) => [breaker.id, breaker])),
    stages: new Map(
      row.stages.map(({ resting, strategy, ...stage }) => [
        strategy,
        { ...stage, ...(resting === null ? {} : { resting }) }
      ])
    )
  }
  return context
})
