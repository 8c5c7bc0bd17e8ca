/**
 * The cost of the next decision over stored signals: an empty database against one that is full (T13).
 *
 *     sh scripts/node.sh bench/stored-volume.ts --rows 1000000 [--rounds 300] [--explain] [--dir DIRECTORY]
 *
 * Starts an embedded server of its own as the service has it (fsync on, small buffers), measures one signal at a time from its
 * commit to its decision, fills the tables, and measures again. A third of the stored signals have an order with events, fill
 * and link. By hand, because filling takes minutes; the figures are medians of one run on one machine and compare only with
 * each other.
 */
import { randomUUID } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { parseArgs } from "node:util"
import { Effect, Layer, Logger, Result } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { planSignal } from "../src/domain/decision/decision.ts"
import { instrumentsOf } from "../src/domain/kernel/instruments.ts"
import type { Settings } from "../src/domain/kernel/settings.ts"
import { versionOf } from "../src/domain/kernel/settings-change.ts"
import { bodyHash } from "../src/domain/kernel/canonical-json.ts"
import { signalId } from "../src/domain/kernel/ids.ts"
import { decodeIntakeBody } from "../src/wire/intake-body.ts"
import { nodeEntropy } from "../src/layers/platform/entropy.node.ts"
import { Entropy } from "../src/layers/platform/entropy.port.ts"
import { applySchema } from "../src/layers/database/database-schema.pg.ts"
import { makePgDatabase } from "../src/layers/database/database.pg.ts"
import { Database, type DatabaseService } from "../src/layers/database/database.port.ts"
import { embeddedServer } from "../src/layers/database/postgres-server.embedded.ts"
import { backlogRow, claimRows, expireRows } from "../src/layers/decision/signals-store.pg-queue.ts"
import { signalsStorePg } from "../src/layers/decision/signals-store.pg.ts"
import { SignalsStore } from "../src/layers/decision/signals-store.port.ts"
import { retentionStorePg } from "../src/layers/operators/retention-store.pg.ts"
import { RetentionStore } from "../src/layers/operators/retention-store.port.ts"
import { Config } from "../src/layers/platform/config.port.ts"
import { resolveSettings } from "../src/layers/platform/config.resolve.ts"
import { Instance, makeInstance } from "../src/layers/platform/instance.port.ts"
import { intakeRow } from "../src/layers/signals/intake-row.ts"
import { IntakeStorePg } from "../src/layers/signals/intake-store.pg.ts"
import { IntakeStore } from "../src/layers/signals/intake-store.port.ts"

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "1000000" },
    rounds: { type: "string", default: "300" },
    dir: { type: "string", default: tmpdir() },
    explain: { type: "boolean", default: false }
  }
})
const rows = Number(values.rows)
const rounds = Number(values.rounds)
/** Rows of one statement while filling. */
const chunk = 20_000
/** Long enough for a chunk on a slow disk. */
const patience = { deadlineMs: 600_000, silenceMs: 590_000 }

const settings: Settings = Result.getOrThrow(
  resolveSettings({
    environment: {},
    file: {},
    cwd: "/tmp",
    stdoutIsTerminal: false,
    resolvePath: (_, to) => to,
    readSecret: () => Result.fail("there are no files here")
  })
)

const say = (text: string): Effect.Effect<void> =>
  Effect.sync(() => {
    process.stdout.write(`${text}\n`)
  })

