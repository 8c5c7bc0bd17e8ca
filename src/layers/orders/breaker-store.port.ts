/**
 * Breaker store: the port to the rows of circuit breakers and to the calls that their windows count.
 *
 * Promises: a change applies to the version that it was made from, or not at all, so of several processes one makes it; a
 * change by a rule is in the audit and in the journal with the same commit; a count that is given twice counts once; one
 * process at a time probes a breaker.
 * Never: decides what a breaker does (domain/orders/breaker.ts does).
 */
import { Context, type Effect } from "effect"
import type { Breaker, BreakerChange, BreakerCounts } from "../../domain/orders/breaker.ts"
import type { DatabaseError, DatabaseUnavailable } from "../database/database.port.ts"

/** Calls that a process counted. `ageMs`: how long ago, because its clock and the database's may differ. */
export interface CountedCalls {
  /** A UUID. */
  readonly id: string
  readonly breaker: string
  readonly kind: "orders" | "reads"
  readonly calls: number
  readonly failures: number
  readonly ageMs: number
}

/** A breaker to be looked at, with the length of its window. */
export interface Watched {
  readonly id: string
  readonly windowMs: number
}

export interface BreakerReading {
  /** The clock of the database, in epoch milliseconds. */
  readonly nowMs: number
  /** In the order of the ids that were asked for. */
  readonly breakers: ReadonlyArray<{ readonly breaker: Breaker; readonly counts: BreakerCounts }>
}

export interface BreakerStoreService {
  /** Adds the counts, creates the rows that are missing, as CLOSED, and reads all of `watched` with their windows. */
  readonly look: (
    watched: ReadonlyArray<Watched>,
    counted: ReadonlyArray<CountedCalls>
  ) => Effect.Effect<BreakerReading, DatabaseUnavailable>
  /** Applies a change by a rule. Null: the breaker changed meanwhile, or another process made the change. */
  readonly move: (
    breaker: Breaker,
    change: BreakerChange
  ) => Effect.Effect<Breaker | null, DatabaseUnavailable>
  /** The clock of the database when this process may probe the breaker, and nobody else for `everyMs`; null: not now. */
  readonly claimProbe: (
    breaker: Breaker,
    everyMs: number
  ) => Effect.Effect<number | null, DatabaseUnavailable>
  /** Applies what `change` makes of the breaker as it is then, created as CLOSED where it is missing. */
  readonly operate: (
    id: string,
    change: (breaker: Breaker, nowMs: number) => BreakerChange | null
  ) => Effect.Effect<Breaker, DatabaseError>
}

export class BreakerStore extends Context.Service<BreakerStore, BreakerStoreService>()(
  "holdfast/layers/BreakerStore"
) {}
