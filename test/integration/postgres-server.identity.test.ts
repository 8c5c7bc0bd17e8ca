import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { makePgDatabase } from "../../src/layers/database/database.pg.ts"
import { locateBinaries } from "../../src/layers/database/postgres-binaries.ts"
import { shortNameOf } from "../../src/layers/database/postgres-cluster.ts"
import { embeddedServer, type EmbeddedOptions } from "../../src/layers/database/postgres-server.embedded.ts"
import {
  installBinaries,
  isRoot,
  patience,
  serversOf,
  startLife,
  temporaryDirectory,
  until
} from "./postgres-world.ts"

const nobody = 65_534
const quiet = Effect.provide(Logger.layer([]))

const writeOne = (options: EmbeddedOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const running = yield* embeddedServer(options).start
      const database = yield* makePgDatabase({ target: running.target, poolSize: 1 })
      yield* database.run("create", (sql) => sql`CREATE TABLE IF NOT EXISTS mark (id int)`)
      yield* database.run("insert", (sql) => sql`INSERT INTO mark VALUES (1)`)
      const [row] = yield* database.run("count", (sql) => sql<{ n: bigint }>`SELECT count(*) AS n FROM mark`)
      return { mode: running.mode, marks: Number(row?.n) }
    })
  )

/** A project below a directory of mode 0700: binaries and data directory inside, as under /root. */
const hiddenProject = Effect.gen(function* () {
  // On disk: programs are executed from here, which memory file systems may forbid.
  const hidden = yield* temporaryDirectory("holdfast hidden", 0o700, os.tmpdir())
  const { directory } = yield* locateBinaries({ copyParent: hidden })
  const native = path.join(hidden, "project", "native")
  installBinaries(directory, native, { links: true })
  return { dataDir: path.join(hidden, "project", "data"), nativeDirectory: native }
})

describe.runIf(isRoot)("as root", patience, () => {
  it.live("the server runs as postgres or nobody, and owns its files", () =>
    Effect.gen(function* () {
      const dataDir = path.join(yield* temporaryDirectory(), "data")
      const { mode } = yield* writeOne({ dataDir })
      assert.match(mode, /^as (postgres|nobody)$/)
      assert.notStrictEqual(fs.statSync(path.join(dataDir, "postgres")).uid, 0)
    }).pipe(quiet)
  )

  it.live(
    "below a directory nobody else may enter, it runs in a user namespace, twice on the same data",
    () =>
      Effect.gen(function* () {
        const project = yield* hiddenProject
        assert.include((yield* writeOne(project)).mode, "user namespace")
        assert.strictEqual((yield* writeOne(project)).marks, 2)
      }).pipe(quiet)
  )

  it.live(
    "below such a directory on a machine without namespaces, the cluster goes to a readable place",
    () =>
      Effect.gen(function* () {
        const project = { ...(yield* hiddenProject), namespaces: false }
        const place = path.join("/var/lib/holdfast", shortNameOf(project.dataDir))
        yield* Effect.addFinalizer(() =>
          Effect.sync(() => fs.rmSync(place, { recursive: true, force: true }))
        )
        // The socket stays findable: its directory must be enterable for the server too.
        assert.match((yield* writeOne(project)).mode, /^as (postgres|nobody)$/)
        assert.strictEqual((yield* writeOne(project)).marks, 2)
        assert.isTrue(fs.existsSync(path.join(place, "postgres", "PG_VERSION")))
      }).pipe(quiet)
  )

  it.live("a cluster made by another identity is given to the present one", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory()
      const dataDir = path.join(directory, "data")
      yield* writeOne({ dataDir })
      fs.chmodSync(directory, 0o700)
      const hidden = yield* writeOne({ dataDir })
      assert.include(hidden.mode, "user namespace")
      fs.chmodSync(directory, 0o711)
      assert.strictEqual((yield* writeOne({ dataDir })).marks, 3)
    }).pipe(quiet)
  )

  it.live("started by an ordinary user, it runs as that user and survives that service's SIGKILL", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory()
      fs.chownSync(directory, nobody, nobody)
      const dataDir = path.join(directory, "their data")
      const first = yield* startLife({ dataDir, writers: 2, uid: nobody })
      const started = yield* first.said("started")
      assert.strictEqual(started.mode, "as the service's own user")
      assert.strictEqual(fs.statSync(path.join(dataDir, "postgres")).uid, nobody)
      yield* until("rows", () => (first.acked().length >= 50 ? true : undefined))
      yield* first.end("SIGKILL")
      const second = yield* startLife({ dataDir, writers: 0, uid: nobody })
      yield* second.said("started")
      assert.strictEqual(yield* second.end("SIGTERM"), 0)
      assert.deepStrictEqual(serversOf(path.join(dataDir, "postgres")), [])
    }).pipe(quiet)
  )

  it.live("started by a uid without a passwd entry, it runs in a namespace or says what is missing", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory()
      const uid = 54_321
      fs.chownSync(directory, uid, uid)
      const with_ = yield* startLife({ dataDir: path.join(directory, "a"), writers: 0, uid })
      assert.include((yield* with_.said("started")).mode, "user namespace")
      const without = yield* startLife({
        dataDir: path.join(directory, "b"),
        writers: 0,
        uid,
        namespaces: false
      })
      const failed = yield* without.said("failed")
      assert.strictEqual(failed.error, "PostgresUserUnusable")
      assert.include(failed.hint, `uid ${uid}`)
    }).pipe(quiet)
  )
})

describe.runIf(!isRoot)("as an ordinary user", patience, () => {
  it.live("the server runs as that user", () =>
    Effect.gen(function* () {
      const dataDir = path.join(yield* temporaryDirectory(), "data")
      assert.strictEqual((yield* writeOne({ dataDir })).mode, "as the service's own user")
    }).pipe(quiet)
  )
})
