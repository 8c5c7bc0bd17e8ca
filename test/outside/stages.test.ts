/**
 * Strategies that are demoted (G5), by an operator and by a rule: they open nothing, close what they hold, stay so over a kill; what
 * they order is on paper.
 */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import { alertBody, type Row, Service } from "./service.ts"
import { World } from "./world.ts"

let service = new Service()
const operated = service
let world: World
beforeAll(async () => {
  world = await World.open({
    settings: {
      strategies: {
        default: {
          sources: ["default"],
          accounts: ["paper-1"],
          demotion: { lossMax: "5", lossCloses: 3, back: { closes: 1 } }
        }
      },
      sources: {}
    }
  })
  await service.start()
}, 150_000)
afterAll(async () => {
  await operated.dispose()
  await world.dispose()
}, 150_000)

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

describe("a strategy that loses", () => {
  it("becomes a shadow by its rule, orders on paper from then on, and nothing of it is sent", async () => {
    service = world.service
    await service.start()
    // Closes count from the moment at which the rule first looked.
    await waitUntil("the first look", async () => ((await shown())["since"] === null ? undefined : true))
    await world.broker.price("SPY", "100")
    assert.deepStrictEqual(statuses(await decided({ id: "l-1" })), ["buy filled -"])
    await world.broker.price("SPY", "90")
    assert.deepStrictEqual(statuses(await decided({ id: "l-2", intent: "close" })), ["sell filled -"])
    const demoted = await waitUntil(
      () => `the demotion${service.tail()}`,
      async () => {
        const row = await shown()
        return row["stage"] === "shadow" ? row : undefined
      }
    )
    const reason = "its last 1 closes made -10, limit -5"
    assert.deepInclude(demoted, { changed_by: "rule:loss", reason, closes: 0, paper_open: [] })

    const sent = (await world.broker.creates()).length
    assert.strictEqual(sent, 2)
    const opened = await decided({ id: "l-3" })
    assert.deepStrictEqual(statuses(opened), ["buy denied strategy_shadow"])
    const waits = { order_type: "limit", limit_price: "1", time_in_force: "gtc" }
    assert.deepStrictEqual(statuses(await decided({ id: "l-4", ...waits })), ["buy denied strategy_shadow"])
    const why = await service.get(`/api/v1/signals/${String(opened.signal.id)}/why`)
    assert.include(why.text, "the strategy runs as a shadow by rule:loss")
    assert.include(why.text, "on paper buy 1 SPY is filled at")
    await service.kill()
    await service.start()
    const after = await shown()
    assert.lengthOf(after["paper_open"] as ReadonlyArray<unknown>, 1)
    const [rests] = after["paper_resting"] as ReadonlyArray<Readonly<Record<string, unknown>>>
    assert.deepInclude(rests, { side: "buy", quantity: "1", limit_price: "1", triggered: false })
    assert.strictEqual((await world.broker.creates()).length, sent)

    const audit = (await service.list("audit")).filter(({ command }) => command === "strategy.demote")
    assert.lengthOf(audit, 1)
    assert.deepInclude(audit[0], {
      scope: "strategy:default",
      by: "rule:loss",
      means: "rule",
      result: "accepted",
      reason
    })
    const [alert] = (await service.list("monitoring/alerts")).filter(
      ({ kind }) => kind === "strategy.demoted"
    )
    assert.deepInclude(alert, { severity: "HIGH", resolved_at: null })
  }, 240_000)
})
