/**
 * Decision replay: stored decisions made again from their facts, and what is different (T15).
 *
 * Not to be confused with the replay of a dead letter or a refused post, which gives a signal its first decision. Here every
 * signal has one, and the question is whether today's code and these settings would make the same.
 *
 * Each decision is made from its own facts, so a different first order does not change what the second one saw: the result is
 * what each signal would have become, not another history. Profit is compared the same way: every order that would be sent is
 * valued from its own price, or else the quote it was decided on, to the last price of its symbol that the span knows, on both sides.
 *
 * Promises: pure; under the settings that a decision names any difference counts, down to the numbers of its checks; under
 * others what counts is outcome, orders, sizes and denials, because a limit is a number of its check; what the facts cannot
 * answer is a difference that names what is missing, never a guess.
 * Never: sends, stores or reads anything; changes what was decided.
 */
import { BigDecimal } from "effect"
import { canonicalJson, type JsonValue } from "../kernel/canonical-json.ts"
import { type Decimal, decimal, formatDecimal, zero } from "../kernel/decimal.ts"
import { multiplierOf } from "../kernel/instruments.ts"
import type { PlanSettings } from "../orders/plan-context.ts"
import { decide, type Decision } from "./decision.ts"
import type { Facts } from "./facts.ts"
import type { RecordedCheck } from "./plan-step.ts"
import type { PlannedOrder } from "./planned-order.ts"

/** The parts of a planned order that nothing changes afterwards. */
export type KeptOrder = Pick<
  PlannedOrder,
  "account" | "strategy" | "leg" | "intent" | "sizing" | "symbol" | "side" | "wanted"
>

/** A decision as it is stored. `facts` null: from before they were kept. */
export interface StoredDecision {
  readonly signalId: string
  readonly decidedAtMs: number
  readonly engine: string
  readonly experimentId: string
  readonly variant: string
  readonly outcome: string
  readonly reason: string | null
  readonly checks: ReadonlyArray<RecordedCheck>
  readonly orders: ReadonlyArray<KeptOrder>
  readonly facts: Facts | null
}

/** One order of a decision. It would be sent when no check is against it. */
export interface ReplayedOrder {
  readonly account: string
  readonly strategy: string
  readonly leg: number
  readonly symbol: string
  readonly side: string
  readonly quantity: string
  /** Kind, prices and time in force of one that has a price or names its time; null for a plain one at market. */
  readonly terms: string | null
  /** The checks that are against it. */
  readonly denied: ReadonlyArray<string>
}

/** What was decided, for a comparison. */
export interface ReplayedOutcome {
  readonly engine: string
  readonly variant: string
  /** As in a decision, or `deferred`, or `undecidable`. */
  readonly outcome: string
  readonly reason: string | null
  readonly orders: ReadonlyArray<ReplayedOrder>
  /** What the facts do not have, where it cannot be decided. */
  readonly missing: ReadonlyArray<string>
}

export interface ReplayDifference {
  readonly signalId: string
  readonly decidedAtMs: number
  readonly symbol: string
  /** `numbers`: the same decision, by checks with other numbers; only under the same settings. */
  readonly kind: "decision" | "numbers"
  readonly was: ReplayedOutcome
  readonly now: ReplayedOutcome
  /** Signed money; null when a price is not known. */
  readonly pnlChange: string | null
}

export interface ReplayResult {
  readonly decided: number
  /** Decisions without facts, which cannot be made again. */
  readonly withoutFacts: number
  /** The first `differencesMax`; `differing` counts all. */
  readonly differences: ReadonlyArray<ReplayDifference>
  readonly differing: number
  /** Orders that would be sent now and were not, or the other way round, or in another size. */
  readonly ordersChanged: number
  /** Signed money over all of them; orders without a price are not in it. */
  readonly pnlChange: string
  readonly ordersUnpriced: number
}

type Decidedness = Pick<Decision, "checks" | "reason"> & {
  readonly engine: string
  readonly experimentId: string
  readonly variant: string
  readonly outcome: string
}

type OfOrder = (check: RecordedCheck) => boolean

const termsOf = (checks: ReadonlyArray<RecordedCheck>, isOf: OfOrder): string | null => {
  const numbers = checks.find((check) => check.check === "order_type" && isOf(check))?.numbers
  if (numbers === undefined) return null
  const { limit_price, stop_price, time_in_force, type } = numbers
  return [
    type,
    ...[stop_price, limit_price].filter((price) => typeof price === "string"),
    time_in_force
  ].join(" ")
}

