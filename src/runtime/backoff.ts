/**
 * Delays between restarts: exponential, capped, with full jitter from a seed.
 *
 * Full jitter (uniform from zero to the exponential step) spreads the restarts of many children that lost the
 * same peer at the same moment better than a jitter of a few percent; the seed makes a failing run replayable.
 * Promises: 0 <= delay <= maxMs for every attempt, even in the thousands; same seed, same delays.
 * Never: reads a clock or a global random source.
 */
import type { Backoff } from "./child-policy.ts"

/** Draws numbers in [0, 1). Same seed, same sequence (mulberry32: 32 bits of state, enough to spread restarts). */
export class SeededRandom {
  #state: number
  constructor(seed: number) {
    this.#state = seed >>> 0
  }
  /** The next number in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  /** A whole number from 0 to `below - 1`. */
  below(below: number): number {
    return Math.floor(this.next() * below)
  }
}

/** A seed for one supervisor from the tree's seed and its path, so that siblings do not draw the same delays (FNV-1a). */
export const seedFor = (seed: number, path: string): number => {
  let hash = (0x811c9dc5 ^ seed) >>> 0
  for (let index = 0; index < path.length; index++)
    hash = Math.imul(hash ^ path.charCodeAt(index), 0x01000193) >>> 0
  return hash
}

/** The delay in milliseconds before restart `attempt` (1 is the first). Draws from `random` only when jitter is configured. */
export const backoffDelayMs = (backoff: Backoff, attempt: number, random: SeededRandom): number => {
  // factor ** attempt overflows to Infinity for large attempts; the cap brings it back.
  const step =
    backoff.firstMs === 0 ? 0 : Math.min(backoff.maxMs, backoff.firstMs * backoff.factor ** (attempt - 1))
  return backoff.jitter === "full" && step > 0 ? random.next() * step : step
}
