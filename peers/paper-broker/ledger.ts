/**
 * Practice ledger: the arithmetic a practice venue keeps its book with: positions at average cost, average fill price.
 *
 * It belongs to the venue, not to us: our own positions are computed elsewhere from the fills we stored, and the two
 * are compared by the reconciler. Sharing one function between both sides would make that comparison prove nothing.
 *
 * Promises: pure; exact in `BigDecimal`; averages are rounded half-even at `AVERAGE_SCALE` digits and at no other place.
 * Never: knows accounts, fees or currencies.
 */
import { BigDecimal } from "effect"

/** Digits after the point of an average. Beyond the tick of any instrument, short enough for plain decimal notation. */
export const AVERAGE_SCALE = 10

export interface PracticePosition {
  /** Signed: negative is short. */
  readonly quantity: BigDecimal.BigDecimal
  /** Zero when flat. */
  readonly averagePrice: BigDecimal.BigDecimal
}

const ZERO = BigDecimal.fromBigInt(0n)

export const FLAT: PracticePosition = { quantity: ZERO, averagePrice: ZERO }

/** (a x weightA + b x weightB) / (weightA + weightB); the weights are positive. */
export const weightedAverage = (
  a: BigDecimal.BigDecimal,
  weightA: BigDecimal.BigDecimal,
  b: BigDecimal.BigDecimal,
  weightB: BigDecimal.BigDecimal
): BigDecimal.BigDecimal =>
  BigDecimal.round(
    BigDecimal.divideUnsafe(
      BigDecimal.sum(BigDecimal.multiply(a, weightA), BigDecimal.multiply(b, weightB)),
      BigDecimal.sum(weightA, weightB)
    ),
    { scale: AVERAGE_SCALE, mode: "half-even" }
  )

/** The position after a trade of `signedQuantity` (positive bought, negative sold, never zero) at `price`. */
export const applyTrade = (
  position: PracticePosition,
  signedQuantity: BigDecimal.BigDecimal,
  price: BigDecimal.BigDecimal
): PracticePosition => {
  const quantity = BigDecimal.sum(position.quantity, signedQuantity)
  if (BigDecimal.isZero(quantity)) return FLAT
  const direction = BigDecimal.sign(signedQuantity)
  if (BigDecimal.isZero(position.quantity) || BigDecimal.sign(position.quantity) === direction) {
    const averagePrice = weightedAverage(
      position.averagePrice,
      BigDecimal.abs(position.quantity),
      price,
      BigDecimal.abs(signedQuantity)
    )
    return { quantity, averagePrice }
  }
  // Against the position: what is left keeps its cost, and what went through zero was opened by this trade.
  return BigDecimal.sign(quantity) === direction
    ? { quantity, averagePrice: price }
    : { quantity, averagePrice: position.averagePrice }
}
