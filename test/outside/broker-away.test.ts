import { assert, describe, it, type TestContext } from "vitest"
import { setTimeout as pause } from "node:timers/promises"
import { waitUntil } from "../support/exchange.ts"
import { HealthWatch } from "./health-watch.ts"
import { alertBody } from "./service.ts"
import { World } from "./world.ts"

/** A service that trades with a broker of rule U. */
const openWorld = async ({ onTestFinished }: TestContext): Promise<World> => {
  const world = await World.open({ database: "external" })
  onTestFinished(() => world.dispose(), 60_000)
  await world.service.start()
  return world
}

const post = async (world: World, symbol: string): Promise<string> => {
  const answer = await world.service.post("/webhook", alertBody({ symbol }))
  assert.strictEqual(answer.status, 201, answer.text)
  return String(answer.body.signal_id)
}

/** The order of a signal is filled, once, and has one order in the broker's book. */
const assertFilledOnce = async ({ broker, service }: World, signalId: string): Promise<number> => {
  const trace = await service.settled(signalId, 60_000)
  assert.lengthOf(trace.orders, 1)
  const [order] = trace.orders
  assert.strictEqual(order.status, "filled", JSON.stringify(order))
  assert.lengthOf(trace.fills, 1)
  assert.lengthOf(trace.links, 1)
  assert.lengthOf(await broker.orders(order.client_order_id), 1)
  return (await broker.creates(order.client_order_id))[0]?.received ?? 0
}

describe.concurrent("a broker that is away", () => {
  it("fills made while the stream was down are recorded once when it is back", async (context) => {
    const world = await openWorld(context)
    const { broker, service } = world
    await broker.faults({ holdFills: true })
    const signals = [await post(world, "SPY"), await post(world, "QQQ"), await post(world, "SPY")]
    await waitUntil("three orders", async () => ((await broker.orders()).length === 3 ? true : undefined))
    await broker.faults({ streamStatus: 503 })
    await broker.closeStreams(1000)
    await waitUntil(
      () => `health to say that a broker is away${service.tail()}`,
      async () => {
        const { body } = await service.get("/health")
        return body.status === "degraded" && body.ready === true ? true : undefined
      }
    )
    await broker.faults({ holdFills: false })
    await waitUntil("three fills", async () => ((await broker.fills()).length === 3 ? true : undefined))
    await broker.clearFaults()
    for (const signal of signals) assert.strictEqual(await assertFilledOnce(world, signal), 1)
    await service.trading()
  }, 120_000)

  it("an order that fills in parts is filled when the last part is recorded", async (context) => {
    const world = await openWorld(context)
    await world.broker.faults({ fillParts: 3 })
    const answer = await world.service.post("/webhook", alertBody({ symbol: "SPY", quantity: "9" }))
    const trace = await world.service.settled(String(answer.body.signal_id))
    assert.strictEqual(trace.orders[0].status, "filled")
    assert.strictEqual(Number(trace.orders[0].filled_quantity), 9)
    assert.lengthOf(trace.fills, 3)
    assert.lengthOf(trace.links, 3)
  }, 60_000)

  it("T2 killed and started again: ready, degraded and no trading meanwhile, webhooks taken, each order sent once", async (context) => {
    const world = await openWorld(context)
    const { broker, service } = world
    await broker.faults({ create: { mode: "delay_after", delayMs: 500 } })
    const signals = [await post(world, "SPY"), await post(world, "QQQ"), await post(world, "IWM")]
    await waitUntil("the first order", async () => ((await broker.orders()).length >= 1 ? true : undefined))
    await broker.kill()
    await waitUntil(
      () => `health to say that the broker is away${service.tail()}`,
      async () => {
        const { body, status } = await service.get("/health")
        return status === 200 && body.status === "degraded" && body.ready && !body.can_trade
          ? true
          : undefined
      }
    )
    signals.push(await post(world, "DIA"))
    // It never changes its mind before the broker is back.
    const watch = new HealthWatch(service)
    watch.start()
    await pause(3_000)
    await watch.stop()
    assert.isAbove(watch.samples.length, 5)
    assert.isEmpty(watch.samples.filter(({ answer }) => answer.body.can_trade !== false))
    assert.isEmpty(watch.lies([]))
    await broker.start()
    await service.trading(60_000)
    // A create may have died with the venue after it was counted and before it was booked: then it is sent again.
    for (const signal of signals) assert.isAtMost(await assertFilledOnce(world, signal), 2)
    assert.deepStrictEqual(await service.restarts(), {})
  }, 120_000)

  it("frozen: webhooks are taken at once all the same, and its orders are sent when it is back", async (context) => {
    const world = await openWorld(context)
    const { broker, service } = world
    broker.freeze()
    const from = performance.now()
    const signal = await post(world, "SPY")
    assert.isBelow(performance.now() - from, 1_000)
    await waitUntil(
      () => `health to say that the broker is away${service.tail()}`,
      async () => {
        const { body } = await service.get("/health")
        return body.ready && !body.can_trade && body.status === "degraded" ? true : undefined
      },
      60_000
    )
    broker.thaw()
    await service.trading(60_000)
    await assertFilledOnce(world, signal)
  }, 150_000)
})
