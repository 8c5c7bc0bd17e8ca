/**
 * The venue's book: every change of an order, each in one transaction.
 *
 * All changes of an account take its row first, so they are serial per account and cannot deadlock; fills also take the
 * venue's one sequence row, so their numbers are committed in order.
 *
 * Promises: a request is counted durably before anything else is done with it; a create is one order or a refusal,
 * never both; a fill changes order, position and cash together, its fee included; nothing is published before it is committed.
 * Never: decides prices (prices.ts) or when to fill (matcher.ts).
 */
import { BigDecimal, Clock, Effect } from "effect"
import { randomUUID } from "node:crypto"
import { formatDecimal } from "../../src/domain/kernel/decimal.ts"
import { contractMultiplier } from "../../src/domain/kernel/option-contract.ts"
import { applyTrade, weightedAverage } from "./ledger.ts"
import type { DatabaseAway, Sql, VenueDatabase } from "./database.ts"
import { openingNotional, availableFunds } from "./funds.ts"
import type { PaperBrokerOptions } from "./options.ts"
import { Refusal } from "./refusal.ts"
import { type FillRow, isOpen, type OrderRequest, type OrderRow } from "./wire.ts"

const decimal = BigDecimal.fromStringUnsafe

/** Trade ids count from 2^53: a client that reads them as floating-point numbers takes two trades for one. */
const TRADE_ID_BASE = 2n ** 53n

export interface Placed {
  readonly order: OrderRow
  /** False when rule U returned the order that exists. */
  readonly created: boolean
}

export interface Filled {
  readonly fill: FillRow
  readonly order: OrderRow
}

export interface Book {
  /** Counts one request under the id it claims, in a transaction of its own. */
  readonly count: (clientOrderId: string) => Effect.Effect<void, DatabaseAway>
  /** `price` values the order for the funds check. */
  readonly place: (request: OrderRequest, price: string) => Effect.Effect<Placed, Refusal | DatabaseAway>
  /** Fills `quantity` (null = all that is left) unless the order has ended meanwhile, which is null. */
  readonly fill: (
    order: Pick<OrderRow, "id" | "account">,
    quantity: string | null,
    price: string
  ) => Effect.Effect<Filled | null, Refusal | DatabaseAway>
  /** The market has reached its stop: from here on it is a market or a limit order, whatever the market does then. */
  readonly trigger: (id: string) => Effect.Effect<OrderRow | null, DatabaseAway>
  /** Ends an open order; refused when it is no longer open or not this account's. */
  readonly end: (
    account: string | null,
    id: string,
    status: "cancelled" | "expired" | "rejected"
  ) => Effect.Effect<OrderRow, Refusal | DatabaseAway>
}

const now = Effect.map(Clock.currentTimeMillis, (ms) => new Date(ms))

/** Takes the account's row, creating it when the venue hears of the account for the first time. Returns its cash. */
const lockAccount = (sql: Sql, options: PaperBrokerOptions, account: string, at: Date) => {
  const cash = options.accounts[account] ?? options.startingCash
  // An update that changes nothing: it locks the row and returns it in the same round trip as the insert.
  return Effect.map(
    sql<{
      cash: string
    }>`INSERT INTO accounts ${sql.insert({ id: account, starting_cash: cash, cash, created_at: at })}
      ON CONFLICT (id) DO UPDATE SET cash = accounts.cash RETURNING cash`,
    (rows) => rows[0]?.cash ?? cash
  )
}

/** What the rule prescribes for an id that may be taken: the order to return, or null to proceed and create. */
const applyRule = (sql: Sql, options: PaperBrokerOptions, request: OrderRequest) =>
  Effect.gen(function* () {
    const clientOrderId = request.client_order_id ?? null
    if (clientOrderId === null || options.rule === "N") return null
    const same = yield* sql<OrderRow>`SELECT * FROM orders
      WHERE account = ${request.account} AND client_order_id = ${clientOrderId} ORDER BY seq DESC`
    const newest = same[0]
    if (newest === undefined) return null
    if (options.rule === "U") return newest
    if (options.rule === "O" && !same.some((order) => isOpen(order.status))) return null
    return yield* new Refusal({
      code: "duplicate_client_order_id",
      message: `client_order_id ${clientOrderId} is already used in account ${request.account}`
    })
  })

