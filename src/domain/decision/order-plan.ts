/**
 * Order plan: one strategy in one account asks its engine, sizes the wish, passes it through risk, and gets complete order rows.
 *
 * The row is complete before any broker hears of it (E2): ids, quantity, validity, venue. A denied wish becomes a row
 * too, because the trace of a signal must show the order that was not sent as plainly as the one that was.
 *
 * Promises: pure; the same signal and context give the same row and ids; each planned order is in the book that the
 * next one is checked against; every verdict is kept.
 * Never: reads a clock, a quote feed or a table; drops a wish without a verdict that explains it.
 */
import { BigDecimal } from "effect"
import { formatDecimal } from "../kernel/decimal.ts"
import { CANARY } from "../kernel/canary.ts"
import { decideA, type EngineAnswer, type Proposal } from "./engine-a.ts"
import { orderId } from "../kernel/ids.ts"
import { instrumentNumbers, multiplierOf } from "../kernel/instruments.ts"
import {
  limitsOf,
  type PlanAccount,
  type PlanContext,
  type PlanSettings,
  priceFor,
  tradingOf
} from "../orders/plan-context.ts"
import { APPROVAL, approvalParts, CLOSING_LEG, type PlannedApproval } from "../orders/approval.ts"
import { evaluateRisk, type RiskVerdict } from "../orders/risk.ts"
import type { RiskNumbers } from "../orders/risk-verdict.ts"
import { holdingOf, withOpen } from "../orders/risk-book.ts"
import { breakersFor } from "../orders/breaker.ts"
import { scopeStates, withWaiting } from "../orders/risk-scope.ts"
import { canRest } from "../orders/order-terms.ts"
import { engineOf } from "../signals/routing.ts"
import type { Size } from "../orders/position-size.ts"
import { plannedOf } from "./order-size.ts"
import { panelVerdict } from "./panel.ts"
import type { PlanInput, Target } from "./plan-input.ts"
import { isPricedForMany, plannedTerms } from "./plan-terms.ts"
import { ageMaxOf, atItsMarket, type PlannedOrder, rowOf, type Wanted } from "./planned-order.ts"
import { type EngineVerdicts, type JudgedOrder, shadowsOf } from "./shadow-order.ts"
import { strictVoter, voterVerdict } from "./voter.ts"
import { withPaper } from "./paper.ts"
import type { RecordedCheck, Step, TargetStep } from "./plan-step.ts"
import { opensNothing } from "../orders/risk-closing.ts"
import { shadowedBy, stageVerdict } from "../orders/stage.ts"

/** An account whose row does not exist yet: its executor has not started, so it is not reconciled either. */
const unknownAccount = (id: string, settings: PlanSettings): PlanAccount => ({
  id,
  venue: "",
  enabled: true,
  reconciledAtMs: null,
  calendar: settings.accounts[id]?.calendar ?? "24x7",
  startingCash: "0",
  realisedPnl: "0",
  balance: null,
  positions: [],
  orders: []
})

const riskOf = (input: PlanInput, context: PlanContext, wanted: Wanted) =>
  evaluateRisk({
    column: wanted.sized.intent,
    step: "decide",
    nowMs: context.nowMs,
    trading: tradingOf(context, wanted.target.name, wanted.account.id),
    byOperator: false,
    account: atItsMarket(input, wanted.account, wanted.proposal.symbol),
    // The venue is queried when it is sent; a close that waits for its broker must not be lost because of that.
    positionConfirmed: true,
    order: {
      symbol: wanted.proposal.symbol,
      strategy: wanted.target.name,
      side: wanted.sized.side,
      quantity: formatDecimal(wanted.sized.quantity),
      price: wanted.placed.price,
      ...(wanted.placed.terms.type === "market" ? {} : { terms: wanted.placed.terms }),
      // For an option the alert gives the price of its underlying.
      given: wanted.proposal.symbol === input.signal.symbol ? input.signal.price : null
    },
    quote: input.quoteOf(wanted.proposal.symbol),
    scopes: scopeStates({
      scopes: limitsOf(input.settings, wanted.account.id).scopes,
      rates: context.rates,
      trading: context.trading,
      figuresOf: input.figuresOf,
      account: wanted.account.id,
      strategy: wanted.target.name
    }),
    breakers: breakersFor(
      context.breakers,
      input.settings.accounts[wanted.account.id]?.broker ?? null,
      wanted.target.name
    ),
    origin:
      wanted.sized.intent === "reduce"
        ? null
        : {
            expiresFromMs: input.signal.expiresFromMs,
            ageMaxMs: ageMaxOf(input.signal, input.settings),
            alreadyOrdered: context.orderIds.has(wanted.id),
            sidePolicy: wanted.target.strategy.sidePolicy,
            symbols: wanted.target.strategy.symbols
          },
    limits: limitsOf(input.settings, wanted.account.id).limits,
    marketPrice: (symbol) => input.quoteOf(symbol)?.last ?? null,
    multiplierOf: (symbol) => multiplierOf(input.settings.instruments, symbol)
  })

