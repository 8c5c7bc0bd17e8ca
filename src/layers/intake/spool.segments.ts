/**
 * Spool as files: posts become records, those that wait for the disk share one write and one fsync.
 *
 * Promises: those of the port; a post is refused at once when the spool cannot take it, and never waits for a disk that has
 * failed; the order of records is the order in which posts were appended.
 * Never: runs by itself: the component owns the writer, the drain and the proof.
 * Failure: a write that fails refuses its posts and all that wait, and stands as the fault until the disk is proven.
 */
import { Clock, Effect, Exit, Layer } from "effect"
import { CANARY } from "../../domain/kernel/canary.ts"
import { spoolLimits } from "../../domain/kernel/limits-kept.ts"
import type { SpoolSettings } from "../../domain/kernel/settings.ts"
import { Alerts } from "../alerts/alerts.port.ts"
import { Database } from "../database/database.port.ts"
import { Config } from "../platform/config.port.ts"
import { FAULT_POINTS, faultPoint } from "../platform/fault-point.ts"
import { Metrics } from "../platform/metrics.port.ts"
import { Wake } from "../platform/wake.port.ts"
import type { IntakeOutcome, IntakeRow } from "../signals/intake-store.port.ts"
import { makeBell } from "./intake-bell.ts"
import type { PostResult, SettledPost } from "./intake-queue.port.ts"
import { settleWith } from "./intake-queue.settle.ts"
import { DiskFault, SpoolDisk, type SpoolDiskService } from "./spool-disk.port.ts"
import { makeSpoolFiles, recordOf, type SpoolFiles } from "./spool.files.ts"
import { makeSpoolIndex } from "./spool-index.ts"
import { reportFinding } from "./spool-report.ts"
import { Spool, type SpoolFault, type SpoolFinding, type SpoolLook, type SpoolService } from "./spool.port.ts"

interface Waiting {
  readonly row: IntakeRow
  readonly atMs: number
  readonly record: Buffer
  readonly done: (result: PostResult) => void
  /** Equal posts that came while this one waited, and what they are answered once it is on the disk. */
  readonly equals: Array<{ row: IntakeRow; outcome: IntakeOutcome; done: (result: PostResult) => void }>
}

interface Parts {
  readonly disk: SpoolDiskService
  readonly bounds: SpoolSettings
  /** Epoch milliseconds. */
  readonly nowMs: () => number
  /** False until it is known whether the database is there: an ordinary start spools nothing. */
  readonly isDecided: () => boolean
  /** Gets each result after the sender did. */
  readonly settled: (posts: ReadonlyArray<SettledPost>) => Effect.Effect<void>
  readonly found: (finding: SpoolFinding) => Effect.Effect<void>
}

/** What the functions of one spool share. */
interface State extends Parts {
  readonly files: SpoolFiles
  readonly index: ReturnType<typeof makeSpoolIndex>
  readonly work: ReturnType<typeof makeBell>
  readonly listeners: Set<() => void>
  readonly waiting: Array<Waiting>
  /** The group that is being written. */
  group: ReadonlyArray<Waiting>
  waitingBytes: number
  /** Results that were given at once, and are still to be settled. */
  told: Array<SettledPost>
  phase: "opening" | "open"
  fault: SpoolFault | null
  /** Something changed that nobody was told of. */
  isNews: boolean
  handingOver: boolean
  sinceEmpty: number
  spooled: number
  refused: number
  drained: number
  damaged: number
}

/** Posts whose turn has not come yet: in memory, being written, or in files. */
const held = ({ files, group, waiting }: State): number => files.posts() + group.length + waiting.length

const changed = ({ listeners }: State): void => {
  for (const listener of listeners) listener()
}

/** The bounds of the settings, for a record of so many bytes. */
const boundReached = (state: State, more: number): SpoolFault | null => {
  const { bytesMax, postsMax } = state.bounds
  const posts = held(state)
  if (posts >= postsMax) return { kind: "full", message: `it holds ${posts} of ${postsMax} posts` }
  const bytes = state.files.totals().bytes + state.waitingBytes
  return bytes + more > bytesMax ? { kind: "full", message: `it holds ${bytes} of ${bytesMax} bytes` } : null
}

/** A record of usual size: whether one would fit is what is shown. */
const usualBytes = 2_048

const faultOf = (state: State): SpoolFault | null => state.fault ?? boundReached(state, usualBytes)

const lookOf = (state: State): SpoolLook => ({
  phase: state.phase,
  fault: faultOf(state),
  posts: held(state),
  bytes: state.files.totals().bytes,
  segments: state.files.totals().segments,
  oldestAtMs: state.files.totals().oldestAtMs ?? (state.group[0] ?? state.waiting[0])?.atMs ?? null,
  sinceEmpty: state.sinceEmpty,
  spooled: state.spooled,
  refused: state.refused,
  drained: state.drained,
  damaged: state.damaged
})

