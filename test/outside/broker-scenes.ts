/**
 * Scenes with a broker: what the tests of a broker that is away share.
 *
 * Promises: a world is disposed of with its test.
 * Never: contains an expectation that only one of the tests has.
 */
import { assert, type TestContext } from "vitest"
import { alertBody } from "./service.ts"
import { World } from "./world.ts"

/** A service that trades with a broker of rule U. */
export const openWorld = async ({ onTestFinished }: TestContext): Promise<World> => {
  const world = await World.open({ database: "external" })
  onTestFinished(() => world.dispose(), 60_000)
  await world.service.start()
  return world
}

/** Posts an alert for `symbol`; answers its signal id. */
export const post = async (world: World, symbol: string): Promise<string> => {
  const answer = await world.service.post("/webhook", alertBody({ symbol }))
  assert.strictEqual(answer.status, 201, answer.text)
  return String(answer.body.signal_id)
}

/** The order of a signal is filled, once, and has one order in the broker's book; answers how often it was sent. */
export const assertFilledOnce = async ({ broker, service }: World, signalId: string): Promise<number> => {
  const trace = await service.settled(signalId, 60_000)
  assert.lengthOf(trace.orders, 1)
  const [order] = trace.orders
  assert.strictEqual(order.status, "filled", JSON.stringify(order))
  assert.lengthOf(trace.fills, 1)
  assert.lengthOf(trace.links, 1)
  assert.lengthOf(await broker.orders(order.client_order_id), 1)
  return (await broker.creates(order.client_order_id))[0]?.received ?? 0
}
