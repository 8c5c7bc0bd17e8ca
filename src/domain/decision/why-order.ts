/**
 * why-order: what became of one order, as sentences.
 *
 * Promises: pure; every stored event of the order is a line with its time and its numbers, one that did not fit its status says that it
 * changed nothing; every fill is a line.
 * Never: guesses: an order that waits says what is stored of why, and no more.
 */
import { BigDecimal } from "effect"
import { decimal } from "../kernel/decimal.ts"
import type { OrderStatus } from "../orders/order.ts"
import { type Numbers, readNumbers, reasonWithCode } from "./why-words.ts"

/** An order as it is stored; times are ISO text in UTC. */
export interface StoryOrder {
  readonly id: string
  readonly client_order_id: string
  readonly signal_id: string | null
  readonly account: string
  readonly strategy: string
  readonly intent: string
  readonly symbol: string
  readonly side: string
  readonly type: string
  readonly quantity: string
  readonly limit_price: string | null
  readonly stop_price: string | null
  readonly time_in_force: string
  readonly expires_at: string | null
  readonly status: OrderStatus
  readonly source: string
  readonly venue: string
  readonly venue_order_id: string | null
  readonly filled_quantity: string
  readonly average_price: string | null
  readonly reason: string | null
  readonly exit_kind: string | null
  readonly command_id: string | null
  readonly compensates: string | null
  readonly valid_until: string | null
  readonly created_at: string
}

/** One step of its life. */
export interface StoryEvent {
  readonly order_id: string
  readonly event: string
  readonly from_status: string
  readonly to_status: string
  readonly legal: boolean
  readonly detail: Numbers
  readonly at: string
}

export interface StoryFill {
  readonly order_id: string | null
  readonly trade_id: string
  readonly quantity: string
  readonly price: string
  readonly fee: string
  readonly realised_pnl: string
  readonly order_time: string
}

/** A stored amount of zero, however many places it has. */
export const isNone = (amount: string): boolean => BigDecimal.isZero(decimal(amount))

const because = ({ reason }: StoryOrder): string => (reason === null ? "" : `: ${reasonWithCode(reason)}`)

const filledWords = ({ average_price, filled_quantity, quantity }: StoryOrder): string =>
  `${filled_quantity} of ${quantity}${average_price === null ? "" : ` at ${average_price} on average`}`

const restsUntil = ({ expires_at, time_in_force }: StoryOrder): string =>
  expires_at === null ? (time_in_force === "gtc" ? " until it is cancelled" : "") : ` until ${expires_at}`

/** What an order is now, as a clause. */
export const orderOutcome = (order: StoryOrder): string => {
  const until = order.valid_until === null ? "" : `; it expires unsent at ${order.valid_until}`
  const partly = isNone(order.filled_quantity)
    ? "nothing of it filled"
    : `${filledWords(order)} filled before that`
  switch (order.status) {
    case "intended":
      return `waits to be sent${because(order)}${until}`
    case "held":
      return `is held and not sent${because(order)}${until}`
    case "submitting":
      return "is on its way to the venue"
    case "acked":
      return order.type === "market"
        ? "works at the venue and has not filled"
        : `rests at the venue${restsUntil(order)} and has not filled`
    case "partially_filled":
      return `works at the venue and has filled ${filledWords(order)}`
    case "pending_cancel":
      return `is being cancelled${because(order)}; ${partly}`
    case "unknown":
    case "resolving":
      return `has an unknown outcome, and the venue is asked for it${because(order)}; ${partly}`
    case "needs_operator":
      return `needs an operator, because nobody knows whether the venue has it${because(order)}; ${partly}`
    case "denied":
      return `was denied and never sent${because(order)}`
    case "withdrawn":
      return `was withdrawn and never sent${because(order)}`
    case "expired_unsent":
      return `expired unsent${because(order)}`
    case "rejected":
      return `was refused by the venue${because(order)}`
    case "filled":
      return `was filled, ${filledWords(order)}`
    case "cancelled":
      return `was cancelled${because(order)}; ${partly}`
    case "expired":
      return `expired at the venue${because(order)}; ${partly}`
  }
}

