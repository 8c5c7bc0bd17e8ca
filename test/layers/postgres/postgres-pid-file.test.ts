import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import {
  clearForeignPid,
  isServerOf,
  pidFileOf,
  readPidFile
} from "../../../src/layers/postgres/postgres-pid-file.ts"

/** A cluster directory with this pid file; the socket's lock file lies beside. */
const clusterWith = (pid: number, segment: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const cluster = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-pid-"))
      fs.writeFileSync(
        pidFileOf(cluster),
        [pid, cluster, 1_700_000_000, 5432, cluster, "", `  5432001 ${segment}`, "ready   ", ""].join("\n")
      )
      fs.writeFileSync(path.join(cluster, ".s.PGSQL.5432.lock"), `${pid}\n`)
      return cluster
    }),
    (cluster) => Effect.sync(() => fs.rmSync(cluster, { recursive: true, force: true }))
  )

/** A living process that is no postgres. */
const stranger = Effect.acquireRelease(
  Effect.sync(() => spawn("sleep", ["60"], { stdio: "ignore" })),
  (child) => Effect.sync(() => child.kill("SIGKILL"))
)

const freeSegment = "999999999"

describe("a pid file", () => {
  it.live("is read: pid, shared memory, socket directory, status", () =>
    Effect.gen(function* () {
      const cluster = yield* clusterWith(12, "77")
      assert.deepStrictEqual(readPidFile(cluster), {
        pid: 12,
        sharedMemoryId: 77,
        status: "ready",
        socketDirectory: cluster
      })
      fs.rmSync(pidFileOf(cluster))
      assert.isUndefined(readPidFile(cluster))
    })
  )

  it.live("of a dead pid is never removed: old backends may live, and PostgreSQL knows", () =>
    Effect.gen(function* () {
      const child = yield* stranger
      const ended = new Promise((resolve) => child.once("exit", resolve))
      child.kill("SIGKILL")
      yield* Effect.promise(() => ended)
      const cluster = yield* clusterWith(child.pid ?? -1, freeSegment)
      assert.strictEqual(clearForeignPid(cluster, readPidFile(cluster)!), "clear")
      assert.isTrue(fs.existsSync(pidFileOf(cluster)))
    })
  )

  it.live("of a pid that a stranger has now is removed when nobody is attached to its shared memory", () =>
    Effect.gen(function* () {
      const child = yield* stranger
      const cluster = yield* clusterWith(child.pid ?? -1, freeSegment)
      assert.isFalse(isServerOf(child.pid ?? -1, cluster))
      assert.strictEqual(clearForeignPid(cluster, readPidFile(cluster)!), "removed")
      assert.deepStrictEqual(fs.readdirSync(cluster), [])
    })
  )

  it.live("calls only `postgres -D` of this very cluster ours", () =>
    Effect.gen(function* () {
      const cluster = yield* clusterWith(1, freeSegment)
      const named = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawn("sh", ["-c", "sleep 60; :", "-D", cluster], { argv0: "/opt/x/bin/postgres", stdio: "ignore" })
        ),
        (child) => Effect.sync(() => child.kill("SIGKILL"))
      )
      yield* Effect.sleep(50)
      assert.isTrue(isServerOf(named.pid ?? -1, cluster))
      assert.isFalse(isServerOf(named.pid ?? -1, `${cluster}-other`))
      assert.isFalse(isServerOf(process.pid, cluster))
    })
  )
})
