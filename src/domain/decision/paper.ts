/**
 * paper: what a strategy that runs as a shadow would have ordered, filled on paper (G5).
 *
 * Its wish is planned a second time, as if it traded, in the account it would have traded in with its own shares replaced by those
 * it holds on paper. What would have been sent is filled at once, at the side of the quote that it would have met: on paper nobody
 * waits, and what would wait for a price of its own is not filled. All of it is a value in the decision: nothing that could send an
 * order ever reads it, and the accounts of the context are left as they were.
 *
 * Promises: pure; each signal of a batch finds what the one before it left on paper; a fill without a price is none.
 * Never: delays the real decision: what would have to wait is not filled.
 */
import { BigDecimal } from "effect"
import { decimal, formatDecimal } from "../kernel/decimal.ts"
import { multiplierOf } from "../kernel/instruments.ts"
import { type PlanAccount, type PlanContext, priceFor } from "../orders/plan-context.ts"
import { paperFill } from "../orders/paper-fill.ts"
import type { BookPosition } from "../orders/risk-book.ts"
import { type PaperHolding, plainStage, shadowedBy } from "../orders/stage.ts"
import type { PaperTrade, RecordedCheck, Step, TargetStep } from "./plan-step.ts"
import type { PlannedOrder } from "./planned-order.ts"
import type { PlanInput, Target } from "./plan-input.ts"

/** The check that records it. */
const PAPER = "paper"

type Plan = (input: PlanInput, context: PlanContext, target: Target) => Step

const plus = (a: string, b: string): string => formatDecimal(BigDecimal.sum(decimal(a), decimal(b)))

/** The position of a symbol with what the strategy holds on paper in the place of its share. */
const withShare = (
  { disputed, quantity, shares, symbol, ...row }: Pick<BookPosition, "symbol"> & Partial<BookPosition>,
  strategy: string,
  held: PaperHolding | undefined
): BookPosition => {
  const others = (shares ?? []).filter((share) => share.strategy !== strategy)
  const own = held?.quantity ?? "0"
  const real = shares?.find((share) => share.strategy === strategy)?.quantity ?? "0"
  const rest = formatDecimal(BigDecimal.subtract(decimal(quantity ?? "0"), decimal(real)))
  const total = plus(rest, own)
  return {
    symbol,
    quantity: total,
    averagePrice: row.averagePrice ?? held?.averagePrice ?? "0",
    confirmed: total,
    disputed: disputed ?? false,
    shares: [...others, ...(own === "0" ? [] : [{ strategy, quantity: own }])]
  }
}

/** The account as the shadow sees it: the book of all others, with its own on paper. */
const paperAccount = (
  account: PlanAccount,
  strategy: string,
  holdings: ReadonlyArray<PaperHolding>
): PlanAccount => {
  const heldOf = (symbol: string) => holdings.find((held) => held.symbol === symbol)
  const known = account.positions.map((position) => withShare(position, strategy, heldOf(position.symbol)))
  const added = holdings
    .filter(({ symbol }) => !account.positions.some((position) => position.symbol === symbol))
    .map((held) => withShare({ symbol: held.symbol }, strategy, held))
  return {
    ...account,
    positions: [...known, ...added],
    orders: account.orders.filter((order) => order.strategy !== strategy)
  }
}

/** The price at which an order fills at once; null: it does not. */
const fillPrice = ({ quoteOf }: PlanInput, order: PlannedOrder): string | null => {
  const price = priceFor(quoteOf(order.symbol), order.side)
  if (price === null || order.status !== "intended" || order.stopPrice !== null) return null
  if (order.limitPrice === null) return price
  const beyond = order.side === "buy" ? BigDecimal.isGreaterThan : BigDecimal.isLessThan
  return beyond(decimal(price), decimal(order.limitPrice)) ? null : price
}

/** The holdings with one of them as it is after a fill; what is flat is left out. */
const withHolding = (
  holdings: ReadonlyArray<PaperHolding>,
  after: PaperHolding
): ReadonlyArray<PaperHolding> => [
  ...holdings.filter(({ symbol }) => symbol !== after.symbol),
  ...(after.quantity === "0" ? [] : [after])
]

const checkOf = (target: Target, order: PlannedOrder, trade: PaperTrade | undefined): RecordedCheck => ({
  strategy: target.name,
  account: target.account,
  leg: order.leg,
  check: PAPER,
  ok: true,
  code: null,
  numbers: {
    would: order.status === "denied" ? "deny" : order.status === "held" ? "wait" : "order",
    code: order.reason,
    symbol: order.symbol,
    side: order.side,
    quantity: order.quantity,
    price: trade?.price ?? null,
    profit: trade?.profit ?? null
  }
})

/** The step of a target with what it comes to on paper, where its strategy is a shadow. `plan` plans a target that trades. */
export const withPaper = (
  input: PlanInput,
  given: PlanContext,
  target: Target,
  step: Step,
  plan: Plan
): TargetStep => {
  const { account: id, name, strategy } = target
  const stored = given.stages.get(name)
  const account = given.accounts.get(id)
  if (shadowedBy(strategy, stored) === null || account === undefined || step.result === "deferred")
    return { ...step, papers: [] }
  const { book } = stored ?? plainStage
  const trades: Array<PaperTrade> = []
  let holdings = Object.hasOwn(book, id) ? (book[id] ?? []) : []
  const would = plan(
    { ...input, mayDefer: false },
    {
      ...given,
      accounts: new Map(given.accounts).set(id, paperAccount(account, name, holdings)),
      stages: new Map(),
      orderIds: new Set()
    },
    { ...target, strategy: { ...strategy, stage: "live", approval: null, shadow: null } }
  )
  const checks = would.orders.map((order) => {
    const price = fillPrice(input, order)
    if (price === null) return checkOf(target, order, undefined)
    const { leg, quantity, side, symbol } = order
    const held = holdings.find((one) => one.symbol === symbol)
    const units = multiplierOf(input.settings.instruments, symbol)
    const fill = { symbol, side, quantity, price }
    const trade = { strategy: name, account: id, leg, ...fill, ...paperFill(held, fill, units) }
    holdings = withHolding(holdings, trade.after)
    trades.push(trade)
    return checkOf(target, order, trade)
  })
  const after = { ...(stored ?? plainStage), book: { ...book, [id]: holdings } }
  return {
    ...step,
    context: { ...step.context, stages: new Map(step.context.stages).set(name, after) },
    checks: [...step.checks, ...checks],
    papers: trades
  }
}
