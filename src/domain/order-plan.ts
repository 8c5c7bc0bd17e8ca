/**
 * Order plan: one strategy in one account asks its engine, passes its wish through risk, and gets a complete order row.
 *
 * The row is complete before any broker hears of it (E2): ids, quantity, validity, venue. A denied wish becomes a row
 * too, because the trace of a signal must show the order that was not sent as plainly as the one that was.
 *
 * Promises: pure; the same signal and context give the same row and ids; each planned order is in the book that the
 * next one is checked against; every verdict is kept.
 * Never: reads a clock, a quote feed or a table; drops a wish without a verdict that says why.
 */
import { decideA, type EngineSignal, type Proposal } from "./engine-a.ts"
import { clientOrderId, orderId } from "./ids.ts"
import { ageLimits } from "./limits.ts"
import { evaluateRisk, type RiskVerdict } from "./risk.ts"
import { positionOf, withOrder } from "./risk-book.ts"
import type { RiskAccount, RiskLimits, TradingState } from "./risk-input.ts"
import type { AccountSettings, StrategySettings } from "./settings.ts"
import { formatDecimal } from "./decimal.ts"

/** A claimed signal, as far as deciding needs it. */
export interface DecisionSignal extends EngineSignal {
  readonly id: string
  readonly source: string
  readonly strategy: string | null
  readonly price: string | null
  readonly experimentId: string | null
  readonly variant: string | null
  /** The moment its age counts from. */
  readonly expiresFromMs: number
}

export interface PlanAccount extends RiskAccount {
  readonly id: string
  readonly venue: string
}

/** What the database knows at the moment of the decision. Accounts without a row yet are absent. */
export interface PlanContext {
  readonly nowMs: number
  /** Trading states by scope: `global`, `account:<id>`, `strategy:<name>`. */
  readonly trading: ReadonlyMap<string, TradingState>
  readonly accounts: ReadonlyMap<string, PlanAccount>
  /** Orders that exist, as `orderId`: deciding a replayed signal again must find its own. */
  readonly orderIds: ReadonlySet<string>
}

export interface PlanQuote {
  readonly symbol: string
  readonly bid: string | null
  readonly ask: string | null
  readonly last: string | null
  readonly atMs: number
}

/** What the configuration says. */
export interface PlanSettings {
  readonly sources: Readonly<Record<string, { readonly ageMaxMs: number }>>
  readonly strategies: Readonly<Record<string, StrategySettings>>
  readonly accounts: Readonly<Record<string, Pick<AccountSettings, "calendar">>>
  readonly limits: RiskLimits
}

/** One recorded verdict; `strategy`, `account` and `leg` are null for what concerns the whole signal. */
export interface RecordedCheck extends RiskVerdict {
  readonly strategy: string | null
  readonly account: string | null
  readonly leg: number | null
}

export interface PlannedOrder {
  readonly id: string
  readonly clientOrderId: string
  readonly signalId: string
  readonly account: string
  readonly strategy: string
  readonly leg: number
  readonly intent: "entry"
  readonly symbol: string
  readonly side: "buy" | "sell"
  readonly type: "market"
  readonly quantity: string
  readonly limitPrice: null
  readonly timeInForce: "day" | "gtc"
  readonly status: "intended" | "held" | "denied"
  readonly source: string
  readonly venue: string
  readonly reason: string | null
  /** After this it must not be sent any more (T5, K3). */
  readonly validUntilMs: number
}

/** Where a signal came from in the words of requirement A3: a source that is no channel of its own is a webhook. */
export const originOf = (source: string): string =>
  ["wave", "telegram", "console", "canary"].includes(source) ? source : "webhook"

const severity: Readonly<Record<TradingState, number>> = { ACTIVE: 0, REDUCING: 1, HALTED: 2 }

/** The most restrictive state that concerns an order, and the scope it comes from. */
const tradingOf = (context: PlanContext, strategy: string, account: string) =>
  ["global", `account:${account}`, `strategy:${strategy}`]
    .map((scope) => ({ scope, state: context.trading.get(scope) ?? ("ACTIVE" as const) }))
    .reduce((worst, next) => (severity[next.state] > severity[worst.state] ? next : worst))

/** One strategy in one account. */
export interface Target {
  readonly name: string
  readonly strategy: StrategySettings
  readonly account: string
}

export interface PlanInput {
  readonly signal: DecisionSignal
  readonly settings: PlanSettings
  readonly context: PlanContext
  /** The market's quote of a symbol, null when it has none that is fresh. */
  readonly quoteOf: (symbol: string) => PlanQuote | null
  /** False when the decision was put off long enough: a deferral is then a denial. */
  readonly mayDefer: boolean
}

/** An account whose row does not exist yet: its executor has not started, so it is not reconciled either. */
const unknownAccount = (id: string, settings: PlanSettings): PlanAccount => ({
  id,
  venue: "",
  enabled: true,
  reconciledAtMs: null,
  calendar: settings.accounts[id]?.calendar ?? "24x7",
  startingCash: "0",
  realisedPnl: "0",
  positions: [],
  orders: []
})

/** What came of one target. `code` is the first reason against it, null when it was ordered. */
export interface Step {
  /** The given context, with the planned order in its account's book. */
  readonly context: PlanContext
  readonly checks: ReadonlyArray<RecordedCheck>
  readonly order: PlannedOrder | null
  readonly code: string | null
  readonly result: "ordered" | "held" | "denied" | "ignored" | "deferred"
}

const priceFor = (quote: PlanQuote | null, side: "buy" | "sell"): string | null =>
  (side === "buy" ? quote?.ask : quote?.bid) ?? quote?.last ?? null

