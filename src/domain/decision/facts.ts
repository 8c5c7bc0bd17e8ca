/**
 * Facts: everything one decision is made from, as one value that can be stored and decided again (T15).
 *
 * A decision that reads a quote here and a book there can be explained, but not repeated. So what it may read is gathered
 * first, and `decide` (decision.ts) knows nothing else. What is gathered follows from the signal and the settings alone, so
 * the same signal reads the same things whatever they contain: the quotes of its instruments and of all that its accounts
 * hold, these accounts with their books, the figures and trading states of the scopes concerned.
 *
 * Promises: pure; the value is plain JSON in both directions and compact: what is usual is left out, a gathered `null` says that
 * there was nothing; settings are named by their version; the books of one batch grow by groups of orders, not by orders.
 * Never: holds a secret or a setting; decides anything.
 */
import { CANARY, canaryStrategy } from "../kernel/canary.ts"
import { orderId } from "../kernel/ids.ts"
import { instrumentName, meaningOf } from "../kernel/symbol-map.ts"
import type { TradingStateName } from "../kernel/trading-state.ts"
import { CLOSING_LEG } from "../orders/approval.ts"
import { breakersFor, type StoppedBreaker } from "../orders/breaker.ts"
import {
  type PlanAccount,
  type PlanContext,
  type PlanQuote,
  type PlanSettings
} from "../orders/plan-context.ts"
import type { ListedContract } from "../market/option-chain.ts"
import { type BookOrder, type BookPosition, symbolsOf } from "../orders/risk-book.ts"
import type { KnownBalance } from "../orders/risk-input.ts"
import { type EntryRate, type ScopeFigures, scopesOf } from "../orders/risk-scope.ts"
import { plainStage, shadowedBy, type StrategyStage } from "../orders/stage.ts"
import { plainTerms } from "../signals/order-type.ts"
import { engineOf, takersOf } from "../signals/routing.ts"
import type { EngineAnswer } from "./engine-a.ts"
import { wishFor } from "./order-plan.ts"
import type { DecisionSignal, PlanInput, Target } from "./plan-input.ts"
import { factsOfVotes, type VoteFacts, votesOfFacts } from "./panel.ts"
import { type AskedVoter, votersFor } from "./voter.ts"

type Without<A, Usual extends keyof A> = Omit<A, Usual> & { readonly [key in Usual]?: A[key] }
type NullsOf<A> = { [key in keyof A]: null extends A[key] ? key : never }[keyof A]

/** The signal; a field that is null is left out. */
export type SignalFacts = Without<DecisionSignal, NullsOf<DecisionSignal>>

/** A position; `confirmed` is left out when it is `quantity`, `disputed` when it is false. */
export type PositionFacts = Without<BookPosition, "confirmed" | "disputed">

/** A group of open orders, as a row of a table: a busy book has many, and their names would be most of it. */
export type OrderFacts = readonly [
  symbol: string,
  strategy: string,
  side: BookOrder["side"],
  intent: BookOrder["intent"],
  status: BookOrder["status"],
  count: number,
  quantity: string,
  filledQuantity: string,
  price: string | null,
  rests?: true
]

/** A quote, as a row of a table. */
export type QuoteFacts = readonly [bid: string | null, ask: string | null, last: string | null, atMs: number]

/** A listed contract, as a row of a table. */
export type ContractFacts = readonly [
  expiration: string,
  strike: string,
  bid: string,
  ask: string,
  delta: number,
  openInterest: number
]

/** An account; its calendar is a setting. What is usual is left out: enabled, no balance, nothing held, nothing open. */
export interface AccountFacts {
  readonly venue: string
  readonly enabled?: false
  readonly reconciledAtMs: number | null
  readonly startingCash: string
  readonly realisedPnl: string
  readonly balance?: KnownBalance
  readonly positions?: ReadonlyArray<PositionFacts>
  readonly orders?: ReadonlyArray<OrderFacts>
}

