/**
 * profit: what an account or a strategy has gained or lost, by its own fills and today's prices.
 *
 * Realised profit less fees is certain; what is open is worth what the market says now, with the multiplier of its
 * instrument. Amounts of different currencies are added as they are: an account is taken to have one.
 *
 * Promises: pure, exact; what is open and has no price makes the whole unknown.
 * Never: values a position at its own cost because nobody quotes it: that would be a loss that does not show.
 */
import { BigDecimal } from "effect"
import { type Decimal, decimal, zero } from "../kernel/decimal.ts"
import type { Valuation } from "./risk-book.ts"

/** Something open. `quantity` is signed. */
export interface OpenQuantity {
  readonly symbol: string
  readonly quantity: string
  readonly averagePrice: string
}

/** What was gained and paid so far, and what is open. */
export interface Holdings {
  readonly realised: string
  readonly fees: string
  readonly open: ReadonlyArray<OpenQuantity>
}

/** What is open, valued now; null when a price is missing. */
export const unrealisedOf = (
  open: ReadonlyArray<OpenQuantity>,
  { marketPrice, multiplierOf }: Valuation
): Decimal | null => {
  let total: Decimal = zero
  for (const { averagePrice, quantity, symbol } of open) {
    const price = marketPrice(symbol)
    if (price === null) return null
    const perUnit = BigDecimal.subtract(decimal(price), decimal(averagePrice))
    total = BigDecimal.sum(total, BigDecimal.multiplyAll([decimal(quantity), perUnit, multiplierOf(symbol)]))
  }
  return total
}

export interface Profit {
  readonly realised: Decimal
  readonly fees: Decimal
  readonly unrealised: Decimal | null
  /** All of it: realised less fees, and unrealised; null when that is not known. */
  readonly net: Decimal | null
}

const netOf = (realised: Decimal, fees: Decimal, unrealised: Decimal | null): Decimal | null =>
  unrealised === null ? null : BigDecimal.sum(BigDecimal.subtract(realised, fees), unrealised)

export const profitOf = ({ fees, open, realised }: Holdings, valuation: Valuation): Profit => {
  const [gained, paid] = [decimal(realised), decimal(fees)]
  const unrealised = unrealisedOf(open, valuation)
  return { realised: gained, fees: paid, unrealised, net: netOf(gained, paid, unrealised) }
}

/** Of nothing, zero. */
export const sumOfProfits = (profits: ReadonlyArray<Profit>): Profit => {
  const realised = BigDecimal.sumAll(profits.map((one) => one.realised))
  const fees = BigDecimal.sumAll(profits.map((one) => one.fees))
  const values = profits.map((one) => one.unrealised)
  const unrealised = values.includes(null) ? null : BigDecimal.sumAll(values.filter((one) => one !== null))
  return { realised, fees, unrealised, net: netOf(realised, fees, unrealised) }
}
