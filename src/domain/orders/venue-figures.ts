/**
 * venue-figures: validates money, quantities and prices that a venue reports.
 *
 * A faulty venue may report NaN, null, a negative balance, or a price with nine zeros too many. A limit computed from such a
 * value would never be reached. So every figure is validated in one place, and an invalid one is treated as unknown.
 *
 * Promises: pure and total for any input; a problem names the field and the value as received.
 * Never: corrects a figure, or replaces one by zero.
 */
import { BigDecimal, Option } from "effect"
import { decimal, parseDecimal } from "../kernel/decimal.ts"
import { figureLimits } from "../kernel/risk-limits.ts"

/** What a figure has to be. `signed` may be below zero; `positive` is above it. */
type Rule = "positive" | "not_negative" | "signed"

interface Figure {
  readonly field: string
  readonly value: unknown
  readonly rule: Rule
  /** Absolute; at or above it the figure is absurd. */
  readonly bound: string
  /** The venue need not have it. */
  readonly optional?: true
}

const shown = (value: unknown): string =>
  (typeof value === "string" ? `"${value}"` : String(value)).slice(0, figureLimits.shownMax)

/** Why a figure is invalid; null when it is valid. */
const problemOf = ({ bound, field, optional, rule, value }: Figure): string | null => {
  if (value === null && optional === true) return null
  const read = typeof value === "string" ? parseDecimal(value) : Option.none()
  if (Option.isNone(read)) return `${field} is no number: ${shown(value)}`
  const sign = BigDecimal.sign(read.value)
  if (sign < 0 && rule !== "signed") return `${field} is negative: ${shown(value)}`
  if (sign === 0 && rule === "positive") return `${field} is zero`
  return BigDecimal.isLessThan(BigDecimal.abs(read.value), decimal(bound))
    ? null
    : `${field} is absurd: ${shown(value)}`
}

const firstProblem = (figures: ReadonlyArray<Figure>): string | null => {
  for (const figure of figures) {
    const problem = problemOf(figure)
    if (problem !== null) return problem
  }
  return null
}

const { moneyBelow, priceBelow, quantityBelow } = figureLimits

/** Settled cash, and what a new entry may use. */
export const balanceProblem = (balance: { readonly cash: unknown; readonly buyingPower: unknown }) =>
  firstProblem([
    { field: "cash", value: balance.cash, rule: "not_negative", bound: moneyBelow },
    { field: "buying power", value: balance.buyingPower, rule: "not_negative", bound: moneyBelow }
  ])

/** What is held: nobody may be shown as flat, or as holding anything, by a quantity that is none. */
export const heldProblem = (position: { readonly quantity: unknown }) =>
  firstProblem([{ field: "quantity", value: position.quantity, rule: "signed", bound: quantityBelow }])

/** What it was bought at. Nothing is sized by it; a venue that gets it wrong is not believed about anything new. */
export const averageProblem = (position: { readonly averagePrice: unknown }) =>
  firstProblem([
    // Zero of what is flat.
    { field: "average price", value: position.averagePrice, rule: "not_negative", bound: priceBelow }
  ])

/** A fee below zero is a rebate. */
export const fillProblem = (fill: {
  readonly quantity: unknown
  readonly price: unknown
  readonly fee: unknown
}) =>
  firstProblem([
    { field: "quantity", value: fill.quantity, rule: "positive", bound: quantityBelow },
    { field: "price", value: fill.price, rule: "positive", bound: priceBelow },
    { field: "fee", value: fill.fee, rule: "signed", bound: moneyBelow }
  ])

export const orderProblem = (order: {
  readonly quantity: unknown
  readonly filledQuantity: unknown
  readonly limitPrice: unknown
  readonly stopPrice: unknown
  readonly averagePrice: unknown
}) =>
  firstProblem([
    { field: "quantity", value: order.quantity, rule: "positive", bound: quantityBelow },
    { field: "filled quantity", value: order.filledQuantity, rule: "not_negative", bound: quantityBelow },
    { field: "limit price", value: order.limitPrice, rule: "positive", bound: priceBelow, optional: true },
    { field: "stop price", value: order.stopPrice, rule: "positive", bound: priceBelow, optional: true },
    {
      field: "average price",
      value: order.averagePrice,
      rule: "not_negative",
      bound: priceBelow,
      optional: true
    }
  ])
