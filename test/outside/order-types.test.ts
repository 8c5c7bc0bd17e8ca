import { assert, it } from "vitest"
import { exchange, waitUntil } from "../support/exchange.ts"
import { alertBody, type Row } from "./service.ts"
import { World } from "./world.ts"

it("a limit rests through a kill and fills at its price, a stop is cancelled, and a price that does not fit is named", async ({
  onTestFinished
}) => {
  const world = await World.open({ database: "external" })
  onTestFinished(() => world.dispose(), 60_000)
  const { broker, service } = world
  await service.start()
  const price = (symbol: string, to: string) =>
    exchange(`${broker.url}/admin/price`, { symbol, price: to }, { method: "POST" })
  const orderOf = (symbol: string, status: string): Promise<Row> =>
    waitUntil(
      () => `an order of ${symbol} that is ${status}${service.tail()}`,
      async () =>
        (await service.list("orders", `symbol=${symbol}`).catch(() => [])).find(
          (order) => order["status"] === status
        )
    )
  const refused = await service.post("/webhook", alertBody({ order_type: "limit", stop_price: 5 }))
  assert.strictEqual(refused.status, 400, refused.text)
  assert.deepStrictEqual(
    refused.body.errors.map(({ path }: { readonly path: string }) => path),
    ["limit_price", "stop_price"]
  )
  await price("LIM", "100")
  await price("STP", "100")
  await price("DAY", "100")
  const limit = { symbol: "LIM", order_type: "limit", limit_price: "95.5" }
  assert.strictEqual((await service.post("/webhook", alertBody(limit))).status, 201)
  const stop = { symbol: "STP", order_type: "stop", stop_price: 110 }
  assert.strictEqual((await service.post("/webhook", alertBody(stop))).status, 201)
  // Apart, because its day may end at any moment of this test.
  const today = { symbol: "DAY", order_type: "stop", stop_price: 110, time_in_force: "day" }
  assert.strictEqual((await service.post("/webhook", alertBody(today))).status, 201)
  const rests = await orderOf("LIM", "acked")
  assert.deepInclude(rests, { type: "limit", limit_price: "95.5", stop_price: null, time_in_force: "gtc" })
  const why = await service.get(`/api/v1/signals/${String(rests["signal_id"])}/why`)
  assert.include(why.text, "rests at the venue until it is cancelled")
  const waits = await orderOf("STP", "acked")
  assert.deepInclude(waits, { type: "stop", stop_price: "110", time_in_force: "gtc" })
  const ofToday = await waitUntil("the order of the day to be sent", async () =>
    (await service.list("orders", "symbol=DAY")).find((order) => order["expires_at"] !== null)
  )
  assert.deepInclude(ofToday, { type: "stop", stop_price: "110", time_in_force: "day" })

  await service.kill()
  await price("LIM", "95.25")
  service.spawn()
  await service.trading()
  const filled = await orderOf("LIM", "filled")
  assert.deepInclude(filled, { id: rests["id"], average_price: "95.25", filled_quantity: "1" })
  await service.post(`/api/v1/orders/${String(waits["id"])}/cancel`, { reason: "a test" })
  await orderOf("STP", "cancelled")
  for (const order of [filled, waits])
    assert.lengthOf(await broker.orders(String(order["client_order_id"])), 1, "sent once")
}, 240_000)
