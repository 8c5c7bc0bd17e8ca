/**
 * The monitoring routes: what is in progress, what the process and its database do, who holds which account (E8), and what the
 * sinks took.
 *
 * A row shows who owns an account for the whole installation; this process adds whether it is the owner, whether it
 * stands by, and how its round trips waited for each other.
 *
 * Promises: figures of rows are read on request, those of the process when they are shown.
 * Never: changes anything; breaking a lock is a command.
 * Failure: that of the routes: what the store cannot answer now is 503.
 */
import { Effect } from "effect"
import type { SpoolSettings } from "../../domain/kernel/settings.ts"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import * as wire from "../../wire/monitoring-endpoints.ts"
import { database as databaseShape, type lock, lockRow } from "../../wire/monitoring.ts"
import { PAGE_ITEMS_DEFAULT } from "../../wire/page.ts"
import { AccountLeases, type AccountLeasesService } from "../accounts/accounts-lease.port.ts"
import { Database, type DatabaseService } from "../database/database.port.ts"
import { type SlownessKey, type StatementLedger, Statements } from "../database/database-statements.ts"
import type { HealthSourceService } from "../health/health-source.port.ts"
import { type Item, ReadStore, type ReadStoreService, type ServerLook } from "../health/read-store.port.ts"
import { Spool, type SpoolService } from "../intake/spool.port.ts"
import { Config } from "../platform/config.port.ts"
import { Worker, type WorkerReading } from "../platform/worker.port.ts"
import { sinkRoutes } from "./http.sinks.ts"
import { badCursor, decoded, type JsonOf, type Route, route, Refused } from "./http.route.ts"

interface MonitoringParts {
  readonly reads: ReadStoreService
  readonly source: HealthSourceService
  readonly worker: { readonly read: () => WorkerReading }
  readonly leases: AccountLeasesService
  readonly spool: SpoolService
  readonly bounds: SpoolSettings
  readonly database: Pick<DatabaseService, "availability" | "stats">
  readonly poolSize: number
  readonly statements: StatementLedger
}

const round = (value: number): number => Math.round(value * 1_000) / 1_000

const workerDocument = ({ source, worker }: MonitoringParts) => {
  const { eventLoop, gc, memory, node, pid, startedAtMs } = worker.read()
  const components = source.actors()
  return {
    pid,
    node,
    started_at: isoOf(startedAtMs),
    uptime_ms: Math.round(process.uptime() * 1_000),
    event_loop: {
      since: isoOf(eventLoop.sinceMs),
      delay_mean_ms: round(eventLoop.meanMs),
      delay_p99_ms: round(eventLoop.p99Ms),
      delay_max_ms: round(eventLoop.maxMs),
      utilization: Math.min(1, round(eventLoop.utilization))
    },
    gc: { count: gc.count, total_ms: round(gc.totalMs), max_ms: round(gc.maxMs) },
    memory: {
      rss_bytes: memory.rssBytes,
      heap_used_bytes: memory.heapUsedBytes,
      heap_total_bytes: memory.heapTotalBytes,
      heap_limit_bytes: memory.heapLimitBytes,
      external_bytes: memory.externalBytes
    },
    components: components.length,
    components_not_ready: components.filter(({ ready }) => !ready).length,
    restarts: components.reduce((sum, { restarts }) => sum + restarts, 0)
  }
}

const spoolDocument = ({ bounds, source, spool }: MonitoringParts) => {
  const { bytes, damaged, drained, fault, oldestAtMs, phase, posts, refused, segments, spooled } =
    spool.look()
  const component = source.health().component("root/spool")
  return {
    state: component?.state ?? "none",
    since: component?.since ?? null,
    takes_posts: phase === "open" && fault === null,
    fault,
    posts,
    bytes,
    segments,
    oldest_at: oldestAtMs === null ? null : isoOf(oldestAtMs),
    posts_max: bounds.postsMax,
    bytes_max: bounds.bytesMax,
    spooled,
    drained,
    refused,
    damaged_files: damaged
  }
}

