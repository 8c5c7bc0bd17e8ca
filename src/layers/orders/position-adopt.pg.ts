/**
 * Adopting a position: our quantity becomes the venue's, because an operator decides so (T10).
 *
 * A quantity follows from fills and is never written by hand, so what is missing is recorded as one trade: external, under
 * an id of its own, at a price that realises nothing where we hold the symbol. Should the venue report the missing fill after
 * all, that one counts as well, and the two books differ again: that is seen and not guessed away.
 *
 * Promises: only where the position is in dispute, which it is after all fills were asked for again; the quantities are
 * those of the row while it is locked, and no fill was stored since the venue reported its own.
 * Never: touches an order, or what the venue confirmed.
 * Failure: errors of the SQL client pass through.
 */
import { BigDecimal, Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { decimal, formatDecimal } from "../../domain/kernel/decimal.ts"
import { tradeRecordId } from "../../domain/kernel/ids.ts"
import type { VenueFill } from "../../domain/orders/fill.ts"
import type { Adopted, PositionAfter } from "./fills-store.port.ts"

interface Row {
  readonly account: string
  readonly symbol: string
  readonly venue: string
  readonly quantity: string
  readonly confirmed: string | null
  readonly disputed: boolean
  /** A fill was stored since the venue was asked. */
  readonly outdated: boolean
  readonly average: string
  readonly lastPrice: string | null
  readonly at: Date
}

const priceOf = (row: Row, given: string | null): string | null =>
  given ?? (row.quantity === "0" ? row.lastPrice : row.average)

const tradeKey = ({ account, symbol }: Row, reference: string) => ({
  account,
  symbol,
  venueOrderId: `adopted-${reference}`,
  tradeId: `adopted-${reference}`
})

/** The trade of an earlier try of the same command. */
const known = (sql: SqlClient, row: Row, id: string) =>
  Effect.map(
    sql<{ readonly side: string; readonly quantity: string; readonly price: string }>`
      SELECT side, trim_scale(quantity)::text AS quantity, trim_scale(price)::text AS price
      FROM trade_records WHERE id = ${id}::uuid`,
    ([trade]): Adopted | null => {
      if (trade === undefined) return null
      const signed = decimal(trade.side === "buy" ? trade.quantity : `-${trade.quantity}`)
      return {
        _tag: "Adopted",
        account: row.account,
        symbol: row.symbol,
        before: formatDecimal(BigDecimal.subtract(decimal(row.quantity), signed)),
        quantity: row.quantity,
        price: trade.price,
        tradeRecordId: id,
        position: null,
        again: true
      }
    }
  )

export const adoptIn = (
  sql: SqlClient,
  given: { readonly positionId: string; readonly price: string | null; readonly reference: string },
  record: (venue: string, fill: VenueFill) => Effect.Effect<PositionAfter | null, SqlError>
) =>
  Effect.gen(function* () {
    const [row] = yield* sql<Row>`
      SELECT p.account, p.symbol, a.venue, trim_scale(p.quantity)::text AS quantity,
        trim_scale(p.confirmed_quantity)::text AS confirmed, p.disputed_at IS NOT NULL AS disputed,
        -- Every fill moves both, and nothing else does; a row that a confirmation made has its first version.
        p.version > 1 AND p.updated_at > p.confirmed_at AS outdated,
        trim_scale(p.average_price)::text AS average, hf_clock() AS at,
        (SELECT trim_scale(t.price)::text FROM trade_records t WHERE t.position_id = p.id ORDER BY t.seq DESC LIMIT 1)
          AS "lastPrice"
      FROM positions p JOIN accounts a ON a.id = p.account WHERE p.id = ${given.positionId}::uuid FOR UPDATE OF p`
    if (row === undefined) return { _tag: "Missing" } satisfies Adopted
    const key = tradeKey(row, given.reference)
    const id = tradeRecordId({ venue: row.venue, ...key })
    const before = yield* known(sql, row, id)
    if (before !== null) return before
    if (!row.disputed || row.confirmed === null || row.confirmed === row.quantity)
      return { _tag: "NotDisputed", ours: row.quantity, venues: row.confirmed } satisfies Adopted
    if (row.outdated) return { _tag: "Outdated", account: row.account } satisfies Adopted
    const price = priceOf(row, given.price)
    if (price === null) return { _tag: "PriceMissing" } satisfies Adopted
    const difference = BigDecimal.subtract(decimal(row.confirmed), decimal(row.quantity))
    const side = BigDecimal.sign(difference) > 0 ? "buy" : "sell"
    const quantity = formatDecimal(BigDecimal.abs(difference))
    const position = yield* record(row.venue, {
      ...key,
      clientOrderId: null,
      side,
      quantity,
      price,
      fee: "0",
      at: row.at,
      cursor: ""
    })
    yield* sql`UPDATE positions SET disputed_at = NULL WHERE id = ${given.positionId}::uuid AND quantity = confirmed_quantity`
    return {
      _tag: "Adopted",
      account: row.account,
      symbol: row.symbol,
      before: row.quantity,
      quantity: row.confirmed,
      price,
      tradeRecordId: id,
      position,
      again: false
    } satisfies Adopted
  })