/** The context with one more open order in its account's book. */
const withPlanned = (context: PlanContext, { account, placed }: Wanted, order: PlannedOrder): PlanContext => {
  const { symbol, strategy, side, quantity, intent, status } = order
  const book = withOpen(account, {
    symbol,
    strategy,
    side,
    intent,
    status,
    count: 1,
    quantity,
    filledQuantity: "0",
    price: placed.price,
    ...(canRest(order) ? { rests: true } : {})
  })
  // The canary's is in no rate (T9).
  const sends = intent === "entry" && status === "intended" && account.id !== CANARY
  return {
    ...context,
    accounts: new Map(context.accounts).set(account.id, { ...account, ...book }),
    rates: sends ? withWaiting(context.rates, account.id, strategy) : context.rates
  }
}

const record = (target: Target, leg: number, verdict: RiskVerdict): RecordedCheck => ({
  strategy: target.name,
  account: target.account,
  leg,
  ...verdict
})

const engineVerdict = ({ proposal, sized }: Wanted): RiskVerdict => ({
  check: "engine",
  ok: true,
  code: null,
  numbers: {
    symbol: proposal.symbol,
    side: sized.side,
    quantity: formatDecimal(sized.quantity),
    intent: sized.effect,
    chosen: proposal.contract === null ? null : proposal.contract.chosen.join(","),
    ...(sized.note === null ? {} : { note: sized.note })
  }
})

/** What the voter of a strategy makes of an order; null for a strategy without one. */
const voterOn = ({ settings, voters }: PlanInput, { sized, target }: Wanted): RiskVerdict | null => {
  const { voter } = target.strategy
  if (voter === null) return null
  const vote = voters?.find(({ agent }) => agent === voter) ?? null
  return voterVerdict(voter, vote, sized.side, settings.voters[voter] ?? strictVoter)
}

/** What the engines that vote make of an order; nothing of one that closes, which no engine is asked about (T6). */
const verdictsOn = (input: PlanInput, wanted: Wanted): EngineVerdicts =>
  wanted.sized.intent === "reduce"
    ? { B: null, C: null }
    : {
        B: panelVerdict(input.votes, wanted.sized.side, input.settings.panel),
        C: voterOn(input, wanted)
      }

const judgedOrder = ({ account, placed, proposal, sized, target }: Wanted): JudgedOrder => ({
  strategy: target.name,
  account: account.id,
  leg: proposal.leg,
  symbol: proposal.symbol,
  side: sized.side,
  quantity: formatDecimal(sized.quantity),
  intent: sized.intent,
  price: placed.price
})

/** What a human is asked with about an order that would else be sent, or held; null: nobody is asked about it. */
const askedFor = ({ quoteOf }: PlanInput, { proposal, sized, target }: Wanted): PlannedApproval | null => {
  const { approval } = target.strategy
  if (approval === null || sized.intent === "reduce") return null
  return { ...approval, price: priceFor(quoteOf(proposal.symbol), sized.side) }
}

const approvalVerdict = ({ deadlineMs, otherwise, price }: PlannedApproval): RiskVerdict => ({
  check: APPROVAL,
  ok: false,
  code: APPROVAL,
  numbers: { deadline_ms: deadlineMs, otherwise, price }
})

/** What is against an order that opens, where its strategy runs as a shadow. */
const stageOn = (
  { stages }: PlanContext,
  { account, proposal: { symbol }, sized, target }: Wanted
): ReadonlyArray<RiskVerdict> => {
  const shadowed = shadowedBy(target.strategy, stages.get(target.name))
  if (shadowed === null || sized.intent === "reduce") return []
  const order = { symbol, side: sized.side, quantity: formatDecimal(sized.quantity) }
  return opensNothing({ account, order }) ? [] : [stageVerdict(shadowed)]
}

