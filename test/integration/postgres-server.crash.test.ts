import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { makePgDatabase } from "../../src/layers/database/database.pg.ts"
import { processTree } from "../../src/layers/database/postgres-pid-file.ts"
import { embeddedServer } from "../../src/layers/database/postgres-server.embedded.ts"
import {
  type Life,
  noServerLeft,
  patience,
  seededDirectory,
  serversOf,
  startLife,
  until
} from "./postgres-world.ts"
import { signalAll } from "../support/signals.ts"

const clusterOf = (dataDir: string) => path.join(dataDir, "postgres")

const busy = (life: Life, more: number) => {
  const before = life.acked().length
  return until(`${more} more acknowledged rows`, () =>
    life.acked().length >= before + more ? true : undefined
  )
}

/** Opens the directory again and says which of these rows are missing, and how many rows there are. */
const check = (dataDir: string, acked: ReadonlyArray<string>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const running = yield* embeddedServer({ dataDir }).start
      const database = yield* makePgDatabase({ target: running.target, poolSize: 1 })
      const rows = yield* database.run("all", (sql) => sql<{ id: string }>`SELECT id FROM written`)
      const stored = new Set(rows.map((row) => row.id))
      return { lost: acked.filter((id) => !stored.has(id)), stored: stored.size }
    })
  )

describe("under write load, no acknowledged row is lost", patience, () => {
  it.live("when the service is killed, and its server is gone soon after", () =>
    Effect.gen(function* () {
      const dataDir = yield* seededDirectory
      const life = yield* startLife({ dataDir, writers: 4 })
      const { pid } = yield* life.said("started")
      yield* busy(life, 200)
      const tree = processTree(pid)
      yield* life.end("SIGKILL")
      yield* noServerLeft(clusterOf(dataDir), tree)
      const acked = life.acked()
      const found = yield* check(dataDir, acked)
      assert.deepStrictEqual(found.lost, [])
      assert.isAtLeast(found.stored, acked.length)
    })
  )

  it.live("when the service is killed and started again at once, which waits for the old server", () =>
    Effect.gen(function* () {
      const dataDir = yield* seededDirectory
      const acked: Array<string> = []
      for (let round = 0; round < 2; round++) {
        const life = yield* startLife({ dataDir, writers: 4 })
        yield* life.said("started")
        yield* busy(life, 50)
        yield* life.end("SIGKILL")
        acked.push(...life.acked())
      }
      assert.deepStrictEqual((yield* check(dataDir, acked)).lost, [])
      yield* noServerLeft(clusterOf(dataDir))
    })
  )

  it.live("when the server is killed twice, and the same service goes on with a new one", () =>
    Effect.gen(function* () {
      const dataDir = yield* seededDirectory
      const life = yield* startLife({ dataDir, writers: 4 })
      for (let round = 1; round <= 2; round++) {
        const { pid } = yield* life.said("started", round)
        yield* busy(life, 100)
        process.kill(pid, "SIGKILL")
        yield* life.said("exited", round)
      }
      yield* life.said("started", 3)
      yield* busy(life, 100)
      assert.strictEqual(yield* life.end("SIGTERM"), 0)
      assert.deepStrictEqual(serversOf(clusterOf(dataDir)), [])
      assert.deepStrictEqual((yield* check(dataDir, life.acked())).lost, [])
    })
  )

  it.live("when service, server and all its backends are killed in one moment", () =>
    Effect.gen(function* () {
      const dataDir = yield* seededDirectory
      const acked: Array<string> = []
      for (let round = 0; round < 2; round++) {
        const life = yield* startLife({ dataDir, writers: 4 })
        const { pid } = yield* life.said("started")
        yield* busy(life, 100)
        const tree = processTree(pid)
        const ended = life.end("SIGKILL")
        signalAll(tree, "SIGKILL")
        yield* ended
        acked.push(...life.acked())
      }
      assert.deepStrictEqual((yield* check(dataDir, acked)).lost, [])
    })
  )
})

describe("a second service on the same DATA_DIR", patience, () => {
  it.live("is refused, and the first goes on", () =>
    Effect.gen(function* () {
      const dataDir = yield* seededDirectory
      const first = yield* startLife({ dataDir, writers: 1 })
      yield* first.said("started")
      const second = yield* startLife({ dataDir, writers: 1 })
      const failed = yield* second.said("failed")
      assert.strictEqual(failed.error, "DataDirLocked")
      assert.include(failed.hint, String(first.child.pid))
      yield* busy(first, 50)
      assert.strictEqual(serversOf(clusterOf(dataDir)).length, 1)
    })
  )
})

describe("a server that outlived its service", patience, () => {
  it.live("is stopped, never adopted, by the next start", () =>
    Effect.gen(function* () {
      const dataDir = yield* seededDirectory
      const life = yield* startLife({ dataDir, writers: 1 })
      const { pid } = yield* life.said("started")
      yield* busy(life, 20)
      // Frozen, the server cannot act on the kernel's signal; thawed later it is what a machine without setpriv leaves.
      process.kill(pid, "SIGSTOP")
      yield* life.end("SIGKILL")
      assert.deepStrictEqual(serversOf(clusterOf(dataDir)), [pid])
      const thaw = setTimeout(() => process.kill(pid, "SIGCONT"), 500)
      yield* Effect.addFinalizer(() => Effect.sync(() => clearTimeout(thaw)))
      const next = yield* startLife({ dataDir, writers: 1 })
      const started = yield* next.said("started")
      assert.notStrictEqual(started.pid, pid)
      assert.deepStrictEqual(serversOf(clusterOf(dataDir)), [started.pid])
      yield* busy(next, 20)
      yield* next.end("SIGTERM")
      assert.deepStrictEqual((yield* check(dataDir, [...life.acked(), ...next.acked()])).lost, [])
    })
  )
})
