/**
 * permit: whether an order that was decided earlier may leave now, and how large (T10, T5).
 *
 * The decision was made against rows as they were then. An order may have waited since: for its broker, for a held
 * state, for an unresolved neighbour, or because its first send was lost. So everything that can have changed is judged
 * again, by the same rules, inside the transaction that commits `submitting`: age, trading state, policy,
 * limits, and the quantity.
 *
 * Promises: pure; what passes is bounded by the holding it was shown; every refusal has a code.
 * Never: reads a clock, a table or a quote feed; decides what a refusal means for the row.
 */
import { formatDecimal } from "../kernel/decimal.ts"
import { multiplierOf } from "../kernel/instruments.ts"
import { CANARY, canaryStrategy } from "../kernel/canary.ts"
import {
  limitsOf,
  type PlanAccount,
  type PlanQuote,
  type PlanSettings,
  priceFor,
  tradingOf
} from "./plan-context.ts"
import { expiryOf, type OrderTerms, ownPrice, termsProblem } from "./order-terms.ts"
import { COMPENSATION } from "./partial.ts"
import { evaluateRisk } from "./risk.ts"
import { atVenue, holdingOf } from "./risk-book.ts"
import { breakersFor, type StoppedBreaker } from "./breaker.ts"
import { type EntryRate, type ScopeFigures, scopeStates } from "./risk-scope.ts"
import type { RiskNumbers } from "./risk-verdict.ts"
import { opensNothing } from "./risk-closing.ts"
import { SHADOWED, shadowedBy, type StrategyStage, stageVerdict } from "./stage.ts"
import type { TradingStateName } from "../kernel/trading-state.ts"
import { crosses, holdingNumbers, type SizedOrder, sizeToSend } from "./sizing.ts"

/** The `exitKind` of what an operator closes: the one reduce that passes while trading is HALTED (T6). */
export const OPERATOR_CLOSE = "operator"

/** The parts of an order row that its permit needs. */
export interface PermitOrder extends SizedOrder, OrderTerms {
  readonly account: string
  readonly strategy: string
  readonly symbol: string
  /** Null for an exit. */
  readonly signalId: string | null
  /** Why a position is left; null for what an alert asks for. */
  readonly exitKind: string | null
  readonly source: string
}

/** What the transaction read, with the rows that matter locked. */
export interface PermitContext {
  readonly nowMs: number
  readonly trading: ReadonlyMap<string, TradingStateName>
  /** Its book has every open order except the one that is judged. */
  readonly account: PlanAccount
  /** `valid_until` has passed. */
  readonly stale: boolean
  /** A later alert of the strategy closed more of the symbol than there was: this opening is no longer wanted. */
  readonly superseded: boolean
  /** The opening that this exit was to close has ended: what is held now is another. */
  readonly openingOver: boolean
  /** The price that its alert gave for the same symbol. */
  readonly givenPrice: string | null
  readonly rates: ReadonlyArray<EntryRate>
  /** Circuit breakers that are not closed, by id. */
  readonly breakers: ReadonlyMap<string, StoppedBreaker>
  /** Strategies that were demoted. */
  readonly stages: ReadonlyMap<string, StrategyStage>
}

export interface PermitInput {
  readonly order: PermitOrder
  readonly context: PermitContext
  readonly settings: PlanSettings
  readonly quoteOf: (symbol: string) => PlanQuote | null
  readonly figuresOf: (scope: string) => ScopeFigures | null
}

export type Permit =
  /** `expiresAtMs`: when the session of an order that can rest is over. */
  | {
      readonly _tag: "Send"
      readonly quantity: string
      readonly expiresAtMs: number | null
      readonly numbers: RiskNumbers
    }
  /** Not known yet: the venue's confirmation, a price, or the end of another order is missing. */
  | { readonly _tag: "Wait"; readonly code: string; readonly numbers: RiskNumbers }
  /** Not now: trading is halted, or the market is closed. */
  | { readonly _tag: "Hold"; readonly code: string; readonly numbers: RiskNumbers }
  /** Nothing is left for it to do. */
  | { readonly _tag: "Withdraw"; readonly code: string; readonly numbers: RiskNumbers }
  | { readonly _tag: "Deny"; readonly code: string; readonly numbers: RiskNumbers }
  | { readonly _tag: "Expire"; readonly code: string; readonly numbers: RiskNumbers }

const none: RiskNumbers = {}

const entryOrigin = (input: PermitInput, sidePolicy: "both" | "long_only" | "short_only") => ({
  // Its age is judged by `stale`, which knows the signal's own limit and that of the row.
  expiresFromMs: input.context.nowMs,
  ageMaxMs: 0,
  alreadyOrdered: false,
  sidePolicy,
  symbols: input.settings.strategies[input.order.strategy]?.symbols ?? null
})

