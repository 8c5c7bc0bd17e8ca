/**
 * Spool as files: posts become records, those that wait for the disk share one write and one fsync.
 *
 * Promises: those of the port; a post is refused at once when the spool cannot take it, and never waits for a disk that has
 * failed, or for longer than its sender does; the order of records is the order in which posts were appended.
 * Never: runs by itself: the component owns the writer, the drain and the proof, and without a writer nothing is taken.
 * Failure: a write that fails refuses its posts and all that wait, and stands as the fault until the disk is proven.
 */
import { Clock, Effect, Exit, Layer, Semaphore } from "effect"
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
import {
  Spool,
  type SpooledPost,
  type SpoolFault,
  type SpoolFinding,
  type SpoolLook,
  type SpoolService
} from "./spool.port.ts"

interface Waiting {
  readonly row: IntakeRow
  readonly atMs: number
  /** When it must be answered, by the clock of `monotonicMs`. */
  readonly dueMs: number
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
  /** Never goes back. */
  readonly monotonicMs: () => number
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
  /** One group at a time, whoever writes it. */
  readonly turn: Semaphore.Semaphore
  /** Fibers that run `writer`. */
  writers: number
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

const unowned: SpoolFault = { kind: "failed", message: "nobody writes it" }

const faultOf = (state: State): SpoolFault | null =>
  state.fault ?? (state.phase === "open" && state.writers === 0 ? unowned : boundReached(state, usualBytes))

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

/** Whether a record of so many bytes may wait for its write. */
const hasPlace = (state: State, bytes: number): boolean =>
  state.waiting.length + state.group.length < spoolLimits.waitingMax &&
  state.waitingBytes + bytes <= spoolLimits.waitingBytesMax

/** What a post is answered, and what health and the intake say that it would be. */
const takes = (state: State): boolean =>
  state.phase === "open" && state.isDecided() && faultOf(state) === null && hasPlace(state, usualBytes)

const append = (
  state: State,
  row: IntakeRow,
  done: (result: PostResult) => void,
  waitedMs: number
): boolean => {
  // The canary proves the way through the database (T9).
  if (state.phase !== "open" || state.writers === 0 || !state.isDecided() || row.source === CANARY)
    return false
  const outcome = state.index.outcomeOf(row)
  if (outcome !== undefined) {
    answerHeld(state, row, outcome, done)
    return true
  }
  const atMs = state.nowMs()
  const record = takes(state) ? recordOf(row, atMs) : null
  if (record === null || boundReached(state, record.length) !== null || !hasPlace(state, record.length)) {
    state.refused += 1
    // Whoever watches is told by the writer: this may be called by one of them.
    state.isNews = true
    state.work.ring()
    return false
  }
  state.index.add(row)
  const dueMs = state.monotonicMs() + spoolLimits.answerMsMax - waitedMs
  state.waiting.push({ row, atMs, dueMs, record, done, equals: [] })
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

const tooSlow = (operation: string, file: string, ms: number) =>
  new DiskFault({ operation, file, code: `not done within ${ms} ms`, full: false })

/** A write that takes longer than a post of it can wait has failed, like one that the disk refuses. */
const writeInTime = (state: State, group: ReadonlyArray<Waiting>, { atMs }: Waiting) => {
  const dueMs = group.reduce((first, one) => Math.min(first, one.dueMs), Number.POSITIVE_INFINITY)
  const leftMs = Math.max(spoolLimits.writeMsMin, Math.ceil(dueMs - state.monotonicMs()))
  return state.files
    .write(
      group.map(({ record }) => record),
      atMs
    )
    .pipe(
      Effect.timeoutOrElse({
        duration: leftMs,
        orElse: () => Effect.fail(tooSlow("write", state.disk.directory, leftMs))
      })
    )
}

/** Writes what waits as one group. What waits behind a failed write is refused with it: its senders have no time to lose. */
const writeOnce = (state: State): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { told } = state
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
    const exit = yield* Effect.exit(writeInTime(state, group, first))
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

const writeInTurn = (state: State): Effect.Effect<void> => state.turn.withPermit(writeOnce(state))

/** Whoever waits when nobody writes any more gets the answer that its post is not known to be stored. */
const abandon = (state: State): void => {
  const posts = [...state.group, ...state.waiting.splice(0)]
  state.group = []
  finish(state, posts, false)
}

/** The life of the writes. One that is ended before it began has owned nothing. */
const writer = (state: State): Effect.Effect<never> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      state.writers += 1
      changed(state)
    }),
    () => Effect.forever(Effect.suspend(() => (isIdle(state) ? state.work.wait : writeInTurn(state)))),
    () =>
      Effect.sync(() => {
        state.writers -= 1
        if (state.writers === 0) abandon(state)
      })
  )