export interface Facts {
  /** Of this shape. */
  readonly v: 1
  /** The clock of the database. */
  readonly nowMs: number
  /** Whether the decision could have been put off. */
  readonly mayDefer: boolean
  /** Name of the settings it was made under. */
  readonly settings: string
  readonly signal: SignalFacts
  /** By instrument; null: none that was fresh. */
  readonly quotes: Readonly<Record<string, QuoteFacts | null>>
  /** By id; null: no row yet. */
  readonly accounts: Readonly<Record<string, AccountFacts | null>>
  /** By scope; null: never measured. */
  readonly figures: Readonly<Record<string, ScopeFigures | null>>
  /** By scope; ACTIVE is left out. */
  readonly trading: Readonly<Record<string, TradingStateName>>
  readonly breakers?: ReadonlyArray<StoppedBreaker>
  /** What is stored of those of its strategies that run as shadows; left out when none does. */
  readonly stages?: Readonly<Record<string, StrategyStage>>
  /** Entries of the last minute; left out when no limit counts them. */
  readonly rates?: ReadonlyArray<EntryRate>
  /** Orders that the signal has already. */
  readonly orderIds?: ReadonlyArray<string>
  /** What the agents of engine B said of its symbol; left out when nobody asked them. */
  readonly votes?: ReadonlyArray<VoteFacts>
  /** What endpoints of engine C said of it, by name; left out when nobody asked one. */
  readonly voters?: ReadonlyArray<VoteFacts>
  /** The option contracts that were listed for it; null: nobody answered; left out when nobody was asked. */
  readonly chain?: ReadonlyArray<ContractFacts> | null
}

/** Where a signal goes: each account of each strategy that takes it. */
export const targetsOf = (
  signal: Pick<DecisionSignal, "source" | "strategy">,
  settings: Pick<PlanSettings, "strategies">
): ReadonlyArray<Target> | "strategy_unknown" => {
  if (signal.source === CANARY) return [{ name: CANARY, strategy: canaryStrategy, account: CANARY }]
  const takers = takersOf(settings.strategies, signal.source, signal.strategy)
  if (signal.strategy !== null && takers.length === 0) return "strategy_unknown"
  return takers.flatMap(([name, strategy]) =>
    strategy.accounts.map((account) => ({ name, strategy, account }))
  )
}

/** Whether the panel is asked about a signal: because it decides, because somebody wants to compare, or not at all. */
export const asksPanel = (
  signal: Pick<DecisionSignal, "id" | "source" | "strategy" | "symbol">,
  settings: Pick<PlanSettings, "mode" | "strategies" | "symbols">
): "decides" | "compares" | "never" => {
  const targets = targetsOf(signal, settings)
  if (targets === "strategy_unknown") return "never"
  const about = { id: signal.id, symbol: instrumentName(signal.symbol, settings) }
  const engines = targets.map(({ name, strategy }) => engineOf([name, strategy], about))
  if (engines.includes("B")) return "decides"
  return targets.some(({ strategy }) => strategy.shadow === "B") ? "compares" : "never"
}

/** The voters that a signal is put to. */
export const asksVoters = (
  signal: DecisionSignal,
  settings: Pick<PlanSettings, "mode" | "strategies" | "symbols">
): ReadonlyArray<AskedVoter> => {
  const targets = targetsOf(signal, settings)
  return targets === "strategy_unknown" ? [] : votersFor(signal, targets, settings)
}

/** Whether a signal needs the contracts that are listed: some strategy chooses among them, and the sender does not. */
export const asksChain = (
  signal: DecisionSignal,
  settings: Pick<PlanSettings, "strategies">
): "CALL" | "PUT" | null => {
  const { direction, expiration, strike } = signal
  if ((direction !== "CALL" && direction !== "PUT") || (strike !== null && expiration !== null)) return null
  const targets = targetsOf(signal, settings)
  if (targets === "strategy_unknown") return null
  return targets.some(({ strategy }) => strategy.options !== null) ? direction : null
}

