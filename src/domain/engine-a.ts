/**
 * Engine A: the rules that turn one signal into at most one proposal per strategy and account.
 *
 * It answers one question: what would this strategy like to do, given what the account holds? Whether it may is the
 * business of risk.ts. Keeping the two apart is what makes a denial explainable: the trace shows the wish and the
 * check that refused it.
 *
 * Promises: pure and total; a signal that says close never opens; under a one-sided policy a closing order is never
 * larger than what it closes, so it cannot flip the position.
 * Never: looks at money, limits, the clock beyond `nowMs`, or another account.
 */
import { BigDecimal } from "effect"
import { type Decimal, decimal, formatDecimal, zero } from "./decimal.ts"
import { chooseContract, type OptionContract } from "./option-contract.ts"
import { type Action, type Direction, type Intent, intentOf, type Side } from "./signal.ts"

export type SidePolicy = "both" | "long_only" | "short_only"

/** The parts of a stored signal an engine reads. Decimals as strings; `expiration` as `YYYY-MM-DD`. */
export interface EngineSignal {
  readonly symbol: string
  readonly action: Action | null
  readonly direction: Direction | null
  readonly quantity: string | null
  readonly strike: string | null
  readonly expiration: string | null
}

export interface EngineStrategy {
  readonly sidePolicy: SidePolicy
  /** Positive decimal, used when the signal names no quantity. */
  readonly quantity: string
}

/** What the order does to the position it meets. */
export type ProposalIntent = "open" | "close" | "reverse"

export interface Proposal {
  readonly leg: number
  readonly symbol: string
  readonly side: Side
  readonly quantity: string
  readonly intent: ProposalIntent
  /** Present when the order is for an option. */
  readonly contract: OptionContract | null
}

export type EngineAnswer =
  | { readonly _tag: "Propose"; readonly proposal: Proposal }
  | { readonly _tag: "Nothing"; readonly reason: "nothing_to_close" }
  | { readonly _tag: "Refuse"; readonly code: "option_price_missing" | "option_expired" }

export interface EngineInput {
  readonly signal: EngineSignal
  readonly strategy: EngineStrategy
  /** Signed confirmed quantity of a symbol in the account, "0" when flat. */
  readonly positionOf: (symbol: string) => string
  /** The underlying's last price, null when the market has none. */
  readonly lastPrice: string | null
  readonly nowMs: number
}

/** What action and direction ask for together; the table is signal.ts's. A direction alone asks to be in it. */
export const wishOf = (signal: Pick<EngineSignal, "action" | "direction">): Intent =>
  intentOf(signal.action ?? (signal.direction === "SHORT" ? "SELL" : "BUY"), signal.direction)

const effectOn = (position: Decimal, side: Side, quantity: Decimal): ProposalIntent => {
  const sign = BigDecimal.sign(position)
  if (sign === 0 || sign > 0 === (side === "buy")) return "open"
  return BigDecimal.isGreaterThan(quantity, BigDecimal.abs(position)) ? "reverse" : "close"
}

/** How much of the position an order on this side can close: zero when it would add to it. */
const closable = (position: Decimal, side: Side): Decimal => {
  const against = side === "sell" ? position : BigDecimal.negate(position)
  return BigDecimal.sign(against) > 0 ? against : zero
}

/** The wish of the rules engine for one strategy in one account. */
export const decideA = (input: EngineInput): EngineAnswer => {
  const { signal, strategy } = input
  const wish = wishOf(signal)
  let symbol = signal.symbol
  let contract: OptionContract | null = null
  if (signal.direction === "CALL" || signal.direction === "PUT") {
    const { strike, expiration } = signal
    const request = { underlying: signal.symbol, right: signal.direction, strike, expiration }
    const choice = chooseContract(request, input.lastPrice, input.nowMs)
    if (choice._tag === "NotChosen") return { _tag: "Refuse", code: choice.code }
    contract = choice.contract
    symbol = contract.symbol
  }
  const position = decimal(input.positionOf(symbol))
  const wanted = decimal(signal.quantity ?? strategy.quantity)
  const canClose = closable(position, wish.side)
  const closing = wish.effect === "close"
  const closesOnly =
    closing ||
    (strategy.sidePolicy === "long_only" && wish.side === "sell") ||
    (strategy.sidePolicy === "short_only" && wish.side === "buy")
  if (closing && BigDecimal.isZero(canClose)) return { _tag: "Nothing", reason: "nothing_to_close" }
  // With nothing to close the wish stays whole, so that the side policy denies it with its numbers instead of
  // the engine swallowing it.
  const quantity = closesOnly && !BigDecimal.isZero(canClose) ? BigDecimal.min(wanted, canClose) : wanted
  const intent = effectOn(position, wish.side, quantity)
  return {
    _tag: "Propose",
    proposal: { leg: 0, symbol, side: wish.side, quantity: formatDecimal(quantity), intent, contract }
  }
}
