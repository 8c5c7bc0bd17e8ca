/**
 * Engine A: the rules that turn one signal into what a strategy would like to do.
 *
 * It answers one question: which instrument, and what to do with it? Whether the account may, and how large it is, is the
 * business of sizing.ts and risk.ts. Keeping them apart is what makes a denial explainable: the trace shows the wish and
 * the check that refused it.
 *
 * Promises: pure and total; a signal to close never opens; a close of an option that names no contract refers to
 * the contracts that are held, not to the one that would be chosen today.
 * Never: looks at money, limits, the clock beyond `nowMs`, or another account.
 */
import { BigDecimal } from "effect"
import { decimal } from "../kernel/decimal.ts"
import { chooseContract, contractsLike, type OptionContract } from "../kernel/option-contract.ts"
import type { ContractRule } from "../kernel/settings.ts"
import { chooseListed, type ListedContract } from "../market/option-chain.ts"
import { type Wish, wishOf, type WishSignal } from "../signals/wish.ts"

/** The parts of a stored signal an engine reads. Decimals as strings; `expiration` as `YYYY-MM-DD`. */
export interface EngineSignal extends WishSignal {
  readonly symbol: string
  readonly strike: string | null
  readonly expiration: string | null
}

export interface EngineStrategy {
  /** Positive decimal, used when the signal names no quantity. */
  readonly quantity: string
  /** How contracts are chosen among those that are listed; null: by the price alone. */
  readonly options: ContractRule | null
}

export interface Proposal {
  readonly leg: number
  readonly symbol: string
  readonly wish: Wish
  /** Present when the order is for an option that was chosen. */
  readonly contract: OptionContract | null
}

export type EngineAnswer =
  /** At least one; several only when an alert closes several contracts at once. */
  | { readonly _tag: "Propose"; readonly proposals: ReadonlyArray<Proposal> }
  | { readonly _tag: "Nothing"; readonly reason: "nothing_to_close" }
  | {
      readonly _tag: "Refuse"
      readonly code:
        | "option_price_missing"
        | "option_expired"
        | "option_not_listed"
        | "option_illiquid"
        | "option_written"
        | "wish_unclear"
    }

export interface EngineInput {
  readonly signal: EngineSignal
  readonly strategy: EngineStrategy
  /** Symbols in which the strategy holds a share or has an open order. */
  readonly symbols: ReadonlyArray<string>
  /** The underlying's last price, null when the market has none. */
  readonly lastPrice: string | null
  /** The contracts of its right that are listed; null when nobody has them. */
  readonly chain: ReadonlyArray<ListedContract> | null
  readonly nowMs: number
}

const propose = (symbol: string, wish: Wish, contract: OptionContract | null = null): EngineAnswer => ({
  _tag: "Propose",
  proposals: [{ leg: 0, symbol, wish, contract }]
})

/** An alert cannot ask for writing naked options, which any sell that is not a close would do. */
const writes = (wish: Wish): boolean =>
  wish.kind === "target" ? BigDecimal.isNegative(decimal(wish.position)) : wish.side === "sell"

const decideOption = (input: EngineInput, right: "CALL" | "PUT", wish: Wish): EngineAnswer => {
  const { signal, symbols } = input
  const { strike, expiration } = signal
  const request = { underlying: signal.symbol, right, strike, expiration }
  if (wish.kind === "close") {
    const like = contractsLike(request, symbols)
    // A quantity refers to one contract; without one all of them are meant.
    const held = wish.quantity === null ? like : like.slice(0, 1)
    return held.length === 0
      ? { _tag: "Nothing", reason: "nothing_to_close" }
      : {
          _tag: "Propose",
          proposals: held.map((symbol, leg) => ({ leg, symbol, wish, contract: null }))
        }
  }
  if (writes(wish)) return { _tag: "Refuse", code: "option_written" }
  const rule = input.strategy.options
  const choice =
    rule === null || (strike !== null && expiration !== null)
      ? chooseContract(request, input.lastPrice, input.nowMs)
      : chooseListed(request, rule, input.chain ?? [], input.nowMs)
  if (choice._tag === "NotChosen") return { _tag: "Refuse", code: choice.code }
  return propose(choice.contract.symbol, wish, choice.contract)
}

/** The wish of the rules engine for one strategy in one account. */
export const decideA = (input: EngineInput): EngineAnswer => {
  const { signal, strategy } = input
  const wish = wishOf(signal, strategy.quantity)
  if (wish === null) return { _tag: "Refuse", code: "wish_unclear" }
  return signal.direction === "CALL" || signal.direction === "PUT"
    ? decideOption(input, signal.direction, wish)
    : propose(signal.symbol, wish)
}
