/**
 * IntakeQueue as one worker and one multi-row commit at a time.
 *
 * A batching timer was measured at three milliseconds per lone post and no gain under load, so there is none: the
 * commit in progress is the timer.
 *
 * Promises: those of the port; the worker never ends by a failure of the store.
 * Never: holds more posts or bytes than the bounds, the ones already answered `Late` included.
 * Failure: when the database is away the batch is answered `Unavailable`; a store that refuses a batch is
 * given its rows one by one, so that only the row it refuses is `Broken`.
 */
import { FAULT_POINTS, faultPoint } from "../platform/fault-point.ts"
import { Cause, Clock, Effect, Layer } from "effect"
import { intakeLimits } from "../../domain/kernel/limits-signals.ts"
import { Alerts } from "../alerts/alerts.port.ts"
import { type DatabaseFault, DatabaseUnavailable } from "../database/database.port.ts"
import { settleWith } from "./intake-queue.settle.ts"
import {
  IntakeQueue,
  type IntakeQueueService,
  type PostResult,
  type SettledPost
} from "./intake-queue.port.ts"
import { type IntakeRow, IntakeStore, type IntakeStoreService } from "../signals/intake-store.port.ts"
import { Metrics, type PostRefusal } from "../platform/metrics.port.ts"
import { Wake } from "../platform/wake.port.ts"

interface Waiting {
  readonly row: IntakeRow
  /** Size of its body. Everything else of a row is bounded field by field and small. */
  readonly bytes: number
  readonly takenAtMs: number
  readonly done: (result: PostResult) => void
  answered: boolean
}

const bytesOf = (row: IntakeRow): number => Buffer.byteLength(row.body)

const answer = (post: Waiting, result: PostResult): void => {
  if (post.answered) return
  post.answered = true
  post.done(result)
}

/** A bell for one fiber: two rings are one, and a ring before the wait is not lost. */
const makeBell = () => {
  let rung = false
  let release: (() => void) | null = null
  return {
    ring: (): void => {
      rung = true
      release?.()
    },
    wait: Effect.callback<void>((resume) => {
      const wake = () => {
        rung = false
        release = null
        resume(Effect.void)
      }
      if (rung) {
        wake()
        return undefined
      }
      release = wake
      return Effect.sync(() => {
        if (release === wake) release = null
      })
    })
  }
}

type BatchResult = ReadonlyArray<PostResult>

const resultOfFailure = (cause: Cause.Cause<DatabaseUnavailable | DatabaseFault>): PostResult => {
  const error = Cause.squash(cause)
  return error instanceof DatabaseUnavailable ? { _tag: "Unavailable" } : { _tag: "Broken", cause: error }
}

/** Stores a batch. Contention is retried once; a batch the database refuses is stored row by row to find the culprit. */
const storeBatch = (store: IntakeStoreService, rows: ReadonlyArray<IntakeRow>): Effect.Effect<BatchResult> =>
  store.store(rows).pipe(
    Effect.retry({
      times: 1,
      while: (error) => error._tag === "DatabaseUnavailable" && error.reason === "contention"
    }),
    Effect.catchCause((cause): Effect.Effect<BatchResult> => {
      if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
      const result = resultOfFailure(cause)
      if (result._tag === "Unavailable" || rows.length === 1) return Effect.succeed(rows.map(() => result))
      return Effect.forEach(rows, (row) =>
        Effect.map(storeBatch(store, [row]), (results): PostResult => results[0] ?? result)
      )
    })
  )

/** What a queue is made of. `settled` gets each result after the sender did; `nowMs` never goes back. */
interface QueueParts {
  readonly store: IntakeStoreService
  readonly settled: (posts: ReadonlyArray<SettledPost>) => Effect.Effect<void>
  /** Counts a post that was not accepted. */
  readonly refused: (why: PostRefusal) => void
  readonly nowMs: () => number
}