/** An identity that the spool holds: answered at once when it is on the disk, else with the post it repeats. */
const answerHeld = (
  state: State,
  row: IntakeRow,
  outcome: IntakeOutcome,
  done: (result: PostResult) => void
): void => {
  const id =
    outcome._tag === "Conflict"
      ? outcome.signalId
      : outcome._tag === "Duplicate"
        ? outcome.answer.signal_id
        : ""
  const first = [...state.group, ...state.waiting].find((one) => one.row.id === id)
  if (first !== undefined) {
    first.equals.push({ row, outcome, done })
    return
  }
  done(outcome)
  state.told.push({ row, result: outcome })
  state.work.ring()
}

const hasRoom = (state: State, bytes: number): boolean =>
  state.fault === null &&
  boundReached(state, bytes) === null &&
  state.waiting.length + state.group.length < spoolLimits.waitingMax &&
  state.waitingBytes + bytes <= spoolLimits.waitingBytesMax

const append = (state: State, row: IntakeRow, done: (result: PostResult) => void): boolean => {
  // The canary proves the way through the database (T9).
  if (state.phase !== "open" || !state.isDecided() || row.source === CANARY) return false
  const outcome = state.index.outcomeOf(row)
  if (outcome !== undefined) {
    answerHeld(state, row, outcome, done)
    return true
  }
  const atMs = state.nowMs()
  const record = recordOf(row, atMs)
  if (!hasRoom(state, record.length)) {
    state.refused += 1
    // Whoever watches is told by the writer: this may be called by one of them.
    state.isNews = true
    state.work.ring()
    return false
  }
  state.index.add(row)
  state.waiting.push({ row, atMs, record, done, equals: [] })
  state.waitingBytes += record.length
  state.work.ring()
  return true
}

const takeGroup = (state: State): ReadonlyArray<Waiting> => {
  let bytes = 0
  const end = state.waiting.findIndex(({ record }, index) => {
    bytes += record.length
    return index >= spoolLimits.groupMax || (index > 0 && bytes > spoolLimits.groupBytesMax)
  })
  return state.waiting.splice(0, end < 0 ? state.waiting.length : end)
}

/** Answers posts that are done with, and returns what is to be settled of them. */
const finish = (state: State, posts: ReadonlyArray<Waiting>, isStored: boolean): ReadonlyArray<SettledPost> =>
  posts.flatMap(({ done, equals, record, row }) => {
    state.waitingBytes -= record.length
    if (!isStored) state.index.remove(row)
    const result: PostResult = isStored ? { _tag: "Spooled" } : { _tag: "Unavailable" }
    done(result)
    const others = equals.map((one): SettledPost => {
      const answer = isStored ? one.outcome : result
      one.done(answer)
      return { row: one.row, result: answer }
    })
    return [{ row, result }, ...others]
  })

const faultOfDisk = ({ full, message }: DiskFault): SpoolFault => ({
  kind: full ? "full" : "failed",
  message
})

/** Writes what waits as one group. What waits behind a failed write is refused with it: its senders have no time to lose. */
const writeOnce = (state: State): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { files, told } = state
    state.told = []
    if (told.length > 0) yield* state.settled(told)
    if (state.isNews) {
      state.isNews = false
      changed(state)
    }
    const [first] = state.waiting
    if (first === undefined) return
    const group = takeGroup(state)
    state.group = group
    const exit = yield* Effect.exit(
      files.write(
        group.map(({ record }) => record),
        first.atMs
      )
    )
    if (Exit.isSuccess(exit))
      for (const { row } of group) faultPoint(FAULT_POINTS.spoolWritten, row.symbol ?? "")
    state.group = []
    const failure = Exit.findErrorOption(exit)
    if (failure._tag === "Some") state.fault = faultOfDisk(failure.value)
    const isStored = Exit.isSuccess(exit)
    const refused = isStored ? [] : state.waiting.splice(0)
    // Before anybody is answered: who asks after its answer finds it counted.
    if (isStored) {
      state.spooled += group.length
      state.sinceEmpty += group.length
    } else state.refused += group.length + refused.length
    const settled = [...finish(state, group, isStored), ...finish(state, refused, false)]
    changed(state)
    yield* state.settled(settled)
    // Only a defect or the end of the writer is left, and both are its owner's.
    if (failure._tag === "None") yield* Effect.orDie(exit)
  })

const isIdle = ({ isNews, told, waiting }: State): boolean =>
  waiting.length === 0 && told.length === 0 && !isNews

/** Whoever waits when nobody writes any more gets the answer that its post is not known to be stored. */
const abandon = (state: State): void => {
  const posts = [...state.group, ...state.waiting.splice(0)]
  state.group = []
  finish(state, posts, false)
}

const tooSlow = (file: string) =>
  new DiskFault({ operation: "read", file, code: `not done within ${spoolLimits.openMsMax} ms`, full: false })

