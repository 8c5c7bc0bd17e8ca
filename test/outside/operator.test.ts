import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { setTimeout as pause } from "node:timers/promises"
import { waitUntil } from "../support/exchange.ts"
import { alertBody, type Row } from "./service.ts"
import { World } from "./world.ts"

let world: World
beforeAll(async () => {
  world = await World.open({ database: "external" })
  await world.service.start()
}, 60_000)
afterAll(() => world.dispose(), 60_000)

const setState = async (state: string, reason: string): Promise<void> => {
  const answer = await world.service.post("/api/v1/trading-state", { state, reason })
  assert.strictEqual(answer.status, 200, answer.text)
}

describe("T2 halted by an operator", () => {
  it("is healthy, says halted, takes webhooks, sends nothing, and stays so over a SIGKILL", async () => {
    const { broker, service } = world
    await setState("HALTED", "the judge wants to see it")
    await waitUntil("health to say it", async () =>
      (await service.get("/health")).body.can_trade === false ? true : undefined
    )
    const taken = await service.post("/webhook", alertBody())
    assert.strictEqual(taken.status, 201, taken.text)
    await service.kill()
    service.spawn()
    await service.ready()
    await waitUntil("the signal to be decided", async () => {
      const { body } = await service.get(`/api/v1/signals/${taken.body.signal_id}`)
      return body.decision ? true : undefined
    })
    // Long enough for an executor that does not care.
    await pause(2_000)
    assert.lengthOf(await broker.creates(), 0)
    const { body, status } = await service.get("/health")
    assert.strictEqual(status, 200)
    assert.deepStrictEqual(
      [body.status, body.ready, body.can_trade, body.halted],
      ["healthy", true, false, true],
      JSON.stringify(body)
    )
    const { body: state } = await service.get("/api/v1/trading-state")
    assert.deepStrictEqual([state.state, state.reason], ["HALTED", "the judge wants to see it"])
  }, 90_000)

  it("trades again once it is ACTIVE", async () => {
    const { broker, service } = world
    await setState("ACTIVE", "seen")
    await service.trading()
    const taken = await service.post("/webhook", alertBody({ symbol: "QQQ" }))
    const trace = await service.settled(String(taken.body.signal_id))
    assert.strictEqual(trace.orders[0].status, "filled")
    const orders = await service.list("orders")
    const sent = orders.filter((order: Row) => order["status"] === "filled").length
    assert.lengthOf(await broker.orders(), sent)
    assert.isTrue((await broker.creates()).every(({ received }) => received === 1))
  }, 60_000)
})

describe("G11 settings applied without a restart", () => {
  /** Reads again and waits for the line that says what came of it. */
  const reload = async (event: string): Promise<void> => {
    const { service } = world
    const before = service.events(event).length
    service.signal("SIGHUP")
    await waitUntil(
      () => `${event}${service.tail()}`,
      () => (service.events(event).length > before ? true : undefined)
    )
  }
  const order = async (symbol: string): Promise<Row> => {
    const { service } = world
    const taken = await service.post("/webhook", alertBody({ symbol, quantity: 3 }))
    return (await service.settled(String(taken.body.signal_id))).orders[0] as Row
  }

  it("a limit holds for the next alert; what is wrong changes nothing; the limit goes as it came", async () => {
    const { service } = world
    const lives = service.lives
    world.configure({ risk: { quantityMax: "1" } })
    await reload("config.applied")
    assert.deepInclude(await order("LIMITED"), { status: "denied", reason: "quantity" })
    world.configure({
      strategies: { default: { sources: ["default"], accounts: ["nobody"] } }
    })
    await reload("config.refused")
    assert.deepInclude(await order("LIMITED"), { status: "denied" })
    const alerts = await service.list("monitoring/alerts", "kind=config.refused&status=open")
    assert.lengthOf(alerts, 1)
    world.configure({})
    await reload("config.applied")
    assert.deepInclude(await order("LIMITED"), { status: "filled" })
    await waitUntil("the alert to be over", async () => {
      const open = await service.list("monitoring/alerts", "kind=config.refused&status=open")
      return open.length === 0 ? true : undefined
    })
    assert.strictEqual(service.lives, lives)
    assert.deepStrictEqual(await service.restarts(), {})
  }, 60_000)
})
