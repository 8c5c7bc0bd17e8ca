/**
 * The null broker: fills whatever it is sent, at once and at one price, and moves no money (T9).
 *
 * The canary's order takes the way of every order: permit, commit, create, response, fill. Only behind the last step nothing may
 * happen. It keeps no book of its own: what it would know are the orders that were sent to it, and these are rows of ours, so
 * a process that dies in between finds the order it sent and the fill it missed as at any other venue.
 *
 * Promises: a create is filled in full, its fill comes by the stream; every look-up answers from the rows of its one account;
 * the send permit is asked as by every adapter.
 * Never: opens a socket, takes an order of another account, or leaves one open.
 * Failure: a database that is away is a venue that does not answer.
 */
import { Clock, Effect, Option, Queue } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { VenueFill } from "../../domain/orders/fill.ts"
import { CANARY_PRICE } from "../../domain/kernel/canary.ts"
import type { DatabaseService } from "../database/database.port.ts"
import {
  type BrokerConnection,
  BrokerNotSent,
  BrokerStreamEnded,
  BrokerUnavailable,
  SendPermit,
  type VenueOrder
} from "./broker.port.ts"

/** Fills on their way to the reader of the stream: canaries come one at a time. */
const FILLS_MAX = 64
const FILL_DELAY_MS = 5
/** More than any canary costs. */
const MONEY = "1000000"

interface SentRow {
  readonly client_order_id: string
  readonly account: string
  readonly symbol: string
  readonly side: "buy" | "sell"
  readonly quantity: string
  readonly sent_ms: number
}

const orderOf = (row: SentRow): VenueOrder => ({
  venueOrderId: `null-${row.client_order_id}`,
  clientOrderId: row.client_order_id,
  account: row.account,
  symbol: row.symbol,
  side: row.side,
  type: "market",
  quantity: row.quantity,
  limitPrice: null,
  stopPrice: null,
  timeInForce: "gtc",
  status: "filled",
  filledQuantity: row.quantity,
  averagePrice: CANARY_PRICE,
  createdAt: new Date(row.sent_ms),
  updatedAt: new Date(row.sent_ms)
})

const fillOf = (row: SentRow): VenueFill => ({
  tradeId: row.client_order_id,
  venueOrderId: `null-${row.client_order_id}`,
  clientOrderId: row.client_order_id,
  account: row.account,
  symbol: row.symbol,
  side: row.side,
  quantity: row.quantity,
  price: CANARY_PRICE,
  fee: "0",
  at: new Date(row.sent_ms),
  cursor: "0"
})

const sentTo = (sql: SqlClient, account: string) => sql<SentRow>`
  SELECT client_order_id, account, symbol, side, trim_scale(quantity)::text AS quantity,
    (extract(epoch FROM sent_at) * 1000)::float8 AS sent_ms
  FROM orders o WHERE account = ${account} AND sent_at IS NOT NULL`

const heldBy = (sql: SqlClient, account: string) => sql<{
  readonly account: string
  readonly symbol: string
  readonly quantity: string
  readonly averagePrice: string
}>`
  SELECT account, symbol, trim_scale(quantity)::text AS quantity, trim_scale(average_price)::text AS "averagePrice"
  FROM positions WHERE account = ${account} AND quantity <> 0`

type Reads = Pick<
  BrokerConnection,
  "activity" | "balance" | "fillsSince" | "findByClientOrderId" | "openOrders" | "positions" | "recentOrders"
>

/** Everything that is asked of it, answered from the rows of the account. */
const readsOf = (name: string, database: DatabaseService): Reads => {
  const read = <A>(operation: string, f: (sql: SqlClient) => Effect.Effect<A, unknown>) =>
    database
      .run(`null_broker.${operation}`, f)
      .pipe(
        Effect.mapError(
          (cause) => new BrokerUnavailable({ broker: name, operation, reason: "the database is away", cause })
        )
      )
  const sent = (operation: string, account: string) => read(operation, (sql) => sentTo(sql, account))
  return {
    findByClientOrderId: (account, clientOrderId) =>
      Effect.map(sent("findByClientOrderId", account), (rows) =>
        Option.map(Option.fromNullishOr(rows.find((row) => row.client_order_id === clientOrderId)), orderOf)
      ),
    openOrders: () => Effect.succeed([]),
    recentOrders: (account, since) =>
      Effect.map(sent("recentOrders", account), (rows) =>
        rows.filter((row) => row.sent_ms >= since.getTime()).map(orderOf)
      ),
    fillsSince: (account) => Effect.map(sent("fillsSince", account), (rows) => rows.map(fillOf)),
    // Our fills are its book.
    positions: (account) => read("positions", (sql) => heldBy(sql, account)),
    balance: (account) => Effect.succeed({ account, cash: MONEY, buyingPower: MONEY }),
    activity: Effect.succeed([])
  }
}

/** The connection of the canary's broker. */
export const makeNullConnection = (
  name: string,
  database: DatabaseService
): Effect.Effect<BrokerConnection> =>
  Effect.gen(function* () {
    const fills = yield* Queue.dropping<VenueFill>(FILLS_MAX)
    return {
      ...readsOf(name, database),
      name,
      venue: name,
      rule: "U",
      propagationMs: 0,
      create: (order) =>
        Effect.gen(function* () {
          const mayWrite = yield* SendPermit
          if (!mayWrite())
            return yield* new BrokerNotSent({ broker: name, reason: "the permit to send is gone" })
          const row = {
            client_order_id: order.clientOrderId,
            account: order.account,
            symbol: order.symbol,
            side: order.side,
            quantity: order.quantity,
            sent_ms: yield* Clock.currentTimeMillis
          }
          // A fill that finds no room is fetched with the next reconciliation.
          Queue.offerUnsafe(fills, fillOf(row))
          return orderOf(row)
        }),
      cancel: () => Effect.fail(new BrokerNotSent({ broker: name, reason: "nothing is ever open here" })),
      stream: (onEvent) =>
        Effect.gen(function* () {
          yield* onEvent({ _tag: "Connected" })
          return yield* Effect.forever(
            // Behind its response, as those of a venue are.
            Effect.flatMap(Queue.take(fills), (fill) =>
              Effect.delay(onEvent({ _tag: "Filled", fill }), FILL_DELAY_MS)
            )
          )
        }).pipe(
          Effect.andThen(
            Effect.fail(new BrokerStreamEnded({ broker: name, code: null, reason: "the null broker ended" }))
          )
        )
    }
  })