const events: Readonly<Record<string, string>> = {
  "order.intended": "it was decided",
  "order.denied": "it was denied",
  "order.held": "it was held",
  "order.released": "what held it ended",
  "order.expired_unsent": "it expired unsent",
  "order.withdrawn": "it was withdrawn",
  "order.submitted": "it was sent",
  "order.cancel_requested": "its cancel was requested",
  "order.outcome_lost": "no usable answer came",
  "order.lookup_started": "the venue was asked about it",
  "order.resubmitted": "it was sent again under its id",
  "order.escalated": "it was left to an operator",
  "order.resolved_placed": "an operator found it at the venue",
  "order.resolved_not_placed": "an operator vouched that the venue does not have it",
  "order.resolved_over": "an operator declared it over",
  "order.acked": "the venue acknowledged it",
  "order.partially_filled": "the venue reported it partly filled",
  "order.filled": "the venue reported it filled",
  "order.cancelled": "it was cancelled at the venue",
  "order.expired": "it expired at the venue",
  "order.rejected": "the venue refused it",
  "order.cancel_refused": "the venue refused its cancel",
  "fill.partial": "a part of it filled",
  "fill.complete": "it filled",
  "fill.excess": "more filled than was ordered"
}

const eventLine = ({ at, detail, event, from_status, legal, to_status }: StoryEvent): string => {
  const reader = readNumbers(detail)
  const reason = typeof detail["reason"] === "string" ? `: ${reasonWithCode(reader.text("reason"))}` : ""
  const words = `${events[event] ?? event}${reason}${reader.rest()}`
  const step = from_status === to_status ? `stays ${to_status}` : `${from_status} to ${to_status}`
  return legal
    ? `  ${at} ${words} [${step}].`
    : `  ${at} does not fit an order that is ${from_status} and changed nothing: ${words}.`
}

const fillLine = ({ fee, order_time, price, quantity, realised_pnl, trade_id }: StoryFill): string =>
  `  ${order_time} filled ${quantity} at ${price}, fee ${fee}${isNone(realised_pnl) ? "" : `, realised ${realised_pnl}`} (trade ${trade_id}).`

/** Why an order closes what the signal opened; empty for one of the signal's own. */
const originOf = (order: StoryOrder, signalId: string): string => {
  if (order.signal_id === signalId) return ""
  if (order.signal_id !== null) return `, asked for by the signal ${order.signal_id}`
  if (order.command_id !== null) return `, asked for by an operator with the command ${order.command_id}`
  if (order.compensates !== null) return `, closing what the partly filled order ${order.compensates} opened`
  return order.exit_kind === null ? "" : `, by the rule ${order.exit_kind.replaceAll("_", " ")}`
}

/** What it is, in a few words. */
export const orderTitle = ({
  account,
  limit_price,
  quantity,
  side,
  stop_price,
  strategy,
  symbol,
  type
}: StoryOrder): string => {
  const stop = stop_price === null ? "" : ` when the market reaches ${stop_price}`
  const price = stop_price === null ? (limit_price ?? type) : (limit_price ?? "market")
  return `${side} ${quantity} ${symbol} at ${price}${stop} in ${account} for ${strategy}`
}

/** An order, its steps and its fills, oldest first within each. */
export const orderLines = (
  order: StoryOrder,
  steps: ReadonlyArray<StoryEvent>,
  fills: ReadonlyArray<StoryFill>,
  signalId: string
): ReadonlyArray<string> => {
  const kind = order.intent === "entry" ? "Order" : "Close"
  const names = [
    `client order id ${order.client_order_id}`,
    ...(order.venue === "" ? [] : [`venue ${order.venue}`]),
    ...(order.venue_order_id === null ? [] : [`venue order id ${order.venue_order_id}`])
  ]
  return [
    `- ${kind} ${order.id}, ${orderTitle(order)}${originOf(order, signalId)}, ${orderOutcome(order)}.`,
    `  ${order.created_at} it was made (${names.join(", ")}).`,
    ...steps.filter(({ order_id }) => order_id === order.id).map(eventLine),
    ...fills.filter(({ order_id }) => order_id === order.id).map(fillLine)
  ]
}
