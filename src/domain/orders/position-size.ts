/**
 * position-size: how large an entry is when its sender names no size, and how sizes are rounded.
 *
 * A strategy either has a fixed quantity, or one that follows from money: a value per entry, a percentage of what the account is
 * worth, or a percentage of it that is lost when the stop is reached. All of them need a price, and none of them guesses one.
 *
 * Promises: pure, exact; a size is rounded down to whole lots, so it never costs or risks more than was allowed; what cannot be
 * computed is named.
 * Never: changes a close, which must be able to leave nothing behind; decides whether the order may be sent (risk.ts).
 */
import { BigDecimal } from "effect"
import { type Decimal, decimal, formatDecimal, zero } from "../kernel/decimal.ts"
import type { Instrument, InstrumentKind } from "../kernel/instruments.ts"
import type { SizingSettings, StrategySettings } from "../kernel/settings.ts"
import type { Wish } from "../signals/wish.ts"
import type { RiskNumbers } from "./risk-verdict.ts"

/** What a kind trades in when nobody says otherwise. A venue that takes smaller parts is told by the settings. */
const LOTS: Readonly<Record<InstrumentKind, string>> = {
  equity: "1",
  option: "1",
  future: "1",
  fx: "1",
  crypto: "0.00000001"
}

/** Digits of a quotient before it is rounded to lots: more than any lot has. */
const WORKING_SCALE = 18

const quotient = (dividend: Decimal, divisor: Decimal): Decimal =>
  BigDecimal.round(BigDecimal.divideUnsafe(dividend, divisor), { scale: WORKING_SCALE, mode: "floor" })

/** The largest multiple of `step` that is not above `value`; both are above zero. */
export const roundedDown = (value: Decimal, step: Decimal): Decimal =>
  BigDecimal.normalize(BigDecimal.subtract(value, BigDecimal.remainderUnsafe(value, step)))

/** How far away a new share's stop is, by the tightest term that is known before it opens; null without one. */
export const stopDistance = (
  price: Decimal,
  { exits, stopLossPct }: Pick<StrategySettings, "exits" | "stopLossPct">
): Decimal | null => {
  const part = (pct: string): Decimal =>
    BigDecimal.multiply(price, BigDecimal.multiply(decimal(pct), BigDecimal.make(1n, 2)))
  const [trailingPct, trailingAmount] = [exits?.trailingPct ?? null, exits?.trailingAmount ?? null]
  const distances = [
    ...(stopLossPct === null ? [] : [part(stopLossPct)]),
    ...(trailingPct === null ? [] : [part(trailingPct)]),
    ...(trailingAmount === null ? [] : [decimal(trailingAmount)])
  ]
  return distances.length === 0 ? null : distances.reduce((least, next) => BigDecimal.min(least, next))
}

export interface SizeInput {
  readonly strategy: Pick<StrategySettings, "exits" | "quantity" | "sizing" | "stopLossPct">
  readonly instrument: Instrument
  /** Its side of the quote, null when there is none. */
  readonly price: string | null
  /** What the account is worth; null when a price is missing. */
  readonly equity: Decimal | null
}

export type Size =
  | { readonly _tag: "Size"; readonly quantity: string; readonly numbers: RiskNumbers }
  /** It may be known soon. */
  | { readonly _tag: "Unknown"; readonly code: "size_price_missing" | "size_equity_missing" }
  /** Less than one lot. */
  | { readonly _tag: "TooSmall"; readonly code: "size_too_small"; readonly numbers: RiskNumbers }

/** The money that an entry may cost, or that it may lose per unit of its price. */
const unitsFor = (
  { amount, by }: SizingSettings,
  input: SizeInput,
  price: Decimal
): { readonly units: Decimal; readonly numbers: RiskNumbers } | Extract<Size, { _tag: "Unknown" }> => {
  const multiplier = decimal(input.instrument.multiplier)
  if (by === "notional") {
    const value = BigDecimal.multiply(price, multiplier)
    return { units: quotient(decimal(amount), value), numbers: { price: formatDecimal(price) } }
  }
  const { equity } = input
  if (equity === null) return { _tag: "Unknown", code: "size_equity_missing" }
  const money = BigDecimal.multiply(
    BigDecimal.max(equity, zero),
    BigDecimal.multiply(decimal(amount), BigDecimal.make(1n, 2))
  )
  const numbers = { price: formatDecimal(price), equity: formatDecimal(equity), money: formatDecimal(money) }
  if (by === "equityPct") return { units: quotient(money, BigDecimal.multiply(price, multiplier)), numbers }
  const distance = stopDistance(price, input.strategy) ?? price
  return {
    units: quotient(money, BigDecimal.multiply(distance, multiplier)),
    numbers: { ...numbers, stop_distance: formatDecimal(distance) }
  }
}

/** The smallest step of a quantity; a quantity that somebody names is only cut where the step is known for sure. */
const lotOf = ({ kind, lot }: Instrument, computed: boolean): Decimal | null => {
  if (lot !== null) return decimal(lot)
  return computed ? decimal(LOTS[kind]) : null
}

/** How large an entry is. `named` is what its sender asks for, null when it leaves that to the strategy. */
export const sizeOf = (named: string | null, input: SizeInput): Size => {
  const { instrument, strategy } = input
  const sizing = named === null ? strategy.sizing : null
  const price = input.price === null ? null : decimal(input.price)
  if (sizing !== null && price === null) return { _tag: "Unknown", code: "size_price_missing" }
  const found =
    sizing === null || price === null
      ? { units: decimal(named ?? strategy.quantity), numbers: {} }
      : unitsFor(sizing, input, price)
  if ("_tag" in found) return found
  const lot = lotOf(instrument, sizing !== null)
  const units = lot === null ? found.units : roundedDown(found.units, lot)
  const numbers = {
    by: sizing?.by ?? (named === null ? "fixed" : "sender"),
    amount: sizing?.amount ?? null,
    ...found.numbers,
    lot: lot === null ? null : formatDecimal(lot),
    quantity: formatDecimal(units)
  }
  return BigDecimal.isGreaterThan(units, zero)
    ? { _tag: "Size", quantity: formatDecimal(units), numbers }
    : { _tag: "TooSmall", code: "size_too_small", numbers }
}

/** Whether the quantity of a wish is that of an entry, which may be sized; a close and a target name what they want. */
export const isSizable = (wish: Wish): wish is Extract<Wish, { kind: "open" | "plain" | "reverse" }> =>
  wish.kind === "open" || wish.kind === "plain" || wish.kind === "reverse"
