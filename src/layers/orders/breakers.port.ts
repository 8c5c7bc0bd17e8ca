/**
 * Breakers: what this process knows of circuit breakers without asking the database, and the calls that it counted for them.
 *
 * The rows decide: a decision and a permit read them in their own statement. The view is for health and metrics, which respond
 * without SQL. Calls are counted where they end, often within an order's round trip, so counting is a few additions in memory;
 * the keeper stores the sums.
 *
 * Promises: the view is null while it is unknown; counts are bounded by breakers and by the longest window; a failure rings.
 * Never: decides what a count means.
 */
import { Clock, Context, Effect, Layer } from "effect"
import { breakerLimits } from "../../domain/kernel/breaker-limits.ts"
import type { Breaker, BreakerCounts } from "../../domain/orders/breaker.ts"
import { Entropy } from "../platform/entropy.port.ts"
import { Wake } from "../platform/wake.port.ts"
import type { CountedCalls } from "./breaker-store.port.ts"

/** A breaker with the calls of its window, as the last look found them. */
export interface SeenBreaker {
  readonly breaker: Breaker
  readonly counts: BreakerCounts
}

export interface BreakersService {
  /** By id; null: nothing is known. */
  readonly current: () => ReadonlyMap<string, SeenBreaker> | null
  readonly assign: (breakers: ReadonlyMap<string, SeenBreaker> | null) => void
  /** One was changed by this process; nothing while the others are not known. */
  readonly change: (breaker: Breaker) => void
  /** A call ended. `kind`: an order, or a look-up. */
  readonly count: (breaker: string, kind: CountedCalls["kind"], isFailure: boolean) => void
  /** Takes all counts; what cannot be stored is returned with `putBack`. */
  readonly take: () => ReadonlyArray<CountedCalls>
  readonly putBack: (counted: ReadonlyArray<CountedCalls>) => void
}

/** Calls of one breaker and kind within one bucket. `id` is set once they were taken, so that they are stored once. */
interface Bucket {
  readonly atMs: number
  readonly id: string | null
  calls: number
  failures: number
}

const noCounts: BreakerCounts = { orders: 0, orderFailures: 0, reads: 0, readFailures: 0 }

const makeBreakers = (nowMs: () => number, uuid: () => string, ring: () => void): BreakersService => {
  let view: ReadonlyMap<string, SeenBreaker> | null = null
  // Bounded by the breakers, two kinds, and the buckets of the longest window.
  const counted = new Map<string, Array<Bucket>>()
  const bucketsOf = (key: string): Array<Bucket> => {
    const known = counted.get(key)
    if (known !== undefined) return known
    const buckets: Array<Bucket> = []
    counted.set(key, buckets)
    return buckets
  }
  const dropOld = (buckets: Array<Bucket>): void => {
    const oldestMs = nowMs() - breakerLimits.windowMsMax
    while ((buckets[0]?.atMs ?? oldestMs) < oldestMs) buckets.shift()
  }
  return {
    current: () => view,
    assign: (next) => {
      view = next
    },
    change: (breaker) => {
      if (view === null) return
      const counts = view.get(breaker.id)?.counts ?? noCounts
      view = new Map([...view, [breaker.id, { breaker, counts }]])
    },
    count: (breaker, kind, isFailure) => {
      const buckets = bucketsOf(`${kind} ${breaker}`)
      const last = buckets.at(-1)
      const atMs = nowMs()
      if (last === undefined || last.id !== null || atMs - last.atMs >= breakerLimits.bucketMs) {
        dropOld(buckets)
        buckets.push({ atMs, id: null, calls: 1, failures: isFailure ? 1 : 0 })
      } else {
        last.calls += 1
        if (isFailure) last.failures += 1
      }
      if (isFailure) ring()
    },
    take: () => {
      const takenMs = nowMs()
      const taken = [...counted].flatMap(([key, buckets]): ReadonlyArray<CountedCalls> => {
        dropOld(buckets)
        const kind = key.startsWith("orders ") ? "orders" : "reads"
        return buckets.map(({ atMs, calls, failures, id }) => ({
          id: id ?? uuid(),
          breaker: key.slice(kind.length + 1),
          kind,
          calls,
          failures,
          // A clock that was set back makes nothing younger than now.
          ageMs: Math.max(0, takenMs - atMs)
        }))
      })
      counted.clear()
      return taken
    },
    putBack: (unstored) => {
      const givenMs = nowMs()
      for (const { ageMs, breaker, calls, failures, id, kind } of unstored) {
        const buckets = bucketsOf(`${kind} ${breaker}`)
        buckets.push({ atMs: givenMs - ageMs, id, calls, failures })
        buckets.sort((a, b) => a.atMs - b.atMs)
      }
    }
  }
}

export class Breakers extends Context.Service<Breakers, BreakersService>()("holdfast/layers/Breakers") {
  static readonly layer: Layer.Layer<Breakers, never, Entropy | Wake> = Layer.effect(
    Breakers,
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const entropy = yield* Entropy
      const wake = yield* Wake
      return makeBreakers(
        () => clock.currentTimeMillisUnsafe(),
        entropy.uuid,
        () => wake.notify("breakers")
      )
    })
  )
}