/** The waiting posts, in order of arrival: those not yet given to the store, and those not yet answered. */
const makePosts = (nowMs: () => number) => {
  const waiting: Array<Waiting> = []
  let open: Array<Waiting> = []
  let bytes = 0
  /** The oldest unanswered post. Answers come nearly in order, so answered ones are at the front. */
  const oldest = (): Waiting | undefined => {
    let answered = 0
    while (open[answered]?.answered === true) answered += 1
    if (answered > 0) open = open.slice(answered)
    return open[0]
  }
  /** These are no longer held: the store is done with them, or they were answered before it got them. */
  const drop = (posts: ReadonlyArray<Waiting>): void => {
    for (const post of posts) bytes -= post.bytes
  }
  return {
    oldest,
    add: (row: IntakeRow, done: Waiting["done"]): void => {
      const post: Waiting = { row, bytes: bytesOf(row), done, takenAtMs: nowMs(), answered: false }
      bytes += post.bytes
      waiting.push(post)
      open.push(post)
    },
    /** The next batch, without those that were answered meanwhile. Its bytes are held until it is dropped. */
    take: (): ReadonlyArray<Waiting> => {
      const next = waiting.splice(0, intakeLimits.batchRowsMax)
      drop(next.filter((post) => post.answered))
      return next.filter((post) => !post.answered)
    },
    drop,
    bytes: (): number => bytes,
    hasWork: (): boolean => waiting.length > 0,
    unanswered: (): number => (oldest() === undefined ? 0 : open.length),
    // A post answered `Late` still occupies a place until its turn at the store.
    refusalOf: (more: number): "posts" | "bytes" | null => {
      if (Math.max(open.length, waiting.length) >= intakeLimits.waitingPostsMax) return "posts"
      return bytes + more > intakeLimits.waitingBytesMax ? "bytes" : null
    },
    oldestMs: (): number => {
      const first = oldest()
      return first === undefined ? 0 : Math.max(0, nowMs() - first.takenAtMs)
    },
    /** Answers all and forgets them. What the store was given may be stored; its re-send is a duplicate. */
    close: (): void => {
      for (const post of open) answer(post, { _tag: "Late" })
      waiting.length = 0
      open = []
      bytes = 0
    }
  }
}

/** Answers each post `Late` at its deadline. All have the same, so the oldest is next: one fiber serves thousands. */
const watchDeadlines = (
  posts: ReturnType<typeof makePosts>,
  bell: ReturnType<typeof makeBell>,
  nowMs: () => number
): Effect.Effect<never> =>
  Effect.forever(
    Effect.suspend(() => {
      const oldest = posts.oldest()
      if (oldest === undefined) return bell.wait
      const leftMs = oldest.takenAtMs + intakeLimits.commitMsMax - nowMs()
      return leftMs > 0 ? Effect.sleep(leftMs) : Effect.sync(() => answer(oldest, { _tag: "Late" }))
    })
  )

const makeQueue = ({ nowMs, refused, settled, store }: QueueParts): IntakeQueueService => {
  const posts = makePosts(nowMs)
  const work = makeBell()
  const deadline = makeBell()
  let running = 0
  /** The oldest post of the batch the store has now. */
  let underWay: Waiting | undefined
  const stalled = (): boolean =>
    underWay !== undefined && nowMs() - underWay.takenAtMs >= intakeLimits.commitMsMax
  let batches = 0
  let rows = 0

  const refusalOf = (row: IntakeRow): PostRefusal | null => {
    if (running === 0) return "no_worker"
    return stalled() ? "stalled" : posts.refusalOf(bytesOf(row))
  }

  const storeOnce = Effect.gen(function* () {
    const batch = posts.take()
    if (batch.length === 0) return
    underWay = batch[0]
    for (const { row } of batch) faultPoint(FAULT_POINTS.intakeBeforeCommit, row.symbol ?? "")
    const results = yield* storeBatch(
      store,
      batch.map((post) => post.row)
    )
    for (const { row } of batch) faultPoint(FAULT_POINTS.intakeCommitted, row.symbol ?? "")
    underWay = undefined
    posts.drop(batch)
    batches += 1
    rows += batch.length
    const answered = batch.map((post, index): SettledPost => {
      const result = results[index] ?? { _tag: "Broken" as const, cause: "the store returned no outcome" }
      answer(post, result)
      return { row: post.row, result }
    })
    yield* settled(answered)
  })
  const storing = Effect.forever(Effect.suspend(() => (posts.hasWork() ? storeOnce : work.wait)))

  return {
    submit: (row, done) => {
      const first = posts.oldest() === undefined
      const why = refusalOf(row)
      if (why !== null) {
        refused(why)
        return false
      }
      posts.add(row, done)
      work.ring()
      if (first) deadline.ring()
      return true
    },
    worker: Effect.suspend(() => {
      running += 1
      return Effect.raceFirst(storing, watchDeadlines(posts, deadline, nowMs))
    }).pipe(
      Effect.ensuring(
        Effect.sync(() => {
          running -= 1
          underWay = undefined
          posts.close()
        })
      )
    ),
    alive: () => running > 0,
    stalled,
    hasRoom: () => posts.refusalOf(1) === null,
    bytes: posts.bytes,
    depth: posts.unanswered,
    oldestMs: posts.oldestMs,
    totals: () => ({ batches, rows })
  }
}

export const IntakeQueueBatch: Layer.Layer<IntakeQueue, never, Alerts | Metrics | IntakeStore | Wake> =
  Layer.effect(
    IntakeQueue,
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const metrics = yield* Metrics
      const settled = settleWith({ wake: yield* Wake, alerts: yield* Alerts, metrics })
      return makeQueue({
        store: yield* IntakeStore,
        settled,
        refused: metrics.postRefused,
        nowMs: () => Number(clock.currentTimeNanosUnsafe() / 1_000n) / 1_000
      })
    })
  )
