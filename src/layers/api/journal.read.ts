/**
 * The journal as one, for lists: what memory has, and what only the table has.
 *
 * Promises: entries of both are in one order, each once; what memory has is shown while the database is away, when somebody looks
 * most.
 * Never: waits for an entry that is not there yet.
 * Failure: what only an absent database has is `DatabaseUnavailable`.
 */
import { Effect } from "effect"
import type { JournalEntry } from "../../domain/platform/journal.ts"
import type { DatabaseError } from "../database/database.port.ts"
import {
  type EntryFilter,
  type JournalStoreService,
  matches,
  type StoredEntry
} from "../health/journal-store.port.ts"
import type { JournalService } from "../platform/journal.port.ts"

/** Where entries are. */
export interface JournalReads {
  readonly journal: JournalService
  readonly store: JournalStoreService
}

type Entries = Effect.Effect<ReadonlyArray<StoredEntry>, DatabaseError>

/** What is in memory, oldest first. */
const inMemory = ({ journal }: JournalReads): ReadonlyArray<JournalEntry> =>
  journal.read(journal.first() - 1, Number.MAX_SAFE_INTEGER)

const ofThisProcess =
  ({ journal }: JournalReads) =>
  (entry: JournalEntry): StoredEntry => ({ ...entry, boot: journal.boot })

/** Oldest first: the table up to where memory begins, and on from there. */
export const readUp = (
  parts: JournalReads,
  {
    after,
    before,
    sinceMs
  }: { readonly after: number; readonly before: number | null; readonly sinceMs: number | null },
  filter: EntryFilter,
  limit: number
): Entries =>
  Effect.gen(function* () {
    const first = parts.journal.first()
    const held = inMemory(parts)
    const reaches = after + 1 >= first || (sinceMs !== null && (held[0]?.at ?? Number.MAX_VALUE) < sinceMs)
    const stored = reaches
      ? []
      : yield* parts.store.read({
          ...filter,
          limit,
          after,
          before: Math.min(before ?? first, first),
          sinceMs
        })
    const recent = held.filter(
      (entry) =>
        entry.seq > after &&
        (before === null || entry.seq < before) &&
        (sinceMs === null || entry.at >= sinceMs) &&
        matches(filter, entry)
    )
    return [...stored, ...recent.slice(0, limit - stored.length).map(ofThisProcess(parts))]
  })

/** Newest first: memory, and on into the table. */
export const readDown = (
  parts: JournalReads,
  before: number | null,
  filter: EntryFilter,
  limit: number
): Entries =>
  Effect.gen(function* () {
    const first = parts.journal.first()
    const recent = inMemory(parts)
      .filter((entry) => (before === null || entry.seq < before) && matches(filter, entry))
      .toReversed()
      .slice(0, limit)
      .map(ofThisProcess(parts))
    if (recent.length >= limit) return recent
    const stored = parts.store.read({
      ...filter,
      limit: limit - recent.length,
      after: null,
      before: Math.min(before ?? first, first),
      sinceMs: null
    })
    // What memory has is shown while the database is away, when somebody looks most.
    const older = yield* recent.length === 0
      ? stored
      : stored.pipe(Effect.catchTag("DatabaseUnavailable", () => Effect.succeed([])))
    return [...recent, ...older]
  })
