/**
 * Look-ups of the venue: orders, fills, positions, accounts, and the count of creates.
 *
 * Promises: orders and fills come in pages of at most `pageRowsMax`, ordered, so a client continues from the last key it
 * saw; an order that is still propagating is invisible to every order look-up. Positions are as many as there are
 * symbols held, and the counts of creates, for tests, come whole.
 * Never: changes anything.
 */
import { Clock, Effect } from "effect"
import { formatDecimal } from "../../src/domain/kernel/decimal.ts"
import type { DatabaseAway, VenueDatabase } from "./database.ts"
import { availableFunds } from "./funds.ts"
import { type PaperBrokerOptions, venueLimits } from "./options.ts"
import { type FillRow, fillOut, type OrderRow, orderOut, plain } from "./wire.ts"

export interface OrderFilter {
  readonly account: string | null
  readonly clientOrderId: string | null
  readonly status: "open" | "all"
  readonly updatedSince: Date | null
  readonly page: PageAsked
}

/** `after` is the cursor: the key of the last row seen. `limit` is at most `pageRowsMax`. */
export interface PageAsked {
  readonly after: bigint
  readonly limit: number
}

export interface CreateCount {
  readonly client_order_id: string
  readonly received: number
  readonly created: number
}

type OrderOut = ReturnType<typeof orderOut>
type FillOut = ReturnType<typeof fillOut>

export interface Queries {
  /** `next` is the cursor of the next page, null on the last one. */
  readonly orders: (
    filter: OrderFilter,
    invisibleMs: number
  ) => Effect.Effect<{ readonly orders: ReadonlyArray<OrderOut>; readonly next: string | null }, DatabaseAway>
  readonly fills: (
    account: string | null,
    page: PageAsked
  ) => Effect.Effect<{ readonly fills: ReadonlyArray<FillOut>; readonly next: string | null }, DatabaseAway>
  readonly positions: (account: string) => Effect.Effect<ReadonlyArray<object>, DatabaseAway>
  /** What there is of each account, in the order of their names, from the one after `after` on. */
  readonly activity: (
    after: string,
    limit: number
  ) => Effect.Effect<{ readonly accounts: ReadonlyArray<object>; readonly next: string | null }, DatabaseAway>
  /** An account the venue has not heard of yet has its starting cash. */
  readonly account: (account: string) => Effect.Effect<object, DatabaseAway>
  readonly creates: (clientOrderId: string | null) => Effect.Effect<ReadonlyArray<CreateCount>, DatabaseAway>
  /** Orders the matcher has to look at, oldest first. */
  /** Open orders behind this one in sequence, a page of them. */
  readonly open: (after: bigint) => Effect.Effect<ReadonlyArray<OrderRow>, DatabaseAway>
  readonly lastSequence: Effect.Effect<string | null, DatabaseAway>
}

const selectOrders = (database: VenueDatabase, filter: OrderFilter, visibleUntil: Date) =>
  database.run((sql) => {
    const conditions = [
      sql`seq > ${String(filter.page.after)}::bigint`,
      sql`created_at <= ${visibleUntil}`,
      ...(filter.account === null ? [] : [sql`account = ${filter.account}`]),
      ...(filter.clientOrderId === null ? [] : [sql`client_order_id = ${filter.clientOrderId}`]),
      ...(filter.updatedSince === null ? [] : [sql`updated_at >= ${filter.updatedSince}`]),
      ...(filter.status === "open" ? [sql`status IN ('open', 'partially_filled')`] : [])
    ]
    return sql<OrderRow>`SELECT * FROM orders WHERE ${sql.and(conditions)} ORDER BY seq LIMIT ${filter.page.limit}`
  })

const selectFills = (database: VenueDatabase, account: string | null, { after, limit }: PageAsked) =>
  database.run((sql) => {
    const conditions = [
      sql`f.sequence > ${String(after)}::bigint`,
      ...(account === null ? [] : [sql`f.account = ${account}`])
    ]
    return sql<FillRow>`SELECT f.sequence, f.trade_id, f.order_id, o.client_order_id, f.account, o.symbol, o.side,
        f.quantity, f.price, f.fee, f.at
      FROM fills f JOIN orders o ON o.id = f.order_id WHERE ${sql.and(conditions)}
      ORDER BY f.sequence LIMIT ${limit}`
  })