/** The stored past: `rows` signals over 399 days, none of which may go yet. */
const fill = (database: DatabaseService) =>
  Effect.gen(function* () {
    const insert = (sql: SqlClient, from: number, to: number) => [
      sql`INSERT INTO signals (id, kind, source, identity, identity_kind, body_hash, body, symbol, direction, timeframe, fired_at,
          expires_from, request_id, experiment_id, variant, answer, status, received_at, decided_at)
        SELECT md5('s' || n)::uuid, 'signal', 'default', 'sha256:' || md5('i' || n) || md5('j' || n), 'hash', md5('i' || n) || md5('j' || n),
          jsonb_build_object('symbol', 'SYM' || n % 500, 'direction', 'long', 'timeframe', '5m', 'n', n), 'SYM' || n % 500,
          'LONG', '5m', t.at, t.at, md5('r' || n)::uuid::text, 'default', 'A',
          jsonb_build_object('status', 'ACCEPTED', 'signal_id', md5('s' || n)::uuid), 'done', t.at, t.at
        FROM generate_series(${from}::int, ${to}::int) AS n
        CROSS JOIN LATERAL (SELECT hf_now() - interval '399 days' * (1 - n::float8 / ${rows}::float8) - interval '1 hour' AS at) AS t`,
      sql`INSERT INTO decisions (signal_id, engine, experiment_id, variant, outcome, checks, decided_at)
        SELECT md5('s' || n)::uuid, 'A', 'default', 'A', 'ordered', jsonb_build_array(jsonb_build_object('check', 'age', 'ok', true,
          'numbers', jsonb_build_object('age_ms', 12.5, 'limit_ms', 300000))), hf_now()
        FROM generate_series(${from}::int, ${to}::int) AS n`,
      sql`INSERT INTO orders (id, client_order_id, signal_id, account, strategy, intent, symbol, side, type, quantity, time_in_force,
          status, source, venue, venue_order_id, settled_at, created_at)
        SELECT md5('o' || n)::uuid, md5('c' || n), md5('s' || n)::uuid, 'paper-1', 'default', 'entry', 'SYM' || n % 500, 'buy',
          'market', 1, 'day', 'filled', 'webhook', 'practice', 'v' || n, hf_now(), hf_now()
        FROM generate_series(${from}::int, ${to}::int) AS n WHERE n % 3 = 0`,
      sql`INSERT INTO order_events (order_id, event, from_status, to_status)
        SELECT md5('o' || n)::uuid, 'order.filled', 'acked', 'filled'
        FROM generate_series(${from}::int, ${to}::int) AS n CROSS JOIN generate_series(1, 3) WHERE n % 3 = 0`,
      sql`INSERT INTO trade_records (id, venue, account, symbol, venue_order_id, trade_id, order_id, side, quantity, price, source, order_time)
        SELECT md5('t' || n)::uuid, 'practice', 'paper-1', 'SYM' || n % 500, 'v' || n, 't' || n, md5('o' || n)::uuid, 'buy', 1, 1,
          'webhook', hf_now()
        FROM generate_series(${from}::int, ${to}::int) AS n WHERE n % 3 = 0`,
      sql`INSERT INTO trade_strategy_link (trade_record_id, order_id, signal_id, strategy, linked_by)
        SELECT md5('t' || n)::uuid, md5('o' || n)::uuid, md5('s' || n)::uuid, 'default', 'client_order_id'
        FROM generate_series(${from}::int, ${to}::int) AS n WHERE n % 3 = 0`
    ]
    for (let from = 1; from <= rows; from += chunk)
      yield* database.transact(
        "bench.fill",
        (sql) =>
          Effect.andThen(
            sql`SET LOCAL statement_timeout = 0`,
            Effect.forEach(insert(sql, from, Math.min(rows, from + chunk - 1)), (statement) => statement, {
              discard: true
            })
          ),
        patience
      )
    yield* database.transact(
      "bench.analyze",
      (sql) => Effect.andThen(sql`SET LOCAL statement_timeout = 0`, sql`ANALYZE`),
      patience
    )
  })

const median = (figures: ReadonlyArray<number>, at = 0.5): number =>
  figures.toSorted((a, b) => a - b)[Math.floor(figures.length * at)] ?? 0

const timed = <A, E, R>(figures: Array<number>, work: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const began = performance.now()
    const result = yield* work
    figures.push(performance.now() - began)
    return result
  })

const show = (name: string, figures: Readonly<Record<string, ReadonlyArray<number>>>) =>
  say(
    `${name}: ${Object.entries(figures)
      .map(([step, list]) => `${step} ${median(list).toFixed(2)} / ${median(list, 0.95).toFixed(2)}`)
      .join("  ")}   (ms, p50 / p95)`
  )

/** A decision for which nobody was asked anything. */
const unasked = {
  quoteOf: () => null,
  figuresOf: () => null,
  votes: null,
  voters: null,
  chain: null,
  mayDefer: false
} as const

