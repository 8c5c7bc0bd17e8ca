/**
 * Risk: the checks between a wish and an order, as one table (T6).
 *
 * Each row defines which kind of order it concerns and how it is evaluated; the table is the order in which denials are
 * named. Every check that applies is evaluated and recorded, not only the first that fails, because an operator who
 * lifts one limit wants to know whether the next one would have denied it too.
 *
 * Promises: pure and total; every verdict carries a code (null when ok) and the numbers it compared; a check that is
 * switched off records that; an order that only lowers exposure is never refused for exposure or for a loss; while an account is not
 * reconciled no check reads its book.
 * Never: sends, stores or waits: `defer` is the caller's to do, and ends as a denial.
 */
import { BigDecimal } from "effect"
import { isOpen, isOver, nextOpenMs } from "../kernel/calendar.ts"
import { type Decimal, decimal, formatDecimal } from "../kernel/decimal.ts"
import { riskLimits } from "../kernel/risk-limits.ts"
import {
  type Book,
  countOf,
  exposureOf,
  growthOf,
  pendingOn,
  positionOf,
  rowOf,
  symbolsOf,
  unresolved,
  withOrder
} from "./risk-book.ts"
import { breaker } from "./risk-breaker.ts"
import { asOpen, onlyCloses } from "./risk-closing.ts"
import type { EntryOrigin, RiskColumn, RiskInput, RiskLimits } from "./risk-input.ts"
import { cooldown, lossCheck, ordersPerMinute, priceCollar } from "./risk-scope-checks.ts"
import {
  defer,
  deny,
  type Evaluation,
  type Failure,
  hold,
  type RiskEffect,
  type RiskNumbers,
  verdictOf
} from "./risk-verdict.ts"
import { heldAgainst, permits } from "./sizing.ts"

export interface RiskVerdict {
  readonly check: string
  readonly ok: boolean
  readonly code: string | null
  readonly numbers: RiskNumbers
}

export type RiskOutcome =
  | { readonly _tag: "Passed" }
  | { readonly _tag: "Denied" | "Deferred" | "Held"; readonly code: string }

export interface RiskCheck {
  readonly check: string
  readonly columns: ReadonlyArray<RiskColumn>
  /** True when the check reads positions or orders, which mean nothing before the account is reconciled. */
  readonly readsBook: boolean
  readonly evaluate: (input: RiskInput) => Evaluation
}

const text = (value: Decimal): string => formatDecimal(value)
const above = (value: Decimal, limit: string | null): boolean =>
  limit !== null && BigDecimal.isGreaterThan(value, decimal(limit))

const tradingState = (input: RiskInput): Evaluation => {
  const { state, scope } = input.trading
  const allowed =
    state === "ACTIVE" || (input.column === "reduce" && (state === "REDUCING" || input.byOperator))
  const code = state === "HALTED" ? "trading_halted" : "trading_reducing"
  return verdictOf(!allowed, hold(code), { state, scope })
}

const enabled = (input: RiskInput): Evaluation =>
  verdictOf(!input.account.enabled, deny("account_disabled"), { enabled: input.account.enabled })

const reconciled = (input: RiskInput): Evaluation =>
  input.column === "reduce"
    ? verdictOf(!input.positionConfirmed, defer("position_not_confirmed"), {
        confirmed: input.positionConfirmed
      })
    : verdictOf(input.account.reconciledAtMs === null, defer("account_not_reconciled"), {
        reconciled_at_ms: input.account.reconciledAtMs
      })

const calendarOpen = (input: RiskInput): Evaluation => {
  const { calendar } = input.account
  const open = isOpen(calendar, input.nowMs)
  const numbers = { calendar, next_open_ms: open ? null : nextOpenMs(calendar, input.nowMs) }
  if (input.column === "reduce") return verdictOf(!open, hold("market_closed"), numbers)
  // A close follows the rules when the announced days are over, because it must not wait for a list; what opens does wait.
  if (isOver(calendar, input.nowMs)) return verdictOf(true, deny("calendar_over"), numbers)
  return verdictOf(!open, deny("market_closed"), numbers)
}

