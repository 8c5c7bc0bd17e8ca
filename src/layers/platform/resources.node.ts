/**
 * Resources on Node.
 *
 * The event loop has a histogram of its own here: a reading resets it, which must not shorten what others see.
 *
 * Promises: the histogram ends with the layer.
 * Never: starts a timer of ours.
 * Failure: a file system that does not answer within a second, or cannot say how much is free, is null.
 */
import { Effect, Layer } from "effect"
import { statfs } from "node:fs/promises"
import { totalmem } from "node:os"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { getHeapStatistics } from "node:v8"
import { Config } from "./config.port.ts"
import { Resources } from "./resources.port.ts"
import { LOOP_SAMPLED_MS } from "./worker.node.ts"

const DISK_MS_MAX = 1_000

/**
 * The free part of a file system, in percent. A call to one that hangs cannot be taken back and holds a thread of the pool that
 * all files and names share, so there is never a second one before the first has ended.
 */
const freePctOf = (folder: string, ask: typeof statfs): Effect.Effect<number | null> => {
  let isAsking = false
  const asked = async (): Promise<number | null> => {
    isAsking = true
    try {
      const { bavail, blocks } = await ask(folder)
      return blocks > 0 ? (100 * bavail) / blocks : null
    } finally {
      isAsking = false
    }
  }
  return Effect.suspend(() => (isAsking ? Effect.succeed(null) : Effect.tryPromise(asked))).pipe(
    Effect.timeoutOption(DISK_MS_MAX),
    Effect.map((found) => (found._tag === "Some" ? found.value : null)),
    Effect.orElseSucceed(() => null)
  )
}

/** Of the cgroup where it has a limit; an unlimited one reports zero or more than there is. */
const memoryOf = (): number => {
  const constrained = process.constrainedMemory()
  const total = totalmem()
  return constrained > 0 && constrained < total ? constrained : total
}

/** `ask` is what asks the file system. */
export const resourcesOn = (ask: typeof statfs): Layer.Layer<Resources, never, Config> =>
  Layer.effect(
    Resources,
    Effect.gen(function* () {
      const { dataDir } = yield* Config
      const freePct = freePctOf(dataDir, ask)
      const loop = yield* Effect.acquireRelease(
        Effect.sync(() => {
          const made = monitorEventLoopDelay({ resolution: LOOP_SAMPLED_MS })
          made.enable()
          return made
        }),
        (made) => Effect.sync(() => made.disable())
      )
      const loopMs = (): number => {
        const nanos = loop.percentile(99)
        loop.reset()
        return Math.max(0, (Number.isFinite(nanos) ? nanos : 0) / 1e6 - LOOP_SAMPLED_MS)
      }
      return Resources.of({
        memoryBytes: memoryOf(),
        read: Effect.map(freePct, (diskFreePct) => {
          const { heapUsed, rss } = process.memoryUsage()
          return {
            rssBytes: rss,
            heapUsedBytes: heapUsed,
            heapLimitBytes: getHeapStatistics().heap_size_limit,
            loopMs: loopMs(),
            diskFreePct
          }
        })
      })
    })
  )

export const layerResources: Layer.Layer<Resources, never, Config> = resourcesOn(statfs)
