/**
 * ExpectedStore: the port to what sources should have sent, and to when posts were taken.
 *
 * Promises: instants are of the database's clock, by which signals are received too; judging a due moment twice changes
 * nothing, so any number of processes may; a process that died in between leaves what was known until then.
 * Never: decides when a signal is due (domain/signals/expected-schedule.ts).
 */
import { Context, type Effect } from "effect"
import type { DatabaseError } from "../database/database.port.ts"
import type { Due, ExpectedStatus, Span } from "../../domain/signals/expected-schedule.ts"

export interface Judged {
  readonly dueMs: number
  readonly needed: number
  readonly received: number
  readonly status: ExpectedStatus
}

/** The due moments in a row that were missed since one was last received, or came late. */
export interface Outage {
  readonly missed: number
  readonly firstMs: number
  readonly lastMs: number
}

export interface Presence {
  /** The interval that goes on. */
  readonly id: string
  readonly life: string
}

export interface ExpectedStoreService {
  /** Now, by the database. Epoch milliseconds, as everywhere here. */
  readonly now: Effect.Effect<number, DatabaseError>
  /** Posts were taken since the last call with this interval until now. Null: that was too long ago, and it has ended. */
  readonly extend: (presence: Presence) => Effect.Effect<number | null, DatabaseError>
  /** Posts are taken from now on. */
  readonly begin: (presence: Presence) => Effect.Effect<number, DatabaseError>
  /** The due moment that was judged last; null when none was. */
  readonly lastDue: (source: string) => Effect.Effect<number | null, DatabaseError>
  /** Judges those that are not judged yet. Returns them alone, oldest first. */
  readonly judge: (
    source: string,
    needed: number,
    dues: ReadonlyArray<Due>
  ) => Effect.Effect<ReadonlyArray<Judged>, DatabaseError>
  /** Missed and unobserved ones whose signals have come since become `late`, of those whose window ended so recently. Returns them. */
  readonly recount: (source: string, withinMs: number) => Effect.Effect<ReadonlyArray<Judged>, DatabaseError>
  /** Null while nothing is missing. */
  readonly outage: (source: string) => Effect.Effect<Outage | null, DatabaseError>
  /** When posts were taken, as far back as a rate is measured. */
  readonly observed: Effect.Effect<ReadonlyArray<Span>, DatabaseError>
  /** Signals of a source since then; counted up to `max`. */
  readonly receivedSince: (
    source: string,
    sinceMs: number,
    max: number
  ) => Effect.Effect<number, DatabaseError>
  /** Posts of a source that were refused since then, of those that are kept. */
  readonly refusedSince: (source: string, sinceMs: number) => Effect.Effect<number, DatabaseError>
}

export class ExpectedStore extends Context.Service<ExpectedStore, ExpectedStoreService>()(
  "holdfast/layers/ExpectedStore"
) {}
