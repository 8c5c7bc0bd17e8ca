/**
 * One check of profit and loss per scope: publishes figures, updates marks, acts on breached rules, samples equity.
 *
 * This check stops a scope, not an order: a position that loses while no signal arrives must stop entries as well. It reads
 * the rows once, values open positions by this process's quotes, and leaves the rules to domain/orders.
 *
 * Promises: a rule stops a scope once, until an operator resumes it; every stop is a row with its rule and numbers, an alert in
 * the same commit, and a log line; what cannot be valued is published as unknown.
 * Never: sends, cancels or closes anything: exits pass whatever the state (T6).
 */
import { Effect } from "effect"
import { dayIn, type Day } from "../../domain/kernel/day.ts"
import { decimal, type Decimal, formatDecimal } from "../../domain/kernel/decimal.ts"
import { instrumentsOf, multiplierOf } from "../../domain/kernel/instruments.ts"
import { riskLimits } from "../../domain/kernel/risk-limits.ts"
import type { ScopeLimits, Settings } from "../../domain/kernel/settings.ts"
import { type Profit, profitOf, sumOfProfits } from "../../domain/orders/profit.ts"
import type { Valuation } from "../../domain/orders/risk-book.ts"
import { isResumed, lossesOf, type Marks, mergedMarks, nextMarks } from "../../domain/orders/risk-marks.ts"
import { breachOf, type ScopeFigures } from "../../domain/orders/risk-scope.ts"
import { BigDecimal } from "effect"
import { AccountLeases } from "../../layers/accounts/accounts-lease.port.ts"
import { type Alert, resolvedLine } from "../../layers/alerts/alerts.port.ts"
import { committedAlert } from "../../layers/alerts/committed-alert.ts"
import { Market } from "../../layers/market/market.port.ts"
import { RiskFigures } from "../../layers/orders/risk-figures.port.ts"
import {
  type AccountHoldings,
  type EquitySample,
  type MarksChange,
  type RiskReading,
  RiskStore,
  type Trip
} from "../../layers/orders/risk-store.port.ts"
import { Config, snapshotOf } from "../../layers/platform/config.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import type { LookOutcome } from "../../machines/execution/risk.machine.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { freshQuote } from "./plan-input.ts"

/** The last equity row of an account. */
interface Sampled {
  readonly atMs: number
  readonly date: string
  readonly moved: string
}

export interface RiskWatch {
  readonly path: string
  /** By scope, from the last check; bounded by accounts and scopes, as are the two below. */
  readonly marks: Map<string, Marks>
  readonly savedAtMs: Map<string, number>
  readonly sampled: Map<string, Sampled>
  day: (Day & { readonly zone: string }) | null
}

export const makeRiskWatch = (path: string): RiskWatch => ({
  path,
  marks: new Map(),
  savedAtMs: new Map(),
  sampled: new Map(),
  day: null
})

const dayOf = (watch: RiskWatch, zone: string, nowMs: number): Day => {
  const { day } = watch
  if (day !== null && day.zone === zone && nowMs >= day.startMs && nowMs < day.endMs) return day
  const today = { ...dayIn(zone, nowMs), zone }
  watch.day = today
  return today
}

/** The limits in force when the check began, so that a reload never applies to half of it, and the day. */
interface Terms {
  readonly scopes: Readonly<Record<string, ScopeLimits>>
  readonly zone: string
  readonly date: string
}

const text = (value: Decimal | null): string | null => (value === null ? null : formatDecimal(value))

const nothing: Profit = sumOfProfits([])

/** Profits by scope: of every scope with limits, and of every account that ever traded. */
const profitsOf = ({ scopes }: Terms, reading: RiskReading, valuation: Valuation) => {
  const profits = new Map<string, Profit>(Object.keys(scopes).map((scope) => [scope, nothing]))
  for (const holdings of reading.accounts)
    profits.set(`account:${holdings.account}`, profitOf(holdings, valuation))
  for (const holdings of reading.strategies) {
    const scope = `strategy:${holdings.strategy}`
    if (scopes[scope] !== undefined) profits.set(scope, profitOf(holdings, valuation))
  }
  if (scopes["global"] !== undefined)
    profits.set("global", sumOfProfits(reading.accounts.map((one) => profitOf(one, valuation))))
  return profits
}

/** One scope after a check. */
interface Looked {
  readonly scope: string
  readonly marks: Marks | null
  readonly resumed: boolean
  readonly figures: ScopeFigures
}

