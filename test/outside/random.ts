/**
 * Seeded randomness, so that a run that failed can be run again.
 *
 * Promises: the same seed gives the same numbers; the seed of a run is printed and can be set by OUTSIDE_SEED.
 * Never: the global generator.
 */

export interface Random {
  /** From 0 to 1, 1 excluded. */
  readonly next: () => number
  readonly between: (low: number, high: number) => number
  readonly pick: <A>(from: ReadonlyArray<A>) => A
}

/** mulberry32: small, and good enough to choose moments. */
export const randomFrom = (seed: number): Random => {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  return {
    next,
    between: (low, high) => low + next() * (high - low),
    pick: (from) => from[Math.floor(next() * from.length)]!
  }
}

/** The randomness of a test; says how to repeat it. */
export const randomOf = (test: string, seed: number): Random => {
  const chosen = Number(process.env["OUTSIDE_SEED"] ?? seed)
  console.log(`${test}: OUTSIDE_SEED=${chosen}`)
  return randomFrom(chosen)
}