const open = (state: State): Effect.Effect<void, DiskFault> =>
  Effect.suspend(() => {
    state.index.clear()
    return state.files
      .open(({ row }) => state.index.add(row))
      .pipe(
        Effect.timeoutOrElse({
          duration: spoolLimits.openMsMax,
          orElse: () => Effect.fail(tooSlow(state.disk.directory))
        }),
        Effect.andThen(
          Effect.sync(() => {
            state.phase = "open"
            state.fault = null
            state.sinceEmpty = state.files.posts()
            changed(state)
          })
        ),
        Effect.tapError((fault) =>
          Effect.sync(() => {
            state.fault = faultOfDisk(fault)
            changed(state)
          })
        )
      )
  })

/** Emptied files are the end of what was spooled together. */
const emptied = (state: State): void => {
  if (held(state) > 0) return
  state.sinceEmpty = 0
  state.index.clear()
}

const drained = (state: State): Effect.Effect<void> =>
  Effect.map(state.files.drained, (posts) => {
    for (const { row } of posts) state.index.remove(row)
    state.drained += posts.length
    emptied(state)
    changed(state)
  })

const prove = (state: State): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (state.phase === "opening") return Effect.ignore(open(state))
    return Effect.map(Effect.exit(state.disk.probe), (exit) => {
      const failure = Exit.findErrorOption(exit)
      if (failure._tag === "Some") state.fault = faultOfDisk(failure.value)
      else if (Exit.isSuccess(exit)) state.fault = null
      changed(state)
    })
  })

const makeState = (parts: Parts): State => {
  const state: State = {
    ...parts,
    files: makeSpoolFiles(parts.disk, (finding) => {
      if (finding.what !== "torn") state.damaged += 1
      return parts.found(finding)
    }),
    index: makeSpoolIndex(),
    work: makeBell(),
    listeners: new Set(),
    waiting: [],
    group: [],
    waitingBytes: 0,
    told: [],
    phase: "opening",
    fault: null,
    isNews: false,
    handingOver: false,
    sinceEmpty: 0,
    spooled: 0,
    refused: 0,
    drained: 0,
    damaged: 0
  }
  return state
}

const makeSpool = (parts: Parts): SpoolService => {
  const state = makeState(parts)
  const listen = (listener: () => void): (() => void) => {
    state.listeners.add(listener)
    return () => void state.listeners.delete(listener)
  }
  return {
    append: (row, done) => append(state, row, done),
    takesAll: () => state.phase === "open" && !state.handingOver && held(state) > 0,
    // Nobody knows what is there until it was read; what cannot be read must not stop a database that is well.
    isEmpty: () => (state.phase === "opening" ? state.fault !== null : held(state) === 0),
    look: () => lookOf(state),
    listen,
    open: open(state),
    writer: Effect.forever(Effect.suspend(() => (isIdle(state) ? state.work.wait : writeOnce(state)))).pipe(
      Effect.ensuring(Effect.sync(() => abandon(state)))
    ),
    next: Effect.tapError(state.files.next, () => Effect.sync(() => changed(state))),
    drained: drained(state),
    handOver: (on) => {
      if (on === state.handingOver) return
      state.handingOver = on
      // Those that waited for an empty spool go through it after all.
      changed(state)
    },
    settle: state.settled,
    putAside: state.files.putAside,
    prove: prove(state),
    // The writer may be in the middle of a group: the files are asked for their turn after it.
    flush: Effect.repeat(Effect.andThen(writeOnce(state), state.files.settled), {
      until: () => isIdle(state) && state.group.length === 0
    }).pipe(Effect.asVoid)
  }
}

/** The spool of a process that takes posts. */
export const spoolSegments: Layer.Layer<
  Spool,
  never,
  Alerts | Config | Database | Metrics | SpoolDisk | Wake
> = Layer.effect(
  Spool,
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const alerts = yield* Alerts
    const { spool } = yield* Config
    const { availability } = yield* Database
    return makeSpool({
      disk: yield* SpoolDisk,
      bounds: spool,
      nowMs: () => clock.currentTimeMillisUnsafe(),
      isDecided: () => availability.current() !== "unknown",
      settled: settleWith({ wake: yield* Wake, alerts, metrics: yield* Metrics }),
      found: reportFinding(alerts)
    })
  })
)

const closed: SpoolLook = {
  phase: "closed",
  fault: null,
  posts: 0,
  bytes: 0,
  segments: 0,
  oldestAtMs: null,
  sinceEmpty: 0,
  spooled: 0,
  refused: 0,
  drained: 0,
  damaged: 0
}

/** No spool: a process that takes no posts has none, and what it cannot store is refused. */
export const spoolClosed: Layer.Layer<Spool> = Layer.succeed(Spool, {
  append: () => false,
  takesAll: () => false,
  isEmpty: () => true,
  look: () => closed,
  listen: () => () => undefined,
  open: Effect.void,
  writer: Effect.never,
  next: Effect.succeed([]),
  drained: Effect.void,
  handOver: () => undefined,
  settle: () => Effect.void,
  putAside: () => Effect.void,
  prove: Effect.void,
  flush: Effect.void
})
