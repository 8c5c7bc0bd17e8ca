/**
 * Option contract: which contract an alert for a CALL or a PUT means.
 *
 * An alert names the underlying and sometimes a strike and an expiration. What it leaves out is chosen here by a
 * fixed rule (at the money, the next standard monthly expiration), because an engine that drops such alerts trades
 * less than its operator believes, and a choice without a rule cannot be explained afterwards.
 *
 * Promises: pure; the symbol is readable and unique per contract: `SPY 2026-12-18 C 450` (underlying, expiration,
 * right, strike without trailing zeros); a strike is only chosen from a price, never from nothing.
 * Never: claims that the venue lists the contract; a venue that does not refuses the order.
 */
import { BigDecimal } from "effect"
import { monthlyExpiration } from "./calendar.ts"
import { decimal, formatDecimal } from "./decimal.ts"
import { multiplierOf, plainInstruments } from "./instruments.ts"
import { optionLimits } from "./limits-signals.ts"

export interface OptionRequest {
  readonly underlying: string
  readonly right: "CALL" | "PUT"
  /** Positive decimal, or null when the rule chooses. */
  readonly strike: string | null
  /** `YYYY-MM-DD`, or null when the rule chooses. */
  readonly expiration: string | null
}

export interface OptionContract {
  readonly symbol: string
  readonly strike: string
  readonly expiration: string
  /** What the rule chose, for the trace. */
  readonly chosen: ReadonlyArray<"strike" | "expiration">
}

export type OptionChoice =
  | { readonly _tag: "Chosen"; readonly contract: OptionContract }
  | {
      readonly _tag: "NotChosen"
      readonly code: "option_price_missing" | "option_expired" | "option_not_listed" | "option_illiquid"
    }

/** Money per unit of price for a quantity of one, by the tables alone; with settings at hand ask `instrumentsOf(settings)`. */
export const contractMultiplier = (symbol: string): BigDecimal.BigDecimal =>
  multiplierOf(plainInstruments, symbol)

/** The symbol of a contract; the strike as `formatDecimal` writes it. */
export const symbolOf = (
  underlying: string,
  expiration: string,
  right: OptionRequest["right"],
  strike: string
): string => `${underlying} ${expiration} ${right === "CALL" ? "C" : "P"} ${strike}`

/**
 * The contracts a request can mean among `symbols`, nearest expiration first: all of its underlying and right that agree
 * with what it names. One that names everything means that contract, whether it is there or not.
 */
export const contractsLike = (
  request: OptionRequest,
  symbols: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const { expiration, right, underlying } = request
  const strike = request.strike === null ? null : formatDecimal(decimal(request.strike))
  if (expiration !== null && strike !== null) return [symbolOf(underlying, expiration, right, strike)]
  const fits = (symbol: string): boolean => {
    if (!symbol.startsWith(`${underlying} `)) return false
    const [day, letter, price, more] = symbol.slice(underlying.length + 1).split(" ")
    return (
      price !== undefined &&
      more === undefined &&
      letter === (right === "CALL" ? "C" : "P") &&
      (expiration === null || day === expiration) &&
      (strike === null || price === strike)
    )
  }
  return symbols.filter(fits).toSorted()
}

/** A day as `YYYY-MM-DD`. */
export const isoDay = (date: {
  readonly year: number
  readonly month: number
  readonly day: number
}): string => `${date.year}-${String(date.month).padStart(2, "0")}-${String(date.day).padStart(2, "0")}`

/** The step of the ladder at a price. */
const stepAt = (price: string): string =>
  optionLimits.strikeLadder.find((rung) => BigDecimal.isLessThan(decimal(price), decimal(rung.below)))
    ?.step ?? "5"

/** The nearest strike to a price on the ladder venues list: steps of 0.5 below 25, of 1 below 200, else of 5. */
const atTheMoney = (price: string): string => {
  const value = decimal(price)
  const step = stepAt(price)
  const steps = BigDecimal.round(BigDecimal.divideUnsafe(value, decimal(step)), {
    scale: 0,
    mode: "half-from-zero"
  })
  const strike = BigDecimal.multiply(
    BigDecimal.isZero(steps) ? BigDecimal.fromBigInt(1n) : steps,
    decimal(step)
  )
  return formatDecimal(strike)
}

/** The strikes of the ladder around a price, as many on each side, the lowest first; none is zero. */
export const strikesAround = (price: string, eachSide: number): ReadonlyArray<string> => {
  const middle = decimal(atTheMoney(price))
  const step = decimal(stepAt(price))
  return Array.from({ length: 2 * eachSide + 1 }, (_, at) =>
    BigDecimal.sum(middle, BigDecimal.multiply(step, BigDecimal.fromBigInt(BigInt(at - eachSide))))
  ).flatMap((strike) => (BigDecimal.isPositive(strike) ? [formatDecimal(strike)] : []))
}

/** What the symbol of a contract says. */
export interface ContractTerms {
  readonly underlying: string
  readonly expiration: string
  readonly right: OptionRequest["right"]
  readonly strike: string
}

const CONTRACT =
  /^(?<underlying>\S.*) (?<expiration>\d{4}-\d{2}-\d{2}) (?<letter>[CP]) (?<strike>\d+(?:\.\d+)?)$/

/** The terms of a contract in our own spelling; null for every other symbol, and for a strike or a day that cannot be. */
export const contractTerms = (symbol: string): ContractTerms | null => {
  const found = CONTRACT.exec(symbol)?.groups
  if (found === undefined) return null
  const { expiration = "", letter, strike = "", underlying = "" } = found
  if (!(Number(strike) > 0) || Number.isNaN(Date.parse(`${expiration}T00:00:00Z`))) return null
  return { underlying, expiration, right: letter === "C" ? "CALL" : "PUT", strike }
}

/** Completes a request. `price` is the underlying's last price (decimal string) or null; `nowMs` is epoch milliseconds. */
export const chooseContract = (request: OptionRequest, price: string | null, nowMs: number): OptionChoice => {
  const today = new Date(nowMs).toISOString().slice(0, 10)
  // Both are ISO dates, so their text order is their order in time.
  if (request.expiration !== null && request.expiration < today)
    return { _tag: "NotChosen", code: "option_expired" }
  if (request.strike === null && price === null) return { _tag: "NotChosen", code: "option_price_missing" }
  const expiration = request.expiration ?? isoDay(monthlyExpiration(nowMs, optionLimits.expirationDaysMin))
  const strike = request.strike === null ? atTheMoney(price ?? "0") : formatDecimal(decimal(request.strike))
  const chosen: Array<"strike" | "expiration"> = []
  if (request.strike === null) chosen.push("strike")
  if (request.expiration === null) chosen.push("expiration")
  const symbol = symbolOf(request.underlying, expiration, request.right, strike)
  return { _tag: "Chosen", contract: { symbol, strike, expiration, chosen } }
}
