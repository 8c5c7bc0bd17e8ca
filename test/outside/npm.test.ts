import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { projectRoot } from "../support/program.ts"
import { alertBody, Service } from "./service.ts"

// A copy in a directory with spaces; the installed packages are the project's own.
const parent = mkdtempSync(path.join(tmpdir(), "holdfast-npm-"))
const copy = path.join(parent, "a place with spaces")
beforeAll(() => {
  for (const name of [
    "src",
    "peers",
    "migrations",
    "scripts",
    "package.json",
    "package-lock.json",
    "tsconfig.json"
  ])
    cpSync(path.join(projectRoot, name), path.join(copy, name), { recursive: true })
  symlinkSync(path.join(projectRoot, "node_modules"), path.join(copy, "node_modules"))
})
afterAll(() => rmSync(parent, { recursive: true, force: true }))

const started: Array<Service> = []
const npmStart = (env: Readonly<Record<string, string>> = {}): Service => {
  const command = ["npm", "start", "--silent"] as const
  // DATA_DIR is not set: the default is a directory of the copy, spaces included.
  const service = new Service({
    command,
    cwd: copy,
    dataDir: path.join(copy, "data"),
    env: { DATA_DIR: "", ...env }
  })
  started.push(service)
  return service
}
afterAll(async () => {
  for (const service of started) await service.dispose()
}, 150_000)

describe("npm start in a directory with spaces", () => {
  it("trades, and SIGTERM to npm is a clean stop with status 0", async () => {
    const service = npmStart()
    await service.start({}, 60_000)
    const answer = await service.post("/webhook", alertBody())
    assert.strictEqual(answer.status, 201)
    const trace = await service.settled(String(answer.body.signal_id))
    assert.strictEqual(trace.orders[0].status, "filled")
    const exit = await service.stop()
    assert.deepStrictEqual(exit, { code: 0, signal: null }, service.tail())
    assert.strictEqual(service.lastLine["event"], "stopped")
    // Without --silent npm says first what it runs; with it a collector of logs reads JSON from the first line on.
    assert.strictEqual(service.lines[0]?.["event"], "boot")
  }, 180_000)

  it("passes on the exit status of a refused configuration", async () => {
    const service = npmStart({ ROLES: "nobody" })
    service.spawn()
    const exit = await service.end()
    assert.strictEqual(exit.code, 78, service.tail())
    assert.strictEqual(service.events("fatal").length, 1)
  }, 240_000)
})
