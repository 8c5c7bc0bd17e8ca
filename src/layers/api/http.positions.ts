/**
 * What a position is worth now: the market's price and the profit at it, added to the rows of the list.
 *
 * The database has no prices, and a price that is not this second's would be worth less than none; so the quotes come from the memory of
 * this process, which is the only place where they are.
 *
 * Promises: a price is shown with the time at which it held; without a fresh quote price and profit are null.
 * Never: asks for a quote, or subscribes to one: what is held is subscribed by whoever protects it.
 * Failure: a process without the market's feed has no quotes, which is null like any other that is missing.
 */
import { Clock, Effect } from "effect"
import { formatDecimal } from "../../domain/kernel/decimal.ts"
import { instrumentsOf, multiplierOf } from "../../domain/kernel/instruments.ts"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { ageLimits } from "../../domain/kernel/limits-signals.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import { unrealisedOf } from "../../domain/orders/profit.ts"
import type { Item } from "../health/read-store.port.ts"
import type { MarketService } from "../market/market.port.ts"

/** The rows with `last_price`, `priced_at` and `unrealised_pnl`. */
export const pricedPositions =
  (market: MarketService, settings: Settings) =>
  (rows: ReadonlyArray<Item>): Effect.Effect<ReadonlyArray<Item>> =>
    Effect.map(Clock.currentTimeMillis, (nowMs) => {
      const instruments = instrumentsOf(settings)
      return rows.map((row) => {
        const symbol = String(row["symbol"])
        const quote = market.quote(symbol)
        const isFresh = quote !== null && nowMs - quote.at.getTime() <= ageLimits.quoteAgeMsMax
        const price = isFresh ? quote.last : null
        const held = { symbol, quantity: String(row["quantity"]), averagePrice: String(row["average_price"]) }
        // What is not open has nothing to be valued.
        const open = /[1-9]/.test(held.quantity) ? [held] : []
        const unrealised = unrealisedOf(open, {
          marketPrice: () => price,
          multiplierOf: (one) => multiplierOf(instruments, one)
        })
        return {
          ...row,
          last_price: price,
          priced_at: isFresh ? isoOf(quote.at.getTime()) : null,
          unrealised_pnl: unrealised === null ? null : formatDecimal(unrealised)
        }
      })
    })
