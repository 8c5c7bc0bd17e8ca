/**
 * Order size: what a wish becomes by what the account holds, and how large that is (T6, T10).
 *
 * Promises: pure; a close is never refused for lack of a size; what a strategy computes its sizes from includes the fees it has paid.
 * Never: judges a limit.
 */
import { BigDecimal } from "effect"
import { type Decimal, decimal } from "../kernel/decimal.ts"
import { multiplierOf } from "../kernel/instruments.ts"
import { ownPrice } from "../orders/order-terms.ts"
import { type PlanAccount, priceFor } from "../orders/plan-context.ts"
import { isSizable, type Size, sizeOf } from "../orders/position-size.ts"
import { unrealisedOf } from "../orders/profit.ts"
import { holdingOf } from "../orders/risk-book.ts"
import { type Leave, type Planned, planSize } from "../orders/sizing.ts"
import type { Side } from "../signals/signal.ts"
import type { Proposal } from "./engine-a.ts"
import type { PlanInput, Target } from "./plan-input.ts"

/** What an account is worth: its money and what its open positions would gain or lose now; null when a price is missing. */
const equityOf = ({ quoteOf, settings }: PlanInput, account: PlanAccount): Decimal | null => {
  const open = account.positions.filter(({ quantity }) => quantity !== "0")
  const unrealised = unrealisedOf(open, {
    marketPrice: (symbol) => quoteOf(symbol)?.last ?? null,
    multiplierOf: (symbol) => multiplierOf(settings.instruments, symbol)
  })
  if (unrealised === null) return null
  return BigDecimal.sumAll([decimal(account.startingCash), decimal(account.realisedPnl), unrealised])
}

/** The size of what a proposal opens. */
const sizeFor = (
  input: PlanInput,
  account: PlanAccount,
  { strategy }: Target,
  symbol: string,
  side: Side
): Size =>
  sizeOf(input.signal.quantity, {
    strategy,
    instrument: input.settings.instruments.of(symbol),
    price: ownPrice(input.signal) ?? priceFor(input.quoteOf(symbol), side),
    equity: strategy.sizing === null ? null : equityOf(input, account)
  })

type Unsized = Exclude<Size, { readonly _tag: "Size" }>

/**
 * What a proposal becomes by what the account holds. Whether it opens or reduces does not depend on its size, so that is asked
 * first: only an entry has to have a size that can be computed. A reduce is as large as what its sender says, or as its strategy
 * always is; where the strategy computes sizes, as what it would open now, and all that it holds while nobody can compute that.
 */
export const plannedOf = (
  input: PlanInput,
  account: PlanAccount,
  target: Target,
  asked: Proposal,
  leave: Leave
):
  | { readonly planned: Planned; readonly size: Extract<Size, { readonly _tag: "Size" }> | null }
  | Unsized => {
  const holding = holdingOf(account, asked.symbol, target.name)
  const { wish } = asked
  const first = planSize(wish, holding, leave)
  if (!isSizable(wish)) return { planned: first, size: null }
  const isReduce = first._tag === "Order" && first.intent === "reduce"
  const isNamed = input.signal.quantity !== null || target.strategy.sizing === null
  if (isReduce && (isNamed || first.sizing === "share")) return { planned: first, size: null }
  const size = sizeFor(input, account, target, asked.symbol, wish.side ?? "buy")
  if (size._tag === "Size")
    return { planned: planSize({ ...wish, quantity: size.quantity }, holding, leave), size }
  if (!isReduce) return size
  return {
    planned: planSize({ kind: "close", side: first.side, quantity: null }, holding, leave),
    size: null
  }
}
