/**
 * black-scholes: what an option on a price is worth, and how much of its underlying it moves like.
 *
 * Without interest and dividends: the practice market has neither, and a model with both at zero has no arbitrage with it.
 *
 * Promises: pure; the value of a call is from its intrinsic value to the price of its underlying, that of a put to its strike; call
 * minus put is price minus strike; both grow with volatility and with time; at expiration a value is the intrinsic one.
 * Never: computes money that moves: values are binary floating point, and a market rounds them to its tick.
 */

export interface OptionTerms {
  readonly right: "CALL" | "PUT"
  /** Price of the underlying, above zero. */
  readonly spot: number
  /** Above zero. */
  readonly strike: number
  /** To expiration; 0 or less: it is over. */
  readonly years: number
  /** Of a year's log return, such as 0.3. */
  readonly volatility: number
}

export interface OptionValue {
  readonly value: number
  /** Change of the value with that of the underlying: 0 to 1 of a call, -1 to 0 of a put. */
  readonly delta: number
}

/** The standard normal distribution, off by less than 7.5e-8 (Abramowitz and Stegun, 26.2.17). */
export const normalBelow = (x: number): number => {
  const t = 1 / (1 + 0.2316419 * Math.abs(x))
  const series =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  const above = (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * series
  return x >= 0 ? 1 - above : above
}

const bounded = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value))

/** A call; a put follows from it. */
const callOf = ({ spot, strike, volatility, years }: OptionTerms): OptionValue => {
  const intrinsic = Math.max(0, spot - strike)
  const spread = volatility * Math.sqrt(Math.max(0, years))
  if (spread === 0) return { value: intrinsic, delta: spot > strike ? 1 : 0 }
  const d1 = Math.log(spot / strike) / spread + spread / 2
  const value = spot * normalBelow(d1) - strike * normalBelow(d1 - spread)
  // The approximation is off by a little; an option worth less than its intrinsic value would be an arbitrage.
  return { value: bounded(value, intrinsic, spot), delta: normalBelow(d1) }
}

export const optionValue = (terms: OptionTerms): OptionValue => {
  const call = callOf(terms)
  return terms.right === "CALL"
    ? call
    : { value: call.value - terms.spot + terms.strike, delta: call.delta - 1 }
}