/** Whether some scope limits orders per minute. */
const countsRates = ({ scopes }: PlanSettings): boolean =>
  Object.values(scopes).some(({ ordersPerMinuteMax }) => ordersPerMinuteMax !== null)

const positionFacts = (position: BookPosition): PositionFacts => {
  const { averagePrice, confirmed, disputed, quantity, shares, symbol } = position
  return {
    symbol,
    quantity,
    averagePrice,
    ...(confirmed === quantity ? {} : { confirmed }),
    ...(disputed ? { disputed } : {}),
    shares
  }
}

const orderFacts = (order: BookOrder): OrderFacts => {
  const { count, filledQuantity, intent, price, quantity, rests, side, status, strategy, symbol } = order
  const row = [symbol, strategy, side, intent, status, count, quantity, filledQuantity, price] as const
  return rests === undefined ? row : [...row, rests]
}

const orderOf = (facts: OrderFacts): BookOrder => {
  const [symbol, strategy, side, intent, status, count, quantity, filledQuantity, price, rests] = facts
  const order = { symbol, strategy, side, intent, status, count, quantity, filledQuantity, price }
  return rests === undefined ? order : { ...order, rests }
}

const accountFacts = (account: PlanAccount): AccountFacts => {
  const { balance, enabled, orders, positions, realisedPnl, reconciledAtMs, startingCash, venue } = account
  return {
    venue,
    ...(enabled ? {} : { enabled }),
    reconciledAtMs,
    startingCash,
    realisedPnl,
    ...(balance === null ? {} : { balance }),
    ...(positions.length === 0 ? {} : { positions: positions.map(positionFacts) }),
    ...(orders.length === 0 ? {} : { orders: orders.map(orderFacts) })
  }
}

const contractFacts = (listed: ListedContract): ContractFacts => {
  const { ask, bid, delta, expiration, openInterest, strike } = listed
  return [expiration, strike, bid, ask, delta, openInterest]
}

const contractOf = ([expiration, strike, bid, ask, delta, openInterest]: ContractFacts): ListedContract => ({
  expiration,
  strike,
  bid,
  ask,
  delta,
  openInterest
})

const quoteFacts = (quote: PlanQuote | null): QuoteFacts | null =>
  quote === null ? null : [quote.bid, quote.ask, quote.last, quote.atMs]

const signalFacts = (signal: DecisionSignal): SignalFacts =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only what is null is left out
  Object.fromEntries(Object.entries(signal).filter(([, value]) => value !== null)) as unknown as SignalFacts

/** The instruments and legs an engine may propose for one target, by the wish of the signal: a plain one means itself. */
const proposed = (answer: EngineAnswer) => (answer._tag === "Propose" ? answer.proposals : [])

interface Gathered {
  readonly quotes: Map<string, PlanQuote | null>
  readonly orderIds: Array<string>
}

/** Each is read once: the contract of an option is chosen by the price that the facts will have. */
const readingOnce =
  (quotes: Gathered["quotes"], quoteOf: PlanInput["quoteOf"]): PlanInput["quoteOf"] =>
  (symbol) => {
    const known = quotes.get(symbol)
    if (known !== undefined) return known
    const quote = quoteOf(symbol)
    quotes.set(symbol, quote)
    return quote
  }

const reach = (input: PlanInput, target: Target, account: PlanAccount | null, found: Gathered): void => {
  const { context, quoteOf, signal } = input
  for (const symbol of account === null ? [] : symbolsOf(account)) quoteOf(symbol)
  const isOption = signal.direction === "CALL" || signal.direction === "PUT"
  // Only what is new about an option is asked of the engine here: which contracts it would be.
  const proposals = isOption ? proposed(wishFor(input, context, target)) : [{ leg: 0, symbol: signal.symbol }]
  for (const { leg, symbol } of proposals) {
    quoteOf(symbol)
    if (context.orderIds.size === 0) continue
    // One that asks first may have closed with a leg of its own.
    for (const one of [leg, CLOSING_LEG]) {
      const id = orderId({ signalId: signal.id, account: target.account, strategy: target.name, leg: one })
      if (context.orderIds.has(id) && !found.orderIds.includes(id)) found.orderIds.push(id)
    }
  }
}

