/**
 * Wake: the in-process bell between a writer and the reader of a table.
 *
 * Rows in PostgreSQL are the queue; this only signals "look now" so that a reader does not have to poll.
 * A bell that was rung while nobody listened stays rung, so a wake between two looks is never lost,
 * and a thousand rings before the next look are one look.
 *
 * Promises: `wait` returns at once when its topic was rung since the last `wait`, else when it is rung,
 * else after `maxWaitMs` (the net under a lost wake, for example a row written by another process).
 * Never: carries data, orders anything, or is needed for correctness.
 */
import { Context, Effect, Layer } from "effect"
import type { Bell as BellName } from "./bells.ts"

export interface WakeService {
  /** Rings the bell of `topic`. Synchronous and cheap, callable from any callback. */
  readonly notify: (topic: BellName) => void
  /**
   * Calls `rung` whenever the bell of `topic` rings, at once if it was rung while nobody listened. For those who would
   * otherwise keep a fiber waiting for each of thousands of topics. Returns how to end it.
   */
  readonly listen: (topic: BellName, rung: () => void) => () => void
  /** Waits for the bell of `topic`, at most `maxWaitMs` milliseconds of the ambient clock. */
  readonly wait: (topic: BellName, maxWaitMs: number) => Effect.Effect<void>
}

/** Lists and not sets: nearly all of thousands of bells have one listener and nobody who waits. */
interface Bell {
  rung: boolean
  waiters: ReadonlyArray<() => void>
  listeners: ReadonlyArray<() => void>
}

const nobody: ReadonlyArray<() => void> = []

const makeWake = (): WakeService => {
  // One bell per topic; topics are table names and account names, so the map is bounded by the configuration.
  const bells = new Map<string, Bell>()
  const bellOf = (topic: BellName): Bell => {
    const known = bells.get(topic)
    if (known !== undefined) return known
    const bell: Bell = { rung: false, waiters: nobody, listeners: nobody }
    bells.set(topic, bell)
    return bell
  }
  const notify = (topic: BellName): void => {
    const bell = bellOf(topic)
    if (bell.waiters.length === 0 && bell.listeners.length === 0) {
      bell.rung = true
      return
    }
    for (const rung of bell.listeners) rung()
    // Every waiter is released: two readers of one topic each look for themselves.
    const { waiters } = bell
    bell.waiters = nobody
    for (const release of waiters) release()
  }
  const wait = (topic: BellName, maxWaitMs: number): Effect.Effect<void> =>
    Effect.callback<void>((resume) => {
      const bell = bellOf(topic)
      if (bell.rung) {
        bell.rung = false
        resume(Effect.void)
        return undefined
      }
      const release = () => resume(Effect.void)
      bell.waiters = [...bell.waiters, release]
      return Effect.sync(() => {
        bell.waiters = bell.waiters.filter((waiting) => waiting !== release)
      })
    }).pipe(Effect.timeoutOption(maxWaitMs), Effect.asVoid)
  const listen = (topic: BellName, rung: () => void): (() => void) => {
    const bell = bellOf(topic)
    bell.listeners = [...bell.listeners, rung]
    if (bell.rung) {
      bell.rung = false
      rung()
    }
    return () => {
      bell.listeners = bell.listeners.filter((listener) => listener !== rung)
    }
  }
  return { listen, notify, wait }
}

export class Wake extends Context.Service<Wake, WakeService>()("holdfast/layers/Wake") {
  static readonly layer: Layer.Layer<Wake> = Layer.sync(Wake, makeWake)
}
