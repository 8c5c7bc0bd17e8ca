/**
 * What may happen at a step of a simulation, and how often.
 *
 * Promises: drawn from the seed alone; no fault lasts longer than half a minute, so that what waits is still young enough to trade.
 * Never: does anything; simulation.ts does.
 */
import type { JsonObject } from "../../src/domain/kernel/canonical-json.ts"
import type { Random } from "../outside/random.ts"

export const SYMBOLS = ["SPY", "QQQ", "IWM", "BTC-USD", "ETH-USD"] as const
export const ACCOUNTS = ["paper-1", "paper-2"] as const

export interface PlannedPost {
  readonly source: "default" | "fan"
  readonly body: JsonObject
  readonly mayTurn: boolean
}

export type Action =
  | { readonly _tag: "posts"; readonly posts: ReadonlyArray<PlannedPost> }
  | { readonly _tag: "repeat" }
  | { readonly _tag: "price"; readonly symbol: string; readonly factor: number }
  | {
      readonly _tag: "weather"
      readonly faults: number
      readonly lateFills: number
      readonly invisibleMs: number
    }
  | { readonly _tag: "venue silent"; readonly forMs: number }
  | { readonly _tag: "streams cut" }
  | { readonly _tag: "crash"; readonly inCalls: number; readonly after: boolean; readonly downMs: number }
  | { readonly _tag: "freeze"; readonly forMs: number }
  | { readonly _tag: "database away"; readonly forMs: number }
  | { readonly _tag: "answers of commits lost"; readonly forMs: number; readonly rate: number }
  | { readonly _tag: "nothing" }

export interface Step {
  readonly action: Action
  /** Time until the next one. */
  readonly runMs: number
}

const OPENS: ReadonlyArray<JsonObject> = [
  { action: "BUY", direction: "long" },
  { action: "BUY", direction: "long" },
  { direction: "long" }
]
const SHORTS: ReadonlyArray<JsonObject> = [
  { action: "SELL", direction: "short" },
  { direction: "short" },
  { intent: "reverse" }
]
const CLOSES: ReadonlyArray<JsonObject> = [
  { intent: "close" },
  { action: "SELL", direction: "long" },
  { action: "flat" }
]

const postOf = (random: Random, seed: number, number: number, nowMs: number): PlannedPost => {
  const source = random.next() < 0.4 ? "fan" : "default"
  const draw = random.next()
  const isClose = draw > 0.72
  const wish = random.pick(isClose ? CLOSES : source === "fan" && draw < 0.35 ? SHORTS : OPENS)
  return {
    source,
    mayTurn: source === "fan" && !isClose,
    body: {
      id: `sim-${seed}-${number}`,
      symbol: random.pick(SYMBOLS),
      ...wish,
      ...(isClose ? {} : { quantity: 1 + Math.floor(random.next() * 5) }),
      timeframe: "5m",
      timestamp: new Date(nowMs - 500).toISOString()
    }
  }
}

/** From `low` to `high`, small ones as often as large ones. */
const spread = (random: Random, low: number, high: number): number =>
  Math.round(low * (high / low) ** random.next())

const FAULTS: ReadonlyArray<(random: Random) => Action> = [
  (random) => ({
    _tag: "weather",
    faults: random.pick([0, 0.2, 0.6]),
    lateFills: random.pick([0, 0.3]),
    invisibleMs: random.pick([0, 0, 1_500])
  }),
  (random) => ({ _tag: "venue silent", forMs: spread(random, 200, 20_000) }),
  () => ({ _tag: "streams cut" }),
  (random) => ({
    _tag: "crash",
    inCalls: Math.floor(random.next() * 25),
    after: random.next() < 0.5,
    downMs: spread(random, 50, 5_000)
  }),
  (random) => ({
    _tag: "crash",
    inCalls: Math.floor(random.next() * 8),
    after: random.next() < 0.5,
    downMs: spread(random, 50, 5_000)
  }),
  (random) => ({ _tag: "freeze", forMs: spread(random, 100, 12_000) }),
  (random) => ({ _tag: "database away", forMs: spread(random, 50, 12_000) }),
  (random) => ({ _tag: "answers of commits lost", forMs: spread(random, 100, 2_000), rate: 0.3 })
]

/** The next step. `number` names the posts it makes. */
export const nextStep = (random: Random, seed: number, number: number, nowMs: number): Step => {
  const draw = random.next()
  const runMs = spread(random, 5, 4_000)
  if (draw < 0.45) {
    const count = 1 + Math.floor(random.next() * 3)
    const posts = Array.from({ length: count }, (_, n) => postOf(random, seed, number * 10 + n, nowMs))
    return { action: { _tag: "posts", posts }, runMs }
  }
  if (draw < 0.5) return { action: { _tag: "repeat" }, runMs }
  if (draw < 0.65)
    return {
      action: { _tag: "price", symbol: random.pick(SYMBOLS), factor: random.between(0.965, 1.036) },
      runMs
    }
  if (draw < 0.95) return { action: random.pick(FAULTS)(random), runMs }
  return { action: { _tag: "nothing" }, runMs }
}
