/**
 * Live replay: brings a viewer from its position, through the table, to what is in memory.
 *
 * Promises: every stored entry of the filter once, in order; what is in neither place is named by a `gap`, the change from one
 * process to the next by a `process`.
 * Never: holds more than one page; goes on for a viewer that has left.
 * Failure: `DatabaseError` ends it at the position it has reached.
 */
import { Effect } from "effect"
import { journalLimits } from "../../domain/kernel/limits-kept.ts"
import type { LiveMessage } from "../../wire/journal.ts"
import type { DatabaseError } from "../database/database.port.ts"
import { type JournalStoreService, matches, type StoredEntry } from "../health/journal-store.port.ts"
import type { JournalService } from "../platform/journal.port.ts"
import { encodeEntries, type EntryText, entryText } from "./live.encode.ts"
import type { Looking } from "./live.viewer.ts"

export interface Replay extends Pick<JournalStoreService, "oldest" | "read"> {
  readonly journal: JournalService
  readonly viewer: Looking
  readonly send: (message: LiveMessage) => void
  readonly isBlocked: () => boolean
}

/** How often the table is asked again for entries that are on their way into it. */
const AGAIN_MS = 100

const anything = { path: null, types: null, sinceMs: null } as const

/** Waits until the viewer has read; the hub ends one that does not. */
const room = ({ isBlocked, viewer }: Replay): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const look = (): void => {
      if (viewer.mode === "table" && isBlocked()) return
      viewer.resume = null
      resume(Effect.void)
    }
    viewer.resume = look
    look()
    return Effect.sync(() => {
      viewer.resume = null
    })
  })

/** Names the entries up to this number that are nowhere. */
const skip = ({ send, viewer }: Replay, to: number, reason: "lost" | "removed"): void => {
  if (to <= viewer.cursor) return
  send({ type: "gap", from: viewer.cursor + 1, to, reason })
  viewer.cursor = to
}

/** Writes rows of the table, and what is missing between them. Returns the process of the last. */
const writeRows = (replay: Replay, boot: string | null, rows: ReadonlyArray<StoredEntry>): string | null => {
  const { send, viewer } = replay
  const { filter, sink } = viewer.request
  let process = boot
  let texts: Array<EntryText> = []
  const write = (): void => {
    if (texts.length > 0) sink.write(encodeEntries(sink.format, texts))
    texts = []
  }
  for (const row of rows) {
    const isNew = row.boot !== process
    // Messages stand between the entries they are about.
    if (isNew || row.seq !== viewer.cursor + 1) write()
    if (isNew) send({ type: "process", boot: row.boot, after: viewer.cursor })
    else skip(replay, row.seq - 1, "lost")
    process = row.boot
    viewer.cursor = row.seq
    if (matches(filter, row)) texts.push(entryText(row, row.boot))
  }
  write()
  return process
}

/** The process of the entry a viewer has last; null when it is not known. */
const bootOf = ({ journal, read, viewer }: Replay): Effect.Effect<string | null, DatabaseError> =>
  viewer.cursor >= journal.base
    ? Effect.succeed(journal.boot)
    : Effect.map(
        read({ ...anything, limit: 1, after: viewer.cursor - 1, before: viewer.cursor + 1 }),
        ([row]) => row?.boot ?? null
      )

/** The table has nothing before what is in memory: a process ended here, or memory ran out before the table could have it. */
const cross = (replay: Replay): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { journal, send, viewer } = replay
    if (viewer.cursor < journal.base) {
      send({ type: "process", boot: journal.boot, after: viewer.cursor })
      viewer.cursor = journal.base
    }
    const missing = Math.min(journal.first() - 1, journal.settled())
    if (missing > viewer.cursor) skip(replay, missing, "lost")
    else if (viewer.cursor + 1 < journal.first()) return Effect.sleep(AGAIN_MS)
    return Effect.void
  })

/** Runs until the viewer's position is in memory, or it has left. */
export const replayFromTable = (replay: Replay): Effect.Effect<void, DatabaseError> =>
  Effect.gen(function* () {
    const { journal, read, viewer } = replay
    const oldest = yield* replay.oldest
    let boot = viewer.cursor === 0 ? null : yield* bootOf(replay)
    if (oldest !== null && viewer.cursor > 0) skip(replay, Math.min(oldest, journal.first()) - 1, "removed")
    while (viewer.mode === "table" && viewer.cursor + 1 < journal.first()) {
      const page = {
        ...anything,
        limit: journalLimits.pageMax,
        after: viewer.cursor,
        before: journal.first()
      }
      const rows = yield* read(page)
      // It may have left meanwhile.
      if (viewer.mode !== "table") return
      boot = writeRows(replay, boot, rows)
      if (rows.length === 0) {
        yield* cross(replay)
        boot = journal.boot
      }
      yield* room(replay)
    }
  })