/** An own field: the names come from settings and senders. */
const at = <A>(record: Readonly<Record<string, A>>, key: string): A | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined

/** What is stored of the stage of a target's strategy, in the accounts that are reached; null for one that trades. */
const stageFacts = (
  { stages }: PlanContext,
  { account, name, strategy }: Target,
  before: StrategyStage | undefined
): StrategyStage | null => {
  const stored = stages.get(name)
  if (shadowedBy(strategy, stored) === null) return null
  const { book, by, reason, resting = {} } = stored ?? plainStage
  const [held = [], rests = []] = [at(book, account), at(resting, account)]
  const all = { ...before?.resting, ...(rests.length === 0 ? {} : { [account]: rests }) }
  return {
    by,
    reason,
    book: { ...before?.book, ...(held.length === 0 ? {} : { [account]: held }) },
    ...(Object.keys(all).length === 0 ? {} : { resting: all })
  }
}

/** The facts of one decision, out of all that is known. */
export const gatherFacts = (given: PlanInput): Facts => {
  const { context, figuresOf, mayDefer, settings } = given
  const meaning = meaningOf(given.signal.symbol, settings)
  const symbol = meaning._tag === "Means" ? meaning.symbol : given.signal.symbol
  const found: Gathered = { quotes: new Map(), orderIds: [] }
  const quoteOf = readingOnce(found.quotes, given.quoteOf)
  const input = { ...given, quoteOf, signal: { ...given.signal, symbol } }
  quoteOf(symbol)
  const targets = targetsOf(given.signal, settings)
  const accounts = new Map<string, AccountFacts | null>()
  const figures = new Map<string, ScopeFigures | null>()
  const trading = new Map<string, TradingStateName>()
  const breakers = new Map<string, StoppedBreaker>()
  const stages = new Map<string, StrategyStage>()
  for (const target of targets === "strategy_unknown" ? [] : targets) {
    const account = context.accounts.get(target.account) ?? null
    if (!accounts.has(target.account))
      accounts.set(target.account, account === null ? null : accountFacts(account))
    reach(input, target, account, found)
    const stage = stageFacts(context, target, stages.get(target.name))
    if (stage !== null) stages.set(target.name, stage)
    for (const { symbol: held } of [
      ...(stage?.book[target.account] ?? []),
      ...(stage?.resting?.[target.account] ?? [])
    ])
      quoteOf(held)
    for (const scope of scopesOf(target.account, target.name)) {
      figures.set(scope, figuresOf(scope))
      const state = context.trading.get(scope) ?? "ACTIVE"
      if (state !== "ACTIVE") trading.set(scope, state)
    }
    const broker = settings.accounts[target.account]?.broker ?? null
    for (const breaker of breakersFor(context.breakers, broker, target.name))
      breakers.set(breaker.id, breaker)
  }
  return {
    v: 1,
    nowMs: context.nowMs,
    mayDefer,
    settings: settings.version,
    signal: signalFacts(given.signal),
    quotes: Object.fromEntries([...found.quotes].map(([name, quote]) => [name, quoteFacts(quote)])),
    accounts: Object.fromEntries(accounts),
    figures: Object.fromEntries(figures),
    trading: Object.fromEntries(trading),
    ...(breakers.size === 0 ? {} : { breakers: [...breakers.values()] }),
    ...(stages.size === 0 ? {} : { stages: Object.fromEntries(stages) }),
    ...(countsRates(settings) ? { rates: context.rates } : {}),
    ...(found.orderIds.length === 0 ? {} : { orderIds: found.orderIds }),
    ...(given.votes === null ? {} : { votes: factsOfVotes(given.votes) }),
    ...(asksChain(given.signal, settings) === null
      ? {}
      : { chain: given.chain === null ? null : given.chain.map(contractFacts) }),
    ...(given.voters === null ? {} : { voters: factsOfVotes(given.voters) })
  }
}

