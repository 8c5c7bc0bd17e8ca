/**
 * The programs of the benchmarks: the service as it is shipped, its peers, the sender, and one PostgreSQL for all of them.
 *
 * Promises: whatever was started is ended with its scope; CPU and memory are those of /proc, so both sides are counted the same way.
 * Failure: a program that does not come up in time is an error with what it wrote.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { createInterface } from "node:readline"
import { Effect, Exit, Logger, Redacted, Scope } from "effect"
import { type SocketTarget, urlOf } from "../src/layers/database/database-target.ts"
import { makeClient } from "../src/layers/database/database.client.ts"
import { makeSocketCensus } from "../src/layers/database/database.socket.ts"
import { processTree } from "../src/layers/database/postgres-pid-file.ts"
import { embeddedServer } from "../src/layers/database/postgres-server.embedded.ts"

const root = path.dirname(import.meta.dirname)
const startMsMax = 60_000
export const SECRET = "bench-kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"

/** Hundredths of a second, in which Linux counts. */
const TICK_MS = 10

/** CPU time of processes so far, milliseconds. */
export const cpuMsOf = (pids: ReadonlyArray<number>): number =>
  pids.reduce((sum, pid) => {
    const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, "utf8") : ""
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return sum + (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_MS
  }, 0)

/** Resident memory, MB. */
export const rssMbOf = (pid: number): number => {
  const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
  return Number(kib ?? Number.NaN) / 1_024
}

export interface Program {
  readonly pid: number
  /** Milliseconds from its start to the line that was waited for. */
  readonly startedMs: number
  readonly port: number
  /** Waits for a later line; milliseconds from the start. */
  readonly until: (line: RegExp) => Promise<number>
  readonly stop: () => Promise<void>
}

/** Starts a program and waits for the line that names its port. */
const begin = (
  command: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>>,
  line: RegExp
): Promise<Program> => {
  const beganMs = performance.now()
  const child: ChildProcess = spawn(process.execPath, command, {
    cwd: root,
    env: { PATH: process.env["PATH"] ?? "", BENCH_SECRET: SECRET, ...environment },
    stdio: ["ignore", "pipe", "pipe"]
  })
  const written: Array<string> = []
  const seen: Array<readonly [line: string, atMs: number]> = []
  const listeners = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr])
    if (stream !== null)
      createInterface({ input: stream }).on("line", (text) => {
        seen.push([text, performance.now() - beganMs])
        written.push(text)
        for (const listener of listeners) listener()
      })
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()))
  const wait = (wanted: RegExp): Promise<readonly [string, number]> =>
    new Promise((resolve, reject) => {
      const fail = (why: string): void =>
        reject(new Error(`${command.at(-1)}: ${why}\n${written.slice(-15).join("\n")}`))
      const timer = setTimeout(() => fail(`no ${wanted} in time`), startMsMax)
      const look = (): void => {
        const found = seen.find(([text]) => wanted.test(text))
        if (found === undefined) return
        clearTimeout(timer)
        listeners.delete(look)
        resolve(found)
      }
      listeners.add(look)
      void ended.then(() => fail("it ended"))
      look()
    })
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM")
    await ended
  }
  return wait(line).then(
    ([text, startedMs]) => ({
      pid: child.pid ?? 0,
      startedMs,
      port: Number(line.exec(text)?.[1] ?? 0),
      until: async (later) => (await wait(later))[1],
      stop
    }),
    async (error: unknown) => {
      await stop()
      throw error
    }
  )
}

export const PEERS = {
  "node:http + pg": ["node-http.ts"],
  "Fastify 5 + pg": ["fastify.ts"],
  "Effect router": ["effect-router.ts"],
  "bare batching": ["node-http.ts", "batch"]
} as const satisfies Readonly<Record<string, ReadonlyArray<string>>>
export type Peer = keyof typeof PEERS

export const startPeer = (name: Peer, databaseUrl: string): Promise<Program> => {
  const [file, ...more] = PEERS[name]
  return begin(
    [path.join(import.meta.dirname, "doors", file), ...more],
    { DATABASE_URL: databaseUrl },
    /^port (\d+)$/
  )
}

