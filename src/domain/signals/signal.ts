/**
 * signal: the vocabulary of a trading signal (requirement D1, T10).
 *
 * `action` (buy, sell) states what to do, `direction` (long, short, call, put) on which side of the market; one
 * of them is enough, and both together are not redundant: SELL with long closes a long, SELL with short opens a
 * short. Refusing one of the pairs would drop legitimate exits, so no pair is a contradiction; what each pair
 * means is the table below, and whether a strategy may act on it is its side policy, not the parser's business.
 * A signal may instead state where the position should end; how a body expresses that is signal-intent.ts.
 *
 * Promises: one table defines what each pair means, for the parser and for every engine.
 * Never: reads a body (signal-body.ts does), or knows what anybody holds.
 */

import type { SignalTerms } from "./order-type.ts"

export type Action = "BUY" | "SELL"
export type Direction = "LONG" | "SHORT" | "CALL" | "PUT"
export type Side = "buy" | "sell"

/** Whether the signal asks to open a position, to close one, or either, as the position stands (action alone). */
export type IntentEffect = "open" | "close" | "either"

/** What the pair of action and direction asks for. For CALL and PUT the side is that of the option contract. */
export interface Intent {
  readonly side: Side
  readonly effect: IntentEffect
}

/**
 * What a signal asks for explicitly (T10). `null` leaves it to action and direction. `close` is all of the
 * strategy's share unless a quantity is named; `target` always comes with a `positionSize`.
 */
export const SIGNAL_INTENTS = ["open", "close", "reverse", "target"] as const
export type SignalIntent = (typeof SIGNAL_INTENTS)[number]

/** The position in the sender's own book, as in TradingView's `{{strategy.market_position}}`. */
export const MARKET_POSITIONS = ["long", "short", "flat"] as const
export type MarketPosition = (typeof MARKET_POSITIONS)[number]

/** The fields of a signal that state where a position should end, and what the sender believes it was (T10). */
export interface SignalTarget {
  readonly intent: SignalIntent | null
  /** Signed: below zero is short. */
  readonly positionSize: string | null
  readonly marketPosition: MarketPosition | null
  readonly prevMarketPosition: MarketPosition | null
  /** Never below zero; its side is `marketPosition`. */
  readonly marketPositionSize: string | null
}

/** A valid signal. Money and quantity are plain decimal text; times are epoch milliseconds. */
export interface Signal extends SignalTarget, SignalTerms {
  readonly symbol: string
  /** Both are null only when the intent needs neither. */
  readonly action: Action | null
  readonly direction: Direction | null
  /** As given: `5m`, `1D`, `60`. */
  readonly timeframe: string
  readonly timeframeMs: number
  readonly firedAtMs: number
  readonly quantity: string | null
  readonly price: string | null
  readonly strategy: string | null
  readonly strike: string | null
  /** `YYYY-MM-DD` */
  readonly expiration: string | null
}

/** Every field of a signal that metadata does not have: a body with one of these and a `snapshot_id` is refused. */
export const SIGNAL_FIELDS = [
  "symbol",
  "ticker",
  "action",
  "direction",
  "timeframe",
  "quantity",
  "price",
  "strategy",
  "strike",
  "expiration",
  "intent",
  "position_size",
  "market_position",
  "prev_market_position",
  "market_position_size",
  "order_type",
  "limit_price",
  "stop_price",
  "time_in_force"
] as const

const INTENTS: Readonly<Record<Direction, Readonly<Record<Action, Intent>>>> = {
  LONG: { BUY: { side: "buy", effect: "open" }, SELL: { side: "sell", effect: "close" } },
  SHORT: { BUY: { side: "buy", effect: "close" }, SELL: { side: "sell", effect: "open" } },
  // A SELL of a call or put closes the contract; writing options naked is not something an alert can ask for.
  CALL: { BUY: { side: "buy", effect: "open" }, SELL: { side: "sell", effect: "close" } },
  PUT: { BUY: { side: "buy", effect: "open" }, SELL: { side: "sell", effect: "close" } }
}

/** The intent of an action, a direction, or both. At least one is not null. */
export const intentOf = (action: Action, direction: Direction | null): Intent =>
  direction === null
    ? { side: action === "BUY" ? "buy" : "sell", effect: "either" }
    : INTENTS[direction][action]
