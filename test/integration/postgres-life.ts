/**
 * One life of a service around its embedded PostgreSQL, as a program: what the crash tests kill.
 *
 * `node postgres-life.ts '{"dataDir":"…","writers":4}'`. It holds DATA_DIR, starts the server, restarts it whenever it
 * ends, and lets writers insert rows; each row that was acknowledged is printed. One JSON object per line on stdout.
 *
 * Promises: a line `acked` is printed only after the commit succeeded; SIGTERM stops it in order.
 * Never: retries a row under another id, so a row is there once or not at all.
 */
import { writeSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { makePgDatabase } from "../../src/layers/database/database.pg.ts"
import type { DatabaseService } from "../../src/layers/database/database.port.ts"
import { dataDirAt } from "../../src/layers/platform/data-dir.file.ts"
import { embeddedServer, type EmbeddedOptions } from "../../src/layers/database/postgres-server.embedded.ts"
import { nodeEntropy } from "../../src/layers/platform/entropy.node.ts"

export interface LifeOptions extends EmbeddedOptions {
  /** Writers that insert without pause; 0 = only run the server. */
  readonly writers: number
}

export type LifeLine =
  | {
      readonly say: "started"
      readonly pid: number
      readonly mode: string
      readonly ms: number
      readonly user: string
    }
  | { readonly say: "acked"; readonly id: string }
  | { readonly say: "exited"; readonly signal: string | null }
  | { readonly say: "failed"; readonly error: string; readonly hint: string }
  | { readonly say: "stopped" }

/** Synchronous, so that a line is out before a SIGKILL can come between. */
const say = (line: LifeLine): void => {
  writeSync(1, `${JSON.stringify(line)}\n`)
}

const options = JSON.parse(process.argv[2] ?? "{}") as LifeOptions
const server = embeddedServer(options)

/** Keeps a server running: what the database actor does, without its machine. */
const keepRunning = (database: DatabaseService, ready: () => void) =>
  Effect.forever(
    Effect.scoped(
      Effect.gen(function* () {
        const running = yield* server.start
        yield* database.run("create", (sql) => sql`CREATE TABLE IF NOT EXISTS written (id text PRIMARY KEY)`)
        const [row] = yield* database.run(
          "user",
          (sql) => sql<{ user: string }>`SELECT current_user::text AS user`
        )
        say({
          say: "started",
          pid: running.pid ?? -1,
          mode: running.mode,
          ms: running.startedInMs,
          user: row?.user ?? ""
        })
        ready()
        const exit = yield* running.exited
        say({ say: "exited", signal: exit.signal })
      })
    )
  )

const write = (database: DatabaseService, id: string) =>
  database
    .run("insert", (sql) => sql`INSERT INTO written (id) VALUES (${id}) ON CONFLICT DO NOTHING`)
    .pipe(
      // A transient error is retried under the same id; anything else is a failure of the test.
      Effect.tapErrorTag("DatabaseUnavailable", () => Effect.sleep(20)),
      Effect.retry({ while: (error) => error._tag === "DatabaseUnavailable" }),
      Effect.andThen(Effect.sync(() => say({ say: "acked", id })))
    )

const life = Effect.scoped(
  Effect.gen(function* () {
    const { bootId } = yield* dataDirAt(options.dataDir, nodeEntropy).hold
    const database = yield* makePgDatabase({ target: server.target })
    const ready = Promise.withResolvers<void>()
    const keeper = keepRunning(database, () => ready.resolve())
    const writers = Array.from({ length: options.writers }, (_, writer) =>
      Effect.andThen(
        Effect.promise(() => ready.promise),
        Effect.suspend(() => {
          let n = 0
          return Effect.forever(Effect.suspend(() => write(database, `${bootId}/${writer}/${n++}`)))
        })
      )
    )
    return yield* Effect.all([keeper, ...writers], { concurrency: "unbounded", discard: true })
  })
).pipe(
  Effect.catch((error) =>
    Effect.sync(() => {
      const hint = (error as { readonly hint?: string }).hint ?? ""
      const cause = String((error as { readonly cause?: unknown }).cause ?? "")
      say({ say: "failed", error: error._tag, hint: `${hint} ${cause}` })
    })
  ),
  Effect.provide(Logger.layer([]))
)

const stop = new AbortController()
process.once("SIGTERM", () => stop.abort())
await Effect.runPromiseExit(life, { signal: stop.signal })
say({ say: "stopped" })
process.exit(0)
