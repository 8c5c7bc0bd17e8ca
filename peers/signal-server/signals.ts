/**
 * What the practice signal server offers: generated signals of the last waves, and those it was given.
 *
 * Promises: the signals of a wave follow from seed, wave and number alone, so two servers and two runs offer the same;
 * given signals are kept up to a bound, the oldest is dropped.
 * Never: reads a clock.
 */
import { hash } from "node:crypto"
import type { ServerScript } from "./script.ts"

/** A signal as the wire has it. */
export interface OfferedSignal {
  readonly id: string
  readonly symbol: string
  readonly action: "BUY" | "SELL"
  readonly wave: string
  readonly price: string
  readonly score: number
}

/** More than any test needs and less than anyone notices. */
const givenMax = 100_000

const isoOf = (ms: number): string => new Date(ms).toISOString().replace(".000Z", "Z")

/** The n-th signal of a wave. */
const generated = (script: ServerScript, waveMs: number, n: number): OfferedSignal => {
  const draw = Number.parseInt(hash("sha256", `${script.seed}/${waveMs}/${n}`, "hex").slice(0, 8), 16)
  return {
    id: `${isoOf(waveMs)}/${n}`,
    symbol: script.symbols[n % script.symbols.length] ?? "BTC-USDT",
    action: draw % 2 === 0 ? "BUY" : "SELL",
    wave: isoOf(waveMs),
    price: (100 + (draw % 10_000) / 100).toFixed(2),
    score: (draw % 1_000) / 1_000
  }
}

/** Numbered signals of one wave, for batches and floods of a script. */
export const numbered = (
  prefix: string,
  from: number,
  to: number,
  waveMs: number
): ReadonlyArray<OfferedSignal> =>
  Array.from({ length: to - from }, (_, at) => ({
    id: `${prefix}-${from + at}`,
    symbol: "BTC-USDT",
    action: (from + at) % 2 === 0 ? "BUY" : "SELL",
    wave: isoOf(waveMs),
    price: "100.00",
    score: 0.5
  }))

/** The offer of one server. */
export class Offer {
  readonly #script: ServerScript
  readonly #given = new Map<string, OfferedSignal>()
  constructor(script: ServerScript) {
    this.#script = script
  }
  give(signals: ReadonlyArray<OfferedSignal>): void {
    for (const signal of signals) this.#given.set(signal.id, signal)
    for (const id of this.#given.keys()) {
      if (this.#given.size <= givenMax) break
      this.#given.delete(id)
    }
  }
  /** The newest wave at `nowMs`. */
  waveAt(nowMs: number): number {
    return Math.floor(nowMs / this.#script.periodMs) * this.#script.periodMs
  }
  /** The generated signals of one wave. */
  ofWave(waveMs: number): ReadonlyArray<OfferedSignal> {
    return Array.from({ length: this.#script.perWave }, (_, n) => generated(this.#script, waveMs, n))
  }
  /** Everything on offer, oldest wave first. */
  all(nowMs: number): ReadonlyArray<OfferedSignal> {
    const newest = this.waveAt(nowMs)
    const waves = Array.from(
      { length: this.#script.keepWaves },
      (_, back) => newest - (this.#script.keepWaves - 1 - back) * this.#script.periodMs
    )
    return [...waves.flatMap((wave) => this.ofWave(wave)), ...this.#given.values()]
  }
}
