/**
 * Faults: the port through which a drill breaks what practice mode runs for itself.
 *
 * Promises: a fault is injected when `inject` completes; what is returned lifts it, and lifting twice is lifting once.
 * Never: touches anything that this process did not start.
 */
import { Context, Data, type Effect } from "effect"
import type { DrillFault } from "../../domain/control/drill.ts"

/** Faults that are not a command to a component. */
export type OutsideFault = Exclude<DrillFault, `${string}.restart`>

/** What the fault is about is not ours, or does not run. */
export class FaultNotPossible extends Data.TaggedError("FaultNotPossible")<{
  readonly fault: OutsideFault
  readonly why: string
}> {
  override get message(): string {
    return `${this.fault}: ${this.why}`
  }
}

export interface FaultsService {
  /** `of`: the name of the feed or broker that it is about. */
  readonly inject: (
    fault: OutsideFault,
    of: string
  ) => Effect.Effect<{ readonly lift: Effect.Effect<void, FaultNotPossible> }, FaultNotPossible>
}

export class Faults extends Context.Service<Faults, FaultsService>()("holdfast/layers/Faults") {}
