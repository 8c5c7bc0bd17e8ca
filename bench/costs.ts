/**
 * Costs: what an idle service, an order and a post cost, in transactions, WAL and CPU (design, section 11).
 *
 *     sh scripts/node.sh bench/costs.ts [--program dist/programs/holdfast.js] [--tasks idle,burst,alone,intake] [--orders 300]
 *       [--rounds 3] [--statements 12]
 *
 * Starts an embedded server of its own as the service has it, and the built service in practice mode on it, so that the server's
 * counters are nobody else's. Several programs, separated by commas, take turns, so that a change is compared with what was
 * before under the same load of the machine; the figures are medians of the rounds. `--statements` names the most frequent ones.
 * By hand: the venue runs inside the service, so its share is in the figures of an order.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { Agent, request } from "node:http"
import { tmpdir } from "node:os"
import path from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { parseArgs } from "node:util"
import { Effect, Logger, Redacted } from "effect"
import { makePgDatabase } from "../src/layers/database/database.pg.ts"
import type { DatabaseService } from "../src/layers/database/database.port.ts"
import { urlOf } from "../src/layers/database/database-target.ts"
import { embeddedServer } from "../src/layers/database/postgres-server.embedded.ts"

const { values } = parseArgs({
  options: {
    program: { type: "string", default: "dist/programs/holdfast.js" },
    tasks: { type: "string", default: "idle,burst,alone,intake" },
    orders: { type: "string", default: "300" },
    rounds: { type: "string", default: "1" },
    seconds: { type: "string", default: "15" },
    statements: { type: "string", default: "0" },
    profile: { type: "string", default: "" },
    dir: { type: "string", default: tmpdir() }
  }
})
const orders = Number(values.orders)
const seconds = Number(values.seconds)
const secret = "K9-costs-bench-51c2f0a7d3e84b6695ab"

interface Reading {
  readonly transactions: number
  readonly walKb: number
  readonly walSyncs: number
  readonly serviceCpuMs: number
  readonly serverCpuMs: number
}

/** Milliseconds of a process so far; the kernel counts in hundredths of a second. */
const cpuMs = (pid: number, withEnded = false): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ")
  const ticks = [11, 12, ...(withEnded ? [13, 14] : [])].map((at) => Number(fields[at]))
  return ticks.reduce((sum, each) => sum + each, 0) * 10
}

const childrenOf = (pid: number): ReadonlyArray<number> =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((child) => {
      try {
        return (
          readFileSync(`/proc/${child}/stat`, "utf8")
            .replace(/^.*\) /s, "")
            .split(" ")[1] === String(pid)
        )
      } catch {
        return false
      }
    })

class Service {
  readonly pid: number
  port = 0
  readonly #child: ChildProcess
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 })

  constructor(program: string, dataDir: string, env: Readonly<Record<string, string>>) {
    const flags = ["--max-semi-space-size=8", "--heap-growing-percent=50"]
    const profiled = values.profile === "" ? [] : ["--cpu-prof", `--cpu-prof-dir=${values.profile}`]
    this.#child = spawn(process.execPath, [...flags, ...profiled, program], {
      env: {
        ...process.env,
        PORT: "0",
        DATA_DIR: dataDir,
        LOG_FORMAT: "json",
        WEBHOOK_SECRET: secret,
        HOLDFAST_CONFIG: "",
        PRACTICE_SIGNAL_MS: "",
        ...env
      },
      stdio: ["ignore", "pipe", "inherit"]
    })
    this.pid = this.#child.pid ?? -1
    let rest = ""
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      if (this.port !== 0) return
      rest += chunk.toString()
      const found = /"http\.listening".*?"port":(\d+)|"port":(\d+).*?"http\.listening"/.exec(rest)
      if (found !== null) this.port = Number(found[1] ?? found[2])
    })
  }

  ask(target: string, body?: unknown): Promise<{ readonly status: number; readonly text: string }> {
    return new Promise((settle, fail) => {
      const text = body === undefined ? undefined : JSON.stringify(body)
      const sent = request(
        {
          port: this.port,
          host: "127.0.0.1",
          path: target,
          agent: this.#agent,
          method: text === undefined ? "GET" : "POST",
          headers:
            text === undefined
              ? {}
              : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }
        },
        (answer) => {
          let read = ""
          answer.on("data", (chunk: Buffer) => (read += chunk.toString()))
          answer.on("end", () => settle({ status: answer.statusCode ?? 0, text: read }))
        }
      )
      sent.on("error", fail)
      sent.end(text)
    })
  }

  async until(what: string, look: () => Promise<boolean>): Promise<void> {
    for (let tries = 0; tries < 1_200; tries += 1) {
      if (await look().catch(() => false)) return
      await pause(25)
    }
    throw new Error(`${what} took longer than thirty seconds`)
  }

  async end(): Promise<void> {
    const ended = new Promise((settle) => this.#child.once("exit", settle))
    this.#child.kill("SIGTERM")
    this.#agent.destroy()
    await ended
  }
}