/** The order and the count of it, in one round trip. */
const insertOrder = (sql: Sql, request: OrderRequest, reserved: string, at: Date) =>
  sql<OrderRow>`WITH counted AS (UPDATE create_requests SET created = created + 1
      WHERE client_order_id = ${request.client_order_id ?? ""})
    INSERT INTO orders ${sql
      .insert({
        id: randomUUID(),
        client_order_id: request.client_order_id ?? null,
        account: request.account,
        symbol: request.symbol,
        side: request.side,
        type: request.type,
        quantity: request.quantity,
        limit_price: request.limit_price ?? null,
        stop_price: request.stop_price ?? null,
        time_in_force: request.time_in_force,
        status: "open",
        reserved,
        created_at: at,
        updated_at: at
      })
      .returning("*")}`

const place = (database: VenueDatabase, options: PaperBrokerOptions, request: OrderRequest, price: string) =>
  database.transact((sql) =>
    Effect.gen(function* () {
      const at = yield* now
      const cash = yield* lockAccount(sql, options, request.account, at)
      const existing = yield* applyRule(sql, options, request)
      if (existing !== null) return { order: existing, created: false }
      const needed = yield* openingNotional(sql, request, price)
      const available = yield* availableFunds(sql, request.account, cash)
      if (BigDecimal.isGreaterThan(needed, available)) {
        const message = `needs ${formatDecimal(needed)}, has ${formatDecimal(available)}`
        return yield* new Refusal({ code: "insufficient_funds", message })
      }
      const rows = yield* insertOrder(sql, request, formatDecimal(needed), at)
      const order = rows[0]
      return order === undefined ? yield* Effect.die("an INSERT returns its row") : { order, created: true }
    })
  )

/** Position and cash after a trade and its fee, stored. */
const settle = (
  sql: Sql,
  order: OrderRow,
  signed: BigDecimal.BigDecimal,
  price: BigDecimal.BigDecimal,
  fee: string
) =>
  Effect.gen(function* () {
    const rows = yield* sql<{ quantity: string; average_price: string }>`SELECT quantity, average_price
      FROM positions WHERE account = ${order.account} AND symbol = ${order.symbol}`
    const before = {
      quantity: decimal(rows[0]?.quantity ?? "0"),
      averagePrice: decimal(rows[0]?.average_price ?? "0")
    }
    const after = applyTrade(before, signed, price)
    yield* sql`INSERT INTO positions ${sql.insert({
      account: order.account,
      symbol: order.symbol,
      quantity: formatDecimal(after.quantity),
      average_price: formatDecimal(after.averagePrice)
    })} ON CONFLICT (account, symbol) DO UPDATE
      SET quantity = excluded.quantity, average_price = excluded.average_price`
    const cost = formatDecimal(BigDecimal.multiplyAll([signed, price, contractMultiplier(order.symbol)]))
    yield* sql`UPDATE accounts SET cash = cash - ${cost}::numeric - ${fee}::numeric WHERE id = ${order.account}`
  })

