/**
 * A day on which a rule stops trading (F1, F2), as an operator lives it: entries end with numbers, exits pass, a restart
 * forgets nothing, and only a resume with a reason lets it go on.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import { alertBody, type Row, Service } from "./service.ts"

const folder = mkdtempSync(path.join(tmpdir(), "holdfast-drawdown-"))
const config = path.join(folder, "holdfast.json")
// The spread of a thousand is more than that, so buying them is enough.
writeFileSync(config, JSON.stringify({ risk: { scopes: { global: { drawdownMax: "1" } } } }))
const service = new Service({ env: { HOLDFAST_CONFIG: config } })
beforeAll(() => service.start(), 150_000)
afterAll(async () => {
  await service.dispose()
  rmSync(folder, { recursive: true, force: true })
}, 150_000)

const post = async (fields: Readonly<Record<string, unknown>>) => {
  const { body } = await service.post("/webhook", alertBody(fields))
  return await service.settled(String(body.signal_id))
}
const state = async (): Promise<Row> => (await service.get("/api/v1/trading-state")).body as never
const set = async (wanted: string, reason: string): Promise<void> => {
  const answer = await service.post("/api/v1/trading-state", { state: wanted, reason })
  assert.strictEqual(answer.status, 200, answer.text)
}
interface Check {
  readonly check: string
  readonly ok: boolean
  readonly code: string | null
  readonly numbers: Readonly<Record<string, unknown>>
}
const denied = (trace: Awaited<ReturnType<typeof post>>): Check | undefined =>
  (trace.decision?.checks as ReadonlyArray<Check> | undefined)?.find(({ check }) => check === "drawdown")
const ofRule = async (status: string): Promise<ReadonlyArray<Row>> =>
  await service.list("monitoring/alerts", `kind=trading_state.changed&status=${status}`)

describe("a drawdown", () => {
  it("[F2] reduces trading by rule, holds through a kill, and ends by an operator's resume", async () => {
    const opened = await post({ quantity: "1000" })
    assert.strictEqual(opened.orders[0].status, "filled", service.tail())
    const stopped = await waitUntil(
      () => `the rule to step in${service.tail()}`,
      async () => {
        const now = await state()
        return now["state"] === "REDUCING" ? now : undefined
      }
    )
    assert.deepInclude(stopped, { scope: "global", changed_by: "rule:drawdown" })
    assert.match(stopped["reason"] ?? "", /^drawdown [\d.]+ of 1$/)
    const [alert] = await waitUntil("the alert", async () => {
      const rows = await ofRule("open")
      return rows.length === 1 ? rows : undefined
    })
    assert.deepInclude(alert, { severity: "HIGH", component: "root/trading/risk" })

    const refused = await post({ symbol: "QQQ" })
    assert.strictEqual(refused.decision?.outcome, "denied")
    const { code, numbers } = denied(refused) ?? assert.fail("the check is in the trace")
    assert.strictEqual(code, "drawdown")
    assert.deepInclude(numbers, { scope: "global", limit: "1", tripped: true })
    assert.property(numbers, "drawdown")

    await service.kill()
    service.spawn()
    await service.ready()
    assert.deepInclude(await state(), { state: "REDUCING", changed_by: "rule:drawdown" })

    const closed = await post({ action: "sell", direction: "long" })
    assert.strictEqual(closed.orders[0].status, "filled", service.tail())
    const [position] = await service.list("positions", "account=paper-1")
    assert.strictEqual(position?.["quantity"], "0")

    await set("HALTED", "lunch")
    await set("ACTIVE", "looked at it: the spread was to be expected")
    assert.deepInclude(await state(), { state: "ACTIVE", changed_by: "api:127.0.0.1" })
    // Posted at once: it waits for the check that sees the resume.
    const allowed = await post({ symbol: "QQQ", quantity: "0.001" })
    assert.strictEqual(allowed.orders[0].status, "filled", service.tail())
    assert.deepInclude(await state(), { state: "ACTIVE" })
    await waitUntil("the end of the alert", async () =>
      (await ofRule("open")).some(({ message }) => message?.includes("by rule") === true) ? undefined : true
    )
  }, 240_000)

  it("shows in the account and its equity", async () => {
    const rows = await waitUntil("its equity", async () => {
      const found = await service.list("equity", "account=paper-1")
      return found.length > 0 ? found : undefined
    })
    assert.isTrue(rows.every((row) => row["realised_pnl"] !== null))
    // Its cash is that of the minute of its equity: of the first minute it may not be known.
    const account = await waitUntil(
      "a minute of which the cash is known",
      async () => {
        const row = (await service.list("accounts", "venue=practice")).find(({ id }) => id === "paper-1")
        return row?.["cash"] === null ? undefined : row
      },
      300_000
    )
    assert.isNotNull(account["equity_at"])
    assert.isNotNull(account["balance_at"])
  }, 240_000)
})
