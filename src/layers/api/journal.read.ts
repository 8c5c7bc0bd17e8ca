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
import type { DatabaseError, DatabaseFault, DatabaseUnavailable } from "../database/database.port.ts"
import {
  type EntryFilter,
  type EntryPage,
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

/** Entries, newest first; `missing` is why the database could not be asked for the older of them. */
export interface Newest {
  readonly entries: ReadonlyArray<StoredEntry>
  readonly missing: DatabaseUnavailable | null
}

/** The newest entries below a number: memory, and on into the table. What memory has is shown while the database is away. */
export const newest = (
  parts: JournalReads,
  before: number | null,
  filter: EntryFilter & Pick<EntryPage, "lookedAtMax">,
  limit: number
): Effect.Effect<Newest, DatabaseFault> =>
  Effect.gen(function* () {
    const first = parts.journal.first()
    const recent = inMemory(parts)
      .filter((entry) => (before === null || entry.seq < before) && matches(filter, entry))
      .toReversed()
      .slice(0, limit)
      .map(ofThisProcess(parts))
    if (recent.length >= limit) return { entries: recent, missing: null }
    return yield* parts.store
      .read({
        ...filter,
        limit: limit - recent.length,
        after: null,
        before: Math.min(before ?? first, first),
        sinceMs: null
      })
      .pipe(
        Effect.map((older): Newest => ({ entries: [...recent, ...older], missing: null })),
        Effect.catchTag("DatabaseUnavailable", (missing) =>
          Effect.succeed<Newest>({ entries: recent, missing })
        )
      )
  })

/** The same for a list, which may be short but never empty for the wrong reason. */
export const readDown = (
  parts: JournalReads,
  before: number | null,
  filter: EntryFilter,
  limit: number
): Entries =>
  Effect.flatMap(newest(parts, before, filter, limit), ({ entries, missing }) =>
    missing !== null && entries.length === 0 ? Effect.fail(missing) : Effect.succeed(entries)
  )
