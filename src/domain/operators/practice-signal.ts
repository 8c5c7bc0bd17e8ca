/**
 * practice-signal: what practice mode sends itself, so that a newcomer sees something happen.
 *
 * Which symbol and which side follows from the seed of the market and from the number of the period, as the prices do: whoever
 * starts again with the same seed sees the same alerts at the same times, and a process that is restarted within a period
 * sends the same signal, which the intake has already.
 *
 * Promises: pure; one identity per period; a signal by the rules of every sender (own-signal.ts).
 * Never: knows what is held, or which strategy takes it.
 */
import { PRACTICE_SOURCE } from "../kernel/practice-defaults.ts"
import { practiceNumber } from "../market/practice-price.ts"
import { type OwnSignal, ownSignal } from "./own-signal.ts"

/** Few, so that some are bought again and some are sold again while somebody watches. */
export const PRACTICE_SYMBOLS = ["SPY", "QQQ", "AAPL", "MSFT", "BTC-USD"] as const

/** More bought than sold: most positions are long, as a newcomer expects them to be. */
const BUY_SHARE = 0.65

/** Epoch milliseconds. */
export interface PracticePeriod {
  readonly index: number
  readonly startsAtMs: number
  readonly endsAtMs: number
}

/** The period that an instant is in. Counted from the epoch, so that every process counts the same. */
export const practicePeriod = (everyMs: number, nowMs: number): PracticePeriod => {
  const index = Math.floor(nowMs / everyMs)
  return { index, startsAtMs: index * everyMs, endsAtMs: (index + 1) * everyMs }
}

/**
 * The signal of a period. It fired when the period began, whenever it is sent: its whole content must be the same again, or a
 * repetition would be another signal under the same name.
 */
export const practiceSignal = (seed: number, { index, startsAtMs }: PracticePeriod): OwnSignal => {
  const at = Math.floor(practiceNumber(seed, "practice symbol", index) * PRACTICE_SYMBOLS.length)
  const symbol = PRACTICE_SYMBOLS[at] ?? PRACTICE_SYMBOLS[0]
  const action = practiceNumber(seed, "practice side", index) < BUY_SHARE ? "BUY" : "SELL"
  const id = `practice-${seed}-${startsAtMs}`
  return ownSignal({ id, source: PRACTICE_SOURCE, symbol, action, intent: null }, startsAtMs)
}
