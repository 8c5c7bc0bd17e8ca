import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric } from "effect"
import { TestClock } from "effect/testing"
import type { HealthFacts, RecentLinkage } from "../../../src/domain/health/health.ts"
import { Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { Database } from "../../../src/layers/database/database.port.ts"
import { HealthSource, makeHealthSource } from "../../../src/layers/health/health-source.port.ts"
import { IntakeQueue } from "../../../src/layers/intake/intake-queue.port.ts"
import { type Family, Figures } from "../../../src/layers/platform/figures.port.ts"
import { LinkageFigures } from "../../../src/layers/health/linkage.port.ts"
import { formatFamilies } from "../../../src/layers/health/metrics-text.ts"
import { ExpositionPrometheus } from "../../../src/layers/health/metrics.prometheus.ts"
import { Exposition, Metrics } from "../../../src/layers/platform/metrics.port.ts"
import type { Linkage } from "../../../src/layers/health/read-store.port.ts"
import { SignalQueue } from "../../../src/layers/decision/signal-queue.port.ts"

const worker = {
  type: "worker",
  phase: "running",
  ready: true,
  readiness: "optional",
  tags: [],
  since: 0,
  restarts: 0
} as const

const facts: HealthFacts = {
  nowMs: 1_760_000_000_000,
  version: "0.1.0",
  commit: "abc1234",
  mode: "PRACTICE",
  stopping: false,
  startup: { step: "done", n: 1, of: 1, sinceMs: 0, done: true },
  database: "ready",
  spool: "none",
  spooled: 0,
  tradingState: "ACTIVE",
  queue: null,
  takesPosts: true,
  trades: true,
  accounts: [{ id: "paper-1", canTrade: true, reason: null }],
  breakers: [],
  unprotected: [],
  canary: null,
  switchedOff: [],
  calendars: [],
  linkage: null,
  components: [
    { ...worker, path: "root/trading/accounts/acct-7", state: "Owning.Idle", detail: {} },
    {
      path: "root/http",
      type: "worker",
      phase: "running",
      state: 'Serving."odd"\nname',
      ready: true,
      readiness: "required",
      tags: [],
      since: 0,
      restarts: 2,
      detail: {}
    }
  ]
}

const stats = {
  inFlight: 1,
  waiting: 2,
  abandoned: 0,
  openConnections: 3,
  callsTotal: 4,
  unavailableTotal: 5,
  faultsTotal: 6,
  deadlinesTotal: 7,
  retriesTotal: 8,
  silentSocketsTotal: 9
}
const messages = (feed: string, value: number): Family => ({
  name: "holdfast_feed_messages_total",
  help: "Messages.",
  type: "counter",
  samples: [{ labels: { feed }, value }]
})
const nothing = Effect.die("not part of this test")

const recent: RecentLinkage = {
  ours: 8,
  linked: 6,
  rate: 0.75,
  metadataExpected: 4,
  withMetadata: 1,
  coverage: 0.25
}

const services = (all: Linkage | null) =>
  ExpositionPrometheus.pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        Metrics.layer,
        Figures.layer,
        Layer.succeed(Alerts, {
          raise: () => Effect.void,
          draft: Effect.die("nothing is committed with its alert"),
          takePending: () => [],
          resolve: () => Effect.void,
          resolveAllBut: () => Effect.void,
          putBack: () => undefined,
          counts: () => ({ raised: 3, pending: 1, dropped: 0 })
        }),
        Layer.mock(Database, {
          stats: () => stats,
          availability: {
            current: () => "available" as const,
            changes: nothing as never,
            mark: () => undefined
          }
        }),
        Layer.succeed(
          HealthSource,
          makeHealthSource({
            facts: () => facts,
            ping: () => Effect.void,
            actors: () => [],
            timers: () => [],
            handEvents: () => [],
            send: () => Effect.void,
            control: () => Effect.succeed({ unprotected: [] })
          })
        ),
        Layer.succeed(SignalQueue, {
          current: () => ({ open: 12, oldestMs: 3_500, expired: 2, dead: 5, waiting: true }),
          assign: () => undefined
        }),
        Layer.succeed(LinkageFigures, {
          current: () => recent,
          assign: () => undefined,
          all: () => all,
          assignAll: () => undefined
        }),
        Layer.succeed(IntakeQueue, {
          submit: () => false,
          worker: Effect.never,
          alive: () => true,
          stalled: () => false,
          accepts: () => "store",
          bytes: () => 1_234,
          depth: () => 4,
          oldestMs: () => 250,
          totals: () => ({ batches: 10, rows: 100 })
        })
      )
    ),
    // A registry of its own, so that a count is this test's.
    Layer.provideMerge(Layer.sync(Metric.MetricRegistry, () => new Map()))
  )

const linked: Linkage = { ours: 4, linked: 3, rate: 0.75, external: 2 }