const lookAt = (
  watch: RiskWatch,
  { date }: Terms,
  reading: RiskReading,
  scope: string,
  profit: Profit
): Looked => {
  const state = reading.trading.get(scope) ?? "ACTIVE"
  const before = mergedMarks(reading.marks.get(scope) ?? null, watch.marks.get(scope) ?? null)
  const pnl = text(profit.net)
  const marks = nextMarks(before, { nowMs: reading.nowMs, day: date, pnl, state })
  const resumed = before !== null && pnl !== null && isResumed(before, { state })
  const closes = reading.closes.get(scope)
  const figures: ScopeFigures = {
    atMs: reading.nowMs,
    day: marks?.day ?? null,
    ...lossesOf(marks, pnl),
    // They were counted from before the resume.
    losses: marks === null ? null : resumed ? 0 : (closes?.losses ?? 0),
    lastLossAtMs: closes?.lastLossAtMs ?? null,
    crashedAtMs: reading.crashedAtMs,
    sinceMs: marks?.sinceMs ?? null,
    tripped: marks?.tripped ?? null
  }
  return { scope, marks, resumed, figures }
}

/** Marks to store: a new scope, day or resume immediately, other changes periodically, less often without a limit. */
const changesOf = (
  watch: RiskWatch,
  { scopes }: Terms,
  reading: RiskReading,
  looked: ReadonlyArray<Looked>
) =>
  looked.flatMap(({ marks, resumed, scope }): ReadonlyArray<MarksChange> => {
    const written = reading.marks.get(scope)
    if (marks === null) return []
    const moved = written?.pnl !== marks.pnl || written.highWater !== marks.highWater
    const everyMs = scopes[scope] === undefined ? riskLimits.sampleMs : riskLimits.saveMs
    const isDue = reading.nowMs - (watch.savedAtMs.get(scope) ?? 0) >= everyMs
    const isNew = written === undefined || written.day !== marks.day || resumed
    return isNew || (moved && isDue) ? [{ scope, marks, resumed }] : []
  })

const valueOf = ({ drawdown, loss, losses }: Trip["numbers"]): string =>
  String(loss ?? drawdown ?? losses ?? "")

/** The scopes that a rule stops now. */
const tripsOf = ({ scopes, zone }: Terms, looked: ReadonlyArray<Looked>): ReadonlyArray<Trip> =>
  looked.flatMap(({ figures, marks, scope }): ReadonlyArray<Trip> => {
    const limits = scopes[scope]
    if (limits === undefined || marks === null || marks.tripped !== null) return []
    const breach = breachOf({ scope, limits }, figures)
    if (breach === null) return []
    const { numbers, rule } = breach
    const when = rule === "daily_loss" ? ` on ${String(numbers["day"])} (${zone})` : ""
    const reason = `${rule} ${valueOf(numbers)} of ${String(numbers["limit"])}${when}`
    return [{ scope, rule, state: limits.onBreach, reason, numbers }]
  })

const messageOf = ({ reason, scope, state }: Trip, moved: boolean): string =>
  moved
    ? `trading of ${scope} is ${state} by rule: ${reason}`
    : `trading of ${scope} was already stopped when a rule was breached: ${reason}`

/** Each change is a separate alert row (T11); it resolves the previous one. */
const alertOf = (path: string, trip: Trip, moved: boolean): Alert => {
  const { numbers, reason, rule, scope, state } = trip
  return {
    severity: "HIGH",
    kind: "trading_state.changed",
    dedupKey: `trading_state.changed:${scope}`,
    message: messageOf(trip, moved),
    component: path,
    detail: { scope, state, changed_by: `rule:${rule}`, reason, ...numbers },
    standing: true
  }
}

const stop = (watch: RiskWatch, trip: Trip) =>
  Effect.gen(function* () {
    const store = yield* RiskStore
    const wake = yield* Wake
    const { numbers, rule, scope, state } = trip
    const alert = yield* committedAlert((moved: boolean) => alertOf(watch.path, trip, moved))
    // Stored with the stop: a process that ends right after the commit has alerted.
    const outcome = yield* store.trip(trip, alert.stored)
    const marks = watch.marks.get(scope)
    if (marks !== undefined) watch.marks.set(scope, { ...marks, tripped: rule })
    if (outcome._tag === "Known") return false
    wake.notify("trading-state")
    const message = messageOf(trip, outcome.moved)
    yield* logEvent("warn", "risk.tripped", message, {
      component: watch.path,
      scope,
      rule,
      state,
      ...numbers
    })
    for (const { by, dedupKey } of outcome.ended) yield* resolvedLine(dedupKey, by)
    yield* alert.raise(outcome.moved)
    return true
  })