const fill = (
  database: VenueDatabase,
  options: PaperBrokerOptions,
  key: Pick<OrderRow, "id" | "account">,
  wanted: string | null,
  price: string
) =>
  database.transact((sql) =>
    Effect.gen(function* () {
      const at = yield* now
      yield* lockAccount(sql, options, key.account, at)
      const found = yield* sql<OrderRow>`SELECT * FROM orders WHERE id = ${key.id}`
      const order = found[0]
      if (order === undefined || !isOpen(order.status)) return null
      const already = decimal(order.filled_quantity)
      const left = BigDecimal.subtract(decimal(order.quantity), already)
      const quantity = wanted === null ? left : BigDecimal.min(left, decimal(wanted))
      const filled = BigDecimal.sum(already, quantity)
      const average = weightedAverage(decimal(order.average_price ?? "0"), already, decimal(price), quantity)
      const fee = options.feeOf({ symbol: order.symbol, quantity: formatDecimal(quantity), price })
      const signed = order.side === "buy" ? quantity : BigDecimal.negate(quantity)
      yield* settle(sql, order, signed, decimal(price), fee)
      const complete = BigDecimal.equals(filled, decimal(order.quantity))
      const orders =
        yield* sql<OrderRow>`UPDATE orders SET filled_quantity = ${formatDecimal(filled)}::numeric,
        average_price = ${formatDecimal(average)}::numeric, updated_at = ${at},
        status = ${complete ? "filled" : "partially_filled"} WHERE id = ${order.id} RETURNING *`
      // Last, because this row is shared by all accounts and is held until the commit.
      const numbers = yield* sql<{
        value: bigint
      }>`UPDATE fill_sequence SET value = value + 1 RETURNING value`
      const sequence =
        numbers[0]?.value ?? (yield* Effect.die("the sequence row exists since the first migration"))
      const trade = {
        trade_id: String(TRADE_ID_BASE + sequence),
        quantity: formatDecimal(quantity),
        price,
        fee,
        at
      }
      yield* sql`INSERT INTO fills ${sql.insert({ sequence, order_id: order.id, account: order.account, ...trade })}`
      const { account, symbol, side, client_order_id } = order
      const row: FillRow = { sequence, order_id: order.id, client_order_id, account, symbol, side, ...trade }
      return { fill: row, order: orders[0] ?? order }
    })
  )

const end = (
  database: VenueDatabase,
  account: string | null,
  id: string,
  status: "cancelled" | "expired" | "rejected"
) =>
  database.transact((sql) =>
    Effect.gen(function* () {
      const owners = yield* sql<{ account: string }>`SELECT account FROM orders WHERE id = ${id}`
      const owner = owners[0]?.account
      if (owner === undefined || (account !== null && account !== owner)) {
        return yield* new Refusal({ code: "order_not_found", message: `there is no order ${id}` })
      }
      yield* sql`SELECT id FROM accounts WHERE id = ${owner} FOR UPDATE`
      const rows = yield* sql<OrderRow>`UPDATE orders SET status = ${status}, updated_at = ${yield* now}
        WHERE id = ${id} AND status IN ('open', 'partially_filled') RETURNING *`
      return rows[0] ?? (yield* new Refusal({ code: "order_not_open", message: `order ${id} has ended` }))
    })
  )

export const makeBook = (database: VenueDatabase, options: PaperBrokerOptions): Book => ({
  count: (clientOrderId) =>
    Effect.flatMap(now, (at) =>
      database.run(
        (sql) => sql`INSERT INTO create_requests (client_order_id, received, first_at, last_at)
          VALUES (${clientOrderId}, 1, ${at}, ${at}) ON CONFLICT (client_order_id)
          DO UPDATE SET received = create_requests.received + 1, last_at = excluded.last_at`
      )
    ).pipe(Effect.asVoid),
  trigger: (id) =>
    Effect.flatMap(now, (at) =>
      database.run(
        (sql) => sql<OrderRow>`UPDATE orders SET triggered_at = ${at}, updated_at = ${at}
          WHERE id = ${id} AND triggered_at IS NULL AND status IN ('open', 'partially_filled') RETURNING *`
      )
    ).pipe(Effect.map((rows) => rows[0] ?? null)),
  place: (request, price) => place(database, options, request, price),
  fill: (order, quantity, price) => fill(database, options, order, quantity, price),
  end: (account, id, status) => end(database, account, id, status)
})