const pass = (input: PlanInput, context: PlanContext, wanted: Wanted): Step => {
  const { outcome, verdicts } = riskOf(input, context, wanted)
  const said = verdictsOn(input, wanted)
  const { name, strategy } = wanted.target
  const engine = engineOf([name, strategy], input.signal)
  const deciding = engine === "A" ? null : said[engine]
  const decides = deciding === null ? [] : [deciding]
  const exists = context.orderIds.has(wanted.id)
  const about = instrumentNumbers(input.settings.instruments.of(wanted.proposal.symbol))
  const instrument = { check: "instrument", ok: true, code: null, numbers: about }
  const sizing =
    wanted.sizedBy === null ? [] : [{ check: "sizing", ok: true, code: null, numbers: wanted.sizedBy }]
  const { placed } = wanted
  const against = placed.code ?? decides.find(({ ok }) => !ok)?.code ?? null
  const stage = stageOn(context, wanted)
  const riskCode = outcome._tag === "Passed" ? (exists ? "duplicate" : null) : outcome.code
  const mayPass =
    against === null &&
    stage.length === 0 &&
    !exists &&
    (outcome._tag === "Passed" || outcome._tag === "Held")
  const asked = mayPass ? askedFor(input, wanted) : null
  const asks = asked === null ? [] : [approvalVerdict(asked)]
  const checks = [
    engineVerdict(wanted),
    ...placed.verdicts,
    ...decides,
    ...sizing,
    instrument,
    ...verdicts,
    ...stage,
    ...asks
  ].map((verdict) => record(wanted.target, wanted.proposal.leg, verdict))
  const code = against ?? riskCode ?? stage[0]?.code ?? asks[0]?.code ?? null
  const shadows = shadowsOf(judgedOrder(wanted), strategy, engine, said, riskCode)
  if (against === null && outcome._tag === "Deferred" && input.mayDefer)
    return { context, checks, orders: [], code, result: "deferred", shadows: [] }
  const isHeld = mayPass && (outcome._tag === "Held" || asked !== null)
  const result = isHeld ? "held" : code === null ? "ordered" : "denied"
  // A duplicate's order exists, and an account without a row can own none: there the decision alone is the record.
  if (exists || !context.accounts.has(wanted.account.id))
    return { context, checks, orders: [], code, result, shadows }
  const order = rowOf(input, context.nowMs, wanted, result === "ordered" ? "intended" : result, code, asked)
  return {
    context: result === "denied" ? context : withPlanned(context, wanted, order),
    checks,
    orders: [order],
    code,
    result,
    shadows
  }
}

/** One proposal: sized by its strategy and by what the account holds, then judged. */
const planProposal = (input: PlanInput, context: PlanContext, target: Target, proposal: Proposal): Step => {
  const account = accountOf(input, context, target)
  const { state } = tradingOf(context, target.name, target.account)
  const found = plannedOf(input, account, target, proposal, {
    policy: target.strategy.sidePolicy,
    // A shadow opens nothing either: a reversal of what it holds only closes it.
    reducing: state === "REDUCING" || shadowedBy(target.strategy, context.stages.get(target.name)) !== null
  })
  if ("_tag" in found)
    return found._tag === "Unknown"
      ? without(context, target, false, found.code, input.mayDefer ? "deferred" : "denied")
      : without(context, target, false, found.code, "denied", found.numbers)
  const { planned: sized, size } = found
  if (sized._tag === "Nothing") return nothing(input, context, target, account, sized.reason)
  const wanted = { account, target, proposal, sized, size }
  const { closes, opens } =
    target.strategy.approval === null
      ? { closes: null, opens: sized }
      : approvalParts(sized, holdingOf(account, proposal.symbol, target.name))
  if (closes === null || opens === null)
    return passPart(input, context, { ...wanted, sized: closes ?? sized })
  // What closes leaves at once, and is in the book that the rest is judged against.
  const first = passPart(input, context, {
    ...wanted,
    proposal: { ...proposal, leg: CLOSING_LEG },
    sized: closes
  })
  const second = passPart(input, first.context, {
    ...wanted,
    account: accountOf(input, first.context, target),
    sized: opens
  })
  return merged([first, second], second.context)
}

/** What one order of a proposal becomes. */
const passPart = (
  input: PlanInput,
  context: PlanContext,
  {
    account,
    proposal,
    size,
    sized,
    target
  }: Pick<Wanted, "account" | "proposal" | "sized" | "target"> & {
    readonly size: Extract<Size, { readonly _tag: "Size" }> | null
  }
): Step => {
  const key = { signalId: input.signal.id, account: target.account, strategy: target.name, leg: proposal.leg }
  return pass(input, context, {
    account,
    target,
    proposal,
    sized,
    // A fixed size explains itself; what was computed is shown with its numbers.
    sizedBy:
      size === null || (target.strategy.sizing === null && size.numbers["lot"] === null)
        ? null
        : size.numbers,
    id: orderId(key),
    placed: plannedTerms(input, atItsMarket(input, account, proposal.symbol), target, proposal.symbol, sized)
  })
}