const sampleOf = (
  watch: RiskWatch,
  { date }: Terms,
  reading: RiskReading,
  holdings: AccountHoldings,
  profit: Profit,
  looked: Looked | undefined
): EquitySample | null => {
  const { account, cash } = holdings
  const atMs = Math.floor(reading.nowMs / riskLimits.sampleMs) * riskLimits.sampleMs
  const moved = `${holdings.realised} ${holdings.fees} ${cash ?? ""}`
  const last = watch.sampled.get(account)
  if (last?.atMs === atMs) return null
  if (last?.date === date && last.moved === moved && holdings.open.length === 0) return null
  watch.sampled.set(account, { atMs, date, moved })
  const { dayLoss, drawdown } = looked?.figures ?? { dayLoss: null, drawdown: null }
  const equity = profit.net === null ? null : BigDecimal.sum(decimal(holdings.startingCash), profit.net)
  return {
    account,
    atMs,
    cash,
    realised: formatDecimal(profit.realised),
    fees: formatDecimal(profit.fees),
    unrealised: text(profit.unrealised),
    equity: text(equity),
    dayPnl: dayLoss === null ? null : formatDecimal(BigDecimal.negate(decimal(dayLoss))),
    drawdown
  }
}

/** Only the process that executes an account writes its equity: another may have no quotes of its symbols. */
const samplesOf = (
  watch: RiskWatch,
  terms: Terms,
  reading: RiskReading,
  profits: ReadonlyMap<string, Profit>,
  looked: ReadonlyMap<string, Looked>
) =>
  Effect.map(AccountLeases, (leases) =>
    reading.accounts.flatMap((holdings): ReadonlyArray<EquitySample> => {
      const scope = `account:${holdings.account}`
      if (leases.current(holdings.account)?.mayWrite() !== true) return []
      const sample = sampleOf(
        watch,
        terms,
        reading,
        holdings,
        profits.get(scope) ?? nothing,
        looked.get(scope)
      )
      return sample === null ? [] : [sample]
    })
  )

/** Values open positions by fresh quotes; subscribes to symbols that have none. */
const valuationNow = (nowMs: number) =>
  Effect.gen(function* () {
    const quoteOf = freshQuote(yield* Market, nowMs)
    const instruments = instrumentsOf(yield* Config)
    return {
      marketPrice: (symbol: string) => quoteOf(symbol)?.last ?? null,
      multiplierOf: (symbol: string) => multiplierOf(instruments, symbol)
    } satisfies Valuation
  })

/** An account that a reload removed: should it come back, its rows have what counts. */
const forget = (watch: RiskWatch, accounts: Settings["accounts"]): void => {
  const isGone = (scope: string): boolean =>
    scope.startsWith("account:") && !Object.hasOwn(accounts, scope.slice("account:".length))
  for (const map of [watch.marks, watch.savedAtMs])
    for (const scope of map.keys()) if (isGone(scope)) map.delete(scope)
  for (const account of watch.sampled.keys())
    if (!Object.hasOwn(accounts, account)) watch.sampled.delete(account)
}

/** One check. `nowMs` is the clock of the quotes. */
export const lookAtRisk = (watch: RiskWatch, nowMs: number) =>
  Effect.gen(function* () {
    const store = yield* RiskStore
    const published = yield* RiskFigures
    const {
      accounts,
      risk: { scopes, zone }
    } = snapshotOf(yield* Config)
    const reading = yield* store.read(Object.keys(accounts), scopes)
    forget(watch, accounts)
    const terms: Terms = { scopes, zone, date: dayOf(watch, zone, reading.nowMs).date }
    const profits = profitsOf(terms, reading, yield* valuationNow(nowMs))
    const looked = [...profits].map(([scope, profit]) => lookAt(watch, terms, reading, scope, profit))
    for (const { marks, scope } of looked) if (marks !== null) watch.marks.set(scope, marks)
    const publish = (): void =>
      published.publish(
        new Map(
          looked.flatMap(({ figures, scope }) =>
            scopes[scope] === undefined
              ? []
              : [[scope, { ...figures, tripped: watch.marks.get(scope)?.tripped ?? figures.tripped }]]
          )
        )
      )
    publish()
    const changes = changesOf(watch, terms, reading, looked)
    if (changes.length > 0) {
      yield* store.saveMarks(changes)
      for (const { scope } of changes) watch.savedAtMs.set(scope, reading.nowMs)
    }
    let stopped = 0
    for (const trip of tripsOf(terms, looked)) {
      if (yield* stop(watch, trip)) stopped += 1
      // An entry that is denied right after the stop names the rule that stopped it.
      publish()
    }
    const byScope = new Map(looked.map((one) => [one.scope, one]))
    const samples = yield* samplesOf(watch, terms, reading, profits, byScope)
    if (samples.length > 0) yield* store.sample(samples)
    const limited = looked.filter(({ scope }) => scopes[scope] !== undefined)
    return {
      lookMs: limited.length === 0 ? riskLimits.lookIdleMs : riskLimits.lookMs,
      scopes: limited.length,
      stopped,
      tripped: limited.flatMap(({ scope }) => (watch.marks.get(scope)?.tripped ? [scope] : [])),
      unknown: limited.flatMap(({ figures, scope }) => (figures.dayLoss === null ? [scope] : []))
    } satisfies Omit<LookOutcome, "shadowed">
  })