const accountOf = (id: string, facts: AccountFacts, settings: PlanSettings): PlanAccount => ({
  id,
  venue: facts.venue,
  enabled: facts.enabled ?? true,
  reconciledAtMs: facts.reconciledAtMs,
  calendar: settings.accounts[id]?.calendar ?? "24x7",
  startingCash: facts.startingCash,
  realisedPnl: facts.realisedPnl,
  balance: facts.balance ?? null,
  positions: (facts.positions ?? []).map((position) => {
    const { confirmed = position.quantity, disputed = false } = position
    return { ...position, confirmed, disputed }
  }),
  orders: (facts.orders ?? []).map(orderOf)
})

const noSignal = {
  action: null,
  direction: null,
  quantity: null,
  price: null,
  strike: null,
  expiration: null,
  intent: null,
  positionSize: null,
  marketPosition: null,
  prevMarketPosition: null,
  marketPositionSize: null,
  ...plainTerms,
  strategy: null,
  experimentId: null,
  variant: null
} as const

export interface FromFacts {
  readonly input: PlanInput
  /** What these settings make a decision read and these facts do not have; it grows as the decision reads. */
  readonly missing: ReadonlySet<string>
}

/**
 * What a decision may read, out of its facts. Under the settings they were gathered under nothing is missing; others may need
 * more than was known then.
 */
export const inputFrom = (facts: Facts, settings: PlanSettings): FromFacts => {
  const missing = new Set<string>()
  const signal = { ...noSignal, ...facts.signal }
  const accounts = new Map<string, PlanAccount>()
  const targets = targetsOf(signal, settings)
  for (const { account, name } of targets === "strategy_unknown" ? [] : targets) {
    const known = at(facts.accounts, account)
    if (known === undefined) missing.add(`account:${account}`)
    else if (known !== null && !accounts.has(account))
      accounts.set(account, accountOf(account, known, settings))
    if (settings.strategies[name]?.stage === "shadow" && at(facts.stages ?? {}, name) === undefined)
      missing.add(`stage:${name}`)
    for (const scope of scopesOf(account, name))
      if (at(facts.figures, scope) === undefined) missing.add(`scope:${scope}`)
  }
  if (facts.rates === undefined && countsRates(settings)) missing.add("rates")
  if (facts.votes === undefined && asksPanel(signal, settings) === "decides") missing.add("votes")
  if (facts.chain === undefined && asksChain(signal, settings) !== null) missing.add("chain")
  for (const { decides, voter } of asksVoters(signal, settings))
    if (decides && facts.voters?.some(([name]) => name === voter) !== true) missing.add(`voter:${voter}`)
  const context: PlanContext = {
    nowMs: facts.nowMs,
    trading: new Map(Object.entries(facts.trading)),
    accounts,
    orderIds: new Set(facts.orderIds ?? []),
    rates: facts.rates ?? [],
    breakers: new Map((facts.breakers ?? []).map((breaker) => [breaker.id, breaker])),
    stages: new Map(Object.entries(facts.stages ?? {}))
  }
  const quoteOf = (symbol: string): PlanQuote | null => {
    const quote = at(facts.quotes, symbol)
    if (quote === undefined) missing.add(`quote:${symbol}`)
    if (quote === undefined || quote === null) return null
    const [bid, ask, last, atMs] = quote
    return { symbol, bid, ask, last, atMs }
  }
  const figuresOf = (scope: string): ScopeFigures | null => at(facts.figures, scope) ?? null
  const votes = facts.votes === undefined ? null : votesOfFacts(facts.votes)
  const chain = facts.chain === undefined || facts.chain === null ? null : facts.chain.map(contractOf)
  const voters = facts.voters === undefined ? null : votesOfFacts(facts.voters)
  return {
    input: { signal, settings, context, quoteOf, figuresOf, votes, voters, chain, mayDefer: facts.mayDefer },
    missing
  }
}
