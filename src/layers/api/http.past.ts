/**
 * A moment of the past over HTTP: `/api/v1/past` (G6).
 *
 * The newest picture before the moment, and the entries of the journal between the two folded over it.
 *
 * Promises: what is shown is of the moment and of nothing later; entries that are nowhere are counted; a moment before the first
 * picture is shown from the beginning of the journal.
 * Never: asks the tree, or a row of now.
 * Failure: before anything that is kept, and where too many entries would have to be read, it is 404; what only an absent database
 * has is 503.
 */
import { Effect } from "effect"
import { foldPast, nothingKnown } from "../../domain/health/past.ts"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { pictureLimits } from "../../domain/kernel/limits-kept.ts"
import * as wire from "../../wire/journal-endpoints.ts"
import * as past from "../../wire/past.ts"
import type { DatabaseError } from "../database/database.port.ts"
import type { StoredEntry } from "../health/journal-store.port.ts"
import type { PicturesService } from "../health/pictures.port.ts"
import { type JournalReads, readUp } from "./journal.read.ts"
import { Refused, type Route, route } from "./http.route.ts"

/** What a moment is made from. */
export interface PastParts extends JournalReads {
  readonly pictures: PicturesService
}

type Asked = number | { readonly ms: number }

/** The number that a request means; null before anything that is kept. */
export const numberOf = (
  { journal, store }: PastParts,
  at: Asked
): Effect.Effect<number | null, DatabaseError> =>
  Effect.suspend(() => {
    if (typeof at === "number") return Effect.succeed(Math.min(at, journal.head()))
    const held = journal.read(journal.first() - 1, Number.MAX_SAFE_INTEGER)
    const found = held.findLast((entry) => entry.at <= at.ms)
    return found === undefined ? store.lastAt(at.ms) : Effect.succeed(found.seq)
  })

/** Before the first entry of all: while the database is away, of this process. */
const beginning = ({ journal, store }: PastParts): Effect.Effect<number, DatabaseError> =>
  store.oldest.pipe(
    Effect.map((oldest) => (oldest === null ? journal.base : oldest - 1)),
    Effect.catchTag("DatabaseUnavailable", () => Effect.succeed(journal.base))
  )

/** Numbers of one process that did not come. */
const missingIn = (entries: ReadonlyArray<StoredEntry>): number =>
  entries.reduce((sum, entry, index) => {
    const before = entries[index - 1]
    return before?.boot === entry.boot ? sum + entry.seq - before.seq - 1 : sum
  }, 0)

const unknown = (message: string): Refused => new Refused({ status: 404, more: { message } })

/** What was at a moment, as it is answered; fails with a 404 where nothing tells. */
export const momentOf = (parts: PastParts, at: Asked) =>
  Effect.gen(function* () {
    const { journal, pictures } = parts
    const seq = yield* numberOf(parts, at)
    if (seq === null) return yield* unknown("nothing is kept of that time")
    const kept = yield* pictures.before(seq)
    const after = kept?.after ?? (yield* beginning(parts))
    // The moment at which a picture was taken is the picture, with nothing to fold.
    if (kept === null && after >= seq) return yield* unknown("it is before the beginning of the journal")
    const read = yield* readUp(
      parts,
      { after, sinceMs: null, before: seq + 1 },
      { path: null, types: null },
      pictureLimits.foldMax
    )
    if (read.length >= pictureLimits.foldMax)
      return yield* unknown("too much happened since the last picture before it")
    const picture = foldPast(kept?.picture ?? nothingKnown(journal.boot, read[0]?.at ?? 0), read)
    return {
      seq,
      at: isoOf(picture.at),
      boot: picture.boot,
      folded: read.length,
      missing: missingIn(read),
      health: picture.health === null ? null : past.healthItem(picture.health),
      components: picture.components.map(past.componentItem),
      orders: picture.orders?.map(past.orderItem) ?? null,
      positions: picture.positions?.map(past.positionItem) ?? null,
      is_part: picture.isPart
    }
  })

/** The routes of this file. */
export const pastRoutes = (parts: PastParts): ReadonlyArray<Route> => [
  route(wire.getPast, ({ query: { at } }) =>
    Effect.map(momentOf(parts, at), (json) => ({ status: 200, json }))
  )
]
