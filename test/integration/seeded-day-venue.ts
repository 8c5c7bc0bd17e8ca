/**
 * The paper venue in the process of a test: its own book and prices on a database of its own, without the HTTP between.
 *
 * A venue of a day of hundreds of orders must be quick and must not depend on who answers first: a market order is filled when it is
 * placed, at the price of that moment.
 *
 * Promises: book, prices, funds and refusals are those of the peer program; fees are laid on where a fill is reported, because the
 * peer charges none.
 * Never: fills anything later, or delivers by a stream.
 */
import { BigDecimal, Effect, Option, type Redacted } from "effect"
import { makeBook } from "../../peers/paper-broker/book.ts"
import { makeVenueDatabase } from "../../peers/paper-broker/database.ts"
import { venueDefaults } from "../../peers/paper-broker/options.ts"
import { makePrices, tradePrice } from "../../peers/paper-broker/prices.ts"
import { makeQueries, type OrderFilter } from "../../peers/paper-broker/queries.ts"
import { orderOut } from "../../peers/paper-broker/wire.ts"
import { decimal, formatDecimal } from "../../src/domain/kernel/decimal.ts"
import {
  type BrokerConnection,
  BrokerNotSent,
  BrokerOutcomeUnknown,
  BrokerRefused,
  BrokerStreamEnded,
  BrokerUnavailable,
  type VenueBalance,
  type VenueOrder
} from "../../src/layers/venues/broker.port.ts"

const NAME = "practice"

/** Per unit, as brokers charge: by the contract, by the share, by the coin. */
const RATES: ReadonlyArray<readonly [RegExp, string]> = [
  [/ [CP] [\d.]+$/, "0.65"],
  [/^(ESZ6|MNQZ6|CLF7|GCG7)$/, "2.25"],
  [/-USD$/, "0.1"],
  [/./, "0.005"]
]
const feeOf = (symbol: string, quantity: string): string => {
  const [, rate] = RATES.find(([form]) => form.test(symbol)) ?? [null, "0"]
  return formatDecimal(BigDecimal.multiply(decimal(quantity), decimal(rate)))
}

/** The peer draws an id for every order, and the ids of our trades follow from it; this one is the same in every run. */
const venueIdOf = (clientOrderId: string | null): string => `v-${clientOrderId ?? "none"}`

const orderIn = (order: ReturnType<typeof orderOut>): VenueOrder => ({
  venueOrderId: venueIdOf(order.client_order_id),
  clientOrderId: order.client_order_id,
  account: order.account,
  symbol: order.symbol,
  side: order.side,
  type: order.type,
  quantity: order.quantity,
  limitPrice: order.limit_price,
  stopPrice: order.stop_price,
  timeInForce: order.time_in_force,
  status: order.status,
  filledQuantity: order.filled_quantity,
  averagePrice: order.average_price,
  createdAt: new Date(order.created_at),
  updatedAt: new Date(order.updated_at)
})

interface HeldRow {
  readonly account: string
  readonly symbol: string
  readonly quantity: string
  readonly average_price: string
}

/** The venue of one day. Its database is prepared when this returns. */
export const openDayVenue = (
  databaseUrl: Redacted.Redacted,
  seed: number,
  accounts: Readonly<Record<string, string>>
) =>
  Effect.gen(function* () {
    const options = { ...venueDefaults, databaseUrl, venue: NAME, seed, accounts }
    const database = yield* makeVenueDatabase(options)
    yield* database.prepare
    const prices = makePrices(database, seed)
    const book = makeBook(database, options)
    const queries = makeQueries(database, options)
    const reading = <A, E>(operation: string, read: Effect.Effect<A, E>) =>
      Effect.mapError(
        read,
        (cause) => new BrokerUnavailable({ broker: NAME, operation, reason: "away", cause })
      )
    const orders = (operation: string, filter: Partial<OrderFilter>) =>
      Effect.map(
        reading(
          operation,
          queries.orders(
            {
              account: null,
              clientOrderId: null,
              status: "all",
              updatedSince: null,
              page: { after: 0n, limit: 500 },
              ...filter
            },
            0
          )
        ),
        (page) => page.orders.map(orderIn)
      )
    const create: BrokerConnection["create"] = ({ limitPrice, stopPrice, ...order }) =>
      Effect.gen(function* () {
        const quote = yield* prices.quote(order.symbol)
        const price = tradePrice(
          { ...order, limit_price: limitPrice, stop_price: stopPrice, triggered_at: null },
          quote
        )
        if (price === null) return yield* Effect.die(new Error("the day has market orders only"))
        const request = {
          client_order_id: order.clientOrderId,
          account: order.account,
          symbol: order.symbol,
          side: order.side,
          type: order.type,
          quantity: order.quantity,
          limit_price: limitPrice,
          stop_price: stopPrice,
          time_in_force: order.timeInForce
        }
        const placed = yield* book.place(request, price)
        if (placed.created) yield* book.fill(placed.order, null, price)
        return orderIn(orderOut(placed.order))
      }).pipe(
        Effect.catchTags({
          Refusal: ({ code, message }) =>
            Effect.fail(new BrokerRefused({ broker: NAME, code, message, duplicate: false })),
          DatabaseAway: ({ why }) => Effect.fail(new BrokerOutcomeUnknown({ broker: NAME, reason: why }))
        })
      )
    const connection: BrokerConnection = {
      name: NAME,
      venue: NAME,
      rule: "U",
      propagationMs: 0,
      create,
      cancel: () => Effect.fail(new BrokerNotSent({ broker: NAME, reason: "nothing stays open here" })),
      findByClientOrderId: (account, clientOrderId) =>
        Effect.map(orders("find", { account, clientOrderId }), (found) => Option.fromNullishOr(found.at(-1))),
      openOrders: (account) => orders("open", { account, status: "open" }),
      recentOrders: (account, since) => orders("recent", { account, updatedSince: since }),
      fillsSince: (account, cursor) =>
        Effect.map(
          reading("fills", queries.fills(account, { after: BigInt(cursor ?? "0"), limit: 500 })),
          ({ fills }) =>
            fills.map((fill) => ({
              tradeId: fill.trade_id,
              venueOrderId: venueIdOf(fill.client_order_id),
              clientOrderId: fill.client_order_id,
              account: fill.account,
              symbol: fill.symbol,
              side: fill.side,
              quantity: fill.quantity,
              price: fill.price,
              fee: feeOf(fill.symbol, fill.quantity),
              at: new Date(fill.at),
              cursor: fill.sequence
            }))
        ),
      positions: (account) =>
        Effect.map(reading("positions", queries.positions(account)), (rows) =>
          (rows as ReadonlyArray<HeldRow>).map(({ average_price, quantity, symbol }) => ({
            account,
            symbol,
            quantity,
            averagePrice: average_price
          }))
        ),
      balance: (account) =>
        Effect.map(reading("balance", queries.account(account)), (row): VenueBalance => {
          const { buying_power, cash } = row as { readonly cash: string; readonly buying_power: string }
          return { account, cash, buyingPower: buying_power }
        }),
      activity: Effect.succeed([]),
      stream: () =>
        Effect.fail(new BrokerStreamEnded({ broker: NAME, code: null, reason: "fills are fetched here" }))
    }
    return connection
  })
