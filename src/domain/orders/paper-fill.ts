/**
 * paper-fill: what a fill on paper makes of what a shadow holds (G5).
 *
 * Promises: pure, exact; the arithmetic is that of real positions; profit is before fees, which paper has none of.
 * Never: decides whether something is filled.
 */
import { type Decimal, decimal, formatDecimal, zero } from "../kernel/decimal.ts"
import type { Side } from "../signals/signal.ts"
import { applyFill } from "./position.ts"
import type { PaperHolding } from "./stage.ts"

interface GivenFill {
  readonly symbol: string
  readonly side: Side
  /** Above zero. */
  readonly quantity: string
  readonly price: string
}

interface PaperFilled {
  /** Of what it closed; null: it closed nothing. */
  readonly profit: string | null
  /** What is held then, "0" when flat. */
  readonly after: PaperHolding
  /** From flat, or through zero. */
  readonly opened: boolean
}

/** What a fill makes of a holding. `units` is what one of the quantity stands for. */
export const paperFill = (
  held: PaperHolding | undefined,
  { price, quantity, side, symbol }: GivenFill,
  units: Decimal
): PaperFilled => {
  const before = {
    quantity: decimal(held?.quantity ?? "0"),
    averagePrice: decimal(held?.averagePrice ?? "0"),
    realisedPnl: zero,
    epoch: 0,
    exits: 0
  }
  const { change, position, realisedPnl } = applyFill(
    before,
    { side, quantity: decimal(quantity), price: decimal(price), fee: zero },
    units
  )
  return {
    profit: change === "opened" || change === "increased" ? null : formatDecimal(realisedPnl),
    after: {
      symbol,
      quantity: formatDecimal(position.quantity),
      averagePrice: formatDecimal(position.averagePrice)
    },
    opened: change === "opened" || change === "flipped"
  }
}