const databaseDocument = (
  { database, poolSize, statements }: MonitoringParts,
  order: SlownessKey,
  limit: number,
  server: ServerLook | null
): unknown => {
  const stats = database.stats()
  return {
    availability: database.availability.current(),
    pool: {
      size: poolSize,
      open: stats.openConnections,
      in_flight: stats.inFlight,
      waiting: stats.waiting,
      abandoned: stats.abandoned
    },
    calls: {
      all: stats.callsTotal,
      unavailable: stats.unavailableTotal,
      faults: stats.faultsTotal,
      deadlines: stats.deadlinesTotal,
      retries: stats.retriesTotal
    },
    statements: statements.slowest(limit, order).map((one) => ({
      operation: one.operation,
      text: one.text,
      count: one.count,
      failed: one.failed,
      total_ms: round(one.totalMs),
      mean_ms: round(one.totalMs / one.count),
      longest_ms: round(one.longestMs),
      longest_at: isoOf(one.longestAtMs),
      last_at: isoOf(one.lastAtMs)
    })),
    server
  }
}

/** What this process knows is told also while the database is away: then above all. */
const databaseRoute = (parts: MonitoringParts): Route =>
  route(wire.getDatabase, ({ query: { limit = PAGE_ITEMS_DEFAULT, order } }) =>
    Effect.gen(function* () {
      const server = yield* parts.reads.server.pipe(
        Effect.catchTag("DatabaseUnavailable", () => Effect.succeed(null))
      )
      const by = order === "total" ? "totalMs" : "longestMs"
      const json = yield* decoded(databaseShape, databaseDocument(parts, by, limit, server))
      return { status: 200, json }
    })
  )

/** A lock as in its row, with what this process knows about it. */
const withHere = ({ leases }: MonitoringParts, row: Item) =>
  Effect.map(decoded(lockRow, row), (known): JsonOf<typeof lock> => {
    const counts = leases.turns.of(known.account)
    return {
      ...known,
      held_here: leases.current(known.account) !== null,
      standing_by: leases.wanted().has(known.account),
      turns:
        counts === null
          ? null
          : {
              taken: counts.taken,
              waiting: counts.waiting,
              contended: counts.contended,
              waited_ms: round(counts.waitedMs),
              longest_wait_ms: round(counts.longestWaitMs)
            }
    }
  })

const locksRoute = (parts: MonitoringParts): Route =>
  route(wire.listLocks, ({ query: { cursor = null, limit = PAGE_ITEMS_DEFAULT, owner } }) =>
    Effect.gen(function* () {
      const filters = owner === undefined ? {} : { owner }
      const { items, nextCursor } = yield* parts.reads
        .list("locks", { limit, cursor, filters })
        .pipe(Effect.catchTag("BadCursor", () => Effect.fail(badCursor)))
      const locks = yield* Effect.forEach(items, (row) => withHere(parts, row))
      return { status: 200, json: { items: locks, next_cursor: nextCursor } }
    })
  )

const lockRoute = (parts: MonitoringParts): Route =>
  route(wire.getLock, ({ params }) =>
    Effect.gen(function* () {
      const filters = { account: params["id"] ?? "" }
      const { items } = yield* parts.reads
        .list("locks", { limit: 1, cursor: null, filters })
        .pipe(Effect.catchTag("BadCursor", () => Effect.fail(badCursor)))
      const [row] = items
      if (row === undefined) return yield* new Refused({ status: 404 })
      return { status: 200, json: yield* withHere(parts, row) }
    })
  )

/** The routes of this file. `source` as it may be shown. */
export const monitoringRoutes = (source: HealthSourceService) =>
  Effect.gen(function* () {
    const settings = yield* Config
    const parts: MonitoringParts = {
      source,
      reads: yield* ReadStore,
      worker: yield* Worker,
      leases: yield* AccountLeases,
      spool: yield* Spool,
      bounds: settings.spool,
      database: yield* Database,
      poolSize: settings.databasePool,
      statements: yield* Statements
    }
    const worker = route(wire.getWorker, () =>
      Effect.sync(() => ({ status: 200, json: workerDocument(parts) }))
    )
    const held = route(wire.getSpool, () => Effect.sync(() => ({ status: 200, json: spoolDocument(parts) })))
    return [
      worker,
      held,
      databaseRoute(parts),
      locksRoute(parts),
      lockRoute(parts),
      ...sinkRoutes(settings, parts.reads, source)
    ]
  })
