/**
 * Practice chain: the option contracts that the practice market lists on a share.
 *
 * Promises: pure; the same seed, underlying and time give the same chain in every process; each contract is shown at the price it
 * is quoted at (practice-price.ts); the four next monthly expirations, ten strikes on each side of the price.
 * Never: lists a contract that has expired, or any on what is no share.
 */
import { monthlyExpiration } from "../kernel/calendar.ts"
import { plainInstruments } from "../kernel/instruments.ts"
import { contractTerms, isoDay, strikesAround, symbolOf } from "../kernel/option-contract.ts"
import type { ChainRequest, ListedContract } from "./option-chain.ts"
import { openInterestOf, practiceOptionValue } from "./practice-options.ts"
import { practiceNumber, practiceQuote, practiceVolatility } from "./practice-price.ts"

const STRIKES_EACH_SIDE = 10
/** Days ahead that each look for the next monthly expiration: about a month apart, so none is left out. */
const AHEAD = [1, 28, 56, 84]

const expirationsAt = (atMs: number): ReadonlyArray<string> => [
  ...new Set(AHEAD.map((days) => isoDay(monthlyExpiration(atMs, days))))
]

/** The contracts of a right on `underlying`, by expiration and strike. */
export const practiceChain = (
  seed: number,
  { atMs, right, underlying }: ChainRequest
): ReadonlyArray<ListedContract> => {
  if (plainInstruments.of(underlying).kind !== "equity") return []
  const { last } = practiceQuote(seed, underlying, atMs)
  const spot = Number(last)
  const volatility = practiceVolatility(seed, underlying)
  return expirationsAt(atMs).flatMap((expiration) =>
    strikesAround(last, STRIKES_EACH_SIDE).flatMap((strike): ReadonlyArray<ListedContract> => {
      const symbol = symbolOf(underlying, expiration, right, strike)
      const terms = contractTerms(symbol)
      if (terms === null) return []
      const { ask, bid, atMs: stepMs } = practiceQuote(seed, symbol, atMs)
      const { delta } = practiceOptionValue(terms, spot, volatility, stepMs)
      return [
        {
          expiration,
          strike,
          bid,
          ask,
          delta: Math.round(delta * 10_000) / 10_000,
          openInterest: openInterestOf(practiceNumber(seed, `interest ${symbol}`, 0), terms, spot)
        }
      ]
    })
  )
}
