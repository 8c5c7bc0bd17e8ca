import { assert, describe, it } from "vitest"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { processMarksIn, seenIn } from "../../../src/layers/platform/process-mark.proc.ts"

const scratch = (): string => mkdtempSync(path.join(tmpdir(), "holdfast-proc-"))

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
