/**
 * Decision replay, as an operator has it: the command of a terminal and the API, beside a running service (T15).
 */
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import { projectRoot } from "../support/program.ts"
import { alertBody, Service } from "./service.ts"

const service = new Service()
const scratch = mkdtempSync(path.join(tmpdir(), "holdfast-replay-"))
const from = new Date(Date.now() - 60_000).toISOString()
const ids: Array<string> = []
let to = ""

beforeAll(async () => {
  await service.start()
  for (const quantity of ["1", "3", "9"]) {
    const { body } = await service.post("/webhook", alertBody({ symbol: "AAPL", quantity }))
    ids.push(String(body.signal_id))
    await service.settled(String(body.signal_id))
  }
  to = new Date(Date.now() + 60_000).toISOString()
}, 240_000)
afterAll(async () => {
  await service.dispose()
  rmSync(scratch, { recursive: true, force: true })
}, 150_000)

/** `npm run replay` on the data of the service. */
const replay = (...more: ReadonlyArray<string>) =>
  new Promise<{ readonly status: number; readonly text: string }>((resolve) => {
    const options = {
      cwd: projectRoot,
      env: { ...process.env, DATA_DIR: service.dataDir, HOLDFAST_CONFIG: "" },
      timeout: 150_000
    }
    const given = ["scripts/replay.ts", "--from", from, "--to", to, ...more]
    execFile(process.execPath, given, options, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === "number" ? error.code : -1
      resolve({ status, text: `${stdout}${stderr}` })
    })
  })

const changed = { risk: { quantityMax: "5" } }

interface Found {
  readonly status: string
  readonly decided: number
  readonly pnl_change: string | null
  readonly differences: ReadonlyArray<{
    readonly signal_id: string
    readonly was: { readonly outcome: string }
    readonly now: { readonly outcome: string; readonly reason: string }
  }>
}

/** A replay by the API, from the request to its result. */
const asked = async (body: Record<string, unknown>): Promise<Found> => {
  const answer = await service.post("/api/v1/replay", { from, to, ...body })
  assert.strictEqual(answer.status, 202)
  return waitUntil("the replay is done", async () => {
    const found = await service.get(`/api/v1/replay/${String(answer.body["id"])}`)
    return found.body["status"] === "running" ? undefined : (found.body as Found)
  })
}

const summary = ({ differences }: Found) =>
  differences.map(({ now, signal_id, was }) => ({
    id: signal_id,
    was: was.outcome,
    now: now.outcome,
    why: now.reason
  }))

describe("decisions made again", () => {
  it("do not differ under the same code and settings, in the terminal and by the API", async () => {
    const result = await replay()
    assert.deepStrictEqual(result.status, 0, result.text)
    assert.match(result.text, /^3 decisions made again: 0 differ, 0 orders would change, P&L 0\n$/)
    const found = await asked({})
    assert.deepInclude(found, { status: "done", decided: 3, differences: [], pnl_change: "0" })
  })

  it("differ by exactly what a changed limit denies", async () => {
    const file = path.join(scratch, "changed.json")
    writeFileSync(file, JSON.stringify(changed))
    const result = await replay("--config", file, "--json")
    assert.strictEqual(result.status, 1, result.text)
    const wanted = [{ id: ids[2] ?? "", was: "ordered", now: "denied", why: "quantity" }]
    assert.deepStrictEqual(summary(JSON.parse(result.text) as Found), wanted)
    const found = await asked({ settings: changed })
    assert.deepStrictEqual(summary(found), wanted)
    assert.deepInclude(found, { decided: 3 })
  })

  it("are those of one source, and settings that a start would refuse are refused by name", async () => {
    assert.deepInclude(await asked({ source: "wave" }), { decided: 0 })
    const refused = await service.post("/api/v1/replay", {
      from,
      to,
      settings: { risk: { quantityMax: "many" } }
    })
    assert.strictEqual(refused.status, 400)
    assert.match(JSON.stringify(refused.body["errors"]), /settings\.risk\.quantityMax/)
    assert.strictEqual((await replay("--from", to)).status, 78)
  })

  it("need no running service", async () => {
    await service.stop()
    const result = await replay()
    assert.strictEqual(result.status, 0, result.text)
    assert.match(result.text, /^3 decisions made again/)
  })
})
