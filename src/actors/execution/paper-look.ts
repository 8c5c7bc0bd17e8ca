/**
 * One look at what shadow strategies have on paper: fills what rests, ends what is over, closes what their exits say (G5).
 *
 * What rests comes first, in the order in which it was placed: what it opens is protected from the next look on. Prices are those of
 * the look, so what crossed and came back between two looks was not seen, as a venue that is asked every two seconds would not.
 *
 * Promises: an order that rests is filled by the rule of the paper broker, for the fees of the account's broker; exits are judged by
 * the stop, target, trail and time of the strategy as real ones are; each is a row before it is a log line.
 * Never: fills an entry of a strategy that trades again; sees a broker.
 */
import { Effect } from "effect"
import { decimal, type Decimal, formatDecimal } from "../../domain/kernel/decimal.ts"
import { isOn } from "../../domain/kernel/flags.ts"
import { multiplierOf } from "../../domain/kernel/instruments.ts"
import type { StrategySettings } from "../../domain/kernel/settings.ts"
import { feeOf } from "../../domain/kernel/venue-fee.ts"
import { paperFill } from "../../domain/orders/paper-fill.ts"
import { paperStep } from "../../domain/orders/paper-order.ts"
import { feesFor, type PlanQuote, type PlanSettings } from "../../domain/orders/plan-context.ts"
import { exitDue, termsOf } from "../../domain/orders/protection.ts"
import { arm, follow, isProtected, movingTermsOf, moves } from "../../domain/orders/trailing.ts"
import { type OpenPaper, type RestingPaper, StageStore } from "../../layers/orders/stage-store.port.ts"
import { logEvent } from "../../runtime/log-event.ts"

/** What a look judges by. */
export interface PaperView {
  readonly path: string
  readonly settings: PlanSettings
  /** Strategies that run as shadows. */
  readonly shadowed: ReadonlySet<string>
  readonly quoteOf: (symbol: string) => PlanQuote | null
  /** The clock of the database. */
  readonly nowMs: number
}

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

/** A trade of `account` with its fee, and what it makes of what is held. */
const traded = (
  { settings }: PaperView,
  account: string,
  held: OpenPaper | undefined,
  trade: Pick<Parameters<typeof paperFill>[1], "price" | "quantity" | "side" | "symbol">
) => {
  const { instruments } = settings
  const { symbol } = trade
  const fee = feeOf(feesFor(settings, account), instruments.of(symbol), trade)
  return { fee, ...paperFill(held, { ...trade, fee }, multiplierOf(instruments, symbol)) }
}

const lookAtOpen = (view: PaperView, open: OpenPaper) =>
  Effect.gen(function* () {
    const quote = view.quoteOf(open.symbol)
    if (quote === null) return
    const store = yield* StageStore
    const { account, strategy, symbol } = open
    const { best, kind } = judged(open, view.settings.strategies[strategy], quote, view.nowMs)
    const isShort = open.quantity.startsWith("-")
    const price = isShort ? quote.ask : quote.bid
    if (kind === null || price === null) {
      if (best !== null && best !== open.bestPrice) yield* store.follow(open, best)
      return
    }
    const quantity = open.quantity.replace("-", "")
    const side = isShort ? "buy" : "sell"
    const { fee, profit } = traded(view, account, open, { symbol, side, quantity, price })
    if (!(yield* store.close(open, { kind, price, fee, profit: profit ?? "0" }))) return
    yield* logEvent("info", "paper.exited", `${strategy} closed ${symbol} on paper: ${kind}`, {
      component: view.path,
      strategy,
      account,
      symbol,
      quantity: open.quantity,
      price,
      fee,
      profit
    })
  })

/** Why an order may not rest any more, whatever its price. */
const goneOf = (
  { settings, shadowed }: PaperView,
  { account, gone, strategy }: RestingPaper
): string | null => {
  if (!isOn(settings.flags, "paper", { account, strategy })) return "switched_off"
  if (!Object.hasOwn(settings.strategies, strategy)) return "strategy_removed"
  return shadowed.has(strategy) ? gone : "strategy_trades"
}

const withdraw = (view: PaperView, order: RestingPaper, reason: string) =>
  Effect.gen(function* () {
    const store = yield* StageStore
    if (!(yield* store.withdraw(order))) return
    const { account, id, quantity, side, strategy, symbol } = order
    yield* logEvent(
      "info",
      "paper.withdrawn",
      `${strategy} rests no more on paper to ${side} ${symbol}: ${reason}`,
      { component: view.path, order_id: id, strategy, account, symbol, quantity, reason }
    )
  })

/** Whether it traded. */
const lookAtResting = (view: PaperView, order: RestingPaper, held: OpenPaper | undefined) =>
  Effect.gen(function* () {
    const store = yield* StageStore
    const gone = goneOf(view, order)
    const step =
      gone === null
        ? paperStep(order, view.quoteOf(order.symbol), held, view.nowMs)
        : ({ _tag: "Over", reason: gone } as const)
    if (step._tag === "Over") {
      yield* withdraw(view, order, step.reason)
      return false
    }
    if (step._tag === "Waits") {
      // Stored at once: a later look, or process, finds it triggered whatever the market does meanwhile.
      if (step.isTriggered && !order.isTriggered) yield* store.trigger(order)
      return false
    }
    const { account, id, side, strategy, symbol } = order
    const { price, quantity } = step
    const filled = traded(view, account, held, { symbol, side, quantity, price })
    const before = held === undefined ? null : held
    if (!(yield* store.fill(order, { price, quantity, before, ...filled }))) return false
    yield* logEvent("info", "paper.filled", `${strategy} filled ${side} ${quantity} ${symbol} on paper`, {
      component: view.path,
      order_id: id,
      strategy,
      account,
      symbol,
      side,
      quantity,
      price,
      fee: filled.fee,
      profit: filled.profit
    })
    return true
  })

/** One look at what is held, and what rests, in the accounts that this process executes. */
export const lookAtPaper = (
  view: PaperView,
  {
    open,
    resting
  }: { readonly open: ReadonlyArray<OpenPaper>; readonly resting: ReadonlyArray<RestingPaper> }
) =>
  Effect.gen(function* () {
    const keyOf = ({ account, strategy, symbol }: Pick<OpenPaper, "account" | "strategy" | "symbol">) =>
      JSON.stringify([strategy, account, symbol])
    // What traded in this look is judged again in the next one, by what is held then.
    const moved = new Set<string>()
    for (const order of resting) {
      const key = keyOf(order)
      if (moved.has(key)) continue
      const held = open.find((one) => keyOf(one) === key)
      if (yield* lookAtResting(view, order, held)) moved.add(key)
    }
    for (const one of open) if (!moved.has(keyOf(one))) yield* lookAtOpen(view, one)
  })