/** The checks below read `origin`, which every entry has; a column without it never reaches them. */
const entryCheck =
  (evaluate: (input: RiskInput, origin: EntryOrigin) => Evaluation) =>
  (input: RiskInput): Evaluation =>
    input.origin === null ? { failure: deny("origin_missing"), numbers: {} } : evaluate(input, input.origin)

const age = entryCheck((input, origin) => {
  const ageMs = input.nowMs - origin.expiresFromMs
  return verdictOf(ageMs > origin.ageMaxMs, deny("too_old"), { age_ms: ageMs, limit_ms: origin.ageMaxMs })
})

const duplicate = entryCheck((_, origin) =>
  verdictOf(origin.alreadyOrdered, deny("duplicate"), { already_ordered: origin.alreadyOrdered })
)

/**
 * A one-sided policy is measured against the position that is certain: open orders count only where they hurt. On the
 * side it forbids an order closes at most; on the other side it opens, but not against what others hold there: that
 * would be theirs to close, and would take the position through zero.
 */
const sidePolicy = entryCheck((input, origin) => {
  const { symbol, side, quantity } = input.order
  const policy = origin.sidePolicy
  const held = positionOf(input.account, symbol)
  const numbers = { policy, position: text(held), quantity }
  if (policy === "both") return { failure: null, numbers }
  const wanted = decimal(quantity)
  if (permits(policy, side)) {
    const against = heldAgainst(held, side)
    return verdictOf(!BigDecimal.isZero(against), deny("side_policy"), numbers)
  }
  const owned = side === "sell" ? held : BigDecimal.negate(held)
  const free = BigDecimal.subtract(owned, pendingOn(input.account, symbol, side))
  return verdictOf(BigDecimal.isGreaterThan(wanted, free), deny("side_policy"), {
    ...numbers,
    closable: text(free)
  })
})

const symbolList = entryCheck((input, origin) => {
  const { symbol } = input.order
  // An option is listed by its underlying.
  const underlying = symbol.split(" ")[0] ?? symbol
  const listed =
    origin.symbols === null || origin.symbols.includes(symbol) || origin.symbols.includes(underlying)
  return verdictOf(!listed, deny("symbol_not_listed"), { symbol, listed: origin.symbols?.length ?? null })
})

const symbolResolved = (input: RiskInput): Evaluation => {
  const count = (state: "looked_up" | "needs_operator"): number =>
    countOf(input.account, (order) => order.symbol === input.order.symbol && unresolved(order) === state)
  const [looking, human] = [count("looked_up"), count("needs_operator")]
  const failure = human > 0 ? deny("symbol_needs_operator") : defer("symbol_unresolved")
  return verdictOf(human + looking > 0, failure, { unresolved: looking, needs_operator: human })
}

/** A symbol on which the venue and our fills disagree takes no new exposure until they agree again (T10). */
const positionAgrees = (input: RiskInput): Evaluation => {
  const row = rowOf(input.account, input.order.symbol)
  const numbers = { position: row?.quantity ?? "0", confirmed: row?.confirmed ?? null }
  return verdictOf(row?.disputed === true && !onlyCloses(input), defer("position_disputed"), numbers)
}

const openPositions = (input: RiskInput): Evaluation => {
  const limit = input.limits.openPositionsMax
  const open = symbolsOf(input.account)
  const isNew = !open.includes(input.order.symbol)
  return verdictOf(limit !== null && isNew && open.length + 1 > limit, deny("open_positions"), {
    open: open.length,
    opens_new: isNew,
    limit
  })
}

