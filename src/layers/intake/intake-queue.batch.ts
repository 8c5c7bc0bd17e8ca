/**
 * IntakeQueue as one worker and one multi-row commit at a time.
 *
 * A batching timer was measured at three milliseconds per lone post and no gain under load, so there is none: the
 * commit in progress is the timer.
 *
 * Promises: those of the port; the worker never ends by a failure of the store.
 * Never: holds more posts or bytes than the bounds, the ones already answered `Late` included.
 * Failure: a batch that the database does not take, or not in time, goes to the spool with all that wait behind it, in their order;
 * what the spool cannot take either is `Unavailable` or `Late`.
 */
import { FAULT_POINTS, faultPoint } from "../platform/fault-point.ts"
import { Clock, Effect, Layer } from "effect"
import { intakeLimits } from "../../domain/kernel/limits-signals.ts"
import { Alerts } from "../alerts/alerts.port.ts"
import { makeBell } from "./intake-bell.ts"
import { settleWith } from "./intake-queue.settle.ts"
import {
  IntakeQueue,
  type IntakeQueueService,
  type PostResult,
  type SettledPost
} from "./intake-queue.port.ts"
import { storeBatch } from "./intake-store-batch.ts"
import { Spool, type SpoolService } from "./spool.port.ts"
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

/** What a queue is made of. `settled` gets each result after the sender did; `nowMs` never goes back. */
interface QueueParts {
  readonly store: IntakeStoreService
  readonly spool: SpoolService
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
    /** All that are not answered, those that the store has now included, in order of arrival. */
    open: (): ReadonlyArray<Waiting> => open.filter((post) => !post.answered),
    // A post answered `Late` still occupies a place until its turn at the store.
    refusalOf: (more: number): "posts" | "bytes" | null => {
      if (Math.max(open.length, waiting.length) >= intakeLimits.waitingPostsMax) return "posts"
      return bytes + more > intakeLimits.waitingBytesMax ? "bytes" : null
    },
    waitedMs: (post: Waiting): number => Math.max(0, nowMs() - post.takenAtMs),
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

type Posts = ReturnType<typeof makePosts>

/**
 * The database does not take what it was given, or not in time: the spool takes all that is unanswered, in the order of arrival.
 * Also what the store has now, and what is not due yet: a younger post that reached the spool before them would overtake them.
 * What the spool cannot take stays here.
 */
const divert = (posts: Posts, spool: SpoolService): void => {
  if (!spool.takes()) return
  for (const post of posts.open()) {
    const done = (result: PostResult): void => post.done(result)
    // Marked first: the spool may answer at once.
    post.answered = true
    if (!spool.append(post.row, done, posts.waitedMs(post))) post.answered = false
  }
}

/** Answers a batch by its results, and returns what is to be settled: not what the spool has taken meanwhile and will store. */
const conclude = (
  posts: Posts,
  spool: SpoolService,
  batch: ReadonlyArray<Waiting>,
  results: ReadonlyArray<PostResult>
): ReadonlyArray<SettledPost> => {
  const given = batch.map((post, index) => ({
    post,
    result: results[index] ?? { _tag: "Broken" as const, cause: "the store returned no outcome" }
  }))
  const lost = given.filter(({ result }) => result._tag === "Unavailable")
  for (const { post, result } of given) if (result._tag !== "Unavailable") answer(post, result)
  // Those that wait behind a batch that was lost must not overtake it.
  if (lost.length > 0) divert(posts, spool)
  const spooled = new Set(lost.flatMap(({ post }) => (post.answered ? [post] : [])))
  for (const { post, result } of lost) answer(post, result)
  return given.flatMap(({ post, result }) => (spooled.has(post) ? [] : [{ row: post.row, result }]))
}

/** The deadline of each post. All have the same, so the oldest is next: one fiber serves thousands. */
const watchDeadlines = (
  posts: Posts,
  spool: SpoolService,
  bell: ReturnType<typeof makeBell>,
  nowMs: () => number
): Effect.Effect<never> =>
  Effect.forever(
    Effect.suspend(() => {
      const oldest = posts.oldest()
      if (oldest === undefined) return bell.wait
      const leftMs = oldest.takenAtMs + intakeLimits.commitMsMax - nowMs()
      if (leftMs > 0) return Effect.sleep(leftMs)
      return Effect.sync(() => {
        divert(posts, spool)
        answer(oldest, { _tag: "Late" })
      })
    })
  )

/** No younger post may overtake those that wait here for the database, or for the spool to be empty. */
const followSpool = (
  posts: Posts,
  spool: SpoolService,
  bell: ReturnType<typeof makeBell>
): Effect.Effect<never> =>
  Effect.callback<never>(() => {
    const end = spool.listen(() => {
      if (spool.takesAll()) divert(posts, spool)
      bell.ring()
    })
    return Effect.sync(end)
  })

/** Stores batch after batch, and keeps the deadlines meanwhile. */
const serve = (
  parts: {
    readonly posts: Posts
    readonly spool: SpoolService
    readonly bell: ReturnType<typeof makeBell>
    readonly deadline: ReturnType<typeof makeBell>
    readonly nowMs: () => number
  },
  storeOnce: Effect.Effect<void>
): Effect.Effect<never> => {
  const { bell, deadline, nowMs, posts, spool } = parts
  // What the spool still holds came earlier.
  const hasTurn = (): boolean => posts.hasWork() && spool.isEmpty()
  const storing = Effect.forever(Effect.suspend(() => (hasTurn() ? storeOnce : bell.wait)))
  return Effect.raceFirst(
    Effect.raceFirst(storing, watchDeadlines(posts, spool, deadline, nowMs)),
    followSpool(posts, spool, bell)
  )
}

const roomOf = (posts: Posts): "store" | "refuse" => (posts.refusalOf(1) === null ? "store" : "refuse")

const postureOf = (spool: SpoolService): "spool" | "refuse" => (spool.takes() ? "spool" : "refuse")

const makeQueue = ({ nowMs, refused, settled, spool, store }: QueueParts): IntakeQueueService => {
  const posts = makePosts(nowMs)
  const bell = makeBell()
  const deadline = makeBell()
  let running = 0
  /** The oldest post of the batch the store has now. */
  let underWay: Waiting | undefined
  const stalled = (): boolean =>
    underWay !== undefined && nowMs() - underWay.takenAtMs >= intakeLimits.commitMsMax
  let batches = 0
  let rows = 0

  /** Why the database is not given another post now; null when it is. */
  const away = (): PostRefusal | null => {
    if (!store.available()) return "database"
    return stalled() ? "stalled" : spool.takesAll() ? "spool" : null
  }
  const submit = (row: IntakeRow, done: Waiting["done"]): PostRefusal | null => {
    if (running === 0) return "no_worker"
    const first = posts.oldest() === undefined
    const why = away()
    if (why !== null) {
      // An older one may hang in an INSERT that is not due yet: it goes first, or this one would overtake it.
      divert(posts, spool)
      return spool.append(row, done) ? null : why
    }
    const full = posts.refusalOf(bytesOf(row))
    if (full !== null) return full
    posts.add(row, done)
    bell.ring()
    if (first) deadline.ring()
    return null
  }

  const storeOnce = Effect.gen(function* () {
    const batch = posts.take()
    if (batch.length === 0) return
    underWay = batch[0]
    const given = batch.map(({ row }) => row)
    for (const row of given) faultPoint(FAULT_POINTS.intakeBeforeCommit, row.symbol ?? "")
    const results = yield* storeBatch(store, given)
    for (const row of given) faultPoint(FAULT_POINTS.intakeCommitted, row.symbol ?? "")
    underWay = undefined
    posts.drop(batch)
    batches += 1
    rows += batch.length
    yield* settled(conclude(posts, spool, batch, results))
  })
  return {
    submit: (row, done) => {
      const why = submit(row, done)
      if (why !== null) refused(why)
      return why === null
    },
    worker: Effect.suspend(() => {
      running += 1
      return serve({ posts, spool, bell, deadline, nowMs }, storeOnce)
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
    accepts: () => (running === 0 ? "refuse" : away() === null ? roomOf(posts) : postureOf(spool)),
    bytes: posts.bytes,
    depth: posts.unanswered,
    oldestMs: posts.oldestMs,
    totals: () => ({ batches, rows })
  }
}

export const IntakeQueueBatch: Layer.Layer<
  IntakeQueue,
  never,
  Alerts | Metrics | IntakeStore | Spool | Wake
> = Layer.effect(
  IntakeQueue,
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const metrics = yield* Metrics
    const settled = settleWith({ wake: yield* Wake, alerts: yield* Alerts, metrics })
    return makeQueue({
      store: yield* IntakeStore,
      spool: yield* Spool,
      settled,
      refused: metrics.postRefused,
      nowMs: () => Number(clock.monotonicTimeNanosUnsafe() / 1_000n) / 1_000
    })
  })
)
