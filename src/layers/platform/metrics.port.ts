/**
 * Metrics: what is counted while requests are served, and the port of the text a scraper gets.
 *
 * Counters and histograms are Effect metrics, so that a component that updates one of its own shows up here without
 * being known. Recording and exposing are two services, because the text reads from everything that records.
 *
 * Promises: recording is synchronous, takes about a microsecond and never fails; label values come from bounded sets;
 * names follow the Prometheus conventions (base units, `_total`), which `promtool` checks.
 * Never: puts a symbol, an account or anything else an outsider chooses into a label.
 */
import { Clock, Context, Effect, Layer, Metric } from "effect"

/**
 * Why a post got 503 before it waited for a commit. `reading`, `posts` and `bytes` are the bounds of the intake;
 * `database`, `stalled` (the commit in progress is overdue) and `spool` (it holds earlier posts): the spool could not take it.
 */
export type PostRefusal =
  | "stopping"
  | "database"
  | "no_worker"
  | "stalled"
  | "spool"
  | "reading"
  | "posts"
  | "bytes"

export interface MetricsService {
  /** An exchange was answered. `route` is a pattern of the table, never a path. `seconds` from headers to the end. */
  readonly answered: (route: string, status: number, seconds: number) => void
  /** A post left the intake queue with this result. `source` is a configured name. */
  readonly postSettled: (source: string, result: string) => void
  /** A post was answered 503 without waiting for a commit. */
  readonly postRefused: (why: PostRefusal) => void
  /** A refused post that should be kept was stored, or was dropped for this reason. */
  readonly postKept: (what: "stored" | "rate" | "room" | "fault") => void
  /** Posts stored in the last 60 seconds. */
  readonly storedLastMinute: () => number
}

const requestSeconds = Metric.histogram("holdfast_http_request_seconds", {
  description: "Time from complete headers to the end of the response.",
  // The budget is 30 ms at p99 and 100 ms at the latest; the buckets are dense below and show how far above.
  boundaries: [0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.5, 5]
})
const requestsTotal = Metric.counter("holdfast_http_requests_total", {
  description: "Responses by route and status.",
  incremental: true
})
const postsTotal = Metric.counter("holdfast_intake_posts_total", {
  description: "Posts that reached the store, by source and result.",
  incremental: true
})

const refusedTotal = Metric.counter("holdfast_intake_refused_total", {
  description: "Posts answered 503 without waiting for a commit, by reason.",
  incremental: true
})

const keptTotal = Metric.counter("holdfast_refused_posts_kept_total", {
  description: "Refused posts that were stored.",
  incremental: true
})
const droppedTotal = Metric.counter("holdfast_refused_posts_dropped_total", {
  description: "Refused posts that were not stored, by reason.",
  incremental: true
})

/** Counts of the last 60 whole seconds, for a rate that needs no second scrape. */
const makeMinute = () => {
  const counts = Array.from({ length: 60 }, () => 0)
  let at = 0
  const advance = (second: number): void => {
    for (let passed = Math.min(second - at, 60); passed > 0; passed -= 1)
      counts[(second - passed + 1) % 60] = 0
    at = Math.max(at, second)
  }
  return {
    add: (nowMs: number): void => {
      const second = Math.floor(nowMs / 1_000)
      advance(second)
      counts[second % 60] = (counts[second % 60] ?? 0) + 1
    },
    total: (nowMs: number): number => {
      advance(Math.floor(nowMs / 1_000))
      return counts.reduce((sum, count) => sum + count, 0)
    }
  }
}

const makeMetrics = (context: Context.Context<never>, nowMs: () => number): MetricsService => {
  const minute = makeMinute()
  // A metric with its labels is made once per label set; the sets are routes, statuses, sources and results.
  const bound = new Map<string, (value: number) => void>()
  const update = (
    metric: Metric.Metric<number, unknown>,
    key: string,
    labels: () => Record<string, string>,
    value: number
  ): void => {
    let push = bound.get(key)
    if (push === undefined) {
      const labelled = Metric.withAttributes(metric, labels())
      push = (amount) => labelled.updateUnsafe(amount, context)
      bound.set(key, push)
    }
    push(value)
  }
  return {
    answered: (route, status, seconds) => {
      update(requestSeconds, `s ${route}`, () => ({ route }), seconds)
      update(requestsTotal, `t ${route} ${status}`, () => ({ route, status: String(status) }), 1)
    },
    postSettled: (source, result) => {
      if (result === "Stored") minute.add(nowMs())
      update(postsTotal, `p ${source} ${result}`, () => ({ source, result: result.toLowerCase() }), 1)
    },
    postRefused: (why) => update(refusedTotal, `r ${why}`, () => ({ why }), 1),
    postKept: (what) =>
      what === "stored"
        ? update(keptTotal, "k", () => ({}), 1)
        : update(droppedTotal, `d ${what}`, () => ({ why: what }), 1),
    storedLastMinute: () => minute.total(nowMs())
  }
}

export class Metrics extends Context.Service<Metrics, MetricsService>()("holdfast/layers/Metrics") {
  static readonly layer: Layer.Layer<Metrics> = Layer.effect(
    Metrics,
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      return makeMetrics(yield* Effect.context<never>(), () => clock.currentTimeMillisUnsafe())
    })
  )
}

/**
 * The whole exposition, format version 0.0.4. Never fails: a figure that cannot be read is left out. Without `named` no line
 * has the name of an account.
 */
export class Exposition extends Context.Service<
  Exposition,
  { readonly text: (named: boolean) => Effect.Effect<string> }
>()("holdfast/layers/Exposition") {}
