import { assert, it, type TestContext } from "vitest"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { exchange, waitUntil } from "../support/exchange.ts"
import { projectRoot } from "../support/program.ts"
import { alertBody, type Row } from "./service.ts"
import { World } from "./world.ts"

const openWorld = async ({ onTestFinished }: TestContext) => {
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-partial-"))
  const world = await World.open({
    database: "external",
    nodeFlags: ["--require", path.join(projectRoot, "test/support/fault-hook.cjs")],
    env: { FAULT_ORDER: path.join(folder, "order") },
    settings: {
      strategies: {
        default: { sources: ["default"], accounts: ["paper-1"], onPartialFill: "close" }
      }
    }
  })
  onTestFinished(async () => {
    await world.dispose()
    rmSync(folder, { recursive: true, force: true })
  }, 150_000)
  await world.service.start()
  return {
    world,
    kill: (point: string, symbol: string) =>
      writeFileSync(path.join(folder, "order"), `${point} ${symbol} SIGKILL`)
  }
}

const admin = (world: World, verb: string, body: unknown) =>
  exchange(`${world.broker.url}/admin/${verb}`, body, { method: "POST" })

const orderOf = (world: World, symbol: string, fits: (row: Row) => boolean) =>
  waitUntil(
    () => `an order of ${symbol}${world.service.tail()}`,
    async () => (await world.service.list("orders", `symbol=${symbol}`).catch(() => [])).find(fits)
  )

/** An entry of 3 at the paper broker, of which one has traded. */
const partlyFilled = async (world: World, symbol: string): Promise<Row> => {
  await world.broker.faults({ holdFills: true })
  const answer = await world.service.post("/webhook", alertBody({ symbol, quantity: 3 }))
  assert.strictEqual(answer.status, 201, answer.text)
  const acked = await orderOf(world, symbol, ({ status }) => status === "acked")
  const [there] = await world.broker.orders(String(acked["client_order_id"]))
  await admin(world, "fill", { account: "paper-1", order_id: there?.id, quantity: "1", price: "100" })
  const order = await orderOf(world, symbol, ({ status }) => status === "partially_filled")
  return { ...order, venue_id: there?.id ?? null }
}

const judge = async (world: World, symbol: string, entry: Row): Promise<void> => {
  const close = await orderOf(
    world,
    symbol,
    (row) => row["compensates"] === entry["id"] && row["settled_at"] !== null
  )
  assert.deepInclude(close, {
    status: "filled",
    exit_kind: "compensation",
    filled_quantity: "1",
    intent: "reduce"
  })
  const orders = await world.service.list("orders", `symbol=${symbol}`)
  assert.lengthOf(orders, 2, "one entry, one close")
  assert.deepInclude(
    orders.find(({ id }) => id === entry["id"]),
    { partial: "closed", filled_quantity: "1" }
  )
  const venue = await world.broker.positions("paper-1")
  assert.strictEqual(venue.find((position) => position.symbol === symbol)?.quantity ?? "0", "0")
  for (const { client_order_id: id } of orders)
    assert.lengthOf(await world.broker.orders(String(id)), 1, "one order in the venue's book for each")
  const { body } = await world.service.get(`/api/v1/orders/${String(close["id"])}`)
  assert.deepInclude(body.events[0], { event: "order.intended", detail: { compensates: entry["id"] } })
}

it("[E6] the fills of an entry that is cancelled, or expires, are closed once, whenever the process dies", async (context) => {
  const { kill, world } = await openWorld(context)
  const { broker, service } = world
  const again = async () => {
    await waitUntil("it to be killed", async () => (service.isRunning ? undefined : true))
    service.spawn()
    await service.trading()
  }
  for (const [symbol, points] of [
    // The answer of the cancel dies with the process, so the entry is looked up (K9); then the close on its way (K4).
    ["CUT", ["K9", "K4"]],
    // The close is at the venue, its answer is not stored.
    ["ANSWERED", ["K5"]]
  ] as const) {
    const entry = await partlyFilled(world, symbol)
    kill(points[0], symbol)
    let last = "none"
    await waitUntil(
      () => `it to be killed; last answer to the cancel: ${last}${service.tail()}`,
      async () => {
        if (!service.isRunning) return true
        const answer = await service
          .post(`/api/v1/orders/${String(entry["id"])}/cancel`, { reason: "a test" })
          .catch(() => null)
        last = answer?.text ?? last
        return undefined
      }
    )
    await broker.faults({ holdFills: false })
    const [, next] = points as ReadonlyArray<string>
    if (next !== undefined) kill(next, symbol)
    service.spawn()
    if (next !== undefined) await again()
    else await service.trading()
    await judge(world, symbol, entry)
  }
  // The venue ends it by itself, while nobody is there to hear it.
  const entry = await partlyFilled(world, "EXPIRED")
  await service.kill()
  await admin(world, "expire", { order_id: entry["venue_id"] })
  await broker.faults({ holdFills: false })
  service.spawn()
  await service.trading()
  await judge(world, "EXPIRED", entry)
}, 240_000)
