/**
 * paper-fill: what a fill on paper makes of what a shadow holds (G5).
 *
 * Its profit is what the strategy would have kept: a close bears its own fee, and its part of the fees of what it closes. Those are
 * carried with the holding, since the trades that opened it have no profit of their own to take them from.
 *
 * Promises: pure, exact; the arithmetic is that of real positions; over a holding that went flat, profits add up to the cash that
 * moved less every fee, up to the rounding of the average price.
 * Never: decides whether something is filled, or what it costs.
 */
import { BigDecimal } from "effect"
import { type Decimal, decimal, divideRounded, formatDecimal, zero } from "../kernel/decimal.ts"
import type { Side } from "../signals/signal.ts"
import { applyFill } from "./position.ts"
import type { PaperHolding } from "./stage.ts"

interface GivenFill {
  readonly symbol: string
  readonly side: Side
  /** Above zero. */
  readonly quantity: string
  readonly price: string
  readonly fee: string
}

interface PaperFilled {
  /** Of what it closed, net of fees; null: it closed nothing. */
  readonly profit: string | null
  /** What is held then, "0" when flat. */
  readonly after: PaperHolding
  /** From flat, or through zero. */
  readonly opened: boolean
}

/** The part of a fee that falls to `some` of `all`; all of it to all, so that no rounding is lost. */
const partOf = (fee: Decimal, some: Decimal, all: Decimal): Decimal =>
  BigDecimal.equals(some, all) ? fee : divideRounded(BigDecimal.multiply(fee, some), all)

/** What a fill makes of a holding. `units` is what one of the quantity stands for. */
export const paperFill = (
  held: PaperHolding | undefined,
  { fee, price, quantity, side, symbol }: GivenFill,
  units: Decimal
): PaperFilled => {
  const before = {
    quantity: decimal(held?.quantity ?? "0"),
    averagePrice: decimal(held?.averagePrice ?? "0"),
    realisedPnl: zero,
    epoch: 0,
    exits: 0
  }
  const [filled, paid, carried] = [decimal(quantity), decimal(fee), decimal(held?.fees ?? "0")]
  const { change, position, realisedPnl } = applyFill(
    before,
    { side, quantity: filled, price: decimal(price), fee: paid },
    units
  )
  const closes = change !== "opened" && change !== "increased"
  const size = BigDecimal.abs(before.quantity)
  const closed = closes ? BigDecimal.min(size, filled) : zero
  // Of a fill through zero the rest of its fee is that of what it opens.
  const own = closes ? partOf(paid, closed, filled) : zero
  const released = closes ? partOf(carried, closed, size) : zero
  const left = BigDecimal.subtract(BigDecimal.sum(carried, paid), BigDecimal.sum(own, released))
  return {
    profit: closes ? formatDecimal(BigDecimal.subtract(realisedPnl, BigDecimal.sum(own, released))) : null,
    after: {
      symbol,
      quantity: formatDecimal(position.quantity),
      averagePrice: formatDecimal(position.averagePrice),
      ...(BigDecimal.isZero(left) ? {} : { fees: formatDecimal(left) })
    },
    opened: change === "opened" || change === "flipped"
  }
}
