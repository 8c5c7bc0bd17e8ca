/**
 * Exposition in Prometheus text: Effect's own metrics and formatter, plus what is read at the moment of the scrape.
 *
 * Effect's formatter and not prom-client: it is in the tree already, sees every Effect metric of the process without
 * registration, and costs about a microsecond per update. The formatter is imported at the first scrape, because
 * nobody scrapes while the listener comes up.
 *
 * Promises: the text passes `promtool check metrics`; a source that cannot be read leaves its families out instead of
 * reporting a number nobody measured.
 * Never: runs a query, because everybody who reaches the listener may scrape: what needs one (the linkage rate) is what its watch
 * last read.
 * Failure: shows as a missing figure.
 */
import { monitorEventLoopDelay } from "node:perf_hooks"
import { Clock, Effect, Layer } from "effect"
import type { RecentLinkage } from "../../domain/health/health.ts"
import { Alerts } from "../alerts/alerts.port.ts"
import { Database, type DatabaseStats } from "../database/database.port.ts"
import { HealthSource } from "./health-source.port.ts"
import { IntakeQueue, type IntakeQueueService } from "../intake/intake-queue.port.ts"
import { type Family, Figures } from "../platform/figures.port.ts"
import { LinkageFigures } from "./linkage.port.ts"
import { formatFamilies } from "./metrics-text.ts"
import { Exposition, Metrics } from "../platform/metrics.port.ts"
import type { Linkage } from "./read-store.port.ts"
import { SignalQueue } from "../decision/signal-queue.port.ts"
import type { Backlog } from "../decision/signals-store.port.ts"

const gauge = (name: string, help: string, value: number): Family => ({
  name,
  help,
  type: "gauge",
  samples: [{ labels: {}, value }]
})
const counter = (name: string, help: string, value: number): Family => ({
  name,
  help,
  type: "counter",
  samples: [{ labels: {}, value }]
})

const intakeFamilies = (queue: IntakeQueueService, perMinute: number): ReadonlyArray<Family> => [
  gauge("holdfast_intake_waiting", "Posts that wait for their commit.", queue.depth()),
  gauge("holdfast_intake_waiting_bytes", "Bytes of the bodies that wait or are being stored.", queue.bytes()),
  gauge(
    "holdfast_intake_oldest_seconds",
    "Age of the oldest post that waits for its commit.",
    queue.oldestMs() / 1_000
  ),
  counter("holdfast_intake_batches_total", "Commits of the intake.", queue.totals().batches),
  counter("holdfast_intake_rows_total", "Posts in those commits.", queue.totals().rows),
  gauge("holdfast_signals_per_minute", "Signals stored in the last minute.", perMinute)
]

/** Left out while unknown: zero would be a number nobody measured. */
const queueFamilies = (backlog: Backlog | null): ReadonlyArray<Family> =>
  backlog === null
    ? []
    : [
        gauge("holdfast_queue_open", "Undecided signals; counted up to a bound.", backlog.open),
        gauge(
          "holdfast_queue_oldest_seconds",
          "How long the oldest undecided signal has waited.",
          backlog.oldestMs / 1_000
        ),
        gauge(
          "holdfast_queue_expired",
          "Undecided signals that are too old to trade; counted up to a bound.",
          backlog.expired
        ),
        gauge(
          "holdfast_dead_letters_open",
          "Dead letters that nobody has replayed; counted up to a bound.",
          backlog.dead
        )
      ]

/** Left out while unknown, as while the database is away: what explains it is `holdfast_database_available`. */
const linkageFamilies = (linkage: Linkage | null): ReadonlyArray<Family> =>
  linkage === null || linkage.rate === null
    ? []
    : [
        gauge("holdfast_linkage_ratio", "Linked fills of our own orders, of all of them.", linkage.rate),
        gauge("holdfast_external_fills", "Fills of orders that are not ours.", linkage.external)
      ]

/** Each left out while there is nothing that it could be a share of. */
const recentFamilies = (linkage: RecentLinkage | null): ReadonlyArray<Family> => [
  ...(linkage === null || linkage.rate === null
    ? []
    : [
        gauge(
          "holdfast_linkage_recent_ratio",
          "Linked fills of our own orders, of the last 1,000.",
          linkage.rate
        )
      ]),
  ...(linkage === null || linkage.coverage === null
    ? []
    : [
        gauge(
          "holdfast_metadata_coverage_ratio",
          "Fills with metadata, of those of the last 1,000 whose source comes with it.",
          linkage.coverage
        )
      ])
]

