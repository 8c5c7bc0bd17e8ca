/**
 * Drills store: the port to the receipts of drills, and to what became of their signals.
 *
 * Promises: one drill of a node at a time; one that its process did not live to end is `interrupted`.
 * Never: judges an outcome.
 */
import { Context, type Effect } from "effect"
import type { DrillFault, DrillOutcome, DrillReceipt } from "../../domain/control/drill.ts"
import type { DatabaseUnavailable } from "../database/database.port.ts"

export interface DrillRequest {
  readonly id: string
  readonly fault: DrillFault
  readonly by: string
  readonly reason: string | null
}

export interface DrillsStoreService {
  /** False when another one of this node is running. Those of former lives of the node are ended first. */
  readonly begin: (request: DrillRequest) => Effect.Effect<boolean, DatabaseUnavailable>
  readonly end: (
    id: string,
    status: "passed" | "failed",
    receipt: DrillReceipt
  ) => Effect.Effect<void, DatabaseUnavailable>
  /** Ends those that former lives of this node left running. */
  readonly interrupt: Effect.Effect<void, DatabaseUnavailable>
  /** What became of signals, in the order of their ids as given. */
  readonly outcomes: (
    signalIds: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<DrillOutcome>, DatabaseUnavailable>
  /** Of these symbols, those that somebody still holds. */
  readonly held: (symbols: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<string>, DatabaseUnavailable>
}

export class DrillsStore extends Context.Service<DrillsStore, DrillsStoreService>()(
  "holdfast/layers/DrillsStore"
) {}
