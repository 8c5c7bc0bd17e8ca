/**
 * A sender that goes silent, as an operator sees it, with the account of its own log of alerts: one service through the
 * silence, its end, a kill and a start, and the command of the terminal.
 */
import { afterAll, assert, beforeAll, it } from "vitest"
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { waitUntil } from "../support/exchange.ts"
import { alertBody, type Row } from "./service.ts"
import { World } from "./world.ts"

const folder = mkdtempSync(path.join(tmpdir(), "holdfast-expected-"))
let world: World
beforeAll(async () => {
  const expected = { kind: "bars", every: "10S", graceMs: 1_000 }
  world = await World.open({
    database: "external",
    settings: {
      sources: { bars: { expected } },
      strategies: { default: { sources: ["default", "wave", "bars"], accounts: ["paper-1"] } }
    }
  })
  await world.service.start()
}, 180_000)
afterAll(async () => {
  await world.dispose()
  rmSync(folder, { recursive: true, force: true })
}, 150_000)

const component = "root/operators/expected-signals"
const items = async (url: string): Promise<ReadonlyArray<Row>> => (await world.service.get(url)).body.items
const openAlerts = () => items("/api/v1/monitoring/alerts?kind=signal.missing&status=open")
const statuses = async () => (await items("/api/v1/expected-signals?source=bars")).map((row) => row["status"])

const until = (what: string, holds: () => Promise<boolean>) =>
  waitUntil(what, async () => ((await holds()) ? true : undefined))

/** The command of the terminal, with its exit status. */
const alertLog = (content: string, ...more: ReadonlyArray<string>) =>
  new Promise<{ readonly status: number; readonly text: string }>((resolve) => {
    const file = path.join(folder, "log.csv")
    writeFileSync(file, content)
    // Its own origin, so that it takes the token that the service keeps in its DATA_DIR.
    const env = { ...process.env, DATA_DIR: world.service.dataDir, PORT: new URL(world.service.url).port }
    const args = ["scripts/alert-log.ts", file, "--source", "bars", "--url", world.service.url, ...more]
    execFile(process.execPath, args, { env }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), text: stdout + stderr })
    )
  })
const cell = (body: object): string => `"${JSON.stringify(body).replaceAll('"', '""')}"`
const csv = (...bodies: ReadonlyArray<object>): string =>
  ["Alert ID,Ticker,Name,Description,Time"]
    .concat(bodies.map((body, index) => `${index},SPY,bars,${cell(body)},${new Date().toISOString()}`))
    .join("\n")

it("[F4, G2] silence is an alert until the next signal, a kill blames nobody, and the log is accounted for", async () => {
  const first = alertBody({ note: "first" })
  assert.strictEqual((await world.service.post("/webhook/bars", first)).status, 201)
  await until("the silence is noticed", async () => (await openAlerts()).length === 1)
  const [raised] = await openAlerts()
  assert.include(await statuses(), "missed")
  assert.deepInclude(raised, { severity: "HIGH", dedup_key: "signal.missing:bars", component })
  await until("health says so", async () => {
    const { body, status } = await world.service.get("/health")
    return (
      status === 200 && body.status === "degraded" && body.components[component].state.startsWith("Missing")
    )
  })
  assert.include((await world.service.get("/metrics")).text, 'holdfast_expected_missing{source="bars"} 1')

  await world.service.kill()
  await world.service.start()
  const last = alertBody({ note: "last" })
  assert.strictEqual((await world.service.post("/webhook/bars", last)).status, 201)
  await until("the sender is back", async () => {
    await world.service.post("/webhook/bars", alertBody({ note: String(Date.now()) }))
    await pause(500)
    const { sources } = (await world.service.get("/health")).body.components[component].detail
    return (await openAlerts()).length === 0 && sources.bars.missing === false
  })
  // A signal that comes within the next period makes the silence before it late; longer ones stay missed.
  assert.isTrue((await statuses()).some((status) => status === "missed" || status === "late"))

  const complete = await alertLog(csv(first, last))
  assert.deepStrictEqual(complete, { status: 0, text: "2 of 2 alerts arrived: 2 accepted\n" })
  const lost = await alertLog(csv(first, alertBody({ note: "never posted" })))
  assert.strictEqual(lost.status, 1)
  assert.match(lost.text, /^line 3: never_arrived .*\n1 of 2 alerts arrived: 1 accepted, 1 never_arrived\n$/)
  const wrong = await alertLog("when,what\n1,2")
  assert.strictEqual(wrong.status, 78)
  assert.include(wrong.text, "log must have a column time")
  const away = await alertLog(csv(first), "--url", "http://127.0.0.1:9")
  assert.strictEqual(away.status, 69)
}, 300_000)