describe("the exposition", () => {
  it.effect("says what was recorded and what is true now, one family once", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.parse("2025-10-09T08:53:20Z"))
      const metrics = yield* Metrics
      const figures = yield* Figures
      figures.show("root/feeds/feed:north", () => [messages("north", 41)])
      figures.show("root/feeds/feed:south", () => [messages("south", 2)])
      metrics.answered("/webhook/:source", 201, 0.004)
      metrics.answered("/webhook/:source", 503, 0.4)
      metrics.postSettled("default", "Stored")
      metrics.postSettled("default", "Duplicate")
      metrics.postRefused("bytes")
      const text = yield* (yield* Exposition).text(true)
      for (const line of [
        'holdfast_http_requests_total{route="/webhook/:source",status="201"} 1',
        'holdfast_http_request_seconds_bucket{route="/webhook/:source",le="0.005"} 1',
        'holdfast_http_request_seconds_count{route="/webhook/:source"} 2',
        'holdfast_intake_posts_total{source="default",result="stored"} 1',
        "holdfast_signals_per_minute 1",
        'holdfast_intake_refused_total{why="bytes"} 1',
        "holdfast_intake_waiting 4",
        "holdfast_intake_waiting_bytes 1234",
        "holdfast_intake_oldest_seconds 0.25",
        "holdfast_queue_open 12",
        "holdfast_queue_oldest_seconds 3.5",
        "holdfast_queue_expired 2",
        "holdfast_dead_letters_open 5",
        "holdfast_database_connections 3",
        'holdfast_component_ready{component="root/http"} 1',
        'holdfast_component_restarts_total{component="root/http"} 2',
        'holdfast_status{status="healthy"} 1',
        "holdfast_linkage_ratio 0.75",
        "holdfast_linkage_recent_ratio 0.75",
        "holdfast_metadata_coverage_ratio 0.25",
        'holdfast_feed_messages_total{feed="north"} 41',
        'holdfast_feed_messages_total{feed="south"} 2'
      ]) {
        assert.include(text.split("\n"), line)
      }
      assert.include(text, 'component="root/trading/accounts/acct-7"')
      assert.notInclude(yield* (yield* Exposition).text(false), "acct-7")
      const types = text.split("\n").filter((line) => line.startsWith("# TYPE"))
      assert.strictEqual(types.length, new Set(types).size)
      // What promtool calls an error: a family without help, a counter without `_total`, a line that does not parse.
      for (const type of types) {
        const [, , name = "", kind] = type.split(" ")
        assert.include(text, `# HELP ${name} `)
        if (kind === "counter") assert.match(name, /_total$/)
        else assert.notMatch(name, /_total$/)
      }
      for (const line of text.split("\n").filter((one) => one !== "" && !one.startsWith("#"))) {
        assert.match(line, /^[a-z_]+(\{([a-z_]+="([^"\\\n]|\\.)*",?)*\})? (-?[0-9.e+-]+|\+Inf)$/)
      }
    }).pipe(Effect.provide(services(linked)))
  )

  it.live("an idle loop has no delay: the sampling interval is not counted", () =>
    Effect.gen(function* () {
      const exposition = yield* Exposition
      yield* exposition.text(true)
      const means: Array<number> = []
      // On a busy machine an idle loop is delayed by others; with the interval the mean is above 20 ms in every stretch.
      while (Math.min(...means) >= 0.018 && means.length < 100) {
        yield* Effect.sleep(300)
        const text = yield* exposition.text(true)
        const [, mean = "1"] = /event_loop_delay_seconds\{stat="mean"\} (\S+)/.exec(text) ?? []
        means.push(Number(mean))
      }
      assert.isBelow(Math.min(...means), 0.018)
    }).pipe(Effect.provide(services(linked)))
  )

  it.effect("forgets a signal after a minute", () =>
    Effect.gen(function* () {
      const metrics = yield* Metrics
      metrics.postSettled("default", "Stored")
      yield* TestClock.adjust("30 seconds")
      metrics.postSettled("default", "Stored")
      assert.strictEqual(metrics.storedLastMinute(), 2)
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(metrics.storedLastMinute(), 1)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(metrics.storedLastMinute(), 0)
    }).pipe(Effect.provide(Metrics.layer))
  )

  it.effect("leaves out the linkage while it is not known, as while the database is away", () =>
    Effect.gen(function* () {
      assert.notInclude(yield* (yield* Exposition).text(true), "holdfast_linkage_ratio")
    }).pipe(Effect.provide(services(null)))
  )

  it("escapes labels", () => {
    const text = formatFamilies([
      { name: "x", help: "h", type: "gauge", samples: [{ labels: { a: 'b"c\\d\ne' }, value: 1 }] },
      { name: "empty", help: "h", type: "gauge", samples: [] }
    ])
    assert.strictEqual(text, '# HELP x h\n# TYPE x gauge\nx{a="b\\"c\\\\d\\ne"} 1\n')
  })
})
