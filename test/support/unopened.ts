/**
 * What is before the first fill: the starting points of tests that replay fills.
 *
 * Promises: what a row of the database begins with.
 * Never: stands in for a position of a store.
 */
import { zero } from "../../src/domain/kernel/decimal.ts"
import type { Filled } from "../../src/domain/orders/fill.ts"
import type { Position } from "../../src/domain/orders/position.ts"

/** A position nobody has opened yet. */
export const flatPosition: Position = {
  quantity: zero,
  averagePrice: zero,
  realisedPnl: zero,
  epoch: 0,
  exits: 0
}

/** An order before its first fill. */
export const unfilled: Filled = { filledQuantity: zero, averagePrice: null }
