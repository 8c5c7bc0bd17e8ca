/**
 * position: what a fill does to the position of its account and symbol.
 *
 * One row per account and symbol is permanent; each time it opens from flat is an epoch, and exits count within
 * their epoch, so that the exit of an old opening can never be taken for the exit of a new one (T4). A fill that
 * flips a position closes one epoch and opens the next.
 *
 * Promises: the quantity is the exact sum of the signed fills, in any order; realised profit plus the value at
 * cost of what is left equals the cash that moved, up to the rounding of the average price.
 * Never: deduplicates fills; includes fees (they are kept separately, per trade).
 */
import { BigDecimal } from "effect"

import { type Decimal, zero } from "../kernel/decimal.ts"
import { averageOf, type Fill, signedQuantity } from "./fill.ts"
import { invariant } from "../kernel/invariant.ts"

/**
 * A position. `quantity` is signed: long above zero, short below. `averagePrice` is zero when flat. `epoch` counts
 * openings, 0 before the first; `exits` counts the exits given out in this epoch.
 */
export interface Position {
  readonly quantity: Decimal
  readonly averagePrice: Decimal
  readonly realisedPnl: Decimal
  readonly epoch: number
  readonly exits: number
}

/** What a fill did: `flipped` closed the old side and opened the other at once. */
export type PositionChange = "opened" | "increased" | "reduced" | "closed" | "flipped"

/** The position after a fill, the profit this fill realised (gross of fees), and what kind of change it was. */
export interface PositionStep {
  readonly position: Position
  readonly realisedPnl: Decimal
  readonly change: PositionChange
}

const one: Decimal = BigDecimal.fromBigInt(1n)

export const isFlat = (position: Pick<Position, "quantity">): boolean => BigDecimal.isZero(position.quantity)

/** Profit of closing `closed` (above zero) of a position that is long or short at `averagePrice`, each worth `units` of its price. */
const profitOf = (position: Position, closed: Decimal, price: Decimal, units: Decimal): Decimal => {
  const perUnit = BigDecimal.subtract(price, position.averagePrice)
  const profit = BigDecimal.multiplyAll([closed, perUnit, units])
  return BigDecimal.normalize(BigDecimal.isPositive(position.quantity) ? profit : BigDecimal.negate(profit))
}

const opened = (before: Position, quantity: Decimal, price: Decimal, realised: Decimal): Position => ({
  quantity,
  averagePrice: price,
  realisedPnl: realised,
  epoch: before.epoch + 1,
  exits: 0
})

const reduced = (before: Position, fill: Fill, quantity: Decimal, units: Decimal): PositionStep => {
  const size = BigDecimal.abs(before.quantity)
  const closed = BigDecimal.min(size, fill.quantity)
  const realisedPnl = profitOf(before, closed, fill.price, units)
  const total = BigDecimal.normalize(BigDecimal.sum(before.realisedPnl, realisedPnl))
  if (BigDecimal.isGreaterThan(fill.quantity, size)) {
    return { position: opened(before, quantity, fill.price, total), realisedPnl, change: "flipped" }
  }
  const flat = BigDecimal.isZero(quantity)
  const averagePrice = flat ? zero : before.averagePrice
  return {
    position: { ...before, quantity, averagePrice, realisedPnl: total },
    realisedPnl,
    change: flat ? "closed" : "reduced"
  }
}

/**
 * Applies one fill. The caller has made sure that it is applied once. `units` is what one of the quantity stands for
 * (`contractMultiplier`): it converts a profit to money and changes neither quantity nor average.
 */
export const applyFill = (before: Position, fill: Fill, units: Decimal = one): PositionStep => {
  invariant(BigDecimal.isPositive(fill.quantity), "a fill has a quantity above zero")
  const signed = signedQuantity(fill)
  const quantity = BigDecimal.normalize(BigDecimal.sum(before.quantity, signed))
  if (isFlat(before)) {
    const position = opened(before, quantity, fill.price, before.realisedPnl)
    return { position, realisedPnl: zero, change: "opened" }
  }
  if (BigDecimal.sign(before.quantity) !== BigDecimal.sign(signed))
    return reduced(before, fill, quantity, units)
  const averagePrice = averageOf(before.quantity, before.averagePrice, signed, fill.price)
  return { position: { ...before, quantity, averagePrice }, realisedPnl: zero, change: "increased" }
}
