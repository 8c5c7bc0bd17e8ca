/**
 * One look at the stages of strategies: demotes what loses, takes back what has recovered, closes what a shadow holds on paper.
 *
 * It follows each look of the risk component: a rule that looks at closes has something new to see after a fill, and what is held
 * on paper has a stop that follows the market. Entries read the row in the statement that decides them, so nobody is told.
 *
 * Promises: a change is made once, whichever process sees it first, and is a row with its rule and numbers, an audit row, an alert
 * in the same commit and a log line; exits on paper are judged by the stop, target, trail and time of the strategy as real ones
 * are, by the quote of each look, in the process that executes the account.
 * Never: closes anything real; changes what the settings call a shadow.
 */
import { Effect } from "effect"
import { multiplierOf, instrumentsOf } from "../../domain/kernel/instruments.ts"
import { decimal, type Decimal, formatDecimal } from "../../domain/kernel/decimal.ts"
import { riskLimits } from "../../domain/kernel/risk-limits.ts"
import type { StrategySettings } from "../../domain/kernel/settings.ts"
import { paperFill } from "../../domain/orders/paper-fill.ts"
import type { PlanQuote } from "../../domain/orders/plan-context.ts"
import { exitDue, termsOf } from "../../domain/orders/protection.ts"
import { changeDue, closesAsked, type StageChange, type StageRow } from "../../domain/orders/stage-rule.ts"
import { arm, follow, isProtected, movingTermsOf, moves } from "../../domain/orders/trailing.ts"
import { AccountLeases } from "../../layers/accounts/accounts-lease.port.ts"
import { type Alert, resolvedLine } from "../../layers/alerts/alerts.port.ts"
import { committedAlert } from "../../layers/alerts/committed-alert.ts"
import { Market } from "../../layers/market/market.port.ts"
import { type OpenPaper, StageStore } from "../../layers/orders/stage-store.port.ts"
import { Config, snapshotOf } from "../../layers/platform/config.port.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { freshQuote } from "./plan-input.ts"

/** The alerts of all stages begin with this. */
export const STAGE_ALERTS = "strategy.stage:"

const messageOf = ({ strategy }: Pick<StageRow, "strategy">, { reason, rule, to }: StageChange): string =>
  to === "shadow"
    ? `${strategy} is a shadow now, by the rule ${rule}: ${reason}; it opens nothing until it is promoted`
    : `${strategy} trades again, by the rule ${rule}: ${reason}`

/** A demotion lasts until the strategy trades again; a promotion is an event. */
const alertOf = (component: string, row: StageRow, change: StageChange): Alert => ({
  severity: change.to === "shadow" ? "HIGH" : "MEDIUM",
  kind: change.to === "shadow" ? "strategy.demoted" : "strategy.promoted",
  dedupKey: `${STAGE_ALERTS}${row.strategy}`,
  message: messageOf(row, change),
  component,
  detail: { strategy: row.strategy, stage: change.to, changed_by: `rule:${change.rule}`, ...change.numbers },
  ...(change.to === "shadow" ? { standing: true } : {})
})

const move = (path: string, row: StageRow, change: StageChange) =>
  Effect.gen(function* () {
    const store = yield* StageStore
    const alert = alertOf(path, row, change)
    const committed = yield* committedAlert((one: Alert) => one)
    const moved = yield* store.move(row, change, committed.stored(alert))
    if (moved === null) return false
    const { strategy } = row
    yield* logEvent(change.to === "shadow" ? "warn" : "info", alert.kind, alert.message, {
      component: path,
      strategy,
      stage: change.to,
      rule: change.rule,
      ...change.numbers
    })
    for (const { by, dedupKey } of moved.ended) yield* resolvedLine(dedupKey, by)
    yield* committed.raise(alert)
    return true
  })

const textOf = (price: string | null): Decimal | null => (price === null ? null : decimal(price))

