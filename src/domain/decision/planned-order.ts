/**
 * planned-order: an order as a decision writes it, complete before any broker hears of it (E2).
 *
 * Promises: pure; ids, quantity, validity and venue follow from the signal and its target.
 * Never: decides whether it may be sent.
 */
import { formatDecimal } from "../kernel/decimal.ts"
import { clientOrderId } from "../kernel/ids.ts"
import { ageLimits } from "../kernel/limits-signals.ts"
import type { PlannedApproval } from "../orders/approval.ts"
import type { PlanAccount, PlanSettings } from "../orders/plan-context.ts"
import type { RiskNumbers } from "../orders/risk-verdict.ts"
import type { Sized, Sizing } from "../orders/sizing.ts"
import type { OrderType, TimeInForce } from "../signals/order-type.ts"
import type { Proposal } from "./engine-a.ts"
import type { DecisionSignal, PlanInput, Target } from "./plan-input.ts"
import type { PlannedTerms } from "./plan-terms.ts"

export interface PlannedOrder {
  readonly id: string
  readonly clientOrderId: string
  readonly signalId: string
  readonly account: string
  readonly strategy: string
  readonly leg: number
  readonly intent: "entry" | "reduce"
  /** How its quantity follows from what is held when it is sent, and from what was requested (sizing.ts). */
  readonly sizing: Sizing
  readonly wanted: string | null
  readonly symbol: string
  readonly side: "buy" | "sell"
  readonly type: OrderType
  /** What `sizing` yields now; computed again when it is sent. */
  readonly quantity: string
  readonly limitPrice: string | null
  readonly stopPrice: string | null
  readonly timeInForce: TimeInForce
  readonly status: "intended" | "held" | "denied"
  readonly source: string
  readonly venue: string
  readonly reason: string | null
  /**
   * After this it must no longer be sent (T5, K3). Null for a reduce, which does not age (T6). For a held order it is
   * the expiry of its signal; its own clock starts when it is released (T10).
   */
  readonly validUntilMs: number | null
  /** A human is asked first, with these terms; null: nobody is. */
  readonly approval: PlannedApproval | null
}

/** Where a signal came from in the terms of requirement A3: a source without a channel of its own is a webhook. */
export const originOf = (source: string): string =>
  ["wave", "telegram", "console", "canary"].includes(source) ? source : "webhook"

/** The age limit of a signal's source, in milliseconds. */
export const ageMaxOf = (signal: Pick<DecisionSignal, "source">, settings: PlanSettings): number =>
  settings.sources[signal.source]?.ageMaxMs ?? ageLimits.signalAgeMsDefault

/** A wish with its size, in one account. */
export interface Wanted {
  readonly account: PlanAccount
  readonly target: Target
  readonly proposal: Proposal
  readonly sized: Sized
  /** What its size was computed from, null where nothing was. */
  readonly sizedBy: RiskNumbers | null
  /** `orders.id` it would have. */
  readonly id: string
  readonly placed: PlannedTerms
}

/** The account with the calendar of the instrument that is to be traded. */
export const atItsMarket = ({ settings }: PlanInput, account: PlanAccount, symbol: string): PlanAccount => ({
  ...account,
  calendar: settings.instruments.ownCalendar(symbol) ?? account.calendar
})

const validUntil = (input: PlanInput, nowMs: number, sized: Sized, status: string): number | null => {
  if (sized.intent === "reduce") return null
  const signalEndsMs = input.signal.expiresFromMs + ageMaxOf(input.signal, input.settings)
  return status === "held" ? signalEndsMs : Math.min(signalEndsMs, nowMs + ageLimits.orderUnsentMsMax)
}

/** The row of what is wanted. */
export const rowOf = (
  input: PlanInput,
  nowMs: number,
  wanted: Wanted,
  status: PlannedOrder["status"],
  reason: string | null,
  approval: PlannedApproval | null
): PlannedOrder => {
  const { signal } = input
  const { account, proposal, sized, target } = wanted
  const key = { signalId: signal.id, account: account.id, strategy: target.name, leg: proposal.leg }
  return {
    ...key,
    id: wanted.id,
    clientOrderId: clientOrderId(key, 1),
    intent: sized.intent,
    sizing: sized.sizing,
    wanted: sized.wanted,
    symbol: proposal.symbol,
    side: sized.side,
    ...wanted.placed.terms,
    quantity: formatDecimal(sized.quantity),
    status,
    source: originOf(signal.source),
    venue: account.venue,
    reason,
    validUntilMs: validUntil(input, nowMs, sized, status),
    approval
  }
}
