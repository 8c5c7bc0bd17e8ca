/**
 * Refused posts actor: the refused-posts machine with the effects that store what waits.
 *
 * Promises: one batch at a time; a batch the database could not take goes back to where it came from; one that it refuses
 * is stored row by row, so that only the row it refuses is lost, and counted.
 * Never: holds up whoever refused the post.
 */
import { Effect } from "effect"
import type { RefusedPost } from "../../domain/intake/refused-post.ts"
import { refusedLimits } from "../../domain/kernel/limits-kept.ts"
import type { DatabaseUnavailable } from "../../layers/database/database.port.ts"
import { KeptPosts, type KeptPostsService } from "../../layers/intake/kept-posts.port.ts"
import { RefusedStore } from "../../layers/intake/refused-store.port.ts"
import { type Family, Figures } from "../../layers/platform/figures.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { refusedPostsMachine } from "../../machines/intake/refused-posts.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { effectActor, machineChild, streamActor } from "../../runtime/machine-child.ts"
import { watchDatabase } from "../database/database-watch.ts"

type StoreBatch = Effect.Effect<void, DatabaseUnavailable, KeptPosts | RefusedStore>

const storeBatch = (batch: ReadonlyArray<RefusedPost>): StoreBatch =>
  Effect.gen(function* () {
    const kept = yield* KeptPosts
    const store = yield* RefusedStore
    yield* store.store(batch).pipe(
      Effect.andThen(Effect.sync(() => kept.settle(batch, true))),
      Effect.catchTag("DatabaseFault", (fault): StoreBatch => {
        const [first, ...others] = batch
        if (first === undefined) return Effect.void
        if (others.length > 0) return Effect.forEach(batch, (post) => storeBatch([post]), { discard: true })
        kept.settle(batch, false)
        return logEvent("error", "post.not_kept", `a refused post could not be kept: ${fault.message}`, {
          component: "root/refused-posts",
          source: first.source,
          request_id: first.requestId
        })
      })
    )
  })

/** Stores the next batch; false when nothing waits. What is not stored, whatever the cause, is not lost. */
const storeNext = Effect.gen(function* () {
  const kept = yield* KeptPosts
  const batch = kept.take()
  if (batch.length === 0) return false
  yield* storeBatch(batch).pipe(Effect.onError(() => Effect.sync(() => kept.putBack(batch))))
  return true
})

/** How many are open in the table, as it was last counted. Null: not counted yet. */
interface Open {
  count: number | null
}

const storePosts = (open: Open) =>
  streamActor("refused_posts.store", ({ send }) =>
    Effect.gen(function* () {
      const wake = yield* Wake
      const store = yield* RefusedStore
      const once = Effect.gen(function* () {
        if (yield* storeNext) return send({ type: "batch.stored" })
        open.count = yield* store.open
        return yield* wake.wait("refused-posts", refusedLimits.pollMs)
      })
      yield* Effect.forever(once).pipe(
        Effect.catchTags({
          DatabaseUnavailable: ({ message }) =>
            Effect.sync(() => send({ type: "batch.failed", error: message })),
          // Only counting is left that could fail so.
          DatabaseFault: Effect.die
        })
      )
    })
  )

const flush = effectActor("refused_posts.flush", () => Effect.repeat(storeNext, { while: (more) => more }))

const figuresOf = (kept: KeptPostsService, { count }: Open): ReadonlyArray<Family> => [
  {
    name: "holdfast_refused_posts_waiting",
    help: "Refused posts that wait to be stored.",
    type: "gauge",
    samples: [{ labels: {}, value: kept.counts().waiting }]
  },
  {
    name: "holdfast_refused_posts_open",
    help: "Refused posts that nobody has replayed; counted up to a bound.",
    type: "gauge",
    samples: count === null ? [] : [{ labels: {}, value: count }]
  }
]

/** The component `root/refused-posts`. */
export const refusedPostsActor = (self: ChildSelf) =>
  Effect.gen(function* () {
    const kept = yield* KeptPosts
    const figures = yield* Figures
    const open: Open = { count: null }
    yield* Effect.acquireRelease(
      Effect.sync(() => figures.show(self.path, () => figuresOf(kept, open))),
      (withdraw) => Effect.sync(withdraw)
    )
    return yield* machineChild({
      machine: refusedPostsMachine,
      input: { retryMs: refusedLimits.retryMs, flushDeadlineMs: refusedLimits.flushMsMax },
      actors: { watchDatabase: watchDatabase(), storePosts: storePosts(open), flush },
      stopEvent: { type: "refused_posts.stop" },
      status: () => {
        const { dropped, stored, waiting, waitingBytes } = kept.counts()
        return { detail: { waiting, waiting_bytes: waitingBytes, stored, dropped, open: open.count } }
      }
    })(self)
  })