/** What `npm start` runs, without the set-up before it. Absent: it was not built. */
const built = path.join(root, "dist/programs/holdfast.js")
const flags = [
  "--disable-sigusr1",
  "--require=./scripts/early-signals.cjs",
  "--require=./scripts/compile-cache.cjs",
  "--max-semi-space-size=8",
  "--heap-growing-percent=50"
]

export const startService = (environment: Readonly<Record<string, string>>): Promise<Program> =>
  begin(
    [...flags, existsSync(built) ? built : path.join(root, "src/main.ts")],
    { PORT: "0", LOG_FORMAT: "json", ...environment },
    /"event":"http\.listening".*"port":(\d+)/
  )

export interface Load {
  readonly answered: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly statuses: Readonly<Record<string, number>>
  readonly ticks: ReadonlyArray<number>
}

/** Runs the sender; `atBegin` and `atEnd` are called where its measured time begins and ends. */
export const load = async (
  port: number,
  given: { readonly connections: number; readonly warmMs: number; readonly measuredMs: number }
): Promise<Load> => {
  const { connections, measuredMs, warmMs } = given
  const child = spawn(
    process.execPath,
    [path.join(import.meta.dirname, "doors/load.ts"), ...[port, connections, warmMs, measuredMs].map(String)],
    { env: { PATH: process.env["PATH"] ?? "", BENCH_SECRET: SECRET }, stdio: ["ignore", "pipe", "inherit"] }
  )
  let text = ""
  child.stdout.on("data", (part: Buffer) => (text += part.toString("utf8")))
  await new Promise((resolve) => child.once("close", resolve))
  return JSON.parse(text) as Load
}

export interface Postgres {
  readonly pids: () => ReadonlyArray<number>
  /** A new empty database. */
  readonly create: (name: string) => Promise<string>
  /** Positions of the log: bytes and flushes so far. */
  readonly wal: () => Promise<{ readonly bytes: number; readonly flushes: number }>
  readonly stop: () => Promise<void>
}

/** A durable server, as the launcher starts it for the service. */
export const startPostgres = async (): Promise<Postgres> => {
  const directory = mkdtempSync(path.join(tmpdir(), "holdfast-bench-"))
  const scope = Effect.runSync(Scope.make())
  const running = await Effect.runPromise(
    embeddedServer({ dataDir: directory, extraSettings: ["max_connections=100"] }).start.pipe(
      Effect.provide(Logger.layer([])),
      Scope.provide(scope)
    )
  )
  const target = running.target as SocketTarget
  const sql = await Effect.runPromise(
    makeClient({
      target: { ...target, database: "postgres" },
      applicationName: "bench",
      connections: 1,
      census: makeSocketCensus(),
      statementMs: 30_000,
      silenceMs: 31_000
    }).pipe(Scope.provide(scope))
  )
  const run = <Row extends object>(statement: string) =>
    Effect.runPromise(Effect.orDie(sql.unsafe<Row>(statement)))
  return {
    pids: () => processTree(running.pid ?? 0),
    create: async (name) => {
      await run(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
      await run(`CREATE DATABASE ${name}`)
      return Redacted.value(urlOf({ ...target, database: name }))
    },
    wal: async () => {
      const [row] = await run<{ readonly bytes: string; readonly flushes: string }>(
        `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::text AS bytes,
          (SELECT coalesce(sum(fsyncs), 0)::text FROM pg_stat_io WHERE object = 'wal') AS flushes`
      )
      return { bytes: Number(row?.bytes ?? 0), flushes: Number(row?.flushes ?? 0) }
    },
    stop: async () => {
      await Effect.runPromise(Scope.close(scope, Exit.void))
      rmSync(directory, { recursive: true, force: true })
    }
  }
}

/** A directory that is removed by the answered function. */
export const scratch = (): readonly [directory: string, remove: () => void] => {
  const directory = mkdtempSync(path.join(tmpdir(), "holdfast-bench-"))
  return [directory, () => rmSync(directory, { recursive: true, force: true })]
}
