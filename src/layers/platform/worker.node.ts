/**
 * Worker on Node: its own histograms and counters, read when somebody asks.
 *
 * The exposition resets its event-loop figures with every scrape, so this has a histogram of its own: reading it
 * must not shorten what the scraper sees.
 *
 * Promises: the histogram and the observer end with the layer.
 * Never: starts a timer of ours.
 * Failure: a figure that the engine does not provide is zero.
 */
import { monitorEventLoopDelay, performance, PerformanceObserver } from "node:perf_hooks"
import { getHeapStatistics } from "node:v8"
import { Clock, Effect, Layer } from "effect"
import { Worker, type WorkerReading } from "./worker.port.ts"

/** Node's histogram counts from one sample to the next, so this much of each figure is no delay. */
export const LOOP_SAMPLED_MS = 20

/** After this the event-loop figures restart with the next read. */
const WINDOW_MS = 60_000

const beyondSampling = (nanos: number): number =>
  Math.max(0, (Number.isFinite(nanos) ? nanos : 0) / 1e6 - LOOP_SAMPLED_MS)

const makeLoop = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const histogram = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const made = monitorEventLoopDelay({ resolution: LOOP_SAMPLED_MS })
      made.enable()
      return made
    }),
    (made) => Effect.sync(() => made.disable())
  )
  let sinceMs = clock.currentTimeMillisUnsafe()
  let usedBefore = performance.eventLoopUtilization()
  return (): WorkerReading["eventLoop"] => {
    const nowMs = clock.currentTimeMillisUnsafe()
    const reading = {
      sinceMs,
      meanMs: beyondSampling(histogram.mean),
      p99Ms: beyondSampling(histogram.percentile(99)),
      maxMs: beyondSampling(histogram.max),
      utilization: performance.eventLoopUtilization(usedBefore).utilization
    }
    if (nowMs - sinceMs >= WINDOW_MS) {
      histogram.reset()
      usedBefore = performance.eventLoopUtilization()
      sinceMs = nowMs
    }
    return reading
  }
})

const makeCollections = Effect.gen(function* () {
  const seen = { count: 0, totalMs: 0, maxMs: 0 }
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      const observer = new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) {
          seen.count += 1
          seen.totalMs += duration
          seen.maxMs = Math.max(seen.maxMs, duration)
        }
      })
      observer.observe({ entryTypes: ["gc"] })
      return observer
    }),
    (observer) => Effect.sync(() => observer.disconnect())
  )
  return (): WorkerReading["gc"] => ({ ...seen })
})

const memoryNow = (): WorkerReading["memory"] => {
  const { external, heapTotal, heapUsed, rss } = process.memoryUsage()
  return {
    rssBytes: rss,
    heapUsedBytes: heapUsed,
    heapTotalBytes: heapTotal,
    heapLimitBytes: getHeapStatistics().heap_size_limit,
    externalBytes: external
  }
}

export const layerWorker: Layer.Layer<Worker> = Layer.effect(
  Worker,
  Effect.gen(function* () {
    const loop = yield* makeLoop
    const collections = yield* makeCollections
    return Worker.of({
      read: () => ({
        pid: process.pid,
        node: process.version,
        startedAtMs: performance.timeOrigin,
        eventLoop: loop(),
        gc: collections(),
        memory: memoryNow()
      })
    })
  })
)
