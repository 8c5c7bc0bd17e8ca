/**
 * Dead letters: the port to trying again what could not be handled (E10).
 *
 * A letter of the pipeline is a signal that nobody could decide. To replay it is to let it be decided after all: the row
 * and its identity stay, so what it was ordered for already, on whatever path, is not ordered again, and its age is judged
 * as it is now.
 *
 * Promises: a letter whose signal waits, or was decided meanwhile, is left alone; `replayed_at` is when.
 * Never: makes a signal; replays what is no signal.
 */
import { Context, type Effect } from "effect"
import type { DatabaseUnavailable } from "../database/database.port.ts"

/** Letters that one command tries again: one statement's worth. */
export const REPLAYS_MAX = 1_000

export type Replayed =
  | { readonly _tag: "Replayed"; readonly signals: ReadonlyArray<string> }
  | { readonly _tag: "Missing" }
  /** Its signal is not dead any more, or it is no letter of a signal. */
  | { readonly _tag: "NotDead"; readonly status: string | null }
  /** There are more, or fewer, than who asks believes. Nothing was changed. */
  | { readonly _tag: "OtherCount"; readonly count: number }

/** Exact matches; null: any. */
export interface DeadLetterFilter {
  readonly origin: string | null
  readonly reason: string | null
}

export interface DeadLettersService {
  readonly replay: (letterId: string) => Effect.Effect<Replayed, DatabaseUnavailable>
  /** All that may be replayed of a filter, if they are `expected` in number. */
  readonly replayAll: (
    filter: DeadLetterFilter,
    expected: number
  ) => Effect.Effect<Replayed, DatabaseUnavailable>
}

export class DeadLetters extends Context.Service<DeadLetters, DeadLettersService>()(
  "holdfast/layers/DeadLetters"
) {}