/** The age limit of a signal's source, in milliseconds. */
export const ageMaxOf = (signal: DecisionSignal, settings: PlanSettings): number =>
  settings.sources[signal.source]?.ageMaxMs ?? ageLimits.signalAgeMsDefault

interface Wanted {
  readonly account: PlanAccount
  readonly target: Target
  readonly proposal: Proposal
  /** `orders.id` it would have. */
  readonly id: string
  readonly price: string | null
}

const riskOf = (input: PlanInput, context: PlanContext, wanted: Wanted) =>
  evaluateRisk({
    column: "entry",
    nowMs: context.nowMs,
    trading: tradingOf(context, wanted.target.name, wanted.account.id),
    byOperator: false,
    account: wanted.account,
    positionConfirmed: false,
    order: {
      symbol: wanted.proposal.symbol,
      side: wanted.proposal.side,
      quantity: wanted.proposal.quantity,
      price: wanted.price
    },
    origin: {
      expiresFromMs: input.signal.expiresFromMs,
      ageMaxMs: ageMaxOf(input.signal, input.settings),
      alreadyOrdered: context.orderIds.has(wanted.id),
      sidePolicy: wanted.target.strategy.sidePolicy,
      symbols: wanted.target.strategy.symbols
    },
    limits: input.settings.limits,
    marketPrice: (symbol) => input.quoteOf(symbol)?.last ?? null
  })

const rowOf = (
  input: PlanInput,
  nowMs: number,
  wanted: Wanted,
  status: PlannedOrder["status"],
  reason: string | null
): PlannedOrder => {
  const { signal, settings } = input
  const { account, proposal, target } = wanted
  const key = { signalId: signal.id, account: account.id, strategy: target.name, leg: proposal.leg }
  return {
    ...key,
    id: wanted.id,
    clientOrderId: clientOrderId(key, 1),
    intent: "entry",
    symbol: proposal.symbol,
    side: proposal.side,
    type: "market",
    quantity: proposal.quantity,
    limitPrice: null,
    timeInForce: account.calendar === "24x7" ? "gtc" : "day",
    status,
    source: originOf(signal.source),
    venue: account.venue,
    reason,
    validUntilMs: Math.min(
      signal.expiresFromMs + ageMaxOf(signal, settings),
      nowMs + ageLimits.orderUnsentMsMax
    )
  }
}

/** The context with one more open order in its account's book. */
const withPlanned = (context: PlanContext, { account, price }: Wanted, order: PlannedOrder): PlanContext => {
  const { symbol, side, quantity, intent, status } = order
  const book = withOrder(account, {
    symbol,
    side,
    intent,
    status,
    count: 1,
    quantity,
    filledQuantity: "0",
    price
  })
  return { ...context, accounts: new Map(context.accounts).set(account.id, { ...account, ...book }) }
}

const pass = (input: PlanInput, context: PlanContext, wanted: Wanted): Step => {
  const { outcome, verdicts } = riskOf(input, context, wanted)
  const { symbol, side, quantity, intent, contract } = wanted.proposal
  const numbers = {
    symbol,
    side,
    quantity,
    intent,
    chosen: contract === null ? null : contract.chosen.join(",")
  }
  const checks = [{ check: "engine", ok: true, code: null, numbers }, ...verdicts].map((verdict) =>
    record(wanted.target, verdict)
  )
  const code = outcome._tag === "Passed" ? null : outcome.code
  if (outcome._tag === "Deferred" && input.mayDefer)
    return { context, checks, order: null, code, result: "deferred" }
  const result = outcome._tag === "Passed" ? "ordered" : outcome._tag === "Held" ? "held" : "denied"
  // A duplicate's order exists, and an account without a row can own none: there the decision alone is the record.
  if (context.orderIds.has(wanted.id) || !context.accounts.has(wanted.account.id))
    return { context, checks, order: null, code, result }
  const order = rowOf(input, context.nowMs, wanted, result === "ordered" ? "intended" : result, code)
  return {
    context: result === "denied" ? context : withPlanned(context, wanted, order),
    checks,
    order,
    code,
    result
  }
}

const record = (target: Target, verdict: RiskVerdict): RecordedCheck => ({
  strategy: target.name,
  account: target.account,
  leg: 0,
  ...verdict
})

/** Decides one target: engine, risk, order row. `deferred` only when the input allows it. */
export const planTarget = (input: PlanInput, context: PlanContext, target: Target): Step => {
  const { signal, settings, quoteOf } = input
  const account = context.accounts.get(target.account) ?? unknownAccount(target.account, settings)
  const answer = decideA({
    signal,
    strategy: target.strategy,
    positionOf: (symbol) => formatDecimal(positionOf(account, symbol)),
    lastPrice: quoteOf(signal.symbol)?.last ?? signal.price,
    nowMs: context.nowMs
  })
  const without = (ok: boolean, code: string, result: Step["result"]): Step => ({
    context,
    checks: [record(target, { check: "engine", ok, code, numbers: {} })],
    order: null,
    code,
    result
  })
  if (answer._tag === "Refuse") return without(false, answer.code, "denied")
  if (answer._tag === "Nothing") {
    // "Nothing to close" from a book that is not reconciled is no answer: the wish waits like any other.
    if (account.reconciledAtMs !== null) return without(true, answer.reason, "ignored")
    return without(false, "account_not_reconciled", input.mayDefer ? "deferred" : "denied")
  }
  const { proposal } = answer
  const id = orderId({
    signalId: signal.id,
    account: target.account,
    strategy: target.name,
    leg: proposal.leg
  })
  return pass(input, context, {
    account,
    target,
    proposal,
    id,
    price: priceFor(quoteOf(proposal.symbol), proposal.side)
  })
}
