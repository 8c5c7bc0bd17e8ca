import { type ChildProcess, spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import type { DatabaseService } from "../../src/layers/database/database.port.ts"
import { insertAccounts, insertSignals, rows } from "../support/decisions.ts"
import { openFreshDatabase } from "../support/postgres.ts"

const program = fileURLToPath(new URL("../support/pipeline-process.ts", import.meta.url))

interface Decider {
  readonly child: ChildProcess
  readonly decided: Array<string>
  readonly started: Promise<void>
  readonly gone: Promise<void>
}

/** Starts a pipeline in a process of its own; it is killed with the scope at the latest. */
const decider = (url: string, nodeId: string = randomUUID()) =>
  Effect.acquireRelease(
    Effect.sync((): Decider => {
      const child = spawn(process.execPath, [program], {
        env: { ...process.env, DATABASE_URL: url, NODE_ID: nodeId },
        stdio: ["ignore", "pipe", "inherit"]
      })
      const decided: Array<string> = []
      let rest = ""
      const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()))
      const started = new Promise<void>((resolve, reject) => {
        child.once("exit", () => reject(new Error("the decider ended before it started")))
        child.stdout?.on("data", (chunk: Buffer) => {
          const lines = (rest + chunk.toString("utf8")).split("\n")
          rest = lines.pop() ?? ""
          for (const line of lines) {
            if (line === "started") resolve()
            else if (line.startsWith("decided ")) decided.push(line.slice("decided ".length))
          }
        })
      })
      return { child, decided, started, gone }
    }),
    ({ child, gone }) =>
      Effect.andThen(
        Effect.sync(() => child.kill("SIGKILL")),
        Effect.promise(() => gone)
      )
  ).pipe(Effect.tap(({ started }) => Effect.promise(() => started)))

const open = (database: DatabaseService) =>
  Effect.map(
    rows<{ readonly n: number }>(
      database,
      "SELECT count(*)::int AS n FROM signals WHERE status IN ('received', 'processing')"
    ),
    ([row]) => row?.n ?? 0
  )

/** Waits until nothing is undecided. */
const drained = (database: DatabaseService) =>
  Effect.gen(function* () {
    while ((yield* open(database)) > 0) yield* Effect.sleep(20)
  }).pipe(Effect.timeout("15 seconds"))

/** One decision and one order per signal, each under its own ids, nothing half written. */
const exactlyOnce = (database: DatabaseService, signals: number) =>
  Effect.gen(function* () {
    const [counts] = yield* rows(
      database,
      `SELECT (SELECT count(*)::int FROM decisions) AS decisions, (SELECT count(*)::int FROM enriched_signals) AS enriched,
      (SELECT count(*)::int FROM orders) AS orders, (SELECT count(DISTINCT signal_id)::int FROM orders) AS ordered,
      (SELECT count(DISTINCT client_order_id)::int FROM orders) AS clients, (SELECT count(*)::int FROM signals WHERE status = 'done' AND claim IS NULL) AS done,
        (SELECT jsonb_agg(jsonb_build_array(status, attempts, reason)) FROM signals WHERE status <> 'done') AS others`
    )
    assert.deepStrictEqual(counts, {
      decisions: signals,
      enriched: signals,
      orders: signals,
      ordered: signals,
      clients: signals,
      done: signals,
      others: null
    })
  })

const burst = (size: number) => Array.from({ length: size }, (_, index) => ({ symbol: `S${index % 7}` }))

describe("two processes at once (K11)", () => {
  it.live(
    "share the queue and decide every signal once",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { database, url } = yield* openFreshDatabase()
          yield* insertAccounts(database)
          const [one, two] = [yield* decider(url), yield* decider(url)]
          // Neither hears a bell of this process, so both look once a second; signals come for longer than that.
          let total = 0
          // And for as long as one of them, on a busy machine, was never the first.
          const both = () => one.decided.length > 0 && two.decided.length > 0
          for (let round = 0; round < 12 || (!both() && round < 200); round += 1) {
            yield* insertSignals(database, burst(25))
            total += 25
            yield* Effect.sleep(200)
          }
          yield* drained(database)
          yield* exactlyOnce(database, total)
          // What they say comes by a pipe.
          const heard = () => one.decided.length + two.decided.length
          for (let look = 0; heard() < total && look < 400; look += 1) yield* Effect.sleep(50)
          assert.strictEqual(heard(), total)
          assert.isTrue(both(), `${one.decided.length} and ${two.decided.length}`)
        })
      ),
    240_000
  )

  it.live(
    "and one of them killed again and again in the middle leave nothing undecided and nothing decided twice",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { database, url } = yield* openFreshDatabase()
          yield* insertAccounts(database)
          const survivor = yield* decider(url)
          const nodeId = randomUUID()
          let total = 0
          for (let life = 0; life < 5; life += 1) {
            const victim = yield* decider(url, nodeId)
            const feeding = yield* insertSignals(database, burst(60)).pipe(
              Effect.forkChild({ startImmediately: true })
            )
            total += 60
            // A different moment of the batch in every life, and always while signals still arrive.
            yield* Effect.sleep(15 + 17 * life)
            victim.child.kill("SIGKILL")
            yield* Effect.promise(() => victim.gone)
            yield* Effect.exit(Effect.yieldNow)
            while (feeding.pollUnsafe() === undefined) yield* Effect.sleep(5)
          }
          // The next life of the killed node takes back what its former lives had claimed, without waiting for leases.
          yield* decider(url, nodeId)
          yield* drained(database)
          yield* exactlyOnce(database, total)
          assert.isTrue(survivor.decided.length > 0)
        })
      ),
    240_000
  )
})

describe("a decider that is frozen (SIGSTOP) with a claim and wakes up when it was taken over", () => {
  it.live(
    "decides nothing with its stale claim",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { database, url } = yield* openFreshDatabase()
          yield* insertAccounts(database)
          const frozen = yield* decider(url)
          // The account's lock is ours, so the decision it starts cannot pass its first statement.
          const [held, release] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
          const holder = yield* database
            .transact("test.hold", (sql) =>
              sql`SELECT pg_advisory_xact_lock(hashtextextended('decide:paper-1', 0))`.pipe(
                Effect.andThen(Deferred.succeed(held, undefined)),
                Effect.andThen(Deferred.await(release))
              )
            )
            .pipe(Effect.forkChild)
          yield* Deferred.await(held)
          yield* insertSignals(database, burst(5))
          const waiting = rows(
            database,
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
          )
          while ((yield* waiting).length === 0) yield* Effect.sleep(20)
          frozen.child.kill("SIGSTOP")
          yield* Deferred.succeed(release, undefined)
          yield* Fiber.await(holder)
          // Its session goes on to the first statement's end and then holds the rows. The server ends a session that
          // idles in a transaction after a while; here it is told to.
          const idle = rows(
            database,
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND state = 'idle in transaction'`
          )
          while ((yield* idle).length === 0) yield* Effect.sleep(20)
          yield* database.run(
            "test.expire",
            (sql) => sql`UPDATE signals SET lease_until = now() - interval '1 second'`
          )
          yield* decider(url)
          yield* drained(database)
          yield* exactlyOnce(database, 5)
          frozen.child.kill("SIGCONT")
          yield* Effect.sleep(500)
          yield* exactlyOnce(database, 5)
          assert.deepStrictEqual(frozen.decided, [])
        })
      ),
    240_000
  )
})
