/**
 * The shares of a position as rows, moved by the fill that moves the position.
 *
 * The caller holds the lock of the position's row, so shares need none of their own. A share that opens gets its exit
 * prices here, from the settings of its strategy, in the transaction of the fill: no committed share of a strategy with a
 * stop is ever without one (T10, protection).
 *
 * Promises: after each fill the shares add up to the position; a share that is closed forgets its exit prices; its profit
 * or loss stays with its strategy, and each close is a row of `closes`.
 * Never: touches the position, or runs outside the caller's transaction.
 * Failure: errors of the SQL client pass through.
 */
import { BigDecimal, Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { decimal, type Decimal, formatDecimal, zero } from "../../domain/kernel/decimal.ts"
import type { Fill } from "../../domain/orders/fill.ts"
import { termsOf } from "../../domain/orders/protection.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import { arm, movingTermsOf, movingText } from "../../domain/orders/trailing.ts"
import { applyToShares, type Share, type ShareChange } from "../../domain/orders/share.ts"

interface ShareRow {
  readonly strategy: string
  readonly quantity: string
  readonly average_price: string
  readonly opened_seq: bigint
  readonly opened_by: string | null
}

/** The fill's context: which position, which of its versions, whose order it was, and its contract multiplier. */
interface Place {
  readonly positionId: string
  readonly version: number
  readonly strategy: string
  readonly account: string
  readonly symbol: string
  readonly units: Decimal
  /** The order that caused it, else the trade itself: everything that one order closes of a share is one close. */
  readonly cause: string
  /** The signal that the order came from; null for exits, closes of an operator and what is not ours. */
  readonly signalId: string | null
}

const text = (value: Decimal | null): string | null => (value === null ? null : formatDecimal(value))

const shareOf = (row: ShareRow): Share => ({
  strategy: row.strategy,
  quantity: decimal(row.quantity),
  averagePrice: decimal(row.average_price),
  openedSeq: row.opened_seq
})

/** `fee` is that of the fill, or zero for shares that do not bear it. */
const write = (
  sql: SqlClient,
  settings: Settings,
  place: Place,
  { share, change, profit }: ShareChange,
  fee: Decimal
) => {
  const strategy = settings.strategies[share.strategy]
  const opens = change === "opened"
  const closes = change === "closed"
  const fixed = termsOf(opens ? strategy : undefined)
  // The first average true range is read by the exits: the transaction of a fill waits for no market.
  const input = { ...share, terms: movingTermsOf(opens ? strategy : undefined), range: null }
  const { best, stop, target } = arm(fixed, input, null)
  const movingTerms = opens ? movingText(strategy) : null
  const gained = profit ?? zero
  return sql`
    WITH closed AS (
      INSERT INTO closes AS c (cause, strategy, account, symbol, profit)
      SELECT ${place.cause}::uuid, ${share.strategy}, ${place.account}, ${place.symbol},
        ${formatDecimal(BigDecimal.subtract(gained, fee))}::numeric
      WHERE ${profit !== null}::boolean
      ON CONFLICT (cause, strategy) DO UPDATE SET profit = c.profit + excluded.profit, closed_at = excluded.closed_at)
    INSERT INTO position_shares AS h (position_id, strategy, quantity, average_price, opened_seq, stop_pct, target_pct,
       stop_price, target_price, realised_pnl, fees, opened_by, moving_terms, best_price, stop_by)
    VALUES (${place.positionId}, ${share.strategy}, ${formatDecimal(share.quantity)}::numeric,
      ${formatDecimal(share.averagePrice)}::numeric, ${share.openedSeq}::bigint, ${text(fixed.stopLossPct)}::numeric,
      ${text(fixed.profitTargetPct)}::numeric, ${text(stop?.price ?? null)}::numeric, ${text(target)}::numeric,
      ${formatDecimal(gained)}::numeric, ${formatDecimal(fee)}::numeric, ${opens ? place.signalId : null}::uuid,
      ${movingTerms}::text, ${text(best)}::numeric, ${stop?.by ?? null}::text)
    ON CONFLICT (position_id, strategy) DO UPDATE SET
      realised_pnl = h.realised_pnl + excluded.realised_pnl, fees = h.fees + excluded.fees,
      quantity = excluded.quantity, average_price = excluded.average_price, opened_seq = excluded.opened_seq,
      opened_at = CASE WHEN ${opens}::boolean THEN hf_clock() ELSE h.opened_at END,
      opened_by = CASE WHEN ${opens}::boolean THEN excluded.opened_by ELSE h.opened_by END,
      stop_pct = CASE WHEN ${opens || closes}::boolean THEN excluded.stop_pct ELSE h.stop_pct END,
      target_pct = CASE WHEN ${opens || closes}::boolean THEN excluded.target_pct ELSE h.target_pct END,
      stop_price = CASE WHEN ${opens || closes}::boolean THEN excluded.stop_price ELSE h.stop_price END,
      target_price = CASE WHEN ${opens || closes}::boolean THEN excluded.target_price ELSE h.target_price END,
      moving_terms = CASE WHEN ${opens || closes}::boolean THEN excluded.moving_terms ELSE h.moving_terms END,
      best_price = CASE WHEN ${opens || closes}::boolean THEN excluded.best_price ELSE h.best_price END,
      stop_by = CASE WHEN ${opens || closes}::boolean THEN excluded.stop_by ELSE h.stop_by END,
      updated_at = hf_clock()`
}

/** How much a fill added to a share: all of one that it opened, also where it turned it around. */
const addedTo = (rows: ReadonlyArray<ShareRow>, own: ShareChange | undefined): Decimal => {
  if (own === undefined) return zero
  const after = BigDecimal.abs(own.share.quantity)
  if (own.change === "opened") return after
  if (own.change !== "increased") return zero
  const before = rows.find(({ strategy }) => strategy === own.share.strategy)?.quantity ?? "0"
  return BigDecimal.subtract(after, BigDecimal.abs(decimal(before)))
}

/**
 * Applies one fill to the shares of its position. Returns the signal that opened what the fill moved: of its strategy's own
 * share if that is one of them, and of the new one where it turned a share around; null when no signal did. With the opening of
 * its strategy's share, null where it has none, and how much was added to that.
 */
export const moveShares = Effect.fnUntraced(function* (
  sql: SqlClient,
  settings: Settings,
  place: Place,
  fill: Fill
) {
  const rows = yield* sql<ShareRow>`
    SELECT strategy, quantity, average_price, opened_seq, opened_by FROM position_shares
    WHERE position_id = ${place.positionId} AND quantity <> 0`
  const { strategy, units } = place
  const changes = applyToShares(rows.map(shareOf), strategy, fill, BigInt(place.version), units)
  // The strategy that sent the order bears the fee; if it has no share here, the first one that changed does.
  const payer = changes.find(({ share }) => share.strategy === strategy) ?? changes[0]
  for (const change of changes) yield* write(sql, settings, place, change, change === payer ? fill.fee : zero)
  const own = changes.find(({ share }) => share.strategy === strategy)
  const openedSeq = own?.share.openedSeq ?? null
  const opened = addedTo(rows, own)
  if (payer === undefined) return { openedBy: null, openedSeq, opened }
  if (payer.change === "opened") return { openedBy: place.signalId, openedSeq, opened }
  const openedBy = rows.find((row) => row.strategy === payer.share.strategy)?.opened_by ?? null
  return { openedBy, openedSeq, opened }
})
