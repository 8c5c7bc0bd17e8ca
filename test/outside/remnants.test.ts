import { afterAll, afterEach, assert, beforeAll, describe, it } from "vitest"
import { execFileSync } from "node:child_process"
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { waitUntil } from "../support/exchange.ts"
import { alertBody, databaseProcesses, Service } from "./service.ts"

/** T16: a lock is live when a process proves it. */
const folder = mkdtempSync(path.join(tmpdir(), "holdfast-remnants-"))
const dataDir = path.join(folder, "data")
const pidFile = path.join(dataDir, "postgres", "postmaster.pid")
const socketLock = path.join(dataDir, "run", ".s.PGSQL.5432.lock")
const service = new Service({ dataDir })

const end = async (): Promise<void> => {
  await service.kill()
  await waitUntil("the database server to end", () =>
    databaseProcesses(dataDir).length === 0 ? true : undefined
  )
}
/** What the start that is running took from its first line to `ready`: the loading of a busy machine is not counted. */
const readyMs = async (): Promise<number> => {
  await service.ready(60_000)
  const ready = await waitUntil("the line that says so", () => service.events("ready").at(-1))
  return Date.parse(String(ready["ts"])) - Date.parse(String(service.events("boot").at(-1)?.["ts"]))
}
/** The promise, on a machine that does nothing else. */
const readyMsMax = 10_000
/** How much longer a remnant may make a start than a kill that left nothing odd: what a busy machine does to both. */
const TIMES = 3
let plainMs = 0

beforeAll(async () => {
  await service.start()
  await end()
  service.spawn()
  plainMs = await readyMs()
  await end()
}, 300_000)
afterEach(end, 120_000)
afterAll(async () => {
  await service.dispose()
  rmSync(folder, { recursive: true, force: true })
}, 120_000)

const mine = (lines: ReadonlyArray<unknown>): string => lines.join("\n")
const whole = (pid: number, directory = path.join(dataDir, "postgres")): string =>
  mine([pid, directory, 1_700_000_000, 5432, path.join(dataDir, "run"), "", "  5432001 77", "ready   ", ""])

/** As the server would have left it: under its own user, who must be able to read it. */
const put = (file: string, content: string | Buffer): void => {
  rmSync(file, { recursive: true, force: true })
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, content, { mode: 0o600 })
  const { gid, uid } = statSync(path.dirname(file))
  if (process.getuid?.() === 0) chownSync(file, uid, gid)
}
const putDirectory = (file: string): void => {
  rmSync(file, { recursive: true, force: true })
  mkdirSync(path.join(file, "inside"), { recursive: true })
}
const putPipe = (file: string): void => {
  rmSync(file, { recursive: true, force: true })
  execFileSync("mkfifo", [file])
}
const putUnreadable = (file: string): void => {
  put(file, whole(process.pid))
  chmodSync(file, 0)
}

const remnants: ReadonlyArray<readonly [what: string, leave: () => void]> = [
  ["postmaster.pid is empty", () => put(pidFile, "")],
  ["postmaster.pid is zeros", () => put(pidFile, Buffer.alloc(110))],
  ["postmaster.pid is garbled", () => put(pidFile, "\u0001garbled\n\n\u0000")],
  ["postmaster.pid is half a line", () => put(pidFile, whole(process.pid).slice(0, 2))],
  ["postmaster.pid is half a file", () => put(pidFile, whole(process.pid).slice(0, 60))],
  ["postmaster.pid names pid 1", () => put(pidFile, whole(1))],
  ["postmaster.pid names a living stranger", () => put(pidFile, whole(process.pid))],
  [
    "postmaster.pid has another port and directory",
    () => put(pidFile, whole(process.pid, "/x").replace("5432", "1"))
  ],
  ["postmaster.pid names nobody", () => put(pidFile, whole(4_000_000))],
  ["postmaster.pid is a directory", () => putDirectory(pidFile)],
  ["postmaster.pid is a pipe", () => putPipe(pidFile)],
  ["postmaster.pid is unreadable", () => putUnreadable(pidFile)],
  ["the socket's lock names a living stranger", () => put(socketLock, whole(process.pid))],
  ["the socket's lock names pid 1", () => put(socketLock, whole(1))],
  ["the socket's lock is empty", () => put(socketLock, "")],
  ["the socket's lock is garbled", () => put(socketLock, "\u0000\u0000x")],
  ["the socket's lock is a directory", () => putDirectory(socketLock)],
  ["the socket is a directory", () => putDirectory(socketLock.replace(".lock", ""))],
  [
    "the socket's directory is a file",
    () => {
      rmSync(path.dirname(socketLock), { recursive: true, force: true })
      writeFileSync(path.dirname(socketLock), "")
    }
  ],
  [
    "the lock of DATA_DIR names a living stranger",
    () => put(path.join(dataDir, "holdfast.lock"), `${process.pid}\n`)
  ],
  [
    "the lock of DATA_DIR is an empty directory",
    () => {
      rmSync(path.join(dataDir, "holdfast.lock"))
      mkdirSync(path.join(dataDir, "holdfast.lock"))
    }
  ],
  ["the node's identity is zeros", () => put(path.join(dataDir, "node-id"), Buffer.alloc(37))],
  ["the node's identity is a directory", () => putDirectory(path.join(dataDir, "node-id"))],
  [
    "everything at once",
    () => {
      put(pidFile, Buffer.alloc(110))
      put(socketLock, whole(process.pid))
      mkdirSync(path.join(dataDir, `postgres.initdb-${process.pid}`))
    }
  ]
]

const isLong = process.env["TEST_SIZE"] === "long"

describe("T16 a remnant of a crash is no living lock", () => {
  // Each start takes seconds, so every fourth is enough for each run; the last has them all at once.
  it.each(remnants.filter((_, n) => isLong || n % 4 === 3 || n === remnants.length - 1))(
    "%s: ready within 10 s",
    async (_what, leave) => {
      leave()
      service.lines.length = 0
      service.spawn()
      assert.isBelow(await readyMs(), Math.max(readyMsMax, TIMES * plainMs), service.tail())
    },
    180_000
  )
})

describe("T1 the name of a data directory is any name", () => {
  it.each(
    [
      `"double", 'single' and \\back\\ at the end\\`,
      " -100% %s $HOME `id` $(id) = #hash & [b] {c} (d) *?!~<>| ;\t ",
      "ünïcode, 持久 ☂"
    ].slice(0, isLong ? undefined : 1)
  )(
    "[%s]: trades, is killed, and comes back",
    async (name) => {
      const odd = new Service({ dataDir: path.join(folder, name) })
      try {
        await odd.start()
        const answer = await odd.post("/webhook", alertBody())
        assert.strictEqual(answer.status, 201)
        await odd.settled(String(answer.body.signal_id))
        await odd.kill()
        await odd.start()
        assert.strictEqual((await odd.get(`/api/v1/signals/${String(answer.body.signal_id)}`)).status, 200)
        assert.isTrue(existsSync(path.join(folder, name, "holdfast.lock")))
        assert.strictEqual((await odd.stop()).code, 0)
      } finally {
        await odd.dispose()
      }
    },
    180_000
  )
})
