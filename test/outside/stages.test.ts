/** A strategy that an operator demotes (G5): it opens nothing, closes what it holds, stays so over a kill, and trades again. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { alertBody, type Row, Service } from "./service.ts"

const service = new Service()
beforeAll(() => service.start(), 60_000)
afterAll(() => service.dispose(), 60_000)

const decided = async (fields: Readonly<Record<string, unknown>>) => {
  const answer = await service.post("/webhook", alertBody(fields))
  assert.strictEqual(answer.status, 201, answer.text)
  return await service.settled(String(answer.body.signal_id), 60_000)
}
const statuses = (trace: Awaited<ReturnType<typeof decided>>) =>
  (trace.orders as ReadonlyArray<Row>).map(({ reason, side, status }) =>
    [side, status, reason ?? "-"].join(" ")
  )
const shown = async () => {
  const { body } = await service.get("/api/v1/strategies")
  const rows: ReadonlyArray<Readonly<Record<string, unknown>>> = body.items
  return rows.find((row) => row["strategy"] === "default") ?? assert.fail("it is listed")
}

describe("a demoted strategy", () => {
  it("opens on paper, closes for real, survives a kill, and is promoted by the operator alone", async () => {
    assert.deepStrictEqual(statuses(await decided({ id: "s-1" })), ["buy filled -"])
    const body = { reason: "it loses" }
    const demoted = await service.post("/api/v1/strategies/default/demote", body)
    assert.strictEqual(demoted.status, 200, demoted.text)
    assert.strictEqual(demoted.body.stage, "shadow")
    assert.strictEqual((await service.post("/api/v1/strategies/nobody/demote", body)).status, 404)

    assert.deepStrictEqual(statuses(await decided({ id: "s-2" })), ["buy denied strategy_shadow"])
    await service.kill()
    await service.start()
    const after = await shown()
    assert.deepInclude(after, { stage: "shadow", reason: "it loses" })
    assert.lengthOf(after["paper_open"] as ReadonlyArray<unknown>, 1)

    const closed = await decided({ id: "s-3", intent: "close" })
    assert.deepStrictEqual(statuses(closed), ["sell filled -"])
    assert.deepInclude(await shown(), { paper_closes: 1, paper_open: [] })
    const why = await service.get(`/api/v1/signals/${String(closed.signal.id)}/why`)
    assert.include(why.text, "on paper sell 1 SPY is filled at")

    const promoted = await service.post("/api/v1/strategies/default/promote", {})
    assert.strictEqual(promoted.body.stage, "live", promoted.text)
    assert.deepStrictEqual(statuses(await decided({ id: "s-4" })), ["buy filled -"])
    const audit = (await service.list("audit")).map(({ command }) => String(command))
    assert.includeMembers(audit, ["strategy.demote", "strategy.promote"])
  }, 180_000)
})
