/**
 * One look at what the process has left: read, judged, alerted, sampled (E9, T11).
 *
 * Promises: an alert is raised when a figure has been over its limit for several looks, is raised again when it becomes critical,
 * and ends when the figure is well inside the limit; samples wait in memory while the database is away, as many as an hour has.
 * Never: sheds anything: the machine does, by the level that is returned.
 */
import { Clock, Effect } from "effect"
import { resourceLimits } from "../../domain/kernel/limits-kept.ts"
import type { ResourceSettings } from "../../domain/kernel/settings.ts"
import {
  type Feature,
  judgeResources,
  limitAt,
  noPressure,
  type Pressure,
  type Pressures,
  type Resource,
  type ResourceLimits,
  type ResourceReading,
  RESOURCES,
  resourceWords,
  worstOf
} from "../../domain/platform/resources.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { Database } from "../../layers/database/database.port.ts"
import { SignalQueue } from "../../layers/decision/signal-queue.port.ts"
import { IntakeQueue } from "../../layers/intake/intake-queue.port.ts"
import { type ResourceSample, ResourceStore } from "../../layers/operators/resource-store.port.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { Instance } from "../../layers/platform/instance.port.ts"
import { Resources } from "../../layers/platform/resources.port.ts"
import { logEvent } from "../../runtime/log-event.ts"

const MB = 1_048_576

/** The limits in force; those of memory follow from what the process may have where none is set. */
export const limitsOf = (settings: ResourceSettings, memoryBytes: number): ResourceLimits => ({
  rss: {
    high: settings.rssHighMb === null ? memoryBytes * resourceLimits.rssHighShare : settings.rssHighMb * MB,
    critical:
      settings.rssCriticalMb === null
        ? memoryBytes * resourceLimits.rssCriticalShare
        : settings.rssCriticalMb * MB
  },
  heap: { high: settings.heapHighPct, critical: settings.heapCriticalPct },
  loop: { high: settings.loopHighMs, critical: settings.loopCriticalMs },
  disk: { high: settings.diskFreeHighPct, critical: settings.diskFreeCriticalPct },
  pool: { high: settings.poolWaitingHigh, critical: null },
  queue: { high: settings.queueHighMs, critical: null }
})

/** What one incarnation of the component remembers. */
export interface ResourcesWatch {
  readonly path: string
  pressures: Pressures
  /** Looks in a row in which a resource was at its present level. */
  readonly looks: Map<Resource, number>
  /** The level that an alert was raised for; a resource that is missing was not looked at yet. */
  readonly alerted: Map<Resource, Pressure>
  reading: ResourceReading | null
  worst: ResourceReading | null
  sampledAtMs: number
  waiting: ReadonlyArray<ResourceSample>
  lost: number
  /** As the machine last published it. */
  state: string
  shed: ReadonlyArray<Feature>
}

export const makeResourcesWatch = (path: string, nowMs: number): ResourcesWatch => ({
  path,
  pressures: noPressure,
  looks: new Map(),
  alerted: new Map(),
  reading: null,
  worst: null,
  sampledAtMs: nowMs,
  waiting: [],
  lost: 0,
  state: "Normal",
  shed: []
})

const take = Effect.gen(function* () {
  const resources = yield* Resources
  const database = yield* Database
  const posts = yield* IntakeQueue
  const signals = yield* SignalQueue
  const read = yield* resources.read
  return {
    ...read,
    poolWaiting: database.stats().waiting,
    queueMs: Math.max(posts.oldestMs(), signals.current()?.oldestMs ?? 0)
  } satisfies ResourceReading
})

const worse = (one: ResourceReading | null, other: ResourceReading): ResourceReading =>
  one === null
    ? other
    : {
        rssBytes: Math.max(one.rssBytes, other.rssBytes),
        heapUsedBytes: Math.max(one.heapUsedBytes, other.heapUsedBytes),
        heapLimitBytes: other.heapLimitBytes,
        loopMs: Math.max(one.loopMs, other.loopMs),
        diskFreePct:
          one.diskFreePct === null || other.diskFreePct === null
            ? other.diskFreePct
            : Math.min(one.diskFreePct, other.diskFreePct),
        poolWaiting: Math.max(one.poolWaiting, other.poolWaiting),
        queueMs: Math.max(one.queueMs, other.queueMs)
      }

/** One alert per resource and node: two processes may have one disk, and each has a memory of its own. */
const alertResource = (
  watch: ResourcesWatch,
  resource: Resource,
  limits: ResourceLimits,
  reading: ResourceReading
) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const node = (yield* Instance).current()?.nodeId ?? "none"
    const dedupKey = `resources.over_limit:${resource}:${node}`
    const pressure = watch.pressures[resource]
    const known = watch.alerted.get(resource)
    if (pressure === "normal") {
      if (known === "normal") return
      watch.alerted.set(resource, "normal")
      return yield* alerts.resolve(dedupKey, "it is within its limits again")
    }
    if (known === pressure || (watch.looks.get(resource) ?? 0) < resourceLimits.overReadings) return
    watch.alerted.set(resource, pressure)
    const limit = limitAt(limits, resource, pressure)
    return yield* alerts.raise({
      severity: pressure === "critical" ? "HIGH" : "MEDIUM",
      kind: "resources.over_limit",
      dedupKey,
      message: resourceWords(resource, reading, limit),
      component: watch.path,
      detail: { resource, level: pressure, limit, node },
      standing: true
    })
  })

const sample = (watch: ResourcesWatch, nowMs: number) =>
  Effect.gen(function* () {
    const { worst } = watch
    if (worst === null || nowMs - watch.sampledAtMs < resourceLimits.sampleMs) return
    const node = (yield* Instance).current()?.nodeId ?? null
    const all = [...watch.waiting, { ...worst, node, atMs: nowMs, state: watch.state, shed: watch.shed }]
    watch.waiting = all.slice(-resourceLimits.samplesWaitingMax)
    watch.lost += all.length - watch.waiting.length
    watch.worst = null
    watch.sampledAtMs = nowMs
    const database = yield* Database
    if (database.availability.current() !== "available") return
    const store = yield* ResourceStore
    yield* store.add(watch.waiting).pipe(
      Effect.andThen(
        Effect.sync(() => {
          watch.waiting = []
        })
      ),
      Effect.catchTags({
        DatabaseUnavailable: ({ message }) =>
          logEvent("debug", "resources.not_stored", message, { component: watch.path }),
        // These rows are refused for good; the next ones may not be.
        DatabaseFault: ({ message }) =>
          Effect.suspend(() => {
            watch.lost += watch.waiting.length
            watch.waiting = []
            return logEvent("warn", "resources.not_stored", message, { component: watch.path })
          })
      })
    )
  })

/** One look. Returns the worst level of all resources. */
export const lookAtResources = (watch: ResourcesWatch) =>
  Effect.gen(function* () {
    const settings = yield* Config
    const { memoryBytes } = yield* Resources
    const nowMs = yield* Clock.currentTimeMillis
    const reading = yield* take
    const limits = limitsOf(settings.resources, memoryBytes)
    const pressures = judgeResources(reading, limits, watch.pressures)
    for (const resource of RESOURCES) {
      const isSame = pressures[resource] === watch.pressures[resource]
      watch.looks.set(resource, isSame ? (watch.looks.get(resource) ?? 0) + 1 : 1)
    }
    watch.pressures = pressures
    watch.reading = reading
    watch.worst = worse(watch.worst, reading)
    for (const resource of RESOURCES) yield* alertResource(watch, resource, limits, reading)
    yield* sample(watch, nowMs)
    return worstOf(pressures)
  })
