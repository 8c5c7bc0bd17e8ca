/**
 * Replay: the port through which an operator sends a refused post on its way again (T12, T14).
 *
 * A replay is not a new post: the identity is the one it came with, so what was taken meanwhile is a duplicate and what was
 * ordered is not ordered again. The age limit holds as well: an alert of yesterday is no order of today, whoever asks.
 *
 * Promises: what is replayed is marked with when and by whom, and answers `already_replayed` from then on; what could not be
 * sent on stays as it was, with the reason; a filter is carried out only when it matches as many items as were expected.
 * Never: changes a body, gives a new identity, or sends a signal on of which an order was made.
 */
import { Context, Data, type Effect } from "effect"
import type { FieldError } from "../../domain/kernel/field-error.ts"
import type { ReplayOutcome } from "../../domain/intake/refused-post.ts"
import type { DatabaseError } from "../database/database.port.ts"

/** Refused posts by their ids, or all open ones that a filter (exact matches by column) finds, which must be `expected` many. */
export type ReplaySelection =
  | { readonly ids: ReadonlyArray<string> }
  | { readonly filter: Readonly<Record<string, string>>; readonly expected: number }

export interface ReplayedItem {
  readonly id: string
  readonly outcome: ReplayOutcome
  readonly signalId: string | null
  readonly errors: ReadonlyArray<FieldError>
  /** When it was replayed before; epoch milliseconds. */
  readonly replayedAtMs: number | null
}

/** The filter matches another number of items; both are exact up to `refusedLimits.countMax`. Nothing was done. */
export class CountDiffers extends Data.TaggedError("CountDiffers")<{
  readonly expected: number
  readonly found: number
}> {}

/** More items than one replay takes (`refusedLimits.replayMax`). Nothing was done. */
export class TooMany extends Data.TaggedError("TooMany")<{ readonly found: number; readonly max: number }> {}

export interface ReplayService {
  /** Replays and reports what became of each item, oldest first. `by`: who asked, for the mark. */
  readonly replay: (
    selection: ReplaySelection,
    by: string
  ) => Effect.Effect<ReadonlyArray<ReplayedItem>, CountDiffers | TooMany | DatabaseError>
}

export class Replay extends Context.Service<Replay, ReplayService>()("holdfast/layers/Replay") {}