/** In one symbol an open position and each open entry count one: the limit is how often it may be added to. */
const perSymbol = (input: RiskInput): Evaluation => {
  const { symbol } = input.order
  const limit = input.limits.openPositionsPerSymbolMax
  const entries = countOf(input.account, (order) => order.symbol === symbol && order.intent === "entry")
  const open = entries + (BigDecimal.isZero(positionOf(input.account, symbol)) ? 0 : 1)
  const failed = limit !== null && open + 1 > limit && !onlyCloses(input)
  return verdictOf(failed, deny("per_symbol"), { open, limit })
}

const size = (input: RiskInput): Evaluation => {
  const limit = input.limits.quantityMax
  return verdictOf(above(decimal(input.order.quantity), limit), deny("quantity"), {
    quantity: input.order.quantity,
    limit
  })
}

const moneyLimits = (limits: RiskLimits): boolean =>
  limits.notionalMax !== null || limits.exposureMax !== null || limits.buyingPowerMultiple !== null

/** Limits in money need a price; without one they fail closed, after the market had time to bring one. */
const priced = (input: RiskInput): Evaluation => {
  const missing =
    input.order.price === null ||
    exposureOf(withOrder(input.account, asOpen(input)), input).unpriced.length > 0
  return verdictOf(missing && moneyLimits(input.limits) && !onlyCloses(input), defer("price_missing"), {
    price: input.order.price,
    needed: moneyLimits(input.limits)
  })
}

const notional = (input: RiskInput): Evaluation => {
  const limit = input.limits.notionalMax
  const { price, quantity, symbol } = input.order
  if (price === null) return { failure: null, numbers: { notional: null, limit } }
  const value = BigDecimal.multiplyAll([decimal(quantity), decimal(price), input.multiplierOf(symbol)])
  return verdictOf(above(value, limit) && !onlyCloses(input), deny("notional"), {
    notional: text(value),
    limit
  })
}

const exposure = (input: RiskInput): Evaluation => {
  const limit = input.limits.exposureMax
  const before = exposureOf(input.account, input).total
  const after = exposureOf(withOrder(input.account, asOpen(input)), input).total
  return verdictOf(above(after, limit) && !onlyCloses(input), deny("exposure"), {
    before: text(before),
    after: text(after),
    limit
  })
}

/**
 * The buying power that the venue reported, against what the book may have grown by since. Without a recent figure a decision
 * is not denied, because the figure may arrive in time, but nothing is sent.
 */
const atVenueBalance = (input: RiskInput, after: Book) => {
  const { balance } = input.account
  if (balance === null || input.nowMs - balance.atMs > riskLimits.balanceAgeMsMax)
    return { failure: input.step === "send" ? defer("figure_unknown") : null, usable: null, needed: null }
  const needed = growthOf(after, balance.book, input)
  const failed = above(needed, balance.buyingPower)
  return { failure: failed ? deny("buying_power") : null, usable: balance.buyingPower, needed: text(needed) }
}

const buyingPower = (input: RiskInput): Evaluation => {
  const multiple = input.limits.buyingPowerMultiple
  const money = BigDecimal.sum(decimal(input.account.startingCash), decimal(input.account.realisedPnl))
  const book = withOrder(input.account, asOpen(input))
  const after = exposureOf(book, input).total
  const numbers = { money: text(money), multiple, after: text(after) }
  if (multiple === null) return { failure: null, numbers: { ...numbers, limit: null } }
  const limit = text(BigDecimal.multiply(money, decimal(multiple)))
  const own = above(after, limit) ? deny("buying_power") : null
  const { failure, needed, usable } = atVenueBalance(input, book)
  return {
    failure: onlyCloses(input) ? null : (own ?? failure),
    numbers: { ...numbers, limit, venue_usable: usable, venue_needed: needed }
  }
}

const entryOnly: ReadonlyArray<RiskColumn> = ["entry"]
const entryAndReduce: ReadonlyArray<RiskColumn> = ["entry", "reduce"]

