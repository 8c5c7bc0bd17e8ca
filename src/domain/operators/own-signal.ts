/**
 * own-signal: a signal that the service sends itself, in a drill or because a newcomer asked to see some.
 *
 * Promises: pure; body and meaning are of the same moment and agree, as the intake would read them; it names symbol, side and
 * intent and nothing else, so that size, stop and target are those of the strategy.
 * Never: is told apart by what it contains: its source and its identity show who sent it.
 */
import type { JsonObject } from "../kernel/canonical-json.ts"
import { isoOf } from "../kernel/iso-time.ts"
import { plainTerms } from "../signals/order-type.ts"
import type { Signal } from "../signals/signal.ts"

export interface OwnSignal {
  /** Its identity: another signal with this id is the same one. */
  readonly id: string
  readonly source: string
  readonly symbol: string
  /** What a sender would post. */
  readonly body: JsonObject
  /** What that means. */
  readonly signal: Signal
}

export interface OwnWish {
  readonly id: string
  readonly source: string
  readonly symbol: string
  readonly action: "BUY" | "SELL"
  /** Null: a plain order on that side. */
  readonly intent: "open" | "close" | null
}

/** The signal of a wish, fired at `nowMs`. */
export const ownSignal = ({ action, id, intent, source, symbol }: OwnWish, nowMs: number): OwnSignal => ({
  id,
  source,
  symbol,
  body: {
    id,
    symbol,
    action,
    ...(intent === null ? {} : { intent }),
    timeframe: "1m",
    timestamp: isoOf(nowMs)
  },
  signal: {
    symbol,
    action,
    direction: null,
    intent,
    positionSize: null,
    marketPosition: null,
    prevMarketPosition: null,
    marketPositionSize: null,
    ...plainTerms,
    timeframe: "1m",
    timeframeMs: 60_000,
    firedAtMs: nowMs,
    quantity: null,
    price: null,
    strategy: null,
    strike: null,
    expiration: null
  }
})
