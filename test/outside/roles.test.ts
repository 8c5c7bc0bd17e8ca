import { afterEach, assert, describe, it } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import { alertBody, type Service } from "./service.ts"
import { World } from "./world.ts"

const worlds: Array<World> = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.dispose()
}, 150_000)

describe("A7 roles", () => {
  it("one process takes the webhooks, another trades what it took; neither does the other's work", async () => {
    const world = await World.open({ database: "external" })
    worlds.push(world)
    const { broker, service: intake } = world
    const trader = world.another("trader")
    intake.spawn({ ROLES: "http" })
    await intake.ready()
    const answer = await intake.post("/webhook", alertBody())
    assert.strictEqual(answer.status, 201, answer.text)
    const { body: health } = await intake.get("/health")
    assert.isFalse(health.can_trade, "nothing in this process trades")
    assert.isEmpty(Object.keys(health.components as object).filter((name) => name.startsWith("root/trading")))
    assert.lengthOf(await broker.creates(), 0)

    trader.spawn({ ROLES: "accounts" })
    await trader.listening()
    await waitUntil(
      () => `the trader to trade${trader.tail()}`,
      async () => ((await trader.get("/health")).body.can_trade === true ? true : undefined)
    )
    const trace = await intake.settled(String(answer.body.signal_id))
    assert.strictEqual(trace.orders[0].status, "filled")
    assert.lengthOf(await broker.orders(), 1)
    const refused = await trader.post("/webhook", alertBody())
    assert.isAtLeast(refused.status, 400, "a process without the role takes no webhooks")
    assert.strictEqual((await trader.get("/health/live")).status, 200)
    assert.strictEqual((await trader.get("/health/ready")).status, 200, "ready for the work of its roles")
    assert.strictEqual((await trader.get("/health")).status, 200)
    const said = async (service: Service) =>
      String((await waitUntil("the line ready", () => service.events("ready")[0]))["msg"])
    assert.match(await said(trader), /takes no webhooks/)
    assert.match(await said(intake), /^takes webhooks durably; status \w+$/)
  }, 180_000)
})