/** Why a holding on paper is to be closed at this quote, and the best price it has reached. */
const judged = (
  open: OpenPaper,
  strategy: StrategySettings | undefined,
  quote: PlanQuote,
  nowMs: number
): { readonly kind: string | null; readonly best: string | null } => {
  const [fixed, terms] = [termsOf(strategy), movingTermsOf(strategy)]
  const none = { kind: null, best: open.bestPrice }
  if (!isProtected(fixed, terms)) return none
  const quantity = decimal(open.quantity)
  const input = { quantity, averagePrice: decimal(open.averagePrice), terms, range: null }
  const sides = { bid: textOf(quote.bid), ask: textOf(quote.ask) }
  const price = open.quantity.startsWith("-") ? sides.ask : sides.bid
  if (price === null) return none
  const armed = arm(fixed, input, textOf(open.bestPrice))
  const trail = moves(terms) ? follow(armed, price, input) : armed
  const best = trail.best === null ? null : formatDecimal(trail.best)
  const stopPrice = trail.stop?.price ?? null
  const due = exitDue(quantity, { stopPrice, targetPrice: armed.target }, sides)
  const isOver = terms.holdMsMax !== null && nowMs - open.openedAtMs >= terms.holdMsMax
  const kind = due === "stop_loss" ? (trail.stop?.by ?? due) : (due ?? (isOver ? "time_stop" : null))
  return { kind, best }
}

const lookAtPaper = (
  path: string,
  open: OpenPaper,
  strategy: StrategySettings | undefined,
  quote: PlanQuote | null,
  nowMs: number
) =>
  Effect.gen(function* () {
    if (quote === null) return
    const store = yield* StageStore
    const { best, kind } = judged(open, strategy, quote, nowMs)
    const isShort = open.quantity.startsWith("-")
    const price = isShort ? quote.ask : quote.bid
    if (kind === null || price === null) {
      if (best !== null && best !== open.bestPrice) yield* store.follow(open, best)
      return
    }
    const { account, quantity, symbol } = open
    const fill = {
      symbol,
      side: isShort ? "buy" : "sell",
      quantity: quantity.replace("-", ""),
      price
    } as const
    const { profit } = paperFill(open, fill, multiplierOf(instrumentsOf(yield* Config), symbol))
    if (!(yield* store.close(open, { kind, price, profit: profit ?? "0" }))) return
    yield* logEvent("info", "paper.exited", `${open.strategy} closed ${symbol} on paper: ${kind}`, {
      component: path,
      strategy: open.strategy,
      account,
      symbol,
      quantity,
      price,
      profit
    })
  })

/** One look. `nowMs` is the clock of the quotes. */
export const lookAtStages = (path: string, nowMs: number) =>
  Effect.gen(function* () {
    const store = yield* StageStore
    const leases = yield* AccountLeases
    const { strategies } = snapshotOf(yield* Config)
    const asked = Object.entries(strategies).flatMap(([strategy, { demotion, stage }]) =>
      demotion === null || stage === "shadow"
        ? []
        : [
            {
              strategy,
              closesLive: closesAsked(demotion, "live"),
              closesShadow: closesAsked(demotion, "shadow")
            }
          ]
    )
    const reading = yield* store.read(asked)
    const shadowed = new Set([
      ...reading.demoted.filter((name) => Object.hasOwn(strategies, name)),
      ...Object.entries(strategies).flatMap(([name, { stage }]) => (stage === "shadow" ? [name] : []))
    ])
    for (const { figures, row } of reading.rows) {
      const strategy = strategies[row.strategy]
      const change = strategy === undefined ? null : changeDue(strategy, row, figures)
      if (change === null || !(yield* move(path, row, change))) continue
      if (change.to === "shadow") shadowed.add(row.strategy)
      else shadowed.delete(row.strategy)
    }
    const quoteOf = freshQuote(yield* Market, nowMs)
    for (const open of reading.open)
      if (leases.current(open.account)?.mayWrite() === true)
        yield* lookAtPaper(path, open, strategies[open.strategy], quoteOf(open.symbol), reading.nowMs)
    return {
      shadowed: [...shadowed].toSorted(),
      lookMs: asked.length + reading.open.length === 0 ? riskLimits.lookIdleMs : riskLimits.lookMs
    }
  })