/** One signal at a time: its commit, its claim, its decision, and the look at the queue. */
const measure = (database: DatabaseService) =>
  Effect.gen(function* () {
    const intake = yield* IntakeStore
    const store = yield* SignalsStore
    const figures = { stored: [], claimed: [], decided: [], backlog: [], whole: [] } as Record<
      string,
      Array<number>
    >
    const plan = {
      ...settings,
      version: versionOf(settings),
      instruments: instrumentsOf(settings),
      limits: { ...settings.risk, buyingPowerMultiple: null },
      scopes: settings.risk.scopes
    }
    for (let round = 0; round < rounds; round += 1) {
      const body = {
        symbol: `SYM${round % 500}`,
        direction: "long",
        timeframe: "5m",
        timestamp: new Date().toISOString(),
        n: randomUUID()
      }
      const read = decodeIntakeBody(body)
      if (!read.ok) return yield* Effect.die(new Error(JSON.stringify(read.errors)))
      const parsed = read.value
      const hash = bodyHash(body)
      const row = Result.getOrThrow(
        intakeRow(settings, {
          source: "default",
          parsed,
          identity: {
            kind: "hash",
            key: `sha256:${hash}`,
            bodyHash: hash,
            signalId: signalId("default", `sha256:${hash}`),
            previous: null
          },
          requestId: randomUUID(),
          nowMs: Date.now()
        })
      )
      const began = performance.now()
      yield* timed(figures["stored"] ?? [], intake.store([row]))
      const { signals, token } = yield* timed(figures["claimed"] ?? [], store.claim(64))
      const outcomes = yield* timed(
        figures["decided"] ?? [],
        store.decide(token, signals, ["paper-1"], (signal, context) =>
          planSignal({ signal, settings: plan, context, ...unasked })
        )
      )
      figures["whole"]?.push(performance.now() - began)
      if (outcomes[0]?._tag !== "Decided") return yield* Effect.die(new Error(JSON.stringify(outcomes)))
      yield* timed(figures["backlog"] ?? [], store.backlog)
      // What is open is the account's and not the past's.
      yield* database.run(
        "bench.settle",
        (sql) => sql`UPDATE orders SET status = 'denied' WHERE signal_id = ${row.id}`
      )
    }
    return figures
  })

const explained = (database: DatabaseService) =>
  Effect.gen(function* () {
    const { sources } = settings
    const statements: ReadonlyArray<readonly [string, (sql: SqlClient) => Fragment]> = [
      ["claim", (sql) => claimRows(sql, sources, randomUUID(), 64)],
      ["expire", (sql) => expireRows(sql, { sources, version: versionOf(settings) }, 1_000)],
      ["backlog", (sql) => backlogRow(sql, sources)]
    ]
    for (const [name, statement] of statements) {
      const plan = yield* database.run(
        "bench.explain",
        (sql) => sql<{ readonly "QUERY PLAN": string }>`EXPLAIN (ANALYZE, BUFFERS) ${statement(sql)}`
      )
      yield* say(`\n${name}\n${plan.map((line) => line["QUERY PLAN"]).join("\n")}`)
    }
  })

/** An outage's backlog: signals that are too old, and the few fresh ones behind them that a claim has to find. */
const backlog = (database: DatabaseService) =>
  database.run(
    "bench.backlog",
    (
      sql
    ) => sql`INSERT INTO signals (id, kind, source, identity, identity_kind, body_hash, body, symbol, direction, timeframe,
        fired_at, expires_from, request_id, answer)
      SELECT gen_random_uuid(), 'signal', 'default', 'x' || n, 'hash', 'h', '{}', 'SPY', 'LONG', '5m', t.at, t.at, 'r', '{}'
      FROM generate_series(1, 20000) AS n
      CROSS JOIN LATERAL (SELECT hf_now() - CASE WHEN n % 100 = 0 THEN interval '0' ELSE interval '1 hour' END AS at) AS t`
  )

