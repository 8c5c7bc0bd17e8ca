/**
 * The alerts of a seeded day: bodies as senders post them, over twenty instruments of every kind.
 *
 * Promises: the same seed and number give the same bodies at the same times; some ask for more than the limits of the day allow, some
 * close what is not held, some reach two accounts.
 * Never: reads a clock or a random source.
 */
import type { JsonObject } from "../../src/domain/kernel/canonical-json.ts"
import { numbersFrom } from "../support/facts-world.ts"

export const DAY_START = Date.parse("2026-11-24T14:30:00.000Z")
export const DAY_END = Date.parse("2026-11-24T21:00:00.000Z")

export interface DayAlert {
  readonly source: "default" | "fan"
  /** When it arrives. */
  readonly atMs: number
  readonly body: JsonObject
}

/** An instrument as a sender names it. */
interface Traded {
  readonly symbol: string
  readonly sizes: ReadonlyArray<string>
  readonly contract?: {
    readonly direction: "CALL" | "PUT"
    readonly strike: string
    readonly expiration: string
  }
}

const shares = ["1", "2", "3", "5", "8", "12"]
const few = ["1", "2", "3", "6"]
const coins = ["0.25", "0.5", "1.5", "4.75"]
const option = (symbol: string, direction: "CALL" | "PUT", strike: string): Traded => ({
  symbol,
  sizes: few,
  contract: { direction, strike, expiration: "2026-12-18" }
})

/** Twenty: eight shares, four futures, three coins, five option contracts. */
export const INSTRUMENTS: ReadonlyArray<Traded> = [
  ...["SPY", "QQQ", "IWM", "AAPL", "MSFT", "NVDA", "AMZN", "TSLA"].map((symbol) => ({
    symbol,
    sizes: shares
  })),
  ...["ESZ6", "MNQZ6", "CLF7", "GCG7"].map((symbol) => ({ symbol, sizes: few })),
  ...["BTC-USD", "ETH-USD", "SOL-USD"].map((symbol) => ({ symbol, sizes: coins })),
  option("SPY", "CALL", "450"),
  option("SPY", "PUT", "440"),
  option("QQQ", "CALL", "380"),
  option("AAPL", "CALL", "200"),
  option("NVDA", "PUT", "150")
]

/** What is asked for: mostly to open, sometimes to close, sometimes a side alone. */
const wishOf = ({ contract }: Traded, draw: number): JsonObject => {
  if (contract !== undefined) {
    const { direction, expiration, strike } = contract
    return { action: draw < 0.7 ? "BUY" : "SELL", direction, strike, expiration }
  }
  if (draw < 0.5) return { direction: "long" }
  if (draw < 0.62) return { direction: "short" }
  if (draw < 0.8) return { action: draw < 0.7 ? "BUY" : "SELL" }
  return { intent: "close" }
}

/** The alerts of a day, in the order in which they arrive. */
export const dayAlerts = (seed: number, count: number): ReadonlyArray<DayAlert> => {
  const choose = numbersFrom(seed)
  const stepMs = Math.floor((DAY_END - DAY_START) / count)
  return Array.from({ length: count }, (_, n) => {
    const instrument = INSTRUMENTS[Math.floor(choose() * INSTRUMENTS.length)] ?? INSTRUMENTS[0]
    if (instrument === undefined) throw new Error("there are instruments")
    const atMs = DAY_START + n * stepMs + Math.floor(choose() * stepMs)
    const size = instrument.sizes[Math.floor(choose() * instrument.sizes.length)] ?? "1"
    const wish = wishOf(instrument, choose())
    const isSized = choose() < 0.8 && wish["intent"] !== "close"
    return {
      source: choose() < 0.8 ? "default" : "fan",
      atMs,
      body: {
        id: `day-${seed}-${n}`,
        symbol: instrument.symbol,
        ...wish,
        ...(isSized ? { quantity: size } : {}),
        timeframe: "5m",
        timestamp: new Date(atMs - 750).toISOString()
      }
    }
  })
}
