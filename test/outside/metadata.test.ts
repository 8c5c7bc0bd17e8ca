import { afterEach, assert, describe, it } from "vitest"
import { randomUUID } from "node:crypto"
import { waitUntil } from "../support/exchange.ts"
import { alertBody, type Row, type Service } from "./service.ts"
import { World } from "./world.ts"

const worlds: Array<World> = []
const open = async (): Promise<World> => {
  const world = await World.open({ database: "external" })
  worlds.push(world)
  await world.service.start()
  return world
}
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.dispose()
}, 150_000)

const metadata = (pair: string, fields: Readonly<Record<string, unknown>> = {}) => ({
  snapshot_id: randomUUID(),
  score: { "Buy Score": 2.5, "Sell Score": -1 },
  trigger: "roc_momo",
  pair,
  ...fields
})

const post = async (service: Service, body: unknown): Promise<string> => {
  const answer = await service.post("/webhook", body)
  assert.strictEqual(answer.status, 201, answer.text)
  return String(answer.body.signal_id)
}

/** The links of a metadata body's own trace, once there are any. */
const linksOf = (service: Service, signalId: string): Promise<ReadonlyArray<Row>> =>
  waitUntil(
    () => `metadata ${signalId} to be linked${service.tail()}`,
    async () => {
      const { body } = await service.get(`/api/v1/signals/${signalId}`)
      const links = body.links as ReadonlyArray<Row>
      return links.length > 0 ? links : undefined
    }
  )

describe("A1, A2 metadata of an order", () => {
  it("that came before its fill is linked to it, over a SIGKILL in between", async () => {
    const { broker, service } = await open()
    const body = metadata("ZRX-USD", { side: "buy" })
    const snapshot = await post(service, body)
    await service.kill()
    await service.start()
    await broker.faults({ holdFills: true })
    const signal = await post(service, alertBody({ symbol: "ZRX-USD" }))
    await waitUntil("the order at the broker", async () =>
      (await broker.orders()).length === 1 ? true : undefined
    )
    await service.kill()
    await broker.clearFaults()
    await service.start()
    const trace = await service.settled(signal)
    assert.strictEqual(trace.orders[0].status, "filled")
    assert.lengthOf(trace.links, 1)
    const links = await linksOf(service, snapshot)
    assert.deepStrictEqual(
      links.map((link) => [link["snapshot_id"], link["order_id"]]),
      [[body.snapshot_id, trace.orders[0].id]]
    )
    assert.lengthOf((await service.get(`/api/v1/signals/${snapshot}`)).body.orders, 0)
  }, 180_000)

  it.each(["client_order_id", "venue_order_id"])(
    "that comes after its fill and names its %s is linked to it, over a SIGKILL in between",
    async (name) => {
      const { broker, service } = await open()
      const first = await service.settled(await post(service, alertBody({ symbol: "ETH-USD" })))
      const other = await service.settled(await post(service, alertBody({ symbol: "ETH-USD" })))
      await service.kill()
      await service.start()
      const orderId = String(first.orders[0][name])
      assert.match(orderId, /^[\w-]{8,}$/)
      const body = metadata("ETH-USD", { order_id: orderId, side: "buy" })
      const snapshot = await post(service, body)
      const links = await linksOf(service, snapshot)
      assert.deepStrictEqual(
        links.map((link) => link["order_id"]),
        [first.orders[0].id]
      )
      const again = await service.get(`/api/v1/signals/${other.signal.id}`)
      assert.isTrue((again.body.links as ReadonlyArray<Row>).every((link) => link["snapshot_id"] === null))
      const { body: linkage } = await service.get("/api/v1/linkage")
      assert.strictEqual(Number(linkage.rate), 1)
      assert.strictEqual(linkage.ours, (await broker.fills()).length)
    },
    180_000
  )

  it("that nobody traded stays unlinked and touches nothing", async () => {
    const { service } = await open()
    const snapshot = await post(service, metadata("DOGE-USD"))
    const trace = await service.settled(await post(service, alertBody({ symbol: "ETH-USD" })))
    assert.lengthOf(trace.links, 1)
    const { body } = await service.get(`/api/v1/signals/${snapshot}`)
    assert.lengthOf(body.links, 0)
    assert.lengthOf(body.orders, 0)
  }, 150_000)
})