interface Bench {
  readonly database: DatabaseService
  readonly serverPid: number
  readonly service: Service
}

const query = <Row extends object>(database: DatabaseService, text: string) =>
  database.run("bench.read", (sql) => sql.unsafe<Row>(text)).pipe(Effect.orDie)

/** The counters as they are, after the backends have reported theirs. */
const read = ({ database, serverPid, service }: Bench) =>
  Effect.gen(function* () {
    yield* Effect.sleep(1_500)
    const [row] = yield* query<{ readonly xacts: string; readonly lsn: string; readonly syncs: string }>(
      database,
      `SELECT (SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database())::text AS xacts,
        pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::text AS lsn,
        (SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal')::text AS syncs`
    )
    const server = [serverPid, ...childrenOf(serverPid)].map((pid) => cpuMs(pid, pid === serverPid))
    return {
      transactions: Number(row?.xacts),
      walKb: Number(row?.lsn) / 1_024,
      walSyncs: Number(row?.syncs),
      serviceCpuMs: cpuMs(service.pid),
      serverCpuMs: server.reduce((sum, each) => sum + each, 0)
    } satisfies Reading
  })

type Figures = Record<string, number>

const per = (before: Reading, after: Reading, units: number): Figures =>
  Object.fromEntries(
    Object.entries(after).map(([name, value]) => [
      name,
      Math.round(((value - before[name as keyof Reading]) / units) * 100) / 100
    ])
  )

const bodyOf = (n: number) => ({
  symbol: `SYM${n % 20}`,
  direction: "long",
  timeframe: "5m",
  timestamp: new Date().toISOString(),
  id: `costs-${process.hrtime.bigint()}-${n}`,
  secret
})

const showStatements = (database: DatabaseService, per: number) =>
  Effect.gen(function* () {
    const many = Number(values.statements)
    if (many === 0) return
    const rows = yield* query<{
      readonly calls: string
      readonly ms: number
      readonly kb: number
      readonly query: string
    }>(
      database,
      `SELECT calls::text, total_exec_time AS ms, wal_bytes::float8 / 1024 AS kb,
        left(regexp_replace(query, '\\s+', ' ', 'g'), 170) AS query
        FROM pg_stat_statements ORDER BY calls DESC LIMIT ${many}`
    )
    for (const { calls, kb, ms, query: text } of rows)
      process.stdout.write(
        `  ${(Number(calls) / per).toFixed(2).padStart(7)} ${(ms / per).toFixed(3).padStart(8)} ms ${(kb / per).toFixed(2).padStart(6)} KB  ${text}\n`
      )
  })

const settled = (database: DatabaseService) =>
  Effect.map(
    query<{ readonly n: string }>(
      database,
      "SELECT count(*)::text AS n FROM orders WHERE account = 'paper-1' AND settled_at IS NOT NULL"
    ),
    ([row]) => Number(row?.n)
  )

const reset = (database: DatabaseService) => query(database, "SELECT pg_stat_statements_reset()")

const idle = (bench: Bench) =>
  Effect.gen(function* () {
    yield* Effect.sleep(10_000)
    const before = yield* read(bench)
    yield* reset(bench.database)
    yield* Effect.sleep(seconds * 1_000 - 1_500)
    const after = yield* read(bench)
    yield* showStatements(bench.database, seconds)
    return per(before, after, seconds)
  })

/** Signals of which `atOnce` are on their way, until every order has settled; the looks of this bench are not counted. */
const trade = (bench: Bench, many: number, atOnce: number, waits: boolean) =>
  Effect.gen(function* () {
    const { database, service } = bench
    const from = yield* settled(database)
    yield* Effect.sleep(1_500)
    const before = yield* read(bench)
    yield* reset(database)
    const began = performance.now()
    let looks = 2
    let posted = 0
    const untilSettled = Effect.fnUntraced(function* (count: number, pauseMs: number) {
      for (;;) {
        looks += 1
        if ((yield* settled(database)) >= count) return
        yield* Effect.sleep(pauseMs)
      }
    })
    const sender = Effect.gen(function* () {
      while (posted < many) {
        posted += 1
        const mine = posted
        const answer = yield* Effect.promise(() => service.ask("/webhook", bodyOf(mine)))
        if (answer.status !== 201) return yield* Effect.die(new Error(`${answer.status} ${answer.text}`))
        if (waits) yield* untilSettled(from + mine, 2)
      }
    })
    yield* Effect.all(
      Array.from({ length: atOnce }, () => sender),
      { concurrency: "unbounded", discard: true }
    )
    yield* untilSettled(from + many, 20)
    const tookMs = performance.now() - began
    const after = yield* read(bench)
    yield* showStatements(database, many)
    const figures = per(before, { ...after, transactions: after.transactions - looks }, many)
    return {
      perSecond: Math.round((many / tookMs) * 10_000) / 10,
      msEach: Math.round((tookMs / many) * 100) / 100,
      ...figures
    }
  })

