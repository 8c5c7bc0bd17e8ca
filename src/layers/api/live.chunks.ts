/**
 * Live chunks: what is in memory as bytes, encoded once for all viewers at the same position.
 *
 * Promises: an entry becomes text once in a turn, whatever number of viewers and filters there are.
 * Never: keeps bytes beyond the turn; sockets keep those they have not sent.
 * Failure: a position that memory has left behind begins at the oldest entry; the hub looks before it asks.
 */
import { type EntryFilter, matches } from "../health/journal-store.port.ts"
import type { JournalEntry } from "../../domain/platform/journal.ts"
import { liveLimits } from "../platform/http-limits.ts"
import type { JournalService } from "../platform/journal.port.ts"
import { encodeEntries, type EntryText, entryText, type StreamFormat } from "./live.encode.ts"

/** A chunk, null when nothing of it is of the filter, and the position behind it. */
export interface Chunk {
  readonly bytes: Buffer | null
  readonly to: number
}

export interface Chunks {
  readonly after: (format: StreamFormat, cursor: number, filter: EntryFilter) => Chunk
  /** The turn is over. */
  readonly forget: () => void
}

const isOpen = ({ path, types }: EntryFilter): boolean => path === null && types === null

/** The chunks of this journal. */
export const makeChunks = (journal: JournalService): Chunks => {
  const texts = new Map<number, EntryText>()
  const chunks = new Map<string, Chunk>()
  const textOf = (entry: JournalEntry): EntryText => {
    const known = texts.get(entry.seq)
    if (known !== undefined) return known
    const text = entryText(entry, journal.boot)
    texts.set(entry.seq, text)
    return text
  }
  const make = (format: StreamFormat, cursor: number, filter: EntryFilter): Chunk => {
    const entries = journal.read(cursor, liveLimits.chunkMax)
    const wanted = isOpen(filter) ? entries : entries.filter((entry) => matches(filter, entry))
    return {
      bytes: wanted.length === 0 ? null : encodeEntries(format, wanted.map(textOf)),
      to: entries.at(-1)?.seq ?? cursor
    }
  }
  return {
    after: (format, cursor, filter) => {
      if (!isOpen(filter)) return make(format, cursor, filter)
      const key = `${format}${cursor}`
      const chunk = chunks.get(key) ?? make(format, cursor, filter)
      chunks.set(key, chunk)
      return chunk
    },
    forget: () => {
      texts.clear()
      chunks.clear()
    }
  }
}
