/**
 * paper: what a strategy that runs as a shadow would have ordered, on paper (G5).
 *
 * Its wish is planned a second time, as if it traded, in the account it would have traded in with its own shares replaced by those
 * it holds on paper, and its open orders by those that rest there. What would have been sent is filled by the rule of the paper
 * broker, for the fees of the account's broker; what waits for its price rests until a later look (paper-look.ts), and what
 * contradicts it is taken back first. All of it is a value in the decision: nothing that could send an order ever reads it, and the
 * accounts of the context are left as they were.
 *
 * Promises: pure; each signal of a batch finds what the one before it left on paper; a fill without a price is none.
 * Never: delays the real decision: what would be held until its market opens is not filled.
 */
import { BigDecimal } from "effect"
import { decimal, formatDecimal } from "../kernel/decimal.ts"
import { isOn } from "../kernel/flags.ts"
import { multiplierOf } from "../kernel/instruments.ts"
import { feeOf } from "../kernel/venue-fee.ts"
import { canRest, expiryOf } from "../orders/order-terms.ts"
import { feesFor, type PlanAccount, type PlanContext } from "../orders/plan-context.ts"
import { paperFill } from "../orders/paper-fill.ts"
import { bookOrderOf, isInTheWay, paperStep } from "../orders/paper-order.ts"
import type { BookPosition } from "../orders/risk-book.ts"
import { type PaperHolding, type PaperOrder, plainStage, shadowedBy } from "../orders/stage.ts"
import type { PaperTrade, PlacedPaper, RecordedCheck, Step, TargetStep } from "./plan-step.ts"
import { atItsMarket, type PlannedOrder } from "./planned-order.ts"
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

/** What a strategy has on paper in one account. */
interface Paper {
  readonly holdings: ReadonlyArray<PaperHolding>
  readonly resting: ReadonlyArray<PaperOrder>
}

/** The account as the shadow sees it: the book of all others, with its own on paper. */
const paperAccount = (account: PlanAccount, strategy: string, { holdings, resting }: Paper): PlanAccount => {
  const heldOf = (symbol: string) => holdings.find((held) => held.symbol === symbol)
  const known = account.positions.map((position) => withShare(position, strategy, heldOf(position.symbol)))
  const added = holdings
    .filter(({ symbol }) => !account.positions.some((position) => position.symbol === symbol))
    .map((held) => withShare({ symbol: held.symbol }, strategy, held))
  return {
    ...account,
    positions: [...known, ...added],
    orders: [
      ...account.orders.filter((order) => order.strategy !== strategy),
      ...resting.map((order) => bookOrderOf(strategy, order))
    ]
  }
}

/** The holdings with one of them as it is after a fill; what is flat is left out. */
const withHolding = (
  holdings: ReadonlyArray<PaperHolding>,
  after: PaperHolding
): ReadonlyArray<PaperHolding> => [
  ...holdings.filter(({ symbol }) => symbol !== after.symbol),
  ...(after.quantity === "0" ? [] : [after])
]

/** What became of an order on paper. */
interface Outcome {
  readonly trade: PaperTrade | null
  readonly placed: PlacedPaper | null
}

const unfilled: Outcome = { trade: null, placed: null }

const checkOf = (target: Target, order: PlannedOrder, { placed, trade }: Outcome): RecordedCheck => ({
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
    quantity: trade?.quantity ?? order.quantity,
    price: trade?.price ?? null,
    profit: trade?.profit ?? null,
    ...(trade === null || trade.fee === "0" ? {} : { fee: trade.fee }),
    ...(placed === null
      ? {}
      : { limit_price: placed.limitPrice, stop_price: placed.stopPrice, until_ms: placed.untilMs })
  }
})

/** What becomes of one order that would have been sent. */
const onPaper = (
  input: PlanInput,
  {
    account,
    nowMs,
    target
  }: { readonly account: PlanAccount; readonly nowMs: number; readonly target: Target },
  order: PlannedOrder,
  held: PaperHolding | undefined
): Outcome => {
  const { id, intent, leg, limitPrice, quantity, side, stopPrice, symbol } = order
  const { calendar } = atItsMarket(input, account, symbol)
  const untilMs = expiryOf(order, calendar, nowMs)
  const own = { strategy: target.name, account: target.account, leg }
  const given = { id, symbol, side, intent, quantity, limitPrice, stopPrice, isTriggered: false, untilMs }
  const step = paperStep(given, input.quoteOf(symbol), held, nowMs)
  if (step._tag === "Waits")
    return canRest(order)
      ? { trade: null, placed: { ...own, ...given, isTriggered: step.isTriggered } }
      : unfilled
  if (step._tag === "Over") return unfilled
  const { instruments } = input.settings
  const traded = { price: step.price, quantity: step.quantity }
  const fee = feeOf(feesFor(input.settings, target.account), instruments.of(symbol), traded)
  const fill = { symbol, side, ...traded, fee }
  return {
    trade: { ...own, ...fill, ...paperFill(held, fill, multiplierOf(instruments, symbol)) },
    placed: null
  }
}

/** What the strategy of a target has on paper in its account. */
const paperOf = ({ stages }: PlanContext, { account, name }: Target): Paper => {
  const { book, resting = {} } = stages.get(name) ?? plainStage
  return {
    holdings: Object.hasOwn(book, account) ? (book[account] ?? []) : [],
    resting: Object.hasOwn(resting, account) ? (resting[account] ?? []) : []
  }
}

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
  const isPapered = isOn(input.settings.flags, "paper", { account: id, strategy: name })
  if (
    shadowedBy(strategy, stored) === null ||
    account === undefined ||
    step.result === "deferred" ||
    !isPapered
  )
    return { ...step, papers: [], placed: [], withdrawn: [] }
  const trades: Array<PaperTrade> = []
  const placed: Array<PlacedPaper> = []
  const withdrawn: Array<string> = []
  const before = paperOf(given, target)
  let { holdings, resting } = before
  const would = plan(
    { ...input, mayDefer: false },
    {
      ...given,
      accounts: new Map(given.accounts).set(id, paperAccount(account, name, before)),
      stages: new Map(),
      orderIds: new Set()
    },
    { ...target, strategy: { ...strategy, stage: "live", approval: null, shadow: null } }
  )
  const checks = would.orders.map((order) => {
    if (order.status !== "intended") return checkOf(target, order, unfilled)
    const arriving = { ...order, isTarget: order.sizing === "target" }
    const gone = resting.filter((one) => isInTheWay(one, arriving))
    withdrawn.push(...gone.map((one) => one.id))
    resting = resting.filter((one) => !gone.includes(one))
    const held = holdings.find(({ symbol }) => symbol === order.symbol)
    const outcome = onPaper(input, { account, nowMs: given.nowMs, target }, order, held)
    if (outcome.trade !== null) {
      holdings = withHolding(holdings, outcome.trade.after)
      trades.push(outcome.trade)
    }
    if (outcome.placed !== null) {
      const { account: _account, leg: _leg, strategy: _strategy, ...rests } = outcome.placed
      resting = [...resting, rests]
      placed.push(outcome.placed)
    }
    return checkOf(target, order, outcome)
  })
  const stage = stored ?? plainStage
  const after = {
    ...stage,
    book: { ...stage.book, [id]: holdings },
    resting: { ...stage.resting, [id]: resting }
  }
  return {
    ...step,
    context: { ...step.context, stages: new Map(step.context.stages).set(name, after) },
    checks: [...step.checks, ...checks],
    papers: trades,
    placed,
    withdrawn
  }
}