const intake = (bench: Bench) =>
  Effect.gen(function* () {
    const { service } = bench
    const before = yield* read(bench)
    const until = performance.now() + seconds * 1_000
    let posts = 0
    let asked = 0
    const sender = Effect.promise(async () => {
      while (performance.now() < until) {
        const { status, text } = await service.ask("/webhook", bodyOf((asked += 1)))
        // On a starved machine a commit may be late: such a post is refused or spooled, and said below.
        if (![201, 202, 503].includes(status)) throw new Error(`${status} ${text}`)
        if (status === 201) posts += 1
      }
    })
    yield* Effect.all(
      Array.from({ length: 64 }, () => sender),
      { concurrency: "unbounded", discard: true }
    )
    const after = yield* read(bench)
    const { serviceCpuMs, walKb, walSyncs } = per(before, after, posts / 1_000)
    return {
      perSecond: Math.round(posts / seconds),
      notStored: asked - posts,
      cpuUsPerPost: Math.round(serviceCpuMs ?? 0),
      walBytesPerPost: Math.round((walKb ?? 0) * 1.024),
      walSyncsPer1000: walSyncs ?? 0
    }
  })

const tasks = {
  idle: { env: {}, run: idle },
  burst: {
    env: {},
    run: (bench: Bench) => Effect.andThen(trade(bench, 100, 16, false), trade(bench, orders, 16, false))
  },
  alone: {
    env: {},
    run: (bench: Bench) => Effect.andThen(trade(bench, 100, 16, false), trade(bench, 50, 1, true))
  },
  intake: { env: { ROLES: "http" }, run: intake }
} as const

const measure = (program: string, task: keyof typeof tasks) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { env, run } = tasks[task]
      const dataDir = mkdtempSync(path.join(values.dir, "holdfast-costs-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(dataDir, { recursive: true, force: true })))
      const server = yield* embeddedServer({
        dataDir,
        extraSettings: ["shared_preload_libraries=pg_stat_statements", "pg_stat_statements.max=1000"]
      }).start
      const database = yield* makePgDatabase({ target: server.target, poolSize: 1 })
      yield* query(database, "CREATE EXTENSION pg_stat_statements")
      const settings = path.join(dataDir, "holdfast.json")
      writeFileSync(settings, JSON.stringify({ databaseUrl: Redacted.value(urlOf(server.target)) }))
      const service = yield* Effect.acquireRelease(
        Effect.sync(
          () =>
            new Service(path.resolve(program), path.join(dataDir, "service"), {
              ...env,
              HOLDFAST_CONFIG: settings
            })
        ),
        (started) => Effect.promise(() => started.end())
      )
      yield* Effect.promise(() =>
        service.until("readiness", async () => {
          const { status, text } = await service.ask("/health")
          return (
            status === 200 &&
            (task === "intake" || (JSON.parse(text) as { can_trade?: boolean }).can_trade === true)
          )
        })
      )
      return yield* run({ database, serverPid: server.pid ?? -1, service })
    })
  )

const median = (figures: ReadonlyArray<number>): number =>
  figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)] ?? 0

const chosen = values.tasks.split(",").filter((task): task is keyof typeof tasks => task in tasks)
for (const task of chosen) {
  const found = new Map<string, Array<Figures>>()
  for (let round = 0; round < Number(values.rounds); round += 1)
    for (const program of values.program.split(",")) {
      const figures = await Effect.runPromise(measure(program, task).pipe(Effect.provide(Logger.layer([]))))
      found.set(program, [...(found.get(program) ?? []), figures])
    }
  for (const [program, rounds] of found) {
    const shown = Object.keys(rounds[0] ?? {}).map(
      (name) => `${name} ${median(rounds.map((each) => each[name] ?? 0))}`
    )
    console.log(`${task} ${program}: ${shown.join("  ")}`)
  }
}
