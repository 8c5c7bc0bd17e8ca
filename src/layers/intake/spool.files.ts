/**
 * The files of the spool: which segments there are, what is still to be taken out of them, and which one is written.
 *
 * Segments are written one after the other and drained in the same order; a drained one is removed whole. There is no note of how
 * far a drain came: after a crash the segment is drained again from its beginning, and the identities of its posts make that
 * harmless. A note would be one more file to flush, and one that could contradict the others.
 *
 * Promises: a write is whole on the disk or an error; after an error its file is never written again, and nobody waits for what is
 * tidied up after it; what is given out by `next` stays in its file until `drained`; a file that is not what was written is kept
 * under another name and reported once; a segment is forgotten only when its file is out of the way; no number comes twice.
 * Never: reads and writes one file at the same time.
 * Failure: `DiskFault`.
 */
import { Effect, Schedule, Semaphore } from "effect"
import { spoolLimits } from "../../domain/kernel/limits-kept.ts"
import { decodeSpoolRecord } from "../../wire/spool-record.ts"
import type { IntakeRow } from "../signals/intake-store.port.ts"
import type { DiskFault, SpoolDiskService } from "./spool-disk.port.ts"
import { encodeRecord, readSegment, SEGMENT_HEADER, type SegmentContent } from "./spool.format.ts"
import type { SpooledPost, SpoolFinding } from "./spool.port.ts"

interface Segment {
  readonly name: string
  bytes: number
  /** Posts that are still to be drained. */
  posts: number
  firstAtMs: number | null
  /** Written no more. */
  sealed: boolean
}

/** The segment that is being drained, and how far. */
interface Reading {
  readonly segment: Segment
  readonly content: SegmentContent
  readonly posts: ReadonlyArray<SpooledPost>
  /** Posts that were written and are not in it. */
  readonly missing: number
  at: number
  /** How many of the last `next`. */
  given: number
}

const segmentName = /^\d{12}\.spool$/
/** Also of what is kept beside the segments: a number that came again would overwrite it. */
const numberedName = /^(\d{12})\.spool(?:\.damaged)?$/
const nameOf = (number: number): string => `${String(number).padStart(12, "0")}.spool`
/** Reading a segment fails this often before it is put aside: a disk that is slow once is no damage. */
const readsMax = 3

/** The record of a post. */
export const recordOf = (row: IntakeRow, receivedAtMs: number): Buffer =>
  encodeRecord(JSON.stringify({ at: receivedAtMs, row }))

/** The posts of a segment, and how many of its records are none. */
const postsOf = (content: SegmentContent): { posts: ReadonlyArray<SpooledPost>; strange: number } => {
  const posts = content.records.flatMap((text): ReadonlyArray<SpooledPost> => {
    const record = decodeSpoolRecord(text)
    if (record === null) return []
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked for what no row can be without; the rest is as it was written
    return [{ row: { ...(record.row as unknown as IntakeRow), receivedAtMs: record.at } }]
  })
  return { posts, strange: content.records.length - posts.length }
}

/** Whether there is something in the file that was not given out. */
const isDamaged = ({ content, missing, posts }: Pick<Reading, "content" | "missing" | "posts">): boolean =>
  !content.known || content.damaged > 0 || missing > 0 || posts.length < content.records.length

export interface SpoolFiles {
  readonly open: (each: (post: SpooledPost) => void) => Effect.Effect<void, DiskFault>
  readonly write: (records: ReadonlyArray<Buffer>, firstAtMs: number) => Effect.Effect<void, DiskFault>
  readonly next: Effect.Effect<ReadonlyArray<SpooledPost>, DiskFault>
  /** The posts of the last `next` are stored. */
  readonly drained: Effect.Effect<ReadonlyArray<SpooledPost>>
  readonly putAside: (posts: ReadonlyArray<SpooledPost>) => Effect.Effect<void, DiskFault>
  /** Removes what writes that failed have left in their files, as far as the disk lets it. */
  readonly tidy: Effect.Effect<void>
  /** Posts that are still to be drained. Every post of the intake asks. */
  readonly posts: () => number
  readonly totals: () => {
    readonly bytes: number
    readonly segments: number
    readonly oldestAtMs: number | null
  }
}