/** What a claim of two, and a look at the queue, cost before such a backlog is ended. */
const measureBacklog = (database: DatabaseService) =>
  Effect.gen(function* () {
    const store = yield* SignalsStore
    const figures = { claimed: [], backlog: [] } as Record<string, Array<number>>
    for (let round = 0; round < 40; round += 1) {
      yield* timed(figures["claimed"] ?? [], store.claim(2))
      yield* timed(figures["backlog"] ?? [], store.backlog)
    }
    yield* show("20000 too old", figures)
    yield* database.run(
      "bench.over",
      (sql) => sql`DELETE FROM signals WHERE status IN ('received', 'processing')`
    )
  })

/** A round over the full tables, of which nothing may go; then with half of it over its time, for so many pages. */
const measureRetention = (database: DatabaseService) =>
  Effect.gen(function* () {
    // Behind what was measured while the tables were empty, which is younger than the past that was filled in.
    const [before] = yield* database.run(
      "bench.first",
      (sql) => sql<{ readonly seq: bigint }>`SELECT seq - 1 AS seq FROM signals WHERE id = md5('s1')::uuid`
    )
    const first = before?.seq ?? 0n
    const retention = yield* RetentionStore
    const pages = (cutoffMs: number) =>
      Effect.gen(function* () {
        const [took, removed] = [[] as Array<number>, [] as Array<number>]
        let cursor = first
        for (let page = 0; page < 50; page += 1) {
          const pruned = yield* timed(
            took,
            retention.prune({ rule: "signals", cutoffMs, beyond: null }, cursor)
          )
          if (pruned === null) break
          removed.push(pruned.removed)
          cursor = pruned.cursor
          if (pruned.done) break
        }
        return { took, removed }
      })
    const idle = yield* pages(Date.now() - 400 * 86_400_000)
    yield* say(`retention, nothing to remove: ${idle.took.length} page, ${median(idle.took).toFixed(1)} ms`)
    const { removed, took } = yield* pages(Date.now() - 200 * 86_400_000)
    const sum = removed.reduce((a, b) => a + b, 0)
    yield* say(
      `retention: ${took.length} pages, ${sum} signals removed, median ${median(took).toFixed(1)} ms, p95 ${median(took, 0.95).toFixed(1)} ms`
    )
  })

const program = Effect.gen(function* () {
  const dataDir = mkdtempSync(path.join(values.dir, "holdfast-volume-"))
  yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(dataDir, { recursive: true, force: true })))
  const { target } = yield* embeddedServer({ dataDir }).start
  yield* applySchema({ target })
  const database = yield* makePgDatabase({ target })
  yield* database.run(
    "bench.accounts",
    (sql) =>
      sql`INSERT INTO accounts (id, venue, starting_cash, reconciled_at) VALUES ('paper-1', 'practice', 100000, hf_now())`
  )
  const services = yield* Layer.build(
    Layer.mergeAll(IntakeStorePg, signalsStorePg, retentionStorePg).pipe(
      Layer.provide(
        Layer.mergeAll(
          Layer.succeed(Database, database),
          Layer.succeed(Config, settings),
          Layer.succeed(Entropy, nodeEntropy),
          Layer.sync(Instance, makeInstance)
        )
      )
    )
  )
  const measured = Effect.provide(measure(database), services)
  // Once for what is only slow the first time.
  yield* measured
  const empty = yield* measured
  yield* backlog(database)
  yield* Effect.provide(measureBacklog(database), services)
  yield* show("empty", empty)
  const began = performance.now()
  yield* fill(yield* makePgDatabase({ target, silenceMs: patience.silenceMs }))
  const [size] = yield* database.run(
    "bench.size",
    (sql) =>
      sql<{ readonly size: string }>`SELECT pg_size_pretty(pg_database_size(current_database())) AS size`
  )
  yield* say(
    `${rows} signals stored in ${Math.round((performance.now() - began) / 1_000)} s, ${size?.size ?? "?"}`
  )
  yield* measured
  const full = yield* measured
  yield* show("full ", full)
  yield* say(
    `ratio of the medians: ${Object.keys(full)
      .map((step) => `${step} ${(median(full[step] ?? []) / median(empty[step] ?? [])).toFixed(2)}`)
      .join("  ")}`
  )
  yield* backlog(database)
  if (values.explain) yield* explained(database)
  yield* Effect.provide(measureBacklog(database), services)
  yield* Effect.provide(measureRetention(database), services)
})

await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(Logger.layer([]))))
