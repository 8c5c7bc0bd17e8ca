/**
 * Lifecycle: the one flag that shows whether this process is stopping.
 *
 * A stop is ordered (T8): new posts are refused first, the listener closes last, and between the two every child of
 * the tree stops in its own time. The flag is what the first step sets, so that the HTTP side and `/health` report
 * "stopping" from the first moment and not only when their own turn comes.
 *
 * Promises: `announceStop` is synchronous, idempotent and callable from a signal handler; `awaitStop` completes for
 * every waiter.
 * Never: stops anything by itself, and never goes back to running.
 */
import { Context, Effect, Layer } from "effect"

export interface LifecycleService {
  /** True from the first request to stop on. */
  readonly stopping: () => boolean
  /** ISO time of the first request to stop, null while running. */
  readonly stoppingSince: () => Date | null
  /** Announces that the process stops. The second call changes nothing. */
  readonly announceStop: (at: Date) => void
  /** Completes when a stop is announced, at once when it was announced before. */
  readonly awaitStop: Effect.Effect<void>
}

const makeLifecycle = (): LifecycleService => {
  let since: Date | null = null
  const waiters = new Set<() => void>()
  return {
    stopping: () => since !== null,
    stoppingSince: () => since,
    announceStop: (at) => {
      if (since !== null) return
      since = at
      for (const release of waiters) release()
      waiters.clear()
    },
    awaitStop: Effect.callback<void>((resume) => {
      if (since !== null) {
        resume(Effect.void)
        return undefined
      }
      const release = () => resume(Effect.void)
      waiters.add(release)
      return Effect.sync(() => {
        waiters.delete(release)
      })
    })
  }
}

export class Lifecycle extends Context.Service<Lifecycle, LifecycleService>()("holdfast/layers/Lifecycle") {
  static readonly layer: Layer.Layer<Lifecycle> = Layer.sync(Lifecycle, makeLifecycle)
}
