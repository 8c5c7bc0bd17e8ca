import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { Service } from "./service.ts"
import { giveAway, unprivilegedCommand, reasonNotForbidden, reasonNotUnprivileged } from "./unprivileged.ts"

/** Bound by nobody in tests, and forbidden to an ordinary user unless the system says otherwise. */
const FORBIDDEN_PORT = 80

const named = (title: string, reason: string | null): string =>
  reason === null ? title : `${title} [skipped: ${reason}]`

describe("T1 start-up faults of a user without rights", () => {
  let folder = ""
  let service: Service
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "holdfast-unprivileged-"))
    // Readable by whoever runs the service, whose parts of it are made below.
    chmodSync(folder, 0o755)
  })
  afterEach(async () => {
    await service.dispose()
    rmSync(folder, { recursive: true, force: true })
  })

  const start = (dataDir: string, port: number): void => {
    service = new Service({
      dataDir,
      command: unprivilegedCommand,
      env: { PORT: String(port), HOLDFAST_CONFIG: "", TMPDIR: dataDir }
    })
    service.spawn()
  }
  /** The last line of a start that failed: the fields every such line has, and those of this fault. */
  const fatal = async (fields: Record<string, unknown>, ...named: ReadonlyArray<string>): Promise<void> => {
    const exit = await service.end()
    assert.strictEqual(exit.code, 69, service.tail())
    const last = service.lastLine
    assert.deepInclude(last, { event: "fatal", ...fields })
    for (const field of ["step", "cause", "hint"]) assert.isNotEmpty(last[field], field)
    for (const text of named) assert.include(JSON.stringify(last), text)
  }

  const open = reasonNotForbidden(FORBIDDEN_PORT)
  it.skipIf(open !== null)(
    named("port forbidden: exit 69, last line names PortForbidden, the port, the step and a hint", open),
    async () => {
      const dataDir = path.join(folder, "data")
      mkdirSync(dataDir)
      giveAway(dataDir)
      start(dataDir, FORBIDDEN_PORT)
      await fatal({ error: "PortForbidden", path: "root/http" }, String(FORBIDDEN_PORT))
      assert.deepStrictEqual(service.events("http.listening"), [])
    }
  )

  const reason = reasonNotUnprivileged()
  it.skipIf(reason !== null).each([
    ["exists", "data"],
    ["is to be made in such a one", "data/below"]
  ])(
    named("DATA_DIR not writable (%s): exit 69, last line names its path, the step and a hint", reason),
    async (_what, name) => {
      const dataDir = path.join(folder, "data")
      mkdirSync(dataDir, { mode: 0o555 })
      start(path.join(folder, name), 0)
      await fatal({ path: "root/database" }, path.join(folder, name))
      assert.deepStrictEqual(readdirSync(dataDir), [], "nothing is left in it")
    }
  )
})
