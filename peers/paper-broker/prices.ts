/**
 * Prices of the venue: the seeded practice price, or the price a test has set.
 *
 * A set price is stored, because a test that kills the venue must find the market as it left it.
 *
 * Promises: every symbol has a price at any time; buys trade at the ask, sells at the bid; a set price is both.
 * Never: queries the database on the order path: overrides are read once at start and kept in step by `set`.
 */
import { Clock, Effect } from "effect"
import { practiceQuote } from "../../src/domain/market/practice-price.ts"
import * as match from "../../src/domain/orders/quote-match.ts"
import type { DatabaseAway, VenueDatabase } from "./database.ts"
import { type OrderRow, plain } from "./wire.ts"

export interface VenueQuote {
  readonly symbol: string
  readonly bid: string
  readonly ask: string
  readonly last: string
}

export interface Prices {
  readonly load: Effect.Effect<void, DatabaseAway>
  readonly quote: (symbol: string) => Effect.Effect<VenueQuote>
  /** Sets the price of a symbol, or returns it to the practice market with null. */
  readonly set: (symbol: string, price: string | null) => Effect.Effect<void, DatabaseAway>
}

/** Whether the last trade has reached the stop of an order. */
export const reachesStop = (order: Pick<OrderRow, "side" | "stop_price">, quote: VenueQuote): boolean =>
  match.reachesStop({ side: order.side, stopPrice: order.stop_price }, quote)

/** The price at which an order would trade now, or null while its limit is not reached, or its stop was not. */
export const tradePrice = (
  order: Pick<OrderRow, "side" | "limit_price" | "stop_price" | "triggered_at">,
  quote: VenueQuote
): string | null =>
  match.tradePrice(
    {
      side: order.side,
      limitPrice: order.limit_price,
      stopPrice: order.stop_price,
      isTriggered: order.triggered_at !== null
    },
    quote
  )

export const makePrices = (database: VenueDatabase, seed: number): Prices => {
  const overrides = new Map<string, string>()
  return {
    load: Effect.map(
      database.run(
        (sql) => sql<{ symbol: string; price: string }>`SELECT symbol, price FROM price_overrides`
      ),
      (rows) => {
        for (const row of rows) overrides.set(row.symbol, plain(row.price))
      }
    ),
    quote: (symbol) =>
      Effect.map(Clock.currentTimeMillis, (atMs) => {
        const price = overrides.get(symbol)
        if (price !== undefined) return { symbol, bid: price, ask: price, last: price }
        const { bid, ask, last } = practiceQuote(seed, symbol, atMs)
        return { symbol, bid, ask, last }
      }),
    set: (symbol, price) =>
      Effect.map(
        database.run((sql) =>
          price === null
            ? sql`DELETE FROM price_overrides WHERE symbol = ${symbol}`
            : sql`INSERT INTO price_overrides ${sql.insert({ symbol, price })}
                ON CONFLICT (symbol) DO UPDATE SET price = excluded.price`
        ),
        () => {
          if (price === null) overrides.delete(symbol)
          else overrides.set(symbol, plain(price))
        }
      )
  }
}