const readAccount = (database: VenueDatabase, options: PaperBrokerOptions, account: string) =>
  database.run((sql) =>
    Effect.gen(function* () {
      const rows = yield* sql<{ cash: string }>`SELECT cash FROM accounts WHERE id = ${account}`
      const cash = rows[0]?.cash ?? options.accounts[account] ?? options.startingCash
      const available = yield* availableFunds(sql, account, cash)
      return { id: account, cash: plain(cash), buying_power: formatDecimal(available) }
    })
  )

const readActivity = (database: VenueDatabase, after: string, limit: number) =>
  Effect.map(
    database.run(
      (sql) => sql<{
        readonly id: string
        readonly open_orders: number
        readonly positions: number
        readonly last_sequence: bigint | null
      }>`
        SELECT a.id,
          (SELECT count(*)::int FROM orders o
            WHERE o.account = a.id AND o.status IN ('open', 'partially_filled')) AS open_orders,
          (SELECT count(*)::int FROM positions p WHERE p.account = a.id AND p.quantity <> 0) AS positions,
          (SELECT max(f.sequence) FROM fills f WHERE f.account = a.id) AS last_sequence
        FROM accounts a WHERE a.id > ${after} COLLATE "C" ORDER BY a.id COLLATE "C" LIMIT ${limit}`
    ),
    (rows) => ({
      accounts: rows.map((row) => ({
        ...row,
        last_sequence: row.last_sequence === null ? null : String(row.last_sequence)
      })),
      next: rows.length === limit ? (rows.at(-1)?.id ?? null) : null
    })
  )

export const makeQueries = (database: VenueDatabase, options: PaperBrokerOptions): Queries => ({
  orders: (filter, invisibleMs) =>
    Effect.gen(function* () {
      const ms = yield* Clock.currentTimeMillis
      const rows = yield* selectOrders(database, filter, new Date(ms - invisibleMs))
      const last = rows.length === filter.page.limit ? rows.at(-1) : undefined
      return { orders: rows.map(orderOut), next: last === undefined ? null : String(last.seq) }
    }),
  fills: (account, page) =>
    Effect.map(selectFills(database, account, page), (rows) => {
      const last = rows.length === page.limit ? rows.at(-1) : undefined
      return { fills: rows.map(fillOut), next: last === undefined ? null : String(last.sequence) }
    }),
  positions: (account) =>
    Effect.map(
      database.run(
        (sql) => sql<{ symbol: string; quantity: string; average_price: string }>`
          SELECT symbol, quantity, average_price FROM positions WHERE account = ${account} AND quantity <> 0
          ORDER BY symbol`
      ),
      (rows) =>
        rows.map((row) => ({
          account,
          symbol: row.symbol,
          quantity: plain(row.quantity),
          average_price: plain(row.average_price)
        }))
    ),
  activity: (after, limit) => readActivity(database, after, limit),
  account: (account) => readAccount(database, options, account),
  creates: (clientOrderId) =>
    Effect.map(
      database.run(
        (sql) => sql<{ client_order_id: string; received: bigint; created: bigint }>`
          SELECT client_order_id, received, created FROM create_requests
          WHERE ${clientOrderId === null ? sql`true` : sql`client_order_id = ${clientOrderId}`} ORDER BY first_at`
      ),
      (rows) =>
        rows.map((row) => ({
          client_order_id: row.client_order_id,
          received: Number(row.received),
          created: Number(row.created)
        }))
    ),
  open: (after) =>
    database.run(
      (
        sql
      ) => sql<OrderRow>`SELECT * FROM orders WHERE status IN ('open', 'partially_filled') AND seq > ${String(after)}::bigint
      ORDER BY seq LIMIT ${venueLimits.sweepOrdersMax}`
    ),
  lastSequence: Effect.map(
    database.run((sql) => sql<{ value: bigint }>`SELECT value FROM fill_sequence`),
    (rows) => (rows[0] === undefined || rows[0].value === 0n ? null : String(rows[0].value))
  )
})