const ordersOf = (checks: ReadonlyArray<RecordedCheck>): ReadonlyArray<ReplayedOrder> =>
  checks.flatMap(({ account, check, leg, numbers, strategy }) => {
    const { quantity, side, symbol } = numbers
    if (check !== "engine" || account === null || strategy === null || leg === null) return []
    // A target for which the engine wanted nothing.
    if (typeof quantity !== "string" || typeof symbol !== "string" || typeof side !== "string") return []
    const isOf: OfOrder = (other) =>
      other.account === account && other.strategy === strategy && other.leg === leg
    const denied = checks.flatMap((other) => (isOf(other) && !other.ok ? [other.check] : []))
    return [{ account, strategy, leg, symbol, side, quantity, terms: termsOf(checks, isOf), denied }]
  })

const outcomeOf = ({ checks, engine, outcome, reason, variant }: Decidedness): ReplayedOutcome => ({
  engine,
  variant,
  outcome,
  reason,
  orders: ordersOf(checks),
  missing: []
})

const text = (value: unknown): string =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what JSON.parse returns
  canonicalJson(JSON.parse(JSON.stringify(value)) as JsonValue)

const keptOf = (order: KeptOrder): KeptOrder => {
  const { account, intent, leg, side, sizing, strategy, symbol, wanted } = order
  // A stored decimal may be written in another way.
  const size = wanted === null ? null : formatDecimal(decimal(wanted))
  return { account, strategy, leg, intent, sizing, symbol, side, wanted: size }
}

const keyOf = ({ account, leg, strategy }: Pick<KeptOrder, "account" | "leg" | "strategy">): string =>
  `${account}\n${strategy}\n${leg}`

/** Every byte that a decision is made of. */
const bytesOf = (decided: Decidedness, orders: ReadonlyArray<KeptOrder>): string => {
  const { checks, engine, experimentId, outcome, reason, variant } = decided
  const kept = orders.map(keptOf).toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  return text({ engine, experimentId, variant, outcome, reason, checks, orders: kept })
}

/** Facts as a decision under these settings, in the form it is compared in. */
const decideAgain = (stored: StoredDecision, facts: Facts, settings: PlanSettings) => {
  const { decided, missing } = decide(facts, settings)
  const nothing = { engine: stored.engine, variant: stored.variant, orders: [], missing }
  if (missing.length > 0)
    return {
      bytes: null,
      outcome: { ...nothing, outcome: "undecidable", reason: "facts_missing" } satisfies ReplayedOutcome
    }
  if (decided._tag === "Deferred")
    return {
      bytes: null,
      outcome: {
        ...nothing,
        outcome: "deferred",
        reason: decided.codes.join(", ")
      } satisfies ReplayedOutcome
    }
  const { decision } = decided
  return { bytes: bytesOf(decision, decision.orders), outcome: outcomeOf(decision) }
}

interface Flow {
  readonly symbol: string
  /** Signed quantity times multiplier. */
  readonly units: Decimal
  /** What they cost at the quote they were decided on; null: it had no price. */
  readonly cost: Decimal | null
}

/** The price an order names: the last of its terms that is one. */
const pricedAt = ({ terms }: ReplayedOrder): string | null =>
  terms?.split(" ").findLast((part) => /^\d/.test(part)) ?? null

/** What the orders of an outcome that would be sent buy and sell. */
const flowsOf = (
  { orders }: ReplayedOutcome,
  facts: Facts,
  settings: PlanSettings
): ReadonlyArray<Flow & { readonly key: string }> =>
  orders
    .filter(({ denied }) => denied.length === 0)
    .map((order) => {
      const { quantity, side, symbol } = order
      const quote = Object.hasOwn(facts.quotes, symbol) ? facts.quotes[symbol] : null
      const [bid, ask, last] = quote ?? []
      // An order with a price is valued as if it had filled there: whether the market came to it is in no fact.
      const price = pricedAt(order) ?? (side === "buy" ? ask : bid) ?? last ?? null
      const size = BigDecimal.multiply(decimal(quantity), multiplierOf(settings.instruments, symbol))
      const units = side === "buy" ? size : BigDecimal.negate(size)
      const cost = price === null ? null : BigDecimal.multiply(units, decimal(price))
      return { key: keyOf(order), symbol, units, cost }
    })

const turned = ({ cost, symbol, units }: Flow): Flow => ({
  symbol,
  units: BigDecimal.negate(units),
  cost: cost === null ? null : BigDecimal.negate(cost)
})

const isSameFlow = (a: Flow, b: Flow): boolean => a.symbol === b.symbol && BigDecimal.equals(a.units, b.units)

