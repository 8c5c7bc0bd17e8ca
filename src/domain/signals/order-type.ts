/**
 * order-type: the kinds of order a signal can ask for, which prices go with which, and how long an order works.
 *
 * A price on a kind that has none is a mistake of the sender: traded as another kind it would be another order than was
 * meant, so every wrong pair is named by its field and nothing is guessed.
 *
 * Promises: pure; a kind without a price of its own is a market order; the table below is the only place that knows which price a
 * kind has.
 * Never: reads a body (wire/signal-body.ts does), rounds, or knows a market.
 */
import type { FieldError } from "../kernel/field-error.ts"

/**
 * `limit` trades at its limit or better. `stop` becomes a market order when the market has traded at its stop or beyond,
 * `stop_limit` a limit order.
 */
export const ORDER_TYPES = ["market", "limit", "stop", "stop_limit"] as const
export type OrderType = (typeof ORDER_TYPES)[number]

/** How long: until the end of its session, until it is cancelled, or only at this moment. */
export const TIMES_IN_FORCE = ["day", "gtc", "ioc"] as const
export type TimeInForce = (typeof TIMES_IN_FORCE)[number]

/** What a signal says of its order; what is null is left to the strategy. Prices are positive decimal text. */
export interface SignalTerms {
  readonly orderType: OrderType | null
  readonly limitPrice: string | null
  readonly stopPrice: string | null
  readonly timeInForce: TimeInForce | null
}

/** A signal that asks for nothing special. */
export const plainTerms: SignalTerms = {
  orderType: null,
  limitPrice: null,
  stopPrice: null,
  timeInForce: null
}

/** These parts of a signal alone. */
export const termsOf = ({ limitPrice, orderType, stopPrice, timeInForce }: SignalTerms): SignalTerms => ({
  orderType,
  limitPrice,
  stopPrice,
  timeInForce
})

const PRICES: Readonly<Record<OrderType, { readonly limit: boolean; readonly stop: boolean }>> = {
  market: { limit: false, stop: false },
  limit: { limit: true, stop: false },
  stop: { limit: false, stop: true },
  stop_limit: { limit: true, stop: true }
}

/** Whether an order of this kind has to trade now or never: what waits for a trigger cannot. */
export const mayBeImmediate = (type: OrderType): boolean => !PRICES[type].stop

const priceError = (
  path: "limit_price" | "stop_price",
  type: OrderType | null,
  needed: boolean,
  given: string | null
): ReadonlyArray<FieldError> => {
  if (needed === (given !== null)) return []
  if (needed) return [{ path, message: `is required for an order of the type ${type ?? "market"}` }]
  const fits = path === "limit_price" ? "limit or stop_limit" : "stop or stop_limit"
  const unlike = type === null ? `without order_type ${fits}` : `for an order of the type ${type}`
  return [{ path, message: `must not be given ${unlike}` }]
}

/** What is wrong with these terms together, each named by the field that has to change. */
export const termsErrors = (terms: SignalTerms): ReadonlyArray<FieldError> => {
  const { limitPrice, orderType, stopPrice, timeInForce } = terms
  const type = orderType ?? "market"
  const { limit, stop } = PRICES[type]
  return [
    ...priceError("limit_price", orderType, limit, limitPrice),
    ...priceError("stop_price", orderType, stop, stopPrice),
    ...(timeInForce === "ioc" && !mayBeImmediate(type)
      ? [
          {
            path: "time_in_force",
            message: `must not be ioc for an order of the type ${type}, which waits for its stop`
          }
        ]
      : [])
  ]
}
