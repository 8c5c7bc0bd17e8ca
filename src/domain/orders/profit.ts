/**
 * profit: profit and loss of an account or a strategy, from its own fills and current prices.
 *
 * Realised profit less fees is final; open positions are valued at the market's last price, with the contract multiplier.
 * Amounts in different currencies are added without conversion: an account is assumed to have one currency.
 *
 * Promises: pure, exact; an open position without a price makes the total unknown.
 * Never: values an unquoted position at cost: that would hide a loss.
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

/** Realised profit, fees, and open positions. */
export interface Holdings {
  readonly realised: string
  readonly fees: string
  readonly open: ReadonlyArray<OpenQuantity>
}

/** Unrealised profit; null when a price is missing. */
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
  /** Realised less fees plus unrealised; null when unknown. */
  readonly net: Decimal | null
}

const netOf = (realised: Decimal, fees: Decimal, unrealised: Decimal | null): Decimal | null =>
  unrealised === null ? null : BigDecimal.sum(BigDecimal.subtract(realised, fees), unrealised)

export const profitOf = ({ fees, open, realised }: Holdings, valuation: Valuation): Profit => {
  const [gained, paid] = [decimal(realised), decimal(fees)]
  const unrealised = unrealisedOf(open, valuation)
  return { realised: gained, fees: paid, unrealised, net: netOf(gained, paid, unrealised) }
}

/** The sum; of none, zero. */
export const sumOfProfits = (profits: ReadonlyArray<Profit>): Profit => {
  const realised = BigDecimal.sumAll(profits.map((one) => one.realised))
  const fees = BigDecimal.sumAll(profits.map((one) => one.fees))
  const values = profits.map((one) => one.unrealised)
  const unrealised = values.includes(null) ? null : BigDecimal.sumAll(values.filter((one) => one !== null))
  return { realised, fees, unrealised, net: netOf(realised, fees, unrealised) }
}
