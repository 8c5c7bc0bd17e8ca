/**
 * DecisionHistory: the port to decisions as they were made, with their facts.
 *
 * Promises: a span is read in pages, in the order in which its signals were received; a page is one short read.
 * Never: writes, or locks anything.
 */
import { Context, type Effect } from "effect"
import type { StoredDecision } from "../../domain/decision/decision-replay.ts"
import type { DatabaseError } from "../database/database.port.ts"

/** Signals received from `fromMs` until before `toMs`, epoch milliseconds; `source` null: of every source. */
export interface DecisionSpan {
  readonly fromMs: number
  readonly toMs: number
  readonly source: string | null
}

export interface DecisionPage {
  readonly decisions: ReadonlyArray<StoredDecision>
  /** Where the next page begins; null: this is the last. */
  readonly next: bigint | null
}

export class DecisionHistory extends Context.Service<
  DecisionHistory,
  {
    /** `after` null: the first page. */
    readonly page: (
      span: DecisionSpan,
      after: bigint | null,
      limit: number
    ) => Effect.Effect<DecisionPage, DatabaseError>
  }
>()("holdfast/layers/DecisionHistory") {}
