/**
 * wish: what an alert asks for, in the words of an order's intent (T10).
 *
 * Senders say the same thing in different ways: an action with or without a direction, an intent in so many words, or
 * the position they want to have afterwards. This table is the one place that reads them; what the account may do about
 * it, and how large that is, is sizing.ts's business, because it changes until the moment the order is sent.
 *
 * Promises: pure and total; a signal that says close never becomes a wish that opens; a size the sender did not name is
 * the strategy's for whatever opens, and "all of it" for whatever closes.
 * Never: looks at a position, a limit or a policy.
 */
import { BigDecimal } from "effect"
import { decimal, formatDecimal } from "./decimal.ts"
import type { Action, Direction, Side } from "./signal.ts"

export type SignalIntent = "open" | "close" | "reverse" | "target"
export type MarketPosition = "long" | "short" | "flat"

/** The parts of a stored signal that say what is wanted. Decimals as strings. */
export interface WishSignal {
  readonly action: Action | null
  readonly direction: Direction | null
  readonly quantity: string | null
  /** As the sender names it, null when it does not. */
  readonly intent: SignalIntent | null
  /** Signed, with `intent: target`. */
  readonly positionSize: string | null
  /** The position the sender says it has after this alert. */
  readonly marketPosition: MarketPosition | null
  /** Not below zero. */
  readonly marketPositionSize: string | null
}

/** `side` is always the side of the order. `quantity` null: all that the strategy holds. */
export type Wish =
  /** A side without a direction: an order as large as it says. */
  | { readonly kind: "plain"; readonly side: Side; readonly quantity: string }
  /** To be on this side: what is held on the other is closed as well. */
  | { readonly kind: "open"; readonly side: Side; readonly quantity: string }
  /** To be on the other side than now, whichever that is when `side` is null. */
  | { readonly kind: "reverse"; readonly side: Side | null; readonly quantity: string }
  /** To hold less: `side` null takes whatever side is held. */
  | { readonly kind: "close"; readonly side: Side | null; readonly quantity: string | null }
  /** To hold exactly this, signed. */
  | { readonly kind: "target"; readonly position: string }

const sideOfAction = (action: Action): Side => (action === "BUY" ? "buy" : "sell")

/** The side that enters what a direction names. */
const enters = (direction: Direction): Side => (direction === "SHORT" ? "sell" : "buy")
const opposite = (side: Side): Side => (side === "buy" ? "sell" : "buy")

/** The side of an order that enters: the action's, else the direction's, else that of the position it wants to have. */
const enteringSide = ({ action, direction, marketPosition }: WishSignal): Side | null => {
  if (action !== null) return sideOfAction(action)
  if (direction !== null) return enters(direction)
  if (marketPosition === "long") return "buy"
  return marketPosition === "short" ? "sell" : null
}

const closeAll: Wish = { kind: "close", side: null, quantity: null }

const targetOf = (signed: string): Wish => {
  const position = decimal(signed)
  return BigDecimal.isZero(position) ? closeAll : { kind: "target", position: formatDecimal(position) }
}

const signedSize = (position: MarketPosition, size: string): string =>
  formatDecimal(position === "short" ? BigDecimal.negate(decimal(size)) : decimal(size))

/** A wish by the position that the sender has afterwards; null when it says nothing about that. */
const byMarketPosition = (signal: WishSignal, quantity: string): Wish | null => {
  const { action, marketPosition, marketPositionSize } = signal
  if (marketPosition === null) return null
  if (marketPosition === "flat") return closeAll
  if (marketPositionSize !== null) return targetOf(signedSize(marketPosition, marketPositionSize))
  const side: Side = marketPosition === "long" ? "buy" : "sell"
  // SELL and still long: the sender takes some of it off and does not say what is left.
  if (action !== null && sideOfAction(action) !== side)
    return { kind: "close", side: opposite(side), quantity }
  return { kind: "open", side, quantity }
}

const byIntent = (signal: WishSignal, intent: SignalIntent, quantity: string): Wish | null => {
  const { action, direction, marketPosition, marketPositionSize, positionSize } = signal
  const side = enteringSide(signal)
  switch (intent) {
    case "open":
      return side === null ? null : { kind: "open", side, quantity }
    case "reverse":
      return { kind: "reverse", side, quantity }
    case "close": {
      // A direction names what is closed, an action the order that does it.
      const closing =
        direction !== null ? opposite(enters(direction)) : action !== null ? sideOfAction(action) : null
      return { kind: "close", side: closing, quantity: signal.quantity }
    }
    case "target": {
      if (positionSize !== null) return targetOf(positionSize)
      if (marketPosition === "flat") return closeAll
      if (marketPosition === null || marketPositionSize === null) return null
      return targetOf(signedSize(marketPosition, marketPositionSize))
    }
  }
}

/**
 * What the signal wishes; null when it does not say enough, which a signal of the intake always does. `ownQuantity` is
 * the strategy's quantity (decimal above zero).
 */
export const wishOf = (signal: WishSignal, ownQuantity: string): Wish | null => {
  const { action, direction, intent } = signal
  const quantity = signal.quantity ?? ownQuantity
  if (intent !== null) return byIntent(signal, intent, quantity)
  const positioned = byMarketPosition(signal, quantity)
  if (positioned !== null) return positioned
  if (direction === null) {
    return action === null ? null : { kind: "plain", side: sideOfAction(action), quantity }
  }
  const side = enters(direction)
  // Nobody writes options by an alert: a SELL of a call or a put closes the contract, as a SELL of a long does.
  return action === null || sideOfAction(action) === side
    ? { kind: "open", side, quantity }
    : { kind: "close", side: opposite(side), quantity: signal.quantity }
}