/** What the functions of one spool share. */
interface Shelf {
  readonly disk: SpoolDiskService
  readonly found: (finding: SpoolFinding) => Effect.Effect<void>
  /** Oldest first; only the last one may be written. */
  readonly segments: Array<Segment>
  /** Those whose last write failed, and whose files may have more than they should. */
  readonly untidy: Array<Segment>
  reading: Reading | null
  number: number
  reads: number
  /** One write at a time. Whoever takes a segment to be drained asks for it only to close that one. */
  readonly writing: Semaphore.Semaphore
}

const report = (
  shelf: Shelf,
  file: string,
  content: SegmentContent,
  strange: number,
  missing = 0
): Effect.Effect<void> => {
  const { damaged, known, torn } = content
  if (!known) return shelf.found({ what: "unreadable", file, detail: "it is no segment of this version" })
  if (damaged > 0 || strange > 0 || missing > 0)
    return shelf.found({
      what: "damaged",
      file,
      detail: `${damaged} places with bytes that are no record, ${strange} records that are no post, ${missing} posts that were written and are not there`
    })
  return torn > 0
    ? shelf.found({ what: "torn", file, detail: `${torn} bytes at its end are no whole record` })
    : Effect.void
}

/** Out of the way under another name, because a person may still make something of it. */
const rename = ({ disk }: Shelf, name: string) => disk.rename(name, `${name}.damaged`)

/** Reported first: a file that cannot be renamed either needs somebody all the more. */
const putAway = (shelf: Shelf, name: string, fault: DiskFault): Effect.Effect<void, DiskFault> =>
  Effect.andThen(shelf.found({ what: "unreadable", file: name, detail: fault.message }), rename(shelf, name))

/** A start has the time to wait between two attempts. */
const readPatiently = ({ disk }: Shelf, name: string) =>
  disk
    .read(name)
    .pipe(Effect.retry(Schedule.spaced(spoolLimits.readPauseMs).pipe(Schedule.upTo({ times: readsMax - 1 }))))

const openOne = (shelf: Shelf, name: string, each: (post: SpooledPost) => void) =>
  Effect.gen(function* () {
    const bytes = yield* readPatiently(shelf, name).pipe(
      Effect.catch((fault) => Effect.as(putAway(shelf, name, fault), null))
    )
    if (bytes === null) return
    const content = readSegment(bytes)
    const { posts, strange } = postsOf(content)
    if (posts.length === 0) {
      yield* report(shelf, name, content, strange)
      yield* isDamaged({ content, posts, missing: 0 }) ? rename(shelf, name) : shelf.disk.remove(name)
      return
    }
    posts.forEach(each)
    const firstAtMs = posts[0]?.row.receivedAtMs ?? null
    shelf.segments.push({ name, bytes: bytes.length, posts: posts.length, firstAtMs, sealed: true })
  })

const openAll = (shelf: Shelf, each: (post: SpooledPost) => void) =>
  Effect.gen(function* () {
    const names = yield* shelf.disk.list
    // Opening may be tried again after it failed in between, and in a life that has opened it before.
    shelf.segments.length = 0
    shelf.untidy.length = 0
    shelf.reading = null
    shelf.reads = 0
    shelf.number = names.reduce(
      (most, name) => Math.max(most, Number(numberedName.exec(name)?.[1] ?? 0)),
      shelf.number
    )
    const ours = names.filter((name) => segmentName.test(name)).toSorted()
    for (const name of ours) yield* openOne(shelf, name, each)
  })

const forget = ({ segments }: Shelf, segment: Segment): void => {
  const at = segments.indexOf(segment)
  if (at >= 0) segments.splice(at, 1)
}

