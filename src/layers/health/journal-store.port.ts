/**
 * JournalStore: the port to the stored journal of this node, that of its former processes included.
 *
 * Promises: a batch is stored whole or not at all; storing it again changes nothing; what is read is in the order of its
 * numbers.
 * Never: shows rows of another node, or rows that are no entries.
 */
import { Context, type Effect } from "effect"
import type { JournalEntry, JournalType } from "../../domain/platform/journal.ts"
import type { DatabaseError } from "../database/database.port.ts"

/** An entry and the process it is of. */
export interface StoredEntry extends JournalEntry {
  readonly boot: string
}

/** Which entries: of a component and all below it, and of these types. */
export interface EntryFilter {
  readonly path: string | null
  /** Without what is below it, except machines inside of it. */
  readonly alone?: true
  readonly types: ReadonlyArray<JournalType> | null
}

/** Whether an entry is of the filter: a component, all below it, and machines inside it. */
export const matches = ({ alone, path, types }: EntryFilter, entry: JournalEntry): boolean =>
  (types === null || types.includes(entry.type)) &&
  (path === null ||
    entry.path === path ||
    (alone !== true && entry.path.startsWith(`${path}/`)) ||
    entry.path.startsWith(`${path}#`))

export interface EntryPage extends EntryFilter {
  readonly limit: number
  /** Numbers above this one, oldest first; null: newest first. */
  readonly after: number | null
  /** Numbers below this one. */
  readonly before: number | null
  /** Epoch milliseconds: nothing older. */
  readonly sinceMs: number | null
  /** Of the newest entries no more than so many are looked at, whatever their component; all when left out. */
  readonly lookedAtMax?: number
}

export interface JournalStoreService {
  readonly store: (boot: string, entries: ReadonlyArray<JournalEntry>) => Effect.Effect<void, DatabaseError>
  readonly read: (page: EntryPage) => Effect.Effect<ReadonlyArray<StoredEntry>, DatabaseError>
  /** The last number that is not younger than an instant; null when there is none. */
  readonly lastAt: (ms: number) => Effect.Effect<number | null, DatabaseError>
  /** The oldest number that is kept, null while there is none. */
  readonly oldest: Effect.Effect<number | null, DatabaseError>
}

export class JournalStore extends Context.Service<JournalStore, JournalStoreService>()(
  "holdfast/layers/JournalStore"
) {}