const databaseFamilies = (stats: DatabaseStats, available: boolean): ReadonlyArray<Family> => [
  gauge("holdfast_database_available", "1 while the database answers.", available ? 1 : 0),
  gauge("holdfast_database_connections", "Open connections of the pool.", stats.openConnections),
  gauge("holdfast_database_calls_in_flight", "Calls in flight.", stats.inFlight),
  gauge("holdfast_database_calls_waiting", "Calls that wait for a connection.", stats.waiting),
  counter("holdfast_database_calls_total", "Calls since start.", stats.callsTotal),
  {
    name: "holdfast_database_errors_total",
    help: "Calls that failed, by kind.",
    type: "counter",
    samples: [
      { labels: { kind: "unavailable" }, value: stats.unavailableTotal },
      { labels: { kind: "fault" }, value: stats.faultsTotal },
      { labels: { kind: "deadline" }, value: stats.deadlinesTotal }
    ]
  }
]

const accountsPath = "root/trading/accounts/"

const componentFamilies = (source: HealthSource["Service"], named: boolean): ReadonlyArray<Family> => {
  const { document } = source.health()
  const components = Object.entries(document.components).filter(
    ([path]) => named || !path.startsWith(accountsPath)
  )
  const statuses = ["starting", "healthy", "degraded", "unhealthy", "stopping"]
  return [
    gauge("holdfast_ready", "1 while posts can be stored durably.", document.ready ? 1 : 0),
    gauge(
      "holdfast_can_trade",
      "1 while at least one account may take on exposure.",
      document.can_trade ? 1 : 0
    ),
    {
      name: "holdfast_status",
      help: "1 for the status of /health.",
      type: "gauge",
      samples: statuses.map((status) => ({ labels: { status }, value: document.status === status ? 1 : 0 }))
    },
    {
      name: "holdfast_component_ready",
      help: "1 while the component is ready.",
      type: "gauge",
      samples: components.map(([component, row]) => ({ labels: { component }, value: row.ready ? 1 : 0 }))
    },
    {
      name: "holdfast_component_restarts_total",
      help: "Restarts of the component since the process started.",
      type: "counter",
      samples: components.map(([component, row]) => ({ labels: { component }, value: row.restarts }))
    }
  ]
}

/** Node's histogram counts from one sample to the next, so this much of each figure is no delay. */
const SAMPLED_MS = 20

const processFamilies = (delay: {
  readonly mean: number
  readonly max: number
  percentile(p: number): number
}): ReadonlyArray<Family> => {
  const seconds = (nanos: number): number =>
    Math.max(0, (Number.isFinite(nanos) ? nanos : 0) / 1e9 - SAMPLED_MS / 1e3)
  return [
    gauge("process_resident_memory_bytes", "Resident memory.", process.memoryUsage.rss()),
    gauge("process_heap_used_bytes", "Used heap of the JavaScript engine.", process.memoryUsage().heapUsed),
    gauge("process_uptime_seconds", "Time since the process started.", process.uptime()),
    {
      name: "holdfast_event_loop_delay_seconds",
      help: "Delay of the event loop since the previous scrape.",
      type: "gauge",
      samples: [
        { labels: { stat: "mean" }, value: seconds(delay.mean) },
        { labels: { stat: "p99" }, value: seconds(delay.percentile(99)) },
        { labels: { stat: "max" }, value: seconds(delay.max) }
      ]
    }
  ]
}

export const ExpositionPrometheus: Layer.Layer<
  Exposition,
  never,
  Alerts | Database | Figures | HealthSource | IntakeQueue | LinkageFigures | Metrics | SignalQueue
> = Layer.effect(
  Exposition,
  Effect.gen(function* () {
    const context = yield* Effect.context()
    const metrics = yield* Metrics
    const alerts = yield* Alerts
    const database = yield* Database
    const figures = yield* Figures
    const source = yield* HealthSource
    const queue = yield* IntakeQueue
    const signals = yield* SignalQueue
    const linkage = yield* LinkageFigures
    const delay = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const histogram = monitorEventLoopDelay({ resolution: SAMPLED_MS })
        histogram.enable()
        return histogram
      }),
      (histogram) => Effect.sync(() => histogram.disable())
    )
    return Exposition.of({
      text: Effect.fnUntraced(function* (named) {
        const prometheus = yield* Effect.promise(() => import("effect/observability/PrometheusMetrics"))
        const { dropped, pending, raised } = alerts.counts()
        const families = [
          ...componentFamilies(source, named),
          ...figures.read(yield* Clock.currentTimeMillis),
          ...intakeFamilies(queue, metrics.storedLastMinute()),
          ...queueFamilies(signals.current()),
          ...databaseFamilies(database.stats(), database.availability.current() === "available"),
          ...linkageFamilies(linkage.all()),
          ...recentFamilies(linkage.current()),
          counter("holdfast_alerts_raised_total", "Alerts raised since start.", raised),
          counter(
            "holdfast_alerts_dropped_total",
            "Alerts dropped for newer ones before they were stored.",
            dropped
          ),
          gauge("holdfast_alerts_pending", "Alerts that wait to be stored.", pending),
          ...processFamilies(delay)
        ]
        delay.reset()
        return prometheus.formatUnsafe(context) + formatFamilies(families)
      })
    })
  })
)
