import { assert, describe, it, type TestContext } from "vitest"
import { setTimeout as pause } from "node:timers/promises"
import { nodeLimits } from "../../src/domain/kernel/limits-execution.ts"
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

/** After this a lease has run out whatever was done last. */
const pastTheLeaseMs = 2 * nodeLimits.leaseMs

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

/** Healthy, every step of the start taken, and a reason for what it does not trade. */
const standsBy = async (service: Service): Promise<boolean> => {
  const { body } = await service.get("/health")
  const held = { can_trade: false, reason: "held by another process" }
  if (body.status !== "healthy") return false
  assert.isTrue(body.ready)
  assert.isTrue(body.startup.done, JSON.stringify(body.startup))
  assert.isFalse(body.can_trade, "nothing in this process trades")
  assert.deepStrictEqual(body.accounts, { "paper-1": held, "paper-2": held })
  for (const id of ["paper-1", "paper-2"])
    assert.deepInclude(body.components[`root/trading/accounts/${id}`], { state: "Standby", ready: true })
  return true
}

describe.concurrent("T2 the second process of a healthy pair", () => {
  it("is healthy while the first holds the accounts, and takes them over when the first dies", async (context) => {
    const world = await openWorld(context)
    const second = world.another("second")
    second.spawn()
    await second.ready()
    let last = ""
    await waitUntil(
      () => `the second to stand by; last ${last}${second.tail()}`,
      async () => {
        last = (await second.get("/health")).text
        return (await standsBy(second)) ? true : undefined
      }
    )
    // Longer than two of its looks at the lease: asking is part of standing by.
    for (const until = Date.now() + 11_000; Date.now() < until; await pause(100)) {
      assert.isTrue(await standsBy(second), (await second.get("/health")).text)
    }
    assert.strictEqual((await world.service.get("/health")).body.status, "healthy")
    await world.service.kill()
    const ours = { can_trade: true, reason: null }
    await waitUntil(
      () => `the second to trade; last ${last}${second.tail()}`,
      async () => {
        const { body, text } = await second.get("/health")
        last = text
        const trades =
          body.accounts["paper-1"].can_trade === true && body.accounts["paper-2"].can_trade === true
        if (!trades) return undefined
        assert.strictEqual(body.status, "healthy", text)
        assert.deepStrictEqual(body.accounts, { "paper-1": ours, "paper-2": ours })
        return true
      }
    )
  }, 240_000)
})

describe.concurrent("T4 an executor that was frozen past its lease", () => {
  it("goes on after SIGCONT and doubles nothing", async (context) => {
    const world = await openWorld(context)
    const deliveries = await freezeWithOrdersPending(world)
    await pause(pastTheLeaseMs)
    world.service.thaw()
    assert.deepStrictEqual(await audit(world, deliveries), [])
    assert.deepStrictEqual(await world.service.restarts(), {})
  }, 180_000)

  it("finds another process in its place, sends nothing more, and nothing is doubled", async (context) => {
    const world = await openWorld(context)
    const second = world.another("second")
    second.spawn()
    await second.ready()
    const deliveries = await freezeWithOrdersPending(world)
    // The second takes the accounts over while the first sleeps, and finishes what it left.
    await second.trading()
    for (const { signalId } of deliveries) await second.settled(String(signalId), 60_000)
    world.service.thaw()
    await pause(3_000)
    assert.deepStrictEqual(await audit(world, deliveries), [])
    assert.strictEqual((await second.get("/health")).body.can_trade, true)
    assert.deepStrictEqual(await second.restarts(), {})
  }, 240_000)
})