const without = (
  context: PlanContext,
  target: Target,
  ok: boolean,
  code: string,
  result: Step["result"],
  numbers: RiskNumbers = {}
): Step => ({
  context,
  checks: [record(target, 0, { check: "engine", ok, code, numbers })],
  orders: [],
  code,
  result,
  shadows: []
})

/** "Nothing to close" from a book that is not reconciled is no answer: the wish waits like any other. */
const nothing = (
  input: PlanInput,
  context: PlanContext,
  target: Target,
  account: PlanAccount,
  reason: string
): Step =>
  account.reconciledAtMs !== null
    ? without(context, target, true, reason, "ignored")
    : without(context, target, false, "account_not_reconciled", input.mayDefer ? "deferred" : "denied")

const ranking = ["deferred", "ordered", "held", "denied", "ignored"] as const

/** Several legs as one step: one that waits makes all wait, else the best result counts for the target. */
const merged = (steps: ReadonlyArray<Step>, context: PlanContext): Step => {
  const [best] = steps.toSorted((a, b) => ranking.indexOf(a.result) - ranking.indexOf(b.result))
  return {
    context,
    checks: steps.flatMap(({ checks }) => checks),
    orders: steps.flatMap(({ orders }) => orders),
    code: best?.code ?? null,
    result: best?.result ?? "ignored",
    shadows: steps.flatMap(({ shadows }) => shadows)
  }
}

/** The symbols of the account that concern the strategy: those of its shares and of its open orders. */
const symbolsFor = (account: PlanAccount, strategy: string): ReadonlyArray<string> => [
  ...new Set([
    ...account.positions
      .filter(({ shares }) => shares.some((share) => share.strategy === strategy && share.quantity !== "0"))
      .map(({ symbol }) => symbol),
    ...account.orders.filter((order) => order.strategy === strategy).map(({ symbol }) => symbol)
  ])
]

/**
 * What the sender reports it held before, compared with what the strategy holds by our books: an alert in between is missing.
 * Orders that are open may have been filled at the venue already, so whatever they can make of the share is no drift.
 */
const driftOf = (input: PlanInput, account: PlanAccount, target: Target): ReadonlyArray<RecordedCheck> => {
  const reported = input.signal.prevMarketPosition
  if (reported === null || account.reconciledAtMs === null) return []
  // What is held of an option is contracts, and the sender means its chart.
  if (input.signal.direction === "CALL" || input.signal.direction === "PUT") return []
  const { own, ownLive } = holdingOf(account, input.signal.symbol, target.name)
  const least = BigDecimal.sign(BigDecimal.subtract(own, ownLive.sell))
  const most = BigDecimal.sign(BigDecimal.sum(own, ownLive.buy))
  const could = { long: most > 0, short: least < 0, flat: least <= 0 && most >= 0 }
  const sign = BigDecimal.sign(own)
  const held = sign === 0 ? "flat" : sign > 0 ? "long" : "short"
  return could[reported]
    ? []
    : [
        record(target, 0, {
          check: "drift",
          ok: true,
          code: "position_drift",
          numbers: { reported, held, share: formatDecimal(own) }
        })
      ]
}

const accountOf = (input: PlanInput, context: PlanContext, { account }: Target): PlanAccount =>
  context.accounts.get(account) ?? unknownAccount(account, input.settings)

/** What the engine makes of the signal for one target. */
export const wishFor = (input: PlanInput, context: PlanContext, target: Target): EngineAnswer => {
  const { signal, quoteOf } = input
  return decideA({
    signal,
    strategy: target.strategy,
    symbols: symbolsFor(accountOf(input, context, target), target.name),
    lastPrice: quoteOf(signal.symbol)?.last ?? signal.price,
    chain: input.chain,
    nowMs: context.nowMs
  })
}

/** Decides one target: engine, sizes, risk, order rows. */
const planOne = (input: PlanInput, context: PlanContext, target: Target): Step => {
  const account = accountOf(input, context, target)
  const answer = wishFor(input, context, target)
  if (answer._tag === "Refuse") return without(context, target, false, answer.code, "denied")
  if (answer._tag === "Nothing") return nothing(input, context, target, account, answer.reason)
  if (isPricedForMany(input, answer.proposals.length))
    return without(context, target, false, "price_for_several", "denied")
  const steps: Array<Step> = []
  let current = context
  for (const proposal of answer.proposals) {
    const step = planProposal(input, current, target, proposal)
    steps.push(step)
    current = step.context
  }
  const step = merged(steps, current)
  return { ...step, checks: [...driftOf(input, account, target), ...step.checks] }
}

/** Decides one target, on paper as well where its strategy is a shadow. `deferred` only when the input allows it. */
export const planTarget = (input: PlanInput, context: PlanContext, target: Target): TargetStep =>
  withPaper(input, context, target, planOne(input, context, target), planOne)
