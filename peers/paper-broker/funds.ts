/**
 * Funds: what an order needs and what an account can still afford.
 *
 * A cash account that may also be short, without leverage: money tied up in positions (at cost, long or short) and in
 * open orders cannot be used again. What only reduces a position needs nothing, so an exit is never refused for money.
 *
 * Promises: exact decimals; both numbers are read inside the caller's transaction, which holds the account's row.
 * Never: marks positions to market: a practice account must not lose buying power because of a seed.
 */
import { BigDecimal, Effect } from "effect"
import type { SqlError } from "effect/sql"
import { contractMultiplier } from "../../src/domain/kernel/option-contract.ts"
import type { Sql } from "./database.ts"
import type { OrderRequest } from "./wire.ts"

const decimal = BigDecimal.fromStringUnsafe

/** Money the order would tie up: the part of it that opens or adds, at its own price or at `price`. */
export const openingNotional = (
  sql: Sql,
  request: OrderRequest,
  price: string
): Effect.Effect<BigDecimal.BigDecimal, SqlError.SqlError> =>
  Effect.map(
    sql<{ quantity: string }>`SELECT quantity FROM positions
      WHERE account = ${request.account} AND symbol = ${request.symbol}`,
    (rows) => {
      const held = decimal(rows[0]?.quantity ?? "0")
      const against = request.side === "buy" ? BigDecimal.negate(held) : held
      const closing = BigDecimal.max(against, BigDecimal.fromBigInt(0n))
      const opening = BigDecimal.max(
        BigDecimal.subtract(decimal(request.quantity), closing),
        BigDecimal.fromBigInt(0n)
      )
      return BigDecimal.multiplyAll([
        opening,
        decimal(request.limit_price ?? request.stop_price ?? price),
        contractMultiplier(request.symbol)
      ])
    }
  )

/**
 * Equity at cost, less what positions and open orders tie up. Equity = cash + sum(q x average); tied up = sum(|q| x
 * average) + the unfilled share of what open orders reserved.
 */
export const availableFunds = (
  sql: Sql,
  account: string,
  cash: string
): Effect.Effect<BigDecimal.BigDecimal, SqlError.SqlError> =>
  Effect.map(
    // What an order reserved is money already; a position counts in units of its symbol.
    sql<{ symbol: string | null; tied: string }>`
      SELECT symbol, (abs(quantity) - quantity) * average_price AS tied FROM positions
        WHERE account = ${account} AND quantity < 0
      UNION ALL
      SELECT NULL, coalesce(sum(reserved * (quantity - filled_quantity) / quantity), 0) FROM orders
        WHERE account = ${account} AND status IN ('open', 'partially_filled')`,
    (rows) => {
      const tied = rows.map(({ symbol, tied }) =>
        symbol === null ? decimal(tied) : BigDecimal.multiply(decimal(tied), contractMultiplier(symbol))
      )
      return BigDecimal.round(BigDecimal.subtract(decimal(cash), BigDecimal.sumAll(tied)), {
        scale: 8,
        mode: "floor"
      })
    }
  )
