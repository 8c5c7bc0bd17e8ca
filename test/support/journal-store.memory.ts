/**
 * JournalStore in memory, with the promises of its port; for tests that count pages and break the database.
 *
 * Promises: a batch is stored once; reads are in the order of the numbers, as PostgreSQL's.
 * Never: answers while `away`.
 */
import { Effect } from "effect"
import { DatabaseUnavailable } from "../../src/layers/database/database.port.ts"
import {
  type JournalStoreService,
  matches,
  type StoredEntry
} from "../../src/layers/health/journal-store.port.ts"

export interface MemoryJournalStore extends JournalStoreService {
  readonly rows: Array<StoredEntry>
  /** How many pages were read. */
  readonly pages: () => number
  /** From now on every call fails, or none does. */
  readonly setAway: (away: boolean) => void
}

export const makeMemoryJournalStore = (): MemoryJournalStore => {
  const rows: Array<StoredEntry> = []
  let away = false
  let pages = 0
  const call = <A>(operation: string, f: () => A) =>
    Effect.suspend(() =>
      away
        ? Effect.fail(
            new DatabaseUnavailable({
              operation,
              reason: "connection",
              outcome: "not_applied",
              cause: "away in this test"
            })
          )
        : Effect.sync(f)
    )
  const inOrder = (): ReadonlyArray<StoredEntry> => rows.toSorted((a, b) => a.seq - b.seq)
  return {
    rows,
    pages: () => pages,
    setAway: (next) => {
      away = next
    },
    store: (boot, entries) =>
      call("journal.store", () => {
        for (const entry of entries)
          if (!rows.some((row) => row.boot === boot && row.seq === entry.seq)) rows.push({ ...entry, boot })
      }),
    read: ({ after, before, limit, sinceMs, ...filter }) =>
      call("journal.read", () => {
        pages += 1
        const found = inOrder().filter(
          (row) =>
            (after === null || row.seq > after) &&
            (before === null || row.seq < before) &&
            (sinceMs === null || row.at >= sinceMs) &&
            matches(filter, row)
        )
        return (after === null && sinceMs === null ? found.toReversed() : found).slice(0, limit)
      }),
    lastAt: (ms) => call("journal.last_at", () => inOrder().findLast(({ at }) => at <= ms)?.seq ?? null),
    oldest: call("journal.oldest", () => inOrder()[0]?.seq ?? null)
  }
}
