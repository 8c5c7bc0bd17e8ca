import { execFileSync, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import {
  clearPidFile,
  clearSocketDirectory,
  findServerOf,
  isServerOf,
  pidFileOf,
  readPidFile
} from "../../../src/layers/database/postgres-pid-file.ts"

const cluster = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-pid-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
)

const wholeFile = (pid: number, directory: string): string =>
  [pid, directory, 1_700_000_000, 5432, directory, "", "  5432001 77", "ready   ", ""].join("\n")

/** A cluster directory with this pid file. */
const clusterWith = (pid: number): Effect.Effect<string, never, Scope.Scope> =>
  Effect.tap(cluster, (directory) =>
    Effect.sync(() => fs.writeFileSync(pidFileOf(directory), wholeFile(pid, directory)))
  )

/** A living process, under a name and in a directory of its own. */
const living = (argv0: string, args: ReadonlyArray<string> = [], cwd = "/") =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<number>((settle) => {
          const child = spawn("sh", ["-c", "sleep 60; :", ...args], { argv0, cwd, stdio: "ignore" })
          child.once("spawn", () => settle(child.pid ?? -1))
        })
    ),
    (pid) => Effect.sync(() => process.kill(pid, "SIGKILL"))
  ).pipe(Effect.tap(() => Effect.sleep(50)))

const present = (file: string): boolean => fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined

describe("a pid file", () => {
  it.live("is read: pid and status", () =>
    Effect.gen(function* () {
      const directory = yield* clusterWith(12)
      assert.deepStrictEqual(readPidFile(directory), { pid: 12, status: "ready" })
      fs.writeFileSync(pidFileOf(directory), "12\n")
      assert.deepStrictEqual(readPidFile(directory), { pid: 12, status: undefined })
      fs.rmSync(pidFileOf(directory))
      assert.isUndefined(readPidFile(directory))
    })
  )

  it.live("of a dead pid is never removed: old backends may live, and PostgreSQL knows", () =>
    Effect.gen(function* () {
      const pid = Number(execFileSync("sh", ["-c", "echo $$"], { encoding: "utf8" }))
      const directory = yield* clusterWith(pid)
      assert.deepStrictEqual(clearPidFile(directory), { _tag: "Clear" })
      assert.isTrue(present(pidFileOf(directory)))
    })
  )

  const remnants: ReadonlyArray<readonly [what: string, put: (file: string) => void]> = [
    ["an empty file", (file) => fs.writeFileSync(file, "")],
    ["zeros", (file) => fs.writeFileSync(file, Buffer.alloc(110))],
    [
      "random bytes",
      (file) => fs.writeFileSync(file, Buffer.from(Array.from({ length: 200 }, (_, at) => (at * 37) % 256)))
    ],
    ["half a first line", (file) => fs.writeFileSync(file, "-")],
    ["a pid of zero", (file) => fs.writeFileSync(file, "0\n")],
    ["a number with a tail", (file) => fs.writeFileSync(file, "12abc\n")],
    ["a number no kernel has", (file) => fs.writeFileSync(file, "99999999999999999999\n")],
    ["a very long line", (file) => fs.writeFileSync(file, "1".repeat(1_000_000))],
    ["pid 1", (file) => fs.writeFileSync(file, "1\n")],
    ["our own pid", (file) => fs.writeFileSync(file, wholeFile(process.pid, path.dirname(file)))],
    ["a directory", (file) => fs.mkdirSync(path.join(file, "inside"), { recursive: true })],
    ["a link to nothing", (file) => fs.symlinkSync("/nowhere/at/all", file)],
    ["a link to a file", (file) => fs.symlinkSync("/etc/passwd", file)],
    ["a pipe", (file) => execFileSync("mkfifo", [file])],
    [
      "a file nobody may read",
      (file) => {
        fs.writeFileSync(file, "")
        fs.chmodSync(file, 0)
      }
    ]
  ]
  it.live.each(remnants)("that is a remnant is removed [%s]", ([, put]) =>
    Effect.gen(function* () {
      const directory = yield* cluster
      put(pidFileOf(directory))
      assert.isUndefined(findServerOf(directory))
      assert.strictEqual(clearPidFile(directory)._tag, "Removed")
      assert.isFalse(present(pidFileOf(directory)))
    })
  )

  it.live("of a pid that a stranger has now is removed", () =>
    Effect.gen(function* () {
      const directory = yield* clusterWith(yield* living("sleep"))
      assert.isUndefined(findServerOf(directory))
      assert.strictEqual(clearPidFile(directory)._tag, "Removed")
    })
  )

  it.live("of a pid that the server of another cluster has now is removed: a copied DATA_DIR starts", () =>
    Effect.gen(function* () {
      const other = yield* cluster
      const directory = yield* clusterWith(yield* living("/opt/x/bin/postgres", ["-D", other], other))
      assert.isUndefined(findServerOf(directory))
      assert.strictEqual(clearPidFile(directory)._tag, "Removed")
    })
  )

  it.live("stays while a backend of the dead postmaster still works in the cluster", () =>
    Effect.gen(function* () {
      const directory = yield* cluster
      fs.writeFileSync(pidFileOf(directory), "")
      const pid = yield* living("postgres: checkpointer", [], directory)
      assert.deepStrictEqual(clearPidFile(directory), { _tag: "Draining", pid })
      assert.isTrue(present(pidFileOf(directory)))
    })
  )

  it.live("is not needed to find a living server: by its command line, or where it works", () =>
    Effect.gen(function* () {
      const directory = yield* cluster
      fs.writeFileSync(pidFileOf(directory), "garbled")
      const pid = yield* living("/opt/x/bin/postgres", ["-D", directory])
      assert.strictEqual(findServerOf(directory), pid)
      const elsewhere = yield* cluster
      const byOtherName = yield* living("/opt/x/bin/postgres", ["-D", "/another/name"], elsewhere)
      assert.strictEqual(findServerOf(elsewhere), byOtherName)
    })
  )

  it.live("calls only `postgres -D` of this very cluster ours", () =>
    Effect.gen(function* () {
      const directory = yield* cluster
      const pid = yield* living("/opt/x/bin/postgres", ["-D", directory])
      assert.isTrue(isServerOf(pid, directory))
      assert.isFalse(isServerOf(pid, `${directory}-other`))
      assert.isFalse(isServerOf(process.pid, directory))
    })
  )
})

describe("the directory of a socket", () => {
  const setting = 'unix_socket_directories="/some/where"'
  it.live("is cleared of sockets and lock files, whatever they are, and of nothing else", () =>
    Effect.gen(function* () {
      const directory = yield* cluster
      fs.writeFileSync(path.join(directory, ".s.PGSQL.5432.lock"), "1\n")
      fs.mkdirSync(path.join(directory, ".s.PGSQL.5432", "inside"), { recursive: true })
      fs.writeFileSync(path.join(directory, "other"), "")
      assert.lengthOf(clearSocketDirectory(directory, setting), 2)
      assert.deepStrictEqual(fs.readdirSync(directory), ["other"])
    })
  )

  it.live("is left alone while a server was told to listen there", () =>
    Effect.gen(function* () {
      const directory = yield* cluster
      fs.writeFileSync(path.join(directory, ".s.PGSQL.5432.lock"), "1\n")
      yield* living("/opt/x/bin/postgres", ["-D", "/any", "-c", setting])
      assert.isEmpty(clearSocketDirectory(directory, setting))
      assert.lengthOf(fs.readdirSync(directory), 1)
    })
  )
})
