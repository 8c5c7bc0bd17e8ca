/**
 * option-chain: which of the contracts that a market lists an alert for a CALL or a PUT gets (D7).
 *
 * A strategy says how much of the underlying's movement it wants (delta) and for how long (days), and what it is not willing to
 * pay for getting in and out. Whatever the alert names itself is not chosen.
 *
 * Promises: pure; the choice follows from the contracts, whatever their order; a contract that is chosen passes the filter; one that
 * has expired is none.
 * Never: rounds to a contract that is not listed.
 */
import { decimal, formatDecimal } from "../kernel/decimal.ts"
import type { OptionChoice, OptionRequest } from "../kernel/option-contract.ts"
import { symbolOf } from "../kernel/option-contract.ts"
import type { ContractRule } from "../kernel/settings.ts"

/** A contract as a market lists it. Prices and strike are decimal strings. */
export interface ListedContract {
  /** `YYYY-MM-DD`. */
  readonly expiration: string
  readonly strike: string
  readonly bid: string
  readonly ask: string
  /** 0 to 1 of a call, -1 to 0 of a put. */
  readonly delta: number
  readonly openInterest: number
}

export interface ChainRequest {
  readonly underlying: string
  readonly right: "CALL" | "PUT"
  /** Epoch milliseconds. */
  readonly atMs: number
}

const DAY_MS = 86_400_000

/** Rounded far below a tick, so that a spread of exactly the limit is one. */
const spreadPct = ({ ask, bid }: ListedContract): number => {
  const [low, high] = [Number(bid), Number(ask)]
  if (!(low > 0 && high >= low)) return Number.POSITIVE_INFINITY
  return Math.round(((200 * (high - low)) / (high + low)) * 1e6) / 1e6
}

/** Nearest first; of equally near ones the later expiration, the lower strike. */
const byNearness =
  (nowMs: number, rule: ContractRule) =>
  (a: ListedContract, b: ListedContract): number => {
    const away = ({ expiration }: ListedContract) =>
      Math.abs(Math.round((Date.parse(expiration) - nowMs) / DAY_MS) - rule.days)
    const off = ({ delta }: ListedContract) => Math.abs(Math.abs(delta) - rule.delta)
    return (
      away(a) - away(b) ||
      (a.expiration === b.expiration ? 0 : a.expiration < b.expiration ? 1 : -1) ||
      off(a) - off(b) ||
      Number(a.strike) - Number(b.strike)
    )
  }

/** The contract that a request means, out of those that are listed. */
export const chooseListed = (
  request: OptionRequest,
  rule: ContractRule,
  chain: ReadonlyArray<ListedContract>,
  nowMs: number
): OptionChoice => {
  const today = new Date(nowMs).toISOString().slice(0, 10)
  const strike = request.strike === null ? null : formatDecimal(decimal(request.strike))
  if (request.expiration !== null && request.expiration < today)
    return { _tag: "NotChosen", code: "option_expired" }
  const meant = chain.filter(
    (one) =>
      one.expiration >= today &&
      (request.expiration === null || one.expiration === request.expiration) &&
      (strike === null || one.strike === strike)
  )
  if (meant.length === 0) return { _tag: "NotChosen", code: "option_not_listed" }
  const [best] = meant
    .filter((one) => spreadPct(one) <= rule.spreadPctMax && one.openInterest >= rule.openInterestMin)
    .toSorted(byNearness(nowMs, rule))
  if (best === undefined) return { _tag: "NotChosen", code: "option_illiquid" }
  const chosen: Array<"strike" | "expiration"> = []
  if (request.strike === null) chosen.push("strike")
  if (request.expiration === null) chosen.push("expiration")
  return {
    _tag: "Chosen",
    contract: {
      symbol: symbolOf(request.underlying, best.expiration, request.right, best.strike),
      strike: best.strike,
      expiration: best.expiration,
      chosen
    }
  }
}