/** The last write of a segment failed: it is written no more. Senders wait for this answer, so its file is seen to later. */
const giveUp = (shelf: Shelf, segment: Segment): void => {
  segment.sealed = true
  shelf.untidy.push(segment)
  if (segment.posts === 0) forget(shelf, segment)
}

/** One attempt each: what stays in a file is stored once more than its sender knows, which its identity makes harmless. */
const tidy = (shelf: Shelf): Effect.Effect<void> =>
  Effect.suspend(() =>
    Effect.forEach(
      shelf.untidy.splice(0),
      (segment) =>
        Effect.ignore(
          shelf.segments.includes(segment)
            ? shelf.disk.cut(segment.name, segment.bytes)
            : shelf.disk.remove(segment.name)
        ),
      { discard: true }
    )
  )

const write = (shelf: Shelf, records: ReadonlyArray<Buffer>, firstAtMs: number) =>
  Effect.suspend(() => {
    const last = shelf.segments.at(-1)
    const open = last === undefined || last.sealed ? null : last
    const bytes = Buffer.concat(open === null ? [SEGMENT_HEADER, ...records] : records)
    const made = (): Segment => {
      shelf.number += 1
      const segment = { name: nameOf(shelf.number), bytes: 0, posts: 0, firstAtMs, sealed: false }
      shelf.segments.push(segment)
      return segment
    }
    const segment = open ?? made()
    const done = Effect.sync(() => {
      segment.bytes += bytes.length
      segment.posts += records.length
      if (segment.bytes >= spoolLimits.segmentBytesMax) segment.sealed = true
    })
    const { disk } = shelf
    return (open === null ? disk.create(segment.name, bytes) : disk.append(segment.name, bytes)).pipe(
      Effect.andThen(done),
      Effect.tapError(() => Effect.sync(() => giveUp(shelf, segment))),
      // A writer that is ended in the middle does not know what is on the disk.
      Effect.onInterrupt(() => Effect.sync(() => giveUp(shelf, segment)))
    )
  })

/** The segment to be drained now, read from its file. */
const readOldest = (shelf: Shelf): Effect.Effect<Reading | null, DiskFault> =>
  Effect.gen(function* () {
    if (shelf.reading !== null) return shelf.reading
    const [segment] = shelf.segments
    if (segment === undefined) return null
    // A write that is under way may be into this very file.
    yield* shelf.writing.withPermit(Effect.sync(() => void (segment.sealed = true)))
    // That write may have failed, and its segment be gone.
    if (shelf.segments[0] !== segment) return yield* readOldest(shelf)
    const bytes = yield* shelf.disk.read(segment.name)
    shelf.reads = 0
    const content = readSegment(bytes)
    const { posts, strange } = postsOf(content)
    const missing = Math.max(0, segment.posts - posts.length)
    yield* report(shelf, segment.name, content, strange, missing)
    segment.posts = posts.length
    shelf.reading = { segment, content, posts, missing, at: 0, given: 0 }
    return shelf.reading
  })

/** The segment is drained. What cannot be removed is drained again by the next life, which changes nothing. */
const leave = (shelf: Shelf, reading: Reading): Effect.Effect<void> => {
  const { name } = reading.segment
  shelf.reading = null
  forget(shelf, reading.segment)
  return (isDamaged(reading) ? rename(shelf, name) : shelf.disk.remove(name)).pipe(
    Effect.catch((fault) => shelf.found({ what: "unreadable", file: name, detail: fault.message }))
  )
}

/** How many posts make the next batch, from `at` on: at least one. */
const batchFrom = ({ at, posts }: Reading): number => {
  let bytes = 0
  let count = 0
  for (const { row } of posts.slice(at, at + spoolLimits.drainRowsMax)) {
    bytes += Buffer.byteLength(row.body)
    if (count > 0 && bytes > spoolLimits.drainBytesMax) break
    count += 1
  }
  return count
}