/** T6, in the order in which a denial is named. A cancel is in no row: it always passes. */
export const riskTable: ReadonlyArray<RiskCheck> = [
  { check: "trading_state", columns: entryAndReduce, readsBook: false, evaluate: tradingState },
  { check: "account_enabled", columns: entryOnly, readsBook: false, evaluate: enabled },
  { check: "reconciled", columns: entryAndReduce, readsBook: false, evaluate: reconciled },
  { check: "calendar", columns: entryAndReduce, readsBook: false, evaluate: calendarOpen },
  { check: "age", columns: entryOnly, readsBook: false, evaluate: age },
  { check: "duplicate", columns: entryOnly, readsBook: false, evaluate: duplicate },
  { check: "side_policy", columns: entryOnly, readsBook: true, evaluate: sidePolicy },
  { check: "symbol_list", columns: entryOnly, readsBook: false, evaluate: symbolList },
  { check: "symbol_resolved", columns: entryOnly, readsBook: true, evaluate: symbolResolved },
  { check: "position_agrees", columns: entryOnly, readsBook: true, evaluate: positionAgrees },
  { check: "open_positions", columns: entryOnly, readsBook: true, evaluate: openPositions },
  { check: "per_symbol", columns: entryOnly, readsBook: true, evaluate: perSymbol },
  { check: "orders_per_minute", columns: entryOnly, readsBook: false, evaluate: ordersPerMinute },
  { check: "quantity", columns: entryOnly, readsBook: false, evaluate: size },
  { check: "price", columns: entryOnly, readsBook: true, evaluate: priced },
  { check: "notional", columns: entryOnly, readsBook: true, evaluate: notional },
  { check: "exposure", columns: entryOnly, readsBook: true, evaluate: exposure },
  { check: "price_collar", columns: entryAndReduce, readsBook: false, evaluate: priceCollar },
  { check: "buying_power", columns: entryOnly, readsBook: true, evaluate: buyingPower },
  { check: "breaker", columns: entryOnly, readsBook: true, evaluate: breaker },
  { check: "cooldown", columns: entryOnly, readsBook: true, evaluate: cooldown },
  { check: "daily_loss", columns: entryOnly, readsBook: true, evaluate: lossCheck("daily_loss") },
  { check: "drawdown", columns: entryOnly, readsBook: true, evaluate: lossCheck("drawdown") },
  { check: "loss_streak", columns: entryOnly, readsBook: true, evaluate: lossCheck("loss_streak") }
]

const outcomeOf = (failures: ReadonlyArray<Failure>): RiskOutcome => {
  const first = (effect: RiskEffect): Failure | undefined =>
    failures.find((failure) => failure.effect === effect)
  // A denial is final, so it wins; what may be retried comes before what is stored as held.
  const denied = first("deny")
  if (denied !== undefined) return { _tag: "Denied", code: denied.code }
  const deferred = first("defer")
  if (deferred !== undefined) return { _tag: "Deferred", code: deferred.code }
  const held = first("hold")
  return held === undefined ? { _tag: "Passed" } : { _tag: "Held", code: held.code }
}

/** Evaluates every check of the order's column. The verdicts are in table order. */
export const evaluateRisk = (
  input: RiskInput
): { readonly outcome: RiskOutcome; readonly verdicts: ReadonlyArray<RiskVerdict> } => {
  const verdicts: Array<RiskVerdict> = []
  const failures: Array<Failure> = []
  const bookIsTrue = input.column !== "entry" || input.account.reconciledAtMs !== null
  for (const { check, columns, readsBook, evaluate } of riskTable) {
    if (!columns.includes(input.column) || (readsBook && !bookIsTrue)) continue
    const { failure, numbers } = evaluate(input)
    verdicts.push({ check, ok: failure === null, code: failure?.code ?? null, numbers })
    if (failure !== null) failures.push(failure)
  }
  return { outcome: outcomeOf(failures), verdicts }
}