/** Reads what is there. What waits for its write is on no disk yet, and known all the same. */
const read = (state: State): Effect.Effect<void, DiskFault> =>
  Effect.suspend(() => {
    state.index.clear()
    for (const { row } of [...state.group, ...state.waiting]) state.index.add(row)
    return state.files
      .open(({ row }) => state.index.add(row))
      .pipe(
        Effect.timeoutOrElse({
          duration: spoolLimits.openMsMax,
          orElse: () => Effect.fail(tooSlow("read", state.disk.directory, spoolLimits.openMsMax))
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
        ),
        Effect.onInterrupt(() =>
          Effect.sync(() => {
            state.fault ??= { kind: "failed", message: "reading it was ended before it was done" }
          })
        )
      )
  })

/** Until it was read again nobody knows what is there, whatever this process knew before: nothing may overtake it meanwhile. */
const open = (state: State): Effect.Effect<void, DiskFault> =>
  Effect.suspend(() => {
    state.phase = "opening"
    state.fault = null
    changed(state)
    return read(state)
  })

/** Emptied files are the end of what was spooled together. */
const emptied = (state: State): void => {
  if (held(state) > 0) return
  state.sinceEmpty = 0
  state.index.clear()
}

/** Files that turn out to hold nothing, or cannot be read, end what was spooled as well. */
const next = (state: State): Effect.Effect<ReadonlyArray<SpooledPost>, DiskFault> => {
  const news = Effect.sync(() => {
    emptied(state)
    changed(state)
  })
  return state.files.next.pipe(
    Effect.tap((posts) => (posts.length === 0 ? news : Effect.void)),
    Effect.tapError(() => news)
  )
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
    // Its fault stands until it was read: what cannot be read does not stop a database that is well.
    if (state.phase === "opening") return Effect.ignore(read(state))
    return Effect.map(Effect.exit(Effect.andThen(state.files.tidy, state.disk.probe)), (exit) => {
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
    turn: Semaphore.makeUnsafe(1),
    writers: 0,
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
    append: (row, done, waitedMs = 0) => append(state, row, done, waitedMs),
    takes: () => takes(state),
    takesAll: () => state.phase === "open" && state.writers > 0 && !state.handingOver && held(state) > 0,
    // Nobody knows what is there until it was read; what cannot be read, or has no owner, must not stop a database that is well.
    isEmpty: () =>
      state.phase === "opening" ? state.fault !== null : state.writers === 0 || held(state) === 0,
    look: () => lookOf(state),
    listen,
    open: open(state),
    writer: writer(state),
    next: next(state),
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
    flush: Effect.repeat(writeInTurn(state), { until: () => isIdle(state) }).pipe(Effect.asVoid)
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
      monotonicMs: () => Number(clock.monotonicTimeNanosUnsafe() / 1_000n) / 1_000,
      isDecided: () => availability.current() !== "unknown",
      settled: settleWith({ wake: yield* Wake, alerts, metrics: yield* Metrics }),
      found: reportFinding(alerts)
    })
  })
)
