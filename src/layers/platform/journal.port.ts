/**
 * Journal: everything that happens in this process, as one numbered sequence in memory.
 *
 * Whoever does something records it here in a call that costs less than a microsecond and never fails. A component of its own
 * stores what was recorded in `actor_events`, in batches and later, so a database that is away holds up nobody; viewers read the same
 * ring.
 *
 * Promises: numbers rise by one, from `base + 1`; at most `journalLimits.entriesMax` entries are in memory; an entry that
 * made room before it was stored is counted as lost, and no other is; recording waits for nothing and throws nothing.
 * Never: masks a text: whoever records knows what may be in it.
 */
import { Context } from "effect"
import type { JournalEntry, JournalFact } from "../../domain/platform/journal.ts"

export interface JournalCounts {
  /** Entries since the process began. */
  readonly recorded: number
  readonly stored: number
  /** In memory and not stored yet. */
  readonly waiting: number
  /** Never to be stored: memory ran out first, or the database refused the row. */
  readonly lost: number
}

/** The side of those who record and read. */
export interface JournalService {
  /** A UUID of this process: its numbers are its own. */
  readonly boot: string
  /** The number before the first entry of this process. */
  readonly base: number
  readonly record: (fact: JournalFact) => void
  /** The last number; `base` before the first. */
  readonly head: () => number
  /** The oldest number that is in memory; `head + 1` while there is none. */
  readonly first: () => number
  /** Up to `max` consecutive entries after a number, oldest first; those in memory. */
  readonly read: (after: number, max: number) => ReadonlyArray<JournalEntry>
  /** Calls `recorded` after each entry, which must be cheap; returns how to end it. */
  readonly listen: (recorded: () => void) => () => void
  /** Somebody looks: details are captured from now on. Returns how to end it. */
  readonly watch: () => () => void
  /** Calls with whether somebody looks, now and at each change; returns how to end it. */
  readonly onWatched: (changed: (watched: boolean) => void) => () => void
  readonly counts: () => JournalCounts
  /** Every entry up to this number is in the table, or lost. */
  readonly settled: () => number
  /** The oldest entries that are not stored, in their order. One batch at a time: it is settled or released before the next. */
  readonly take: (max: number) => ReadonlyArray<JournalEntry>
  /** All up to this number are stored. */
  readonly settle: (seq: number) => void
  /** The entry of this number, the oldest that is not stored, never will be. */
  readonly giveUp: (seq: number) => void
  /** What was taken could not be stored now, and is taken again. */
  readonly release: () => void
}

export class Journal extends Context.Service<Journal, JournalService>()("holdfast/layers/Journal") {}
