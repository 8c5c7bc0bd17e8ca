/**
 * wish: what an alert asks for, before it has a size: the input of sizing (T10).
 *
 * The intake has read the fields of the body together (signal-intent.ts); this table defines what they mean for a strategy:
 * which side, and how much where the sender names no size. What the account may do about it, and how large that is, is
 * sizing.ts's business, because it changes until the moment the order is sent.
 *
 * Promises: pure and total; a signal to close never becomes a wish that opens; a size the sender did not name is
 * the strategy's for whatever opens, and "all of it" for whatever closes.
 * Never: looks at a position, a limit or a policy.
 */
import { BigDecimal } from "effect"
import { decimal, formatDecimal } from "../kernel/decimal.ts"
import { type Action, type Direction, intentOf, type Side, type SignalTarget } from "./signal.ts"

/** The parts of a stored signal that state what is wanted. Decimals as strings. */
export interface WishSignal extends Omit<SignalTarget, "prevMarketPosition"> {
  readonly action: Action | null
  readonly direction: Direction | null
  readonly quantity: string | null
}

/** `side` is always the side of the order. `quantity` null: all that the strategy holds. */
export type Wish =
  /** A side without a direction: an order of exactly the stated size. */
  | { readonly kind: "plain"; readonly side: Side; readonly quantity: string }
  /** To be on this side: what is held on the other is closed as well. */
  | { readonly kind: "open"; readonly side: Side; readonly quantity: string }
  /** To be on the other side than now, whichever that is when `side` is null. */
  | { readonly kind: "reverse"; readonly side: Side | null; readonly quantity: string }
  /** To hold less: `side` null takes whatever side is held. */
  | { readonly kind: "close"; readonly side: Side | null; readonly quantity: string | null }
  /** To hold exactly this, signed. */
  | { readonly kind: "target"; readonly position: string }

const closeAll: Wish = { kind: "close", side: null, quantity: null }

/** What a direction alone asks for: to be in it. */
const actionOf = ({ action, direction }: WishSignal): Action | null =>
  action ?? (direction === null ? null : direction === "SHORT" ? "SELL" : "BUY")

/** The side that action and direction name; null when neither is there. */
const sideOf = (signal: WishSignal): Side | null => {
  const action = actionOf(signal)
  return action === null ? null : intentOf(action, signal.direction).side
}

const targetOf = (signed: string): Wish => {
  const position = decimal(signed)
  return BigDecimal.isZero(position) ? closeAll : { kind: "target", position: formatDecimal(position) }
}

/** An action together with the sender's resulting position, without the size of that position. */
const besideBook = (side: Side, book: Side, quantity: string): Wish =>
  // SELL and still long: the sender reduces it and does not state what is left.
  side === book ? { kind: "open", side, quantity } : { kind: "close", side, quantity }

const byPair = (signal: WishSignal, quantity: string): Wish | null => {
  const { direction, marketPosition } = signal
  const action = actionOf(signal)
  if (action === null) return null
  const { effect, side } = intentOf(action, direction)
  if (effect === "close") return { kind: "close", side, quantity: signal.quantity }
  if (effect === "open") return { kind: "open", side, quantity }
  if (marketPosition === "long" || marketPosition === "short")
    return besideBook(side, marketPosition === "long" ? "buy" : "sell", quantity)
  return { kind: "plain", side, quantity }
}

/**
 * What the signal asks for; null when it states too little, which the intake never lets through. `ownQuantity` is
 * the strategy's quantity (decimal above zero).
 */
export const wishOf = (signal: WishSignal, ownQuantity: string): Wish | null => {
  const { intent, marketPosition, positionSize } = signal
  const quantity = signal.quantity ?? ownQuantity
  const side = sideOf(signal)
  switch (intent) {
    case null:
      return byPair(signal, quantity)
    case "open":
      return side === null ? null : { kind: "open", side, quantity }
    case "reverse":
      return { kind: "reverse", side, quantity }
    case "target":
      return positionSize === null ? null : targetOf(positionSize)
    case "close":
      // A sender that reports nothing left means all of it, whatever size and side the order has in its own book.
      return marketPosition === "flat" ? closeAll : { kind: "close", side, quantity: signal.quantity }
  }
}
