/**
 * PostgreSQL for tests: a fresh database per test file (or per test) on the run's shared server.
 *
 * Promises: `freshDatabase` is migrated, `emptyDatabase` is empty; both belong to nobody else and are dropped with their
 * scope, connections included.
 * Never: survives the run. The server has fsync off: tests of durability start their own (see the launcher's tests).
 */
import { randomBytes } from "node:crypto"
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { Effect, Layer, Redacted, type Scope } from "effect"
import { inject } from "vitest"
import type { Database, DatabaseService } from "../../src/layers/database/database.port.ts"
import { layerPg, makePgDatabase, type PgDatabaseOptions } from "../../src/layers/database/database.pg.ts"
import { type SocketTarget, urlOf } from "../../src/layers/database/database-target.ts"
import { administer } from "./postgres-admin.ts"
import { templateName } from "./postgres.global.ts"

export interface TestDatabase {
  readonly target: SocketTarget
  /** For programs that take DATABASE_URL. */
  readonly url: string
}

interface Reply {
  readonly target?: SocketTarget
  readonly seed?: string
  readonly error?: string
}

const ask = (what: "server" | "template" | "seed"): Effect.Effect<Reply> =>
  Effect.callback<Reply>((resume) => {
    let text = ""
    const socket = net.connect(inject("postgresDesk"), () => socket.write(what))
    socket.on("data", (chunk) => (text += chunk.toString("utf8")))
    socket.once("error", (cause) => resume(Effect.die(cause)))
    socket.once("end", () => {
      const reply = JSON.parse(text) as Reply
      resume(
        reply.error === undefined
          ? Effect.succeed(reply)
          : Effect.die(new Error(`the shared test server: ${reply.error}`))
      )
    })
    return Effect.sync(() => socket.destroy())
  })

const askServer = (what: "server" | "template"): Effect.Effect<SocketTarget> =>
  Effect.flatMap(ask(what), ({ target }) =>
    target === undefined
      ? Effect.die(new Error("the shared test server gave no target"))
      : Effect.succeed(target)
  )

/** Puts a cluster that was initialised once per run into `dataDir`, for tests that start a server of their own there. */
export const seedCluster = (dataDir: string): Effect.Effect<void> =>
  Effect.map(ask("seed"), ({ seed }) => {
    fs.mkdirSync(dataDir, { recursive: true, mode: 0o711 })
    fs.cpSync(seed ?? "", path.join(dataDir, "postgres"), { recursive: true })
    fs.chmodSync(path.join(dataDir, "postgres"), 0o700)
  })

/** One statement on a database of a test. */
export const alterDatabase = ({ target }: TestDatabase, statement: string): Effect.Effect<void> =>
  administer(target, statement)

const makeDatabase = (
  server: SocketTarget,
  template: string
): Effect.Effect<TestDatabase, never, Scope.Scope> =>
  Effect.gen(function* () {
    const name = `t_${randomBytes(8).toString("hex")}`
    const maintenance = { ...server, database: "postgres" }
    yield* Effect.acquireRelease(
      administer(maintenance, `CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY file_copy`),
      () => administer(maintenance, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    )
    const target = { ...server, database: name }
    return { target, url: Redacted.value(urlOf(target)) }
  })

/** A database with the schema of this code, dropped with the scope. */
export const freshDatabase: Effect.Effect<TestDatabase, never, Scope.Scope> = Effect.flatMap(
  askServer("template"),
  (server) => makeDatabase(server, templateName)
)

/** A database with nothing in it, dropped with the scope. */
export const emptyDatabase: Effect.Effect<TestDatabase, never, Scope.Scope> = Effect.flatMap(
  askServer("server"),
  (server) => makeDatabase(server, "template0")
)

/** The `Database` port on a fresh migrated database of its own. */
export const layerFreshDatabase = (options: Omit<PgDatabaseOptions, "target"> = {}): Layer.Layer<Database> =>
  Layer.unwrap(Effect.map(freshDatabase, ({ target }) => layerPg({ ...options, target })))

/** The same as a value, with the target: for tests that open several clients or start programs on one database. */
export const openFreshDatabase = (
  options: Omit<PgDatabaseOptions, "target"> = {}
): Effect.Effect<TestDatabase & { readonly database: DatabaseService }, never, Scope.Scope> =>
  Effect.gen(function* () {
    const fresh = yield* freshDatabase
    return { ...fresh, database: yield* makePgDatabase({ ...options, target: fresh.target }) }
  })