const next = (shelf: Shelf): Effect.Effect<ReadonlyArray<SpooledPost>, DiskFault> =>
  Effect.gen(function* () {
    for (;;) {
      const reading = yield* readOldest(shelf)
      if (reading === null) return []
      if (reading.at < reading.posts.length) {
        reading.given = batchFrom(reading)
        return reading.posts.slice(reading.at, reading.at + reading.given)
      }
      yield* leave(shelf, reading)
    }
  }).pipe(
    Effect.tapError((fault) => {
      shelf.reads += 1
      const [segment] = shelf.segments
      if (shelf.reads < readsMax || segment === undefined) return Effect.void
      shelf.reads = 0
      // Where its file cannot be moved it stays in the way, and is tried again: nobody may believe that it is drained.
      return putAway(shelf, segment.name, fault).pipe(
        Effect.andThen(Effect.sync(() => forget(shelf, segment))),
        Effect.ignore
      )
    })
  )

const drained = (shelf: Shelf): Effect.Effect<ReadonlyArray<SpooledPost>> =>
  Effect.suspend(() => {
    const { reading } = shelf
    if (reading === null) return Effect.succeed([])
    const posts = reading.posts.slice(reading.at, reading.at + reading.given)
    reading.at += reading.given
    reading.given = 0
    reading.segment.posts -= posts.length
    return Effect.as(reading.at < reading.posts.length ? Effect.void : leave(shelf, reading), posts)
  })

const aside = "refused-by-the-database.spool"

const putAside = ({ disk }: Shelf, posts: ReadonlyArray<SpooledPost>) =>
  Effect.gen(function* () {
    const records = posts.map(({ row: { receivedAtMs, ...row } }) => recordOf(row, receivedAtMs))
    const isThere = (yield* disk.list).includes(aside)
    yield* isThere
      ? disk.append(aside, Buffer.concat(records))
      : disk.create(aside, Buffer.concat([SEGMENT_HEADER, ...records]))
  })

const postsIn = ({ segments }: Shelf): number => {
  let sum = 0
  for (const { posts } of segments) sum += posts
  return sum
}

const totalsOf = ({ reading, segments }: Shelf): ReturnType<SpoolFiles["totals"]> => ({
  bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
  segments: segments.length,
  oldestAtMs: reading?.posts[reading.at]?.row.receivedAtMs ?? segments[0]?.firstAtMs ?? null
})

/** A file that stays where it is, because the disk does not let go of it, is read again and again. */
const onceEach = (found: Shelf["found"]): Shelf["found"] => {
  // Bounded by the files that were found wrong.
  const told = new Set<string>()
  return (finding) =>
    Effect.suspend(() => {
      const key = `${finding.what} ${finding.file}`
      if (told.has(key)) return Effect.void
      told.add(key)
      return found(finding)
    })
}

/** The files on this disk. `found` is told what is wrong with one. */
export const makeSpoolFiles = (disk: SpoolDiskService, found: Shelf["found"]): SpoolFiles => {
  const writing = Semaphore.makeUnsafe(1)
  const shelf: Shelf = {
    disk,
    found: onceEach(found),
    segments: [],
    untidy: [],
    reading: null,
    number: 0,
    reads: 0,
    writing
  }
  // Of its own: a sender that waits for a write must not wait for a slow read as well.
  const draining = Semaphore.makeUnsafe(1)
  return {
    open: (each) => draining.withPermit(writing.withPermit(openAll(shelf, each))),
    write: (records, firstAtMs) => writing.withPermit(write(shelf, records, firstAtMs)),
    next: draining.withPermit(next(shelf)),
    drained: draining.withPermit(drained(shelf)),
    putAside: (posts) => draining.withPermit(putAside(shelf, posts)),
    tidy: writing.withPermit(tidy(shelf)),
    posts: () => postsIn(shelf),
    totals: () => totalsOf(shelf)
  }
}
