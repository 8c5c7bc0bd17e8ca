/**
 * Queue watch: samples the undecided signals once a second, for health and metrics, and rings for what waits.
 *
 * One look serves both: a pipeline that looked by itself as well would ask the same of the same rows, each second of an idle day.
 *
 * Promises: the first look follows the database's return at once; a look that fails leaves "unknown" and the next one
 * follows; costs one indexed statement; whoever decides is rung for while anything waits, canaries included, or nobody knows.
 * Never: queries a database that is away, or ends before it is interrupted.
 */
import { Effect, Stream } from "effect"
import { claimLimits } from "../../domain/kernel/limits-signals.ts"
import { Database } from "../../layers/database/database.port.ts"
import { SignalQueue } from "../../layers/decision/signal-queue.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { SignalsStore } from "../../layers/decision/signals-store.port.ts"
import { describeCause } from "../../runtime/exit-reason.ts"
import { logEvent } from "../../runtime/log-event.ts"

/** Runs until it is interrupted. */
export const queueWatch = Effect.gen(function* () {
  const database = yield* Database
  const queue = yield* SignalQueue
  const store = yield* SignalsStore
  const wake = yield* Wake
  const look = store.backlog.pipe(
    // A defect too is only a failed look: nobody restarts this fiber, and health would keep showing the last one.
    Effect.catchCause((cause) =>
      Effect.as(
        logEvent("warn", "queue.unread", `the queue of signals could not be read: ${describeCause(cause)}`, {
          component: "root"
        }),
        null
      )
    ),
    Effect.map((found) => {
      queue.assign(found)
      if (found?.waiting ?? true) wake.notify("signals")
    }),
    Effect.andThen(Effect.sleep(claimLimits.backlogEveryMs))
  )
  return yield* database.availability.changes.pipe(
    Stream.switchMap((state) =>
      Stream.fromEffect(state === "available" ? Effect.forever(look) : Effect.sync(() => queue.assign(null)))
    ),
    Stream.runDrain
  )
})
