/**
 * Durable intake: a signed post until its 201 after a commit, ours against what one would write with other libraries.
 *
 * Each contestant has a fresh database of one server; they take turns round by round, in an order that turns as well, because the
 * machine changes under them. CPU and memory are of the server alone, the sender is another process for all of them.
 *
 * Promises: an answer that is not 2xx is counted and named; ratios are of one round, and the median of rounds is reported.
 */
import type { Absences } from "./peers.ts"
import type { Measured } from "./report.ts"
import {
  cpuMsOf,
  load,
  type Peer,
  PEERS,
  type Postgres,
  type Program,
  rssMbOf,
  scratch,
  SECRET,
  startPeer,
  startService
} from "./programs.ts"
import { writeFileSync } from "node:fs"
import path from "node:path"

const CONNECTIONS = [1, 16, 64, 256] as const
export const OURS = "holdfast"
type Contestant = Peer | typeof OURS

export interface IntakeSizes {
  readonly rounds: number
  readonly warmMs: number
  readonly measuredMs: number
}

const startOurs = async (databaseUrl: string): Promise<readonly [Program, () => void]> => {
  const [directory, remove] = scratch()
  const config = path.join(directory, "holdfast.json")
  writeFileSync(config, JSON.stringify({ sources: { bench: {} }, canary: { everyMs: 3_600_000 } }))
  const program = await startService({
    DATABASE_URL: databaseUrl,
    DATA_DIR: path.join(directory, "data"),
    HOLDFAST_CONFIG: config,
    HMAC_SECRET: SECRET,
    ROLES: "http"
  })
  return [program, remove]
}

/** Until posts are taken: migrations come before the first. */
const untilTaken = async (port: number): Promise<void> => {
  for (let tries = 0; tries < 60; tries += 1) {
    const { answered } = await load(port, { connections: 1, warmMs: 0, measuredMs: 500 })
    if (answered > 0) return
  }
  throw new Error("no post was taken in time")
}

interface Sample {
  readonly key: string
  readonly value: number
}

const ofOne = async (
  contestant: Contestant,
  postgres: Postgres,
  sizes: IntakeSizes
): Promise<ReadonlyArray<Sample>> => {
  const url = await postgres.create("bench_intake")
  const [program, remove] =
    contestant === OURS
      ? await startOurs(url)
      : ([await startPeer(contestant, url), () => undefined] as const)
  const samples: Array<Sample> = []
  try {
    await untilTaken(program.port)
    samples.push({ key: "idle", value: rssMbOf(program.pid) })
    for (const connections of CONNECTIONS) {
      await load(program.port, { connections, warmMs: 0, measuredMs: sizes.warmMs })
      const before = {
        cpu: cpuMsOf([program.pid]),
        server: cpuMsOf(postgres.pids()),
        wal: await postgres.wal()
      }
      const { answered, p50Ms, p99Ms, perSecond, statuses } = await load(program.port, {
        connections,
        warmMs: 0,
        measuredMs: sizes.measuredMs
      })
      const after = {
        cpu: cpuMsOf([program.pid]),
        server: cpuMsOf(postgres.pids()),
        wal: await postgres.wal()
      }
      const other = Object.entries(statuses).filter(([status]) => !status.startsWith("2"))
      if (other.length > 0)
        console.error(`${contestant}, ${connections} connections: ${JSON.stringify(statuses)}`)
      const add = (what: string, value: number): void =>
        void samples.push({ key: `${what} ${connections}`, value })
      add("rate", perSecond)
      add("p50", p50Ms)
      add("p99", p99Ms)
      add("cpu", ((after.cpu - before.cpu) * 1_000) / answered)
      add("database cpu", ((after.server - before.server) * 1_000) / answered)
      add("wal bytes", (after.wal.bytes - before.wal.bytes) / answered)
      add("wal flushes", ((after.wal.flushes - before.wal.flushes) * 1_000) / answered)
    }
    samples.push({ key: "under load", value: rssMbOf(program.pid) })
  } finally {
    await program.stop()
    remove()
  }
  return samples
}

const TITLES: Readonly<Record<string, readonly [title: string, unit: string, more: boolean]>> = {
  rate: ["posts made durable", "posts/s", true],
  p50: ["answer, half of the posts", "ms", false],
  p99: ["answer, 99 of 100 posts", "ms", false],
  cpu: ["CPU of the process per post", "us", false],
  "database cpu": ["CPU of the database per post", "us", false],
  "wal bytes": ["log written per post", "bytes", false],
  "wal flushes": ["flushes of the log per 1,000 posts", "", false]
}

/** Every figure of every contestant, by round. */
export const measureIntake = async (
  postgres: Postgres,
  sizes: IntakeSizes,
  absent: Absences
): Promise<ReadonlyArray<Measured>> => {
  const contestants = ([OURS, ...Object.keys(PEERS)] as ReadonlyArray<Contestant>).filter(
    (name) => !absent.has(name)
  )
  const figures = new Map<string, Map<string, Array<number>>>()
  for (let round = 0; round < sizes.rounds; round += 1) {
    for (let turn = 0; turn < contestants.length; turn += 1) {
      const name = contestants[(turn + round) % contestants.length]
      if (name === undefined) continue
      console.error(`intake: round ${round + 1} of ${sizes.rounds}, ${name}`)
      for (const { key, value } of await ofOne(name, postgres, sizes)) {
        const byName = figures.get(key) ?? new Map<string, Array<number>>()
        figures.set(key, byName.set(name, [...(byName.get(name) ?? []), value]))
      }
    }
  }
  const measured = Object.entries(TITLES).flatMap(([what, [title, unit, more]]) =>
    CONNECTIONS.map((connections): Measured => ({
      suite: "intake",
      title: `${title}, ${connections} connection${connections === 1 ? "" : "s"}`,
      key: `${what} ${connections}`,
      unit,
      more,
      ours: OURS,
      rounds: Object.fromEntries(figures.get(`${what} ${connections}`) ?? [])
    }))
  )
  const memory = (["idle", "under load"] as const).map((when): Measured => ({
    suite: "intake",
    title: `resident memory ${when}`,
    key: `rss ${when}`,
    unit: "MB",
    more: false,
    ours: OURS,
    rounds: Object.fromEntries(figures.get(when) ?? [])
  }))
  return [...measured, ...memory]
}
