import { assert, describe, it } from "vitest"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import {
  claimToken,
  isProvenDead,
  lifeName,
  type ProcessMark
} from "../../../src/domain/platform/node-life.ts"
import { processMarksIn, seenIn } from "../../../src/layers/platform/process-mark.proc.ts"

const scratch = (): string => mkdtempSync(path.join(tmpdir(), "holdfast-proc-"))

const here: ProcessMark = { host: "boot ns", pid: 7, startedAt: "100" }
const former = (over: Partial<ProcessMark> = {}): ProcessMark => ({
  ...here,
  pid: 6,
  startedAt: "50",
  ...over
})

describe("[T16] a former life", () => {
  it("is dead when its host shows no process, or another one, under its id", () => {
    assert.isTrue(isProvenDead(former(), here, null))
    assert.isTrue(isProvenDead(former(), here, { startedAt: "51" }))
  })
  it("is not proven dead while its process is there, on another host, in another boot, or on a nameless host", () => {
    assert.isFalse(isProvenDead(former(), here, { startedAt: "50" }))
    assert.isFalse(isProvenDead(former({ host: "other ns" }), here, null))
    assert.isFalse(isProvenDead(former({ host: "boot container" }), here, null))
    assert.isFalse(isProvenDead(former({ host: null }), { ...here, host: null }, null))
  })
  it("has a name that begins with its node, and claims that show both", () => {
    assert.strictEqual(lifeName("n", "b"), "n/b")
    const token = claimToken("a".repeat(64), "b".repeat(64), "0".repeat(32))
    assert.strictEqual(token, `${"a".repeat(8)}${"0".repeat(12)}${"b".repeat(12)}`)
  })
})

describe.skipIf(process.platform !== "linux")("marks from /proc", () => {
  it("know this process, a living child, and that a killed one is gone", async () => {
    const marks = processMarksIn("/proc", process.pid)
    assert.isNotNull(marks.self.host)
    assert.deepStrictEqual(marks.seen(process.pid), { startedAt: marks.self.startedAt })
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"])
    const pid = child.pid ?? 0
    const alive = marks.seen(pid)
    assert.isNotNull(alive)
    child.kill("SIGKILL")
    await once(child, "exit")
    assert.isNull(marks.seen(pid))
  })

  it("read a name with parentheses and spaces, and take a zombie for gone", () => {
    const folder = scratch()
    const stat = (pid: number, name: string, state: string, started: string) => {
      mkdirSync(path.join(folder, String(pid)), { recursive: true })
      const between = Array.from({ length: 18 }, (_, n) => n).join(" ")
      writeFileSync(
        path.join(folder, String(pid), "stat"),
        `${pid} (${name}) ${state} ${between} ${started} 0 0`
      )
    }
    stat(1, "a) b (c", "S", "4242")
    stat(2, "node", "Z", "1")
    assert.deepStrictEqual(seenIn(folder, 1), { startedAt: "4242" })
    assert.isNull(seenIn(folder, 2))
    assert.isNull(seenIn(folder, 3))
  })

  it("prove nothing where the host is nameless or hides other users' processes", () => {
    const folder = scratch()
    for (const below of ["self/ns", "sys/kernel/random", "9"])
      mkdirSync(path.join(folder, below), { recursive: true })
    writeFileSync(
      path.join(folder, "9/stat"),
      `9 (node) S ${Array.from({ length: 18 }, () => 0).join(" ")} 5 0`
    )
    assert.isNull(processMarksIn(folder, 9).self.host)
    writeFileSync(path.join(folder, "sys/kernel/random/boot_id"), "boot\n")
    symlinkSync("pid:[1]", path.join(folder, "self/ns/pid"))
    writeFileSync(path.join(folder, "self/mounts"), "proc /proc proc rw,hidepid=2 0 0\n")
    assert.isNull(processMarksIn(folder, 9).self.host)
    writeFileSync(path.join(folder, "self/mounts"), "proc /proc proc rw,relatime 0 0\n")
    assert.strictEqual(processMarksIn(folder, 9).self.host, "boot pid:[1]")
  })
})