/** The orders that differ: what is bought and sold now, less what was. */
const changedFlows = (
  was: ReturnType<typeof flowsOf>,
  now: ReturnType<typeof flowsOf>
): { readonly flows: ReadonlyArray<Flow>; readonly orders: number } => {
  const before = new Map(was.map((flow) => [flow.key, flow]))
  const after = new Map(now.map((flow) => [flow.key, flow]))
  const keys = [...new Set([...before.keys(), ...after.keys()])].filter((key) => {
    const [a, b] = [before.get(key), after.get(key)]
    return a === undefined || b === undefined || !isSameFlow(a, b)
  })
  const flows = keys.flatMap((key) => {
    const [a, b] = [before.get(key), after.get(key)]
    return [...(b === undefined ? [] : [b]), ...(a === undefined ? [] : [turned(a)])]
  })
  return { flows, orders: keys.length }
}

const valueOf = (flow: Flow, priceOf: (symbol: string) => Decimal | null): Decimal | null => {
  const price = priceOf(flow.symbol)
  return flow.cost === null || price === null
    ? null
    : BigDecimal.subtract(BigDecimal.multiply(flow.units, price), flow.cost)
}

interface Compared {
  readonly difference: Omit<ReplayDifference, "pnlChange">
  readonly flows: ReadonlyArray<Flow>
  readonly orders: number
}

/** One decision against itself made again; null: no difference. */
const compare = (stored: StoredDecision, facts: Facts, settings: PlanSettings): Compared | null => {
  const again = decideAgain(stored, facts, settings)
  const was = outcomeOf(stored)
  const isSame = text(was) === text(again.outcome)
  const isExact = facts.settings === settings.version
  if (isSame && (!isExact || bytesOf(stored, stored.orders) === again.bytes)) return null
  // What nobody can decide has no orders to compare.
  const flows = changedFlows(
    flowsOf(again.bytes === null ? again.outcome : was, facts, settings),
    flowsOf(again.outcome, facts, settings)
  )
  const { decidedAtMs, signalId } = stored
  return {
    ...flows,
    difference: {
      signalId,
      decidedAtMs,
      symbol: facts.signal.symbol,
      kind: isSame ? "numbers" : "decision",
      was,
      now: again.outcome
    }
  }
}

export interface DecisionReplay {
  /** The decisions of the span, oldest first. */
  readonly add: (stored: StoredDecision) => void
  readonly result: () => ReplayResult
}

/** Collects the comparison of a span. Bounded by `differencesMax` and the number of symbols, not by its length. */
export const makeDecisionReplay = (settings: PlanSettings, differencesMax: number): DecisionReplay => {
  const kept: Array<Compared> = []
  const counts = { decided: 0, withoutFacts: 0, differing: 0, ordersChanged: 0, ordersUnpriced: 0 }
  const marks = new Map<string, string>()
  const sums = new Map<string, { readonly units: Decimal; readonly cost: Decimal }>()
  const priceOf = (symbol: string): Decimal | null => {
    const price = marks.get(symbol)
    return price === undefined ? null : decimal(price)
  }
  const sum = (flow: Flow): void => {
    if (flow.cost === null) {
      counts.ordersUnpriced += 1
      return
    }
    const { cost, units } = sums.get(flow.symbol) ?? { units: zero, cost: zero }
    sums.set(flow.symbol, {
      units: BigDecimal.sum(units, flow.units),
      cost: BigDecimal.sum(cost, flow.cost)
    })
  }
  const pnlOf = (flows: ReadonlyArray<Flow>): string | null => {
    let total = zero
    for (const flow of flows) {
      const value = valueOf(flow, priceOf)
      if (value === null) return null
      total = BigDecimal.sum(total, value)
    }
    return formatDecimal(total)
  }
  return {
    add: (stored) => {
      const { facts } = stored
      if (facts === null) {
        counts.withoutFacts += 1
        return
      }
      counts.decided += 1
      for (const [symbol, quote] of Object.entries(facts.quotes)) {
        const [bid, ask, last] = quote ?? []
        const price = last ?? bid ?? ask ?? null
        if (price !== null) marks.set(symbol, price)
      }
      const compared = compare(stored, facts, settings)
      if (compared === null) return
      counts.differing += 1
      counts.ordersChanged += compared.orders
      for (const flow of compared.flows) sum(flow)
      if (kept.length < differencesMax) kept.push(compared)
    },
    result: () => ({
      ...counts,
      differences: kept.map(({ difference, flows }) => ({ ...difference, pnlChange: pnlOf(flows) })),
      pnlChange: pnlOf([...sums].map(([symbol, moved]) => ({ symbol, ...moved }))) ?? "0"
    })
  }
}
