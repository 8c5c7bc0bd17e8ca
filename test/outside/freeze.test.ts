import { assert, describe, it, type TestContext } from "vitest"
import { setTimeout as pause } from "node:timers/promises"
import { waitUntil } from "../support/exchange.ts"
import { audit } from "./audit.ts"
import type { Delivery } from "./producer.ts"
import { alertBody, type Service } from "./service.ts"
import { World } from "./world.ts"

const openWorld = async ({ onTestFinished }: TestContext): Promise<World> => {
  const world = await World.open({ database: "external" })
  onTestFinished(() => world.dispose(), 60_000)
  await world.service.start()
  return world
}

/** A lease lasts 15 s and is renewed every 5 s: after this it has run out whatever was done last. */
const pastTheLeaseMs = 17_000

const postMany = async (service: Service, count: number): Promise<ReadonlyArray<Delivery>> =>
  await Promise.all(
    Array.from({ length: count }, async (_, index): Promise<Delivery> => {
      const source = index % 3 === 0 ? "fan" : "default"
      const body = alertBody({ symbol: ["SPY", "QQQ", "IWM"][index % 3] })
      const answer = await service.post(source === "fan" ? "/webhook/fan" : "/webhook", body)
      assert.strictEqual(answer.status, 201, answer.text)
      return { source, body, tries: [], signalId: String(answer.body.signal_id) }
    })
  )

/** A venue that needs 400 ms for each create: the orders of 12 signals are still pending when the freeze comes. */
const freezeWithOrdersPending = async (world: World): Promise<ReadonlyArray<Delivery>> => {
  const { broker, service } = world
  await broker.faults({ create: { mode: "delay_after", delayMs: 400 } })
  const deliveries = await postMany(service, 12)
  await waitUntil("the first orders to be sent", async () =>
    (await broker.creates()).length >= 2 ? true : undefined
  )
  service.freeze()
  assert.isBelow((await broker.creates()).length, 12, "nothing was pending any more")
  return deliveries
}

describe.concurrent("T4 an executor that was frozen past its lease", () => {
  it("goes on after SIGCONT and doubles nothing", async (context) => {
    const world = await openWorld(context)
    const deliveries = await freezeWithOrdersPending(world)
    await pause(pastTheLeaseMs)
    world.service.thaw()
    assert.deepStrictEqual(await audit(world, deliveries), [])
    assert.deepStrictEqual(await world.service.restarts(), {})
  }, 90_000)

  it("finds another process in its place, sends nothing more, and nothing is doubled", async (context) => {
    const world = await openWorld(context)
    const second = world.another("second")
    second.spawn()
    await second.ready()
    const deliveries = await freezeWithOrdersPending(world)
    // The second takes the accounts over while the first sleeps, and finishes what it left.
    await second.trading(40_000)
    for (const { signalId } of deliveries) await second.settled(String(signalId), 60_000)
    world.service.thaw()
    await pause(3_000)
    assert.deepStrictEqual(await audit(world, deliveries), [])
    assert.strictEqual((await second.get("/health")).body.can_trade, true)
    assert.deepStrictEqual(await second.restarts(), {})
  }, 120_000)
})