const calendarOf = ({ context, order, settings }: PermitInput) =>
  settings.instruments.ownCalendar(order.symbol) ?? context.account.calendar

const judgeRisk = (input: PermitInput, quantity: string): Permit | null => {
  const { context, order, settings } = input
  const strategy = order.strategy === CANARY ? canaryStrategy : settings.strategies[order.strategy]
  if (order.intent === "entry" && strategy === undefined)
    return { _tag: "Deny", code: "strategy_unknown", numbers: { strategy: order.strategy } }
  const shadowed = shadowedBy(strategy, context.stages.get(order.strategy))
  const asked = { account: atVenue(context.account), order: { ...order, quantity } }
  // It was decided while its strategy traded.
  if (order.intent === "entry" && shadowed !== null && !opensNothing(asked))
    return { _tag: "Deny", code: SHADOWED, numbers: stageVerdict(shadowed).numbers }
  const { outcome, verdicts } = evaluateRisk({
    column: order.intent,
    step: "send",
    nowMs: context.nowMs,
    trading: tradingOf(context, order.strategy, order.account),
    byOperator: order.exitKind === OPERATOR_CLOSE,
    account: {
      ...atVenue(context.account),
      calendar: calendarOf(input)
    },
    positionConfirmed: true,
    order: {
      symbol: order.symbol,
      strategy: order.strategy,
      side: order.side,
      quantity,
      price: ownPrice(order) ?? priceFor(input.quoteOf(order.symbol), order.side),
      ...(order.type === "market" ? {} : { terms: order }),
      given: context.givenPrice
    },
    quote: input.quoteOf(order.symbol),
    scopes: scopeStates({
      scopes: limitsOf(settings, order.account).scopes,
      rates: context.rates,
      trading: context.trading,
      figuresOf: input.figuresOf,
      account: order.account,
      strategy: order.strategy
    }),
    breakers: breakersFor(context.breakers, settings.accounts[order.account]?.broker ?? null, order.strategy),
    origin:
      strategy === undefined || order.intent === "reduce" ? null : entryOrigin(input, strategy.sidePolicy),
    limits: limitsOf(settings, order.account).limits,
    marketPrice: (symbol) => input.quoteOf(symbol)?.last ?? null,
    multiplierOf: (symbol) => multiplierOf(input.settings.instruments, symbol)
  })
  if (outcome._tag === "Passed") return null
  const numbers = verdicts.find(({ code }) => code === outcome.code)?.numbers ?? none
  const tags = { Denied: "Deny", Deferred: "Wait", Held: "Hold" } as const
  return { _tag: tags[outcome._tag], code: outcome.code, numbers }
}

/** Judges one order that is about to be committed as `submitting`. */
export const permitToSend = (input: PermitInput): Permit => {
  const { context, order } = input
  if (context.stale) return { _tag: "Expire", code: "stale", numbers: none }
  if (context.superseded) return { _tag: "Withdraw", code: "superseded", numbers: none }
  if (context.openingOver) return { _tag: "Withdraw", code: "nothing_to_close", numbers: none }
  const holding = holdingOf(atVenue(context.account), order.symbol, order.strategy)
  const numbers = holdingNumbers(holding)
  const policy = input.settings.strategies[order.strategy]?.sidePolicy ?? "both"
  const ownOnly = order.exitKind === OPERATOR_CLOSE || order.exitKind === COMPENSATION
  const size = sizeToSend({ ...order, ownOnly }, holding, policy)
  // What it closes has traded before it was intended: no other opening brings it, and while it waited for one it would be the one
  // exit of its position that is alive. It is judged again when it is withdrawn.
  if (order.exitKind === COMPENSATION && size._tag === "Wait" && size.code === "opening_works")
    return { _tag: "Withdraw", code: "nothing_to_close", numbers }
  // What rests in its way is cancelled for it only when nothing else is against it.
  if (size._tag === "Wait" && size.code === "resting_order")
    return judgeRisk(input, order.quantity) ?? { _tag: "Wait", code: size.code, numbers }
  if (size._tag === "Wait") return { _tag: "Wait", code: size.code, numbers }
  if (size._tag === "Nothing") return { _tag: "Withdraw", code: size.code, numbers }
  const quantity = formatDecimal(size.quantity)
  const turns = crosses(holding.position, order.side, size.quantity)
  const problem = termsProblem(order, { effect: turns ? "reverse" : "open", sizing: order.sizing })
  if (problem !== null) return { _tag: "Deny", code: problem, numbers }
  const expiresAtMs = expiryOf(order, calendarOf(input), context.nowMs)
  return (
    judgeRisk(input, quantity) ?? { _tag: "Send", quantity, expiresAtMs, numbers: { ...numbers, quantity } }
  )
}
