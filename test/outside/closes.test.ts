import { assert, describe, it, type TestContext } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import { alertBody } from "./service.ts"
import { World } from "./world.ts"

const openWorld = async ({ onTestFinished }: TestContext): Promise<World> => {
  const world = await World.open({ database: "external" })
  onTestFinished(() => world.dispose(), 60_000)
  await world.service.start()
  return world
}

const post = async (world: World, fields: Record<string, unknown>): Promise<string> => {
  const answer = await world.service.post("/webhook", alertBody(fields))
  assert.strictEqual(answer.status, 201, answer.text)
  return String(answer.body.signal_id)
}

const over = new Set(["filled", "withdrawn", "denied", "rejected", "cancelled", "expired_unsent"])

/** Waits until every order of the signals is over and settled; answers their statuses and reasons. */
const ended = async (world: World, signals: ReadonlyArray<string>) => {
  const ends: Array<string> = []
  for (const id of signals) {
    const trace = await waitUntil(`signal ${id} to come to its end`, async () => {
      const { body } = await world.service.get(`/api/v1/signals/${id}`)
      if (body.signal?.status !== "done" && body.signal?.status !== "rejected") return undefined
      const orders: ReadonlyArray<{ status: string; settled_at: string | null }> = body.orders
      return orders.every(
        (order) => over.has(order.status) && (order.status !== "filled" || order.settled_at)
      )
        ? body
        : undefined
    })
    const [order] = trace.orders
    ends.push(order === undefined ? trace.decision.reason : (order.reason ?? order.status))
  }
  return ends
}

const held = async (world: World, symbol: string): Promise<string> => {
  const venue = await world.broker.positions("paper-1")
  const theirs = venue.find((position) => position.symbol === symbol)?.quantity ?? "0"
  const { body } = await world.service.get("/api/v1/positions?limit=100")
  const ours = body.items.find((position: { symbol: string }) => position.symbol === symbol)
  assert.strictEqual(ours?.quantity ?? "0", theirs, "our book and the venue's")
  return theirs
}

describe.concurrent("[T10] many closes at once, over real sockets", () => {
  it("fifty closes of one long end flat: one sells, forty-nine have nothing to close", async (context) => {
    const world = await openWorld(context)
    await ended(world, [await post(world, { symbol: "MANY", quantity: 3 })])
    const closes = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        post(world, { symbol: "MANY", action: "SELL", direction: "long", id: `close-${n}` })
      )
    )
    const ends = await ended(world, closes)
    assert.strictEqual(await held(world, "MANY"), "0")
    assert.strictEqual(ends.filter((end) => end === "filled").length, 1, ends.join())
    assert.strictEqual(ends.filter((end) => end === "nothing_to_close").length, 49, ends.join())
    assert.strictEqual((await world.broker.orders()).filter(({ side }) => side === "sell").length, 1)
  }, 150_000)

  it("covers of a short, closes of a contract and pairs of both ten milliseconds apart never cross zero", async (context) => {
    const world = await openWorld(context)
    const contract = { symbol: "OPT", direction: "CALL", strike: 50, expiration: "2099-12-18" }
    await ended(world, [
      await post(world, { symbol: "SHORT", action: "SELL", direction: "short", quantity: 2 }),
      await post(world, contract)
    ])
    const signals: Array<string> = []
    for (let n = 0; n < 3; n += 1) {
      signals.push(
        await post(world, { symbol: "SHORT", action: "BUY", direction: "short", id: `cover-${n}` })
      )
      signals.push(await post(world, { ...contract, action: "SELL", id: `close-${n}` }))
    }
    const ends = await ended(world, signals)
    assert.strictEqual(await held(world, "SHORT"), "0")
    assert.strictEqual(await held(world, "OPT 2099-12-18 C 50"), "0")
    assert.strictEqual(ends.filter((end) => end === "filled").length, 2, ends.join())
  }, 150_000)
})

describe.concurrent("[T10] what an alert asks for, seen at the venue", () => {
  const rows: ReadonlyArray<readonly [string, Record<string, unknown>, string, string]> = [
    [
      "SELL + short on a long of equal size is short",
      { action: "SELL", direction: "short", quantity: 2 },
      "-2",
      "filled"
    ],
    ["reverse", { intent: "reverse", quantity: 1 }, "-1", "filled"],
    ["target", { intent: "target", position_size: 5 }, "5", "filled"],
    [
      "target by the sender's own book",
      { action: "SELL", quantity: 1, market_position: "long", market_position_size: 1 },
      "1",
      "filled"
    ],
    ["target that is reached", { intent: "target", position_size: "2" }, "2", "nothing_to_do"],
    ["flat", { action: "SELL", quantity: 9, market_position: "flat" }, "0", "filled"],
    ["exit in one word", { action: "exit" }, "0", "filled"],
    ["a close of more than there is", { action: "SELL", direction: "long", quantity: 9 }, "0", "filled"],
    ["a close of some", { intent: "close", quantity: 1 }, "1", "filled"],
    ["a plain sell", { action: "SELL", quantity: 3 }, "-1", "filled"],
    ["a close of the other side", { action: "BUY", direction: "short" }, "2", "nothing_to_close"],
    [
      "a strategy nobody subscribes under",
      { direction: "long", strategy: "momentun" },
      "2",
      "strategy_unknown"
    ]
  ]
  it("each on a long of two", async (context) => {
    const world = await openWorld(context)
    await ended(world, await Promise.all(rows.map((_, n) => post(world, { symbol: `ROW${n}`, quantity: 2 }))))
    for (const [n, [what, fields, left, end]] of rows.entries()) {
      const body = { symbol: `ROW${n}`, direction: undefined, ...fields }
      assert.deepStrictEqual(await ended(world, [await post(world, body)]), [end], what)
      assert.strictEqual(await held(world, `ROW${n}`), left, what)
    }
    await waitUntil("its alert", async () =>
      (await world.service.list("monitoring/alerts", "kind=signal.strategy_unknown")).at(0)
    )
  }, 180_000)

  it("REDUCING lets the alerts pass that reduce, and nothing else", async (context) => {
    const world = await openWorld(context)
    await ended(world, [await post(world, { symbol: "RED", quantity: 2 })])
    const state = (to: string) => world.service.post("/api/v1/trading-state", { state: to, reason: "test" })
    assert.strictEqual((await state("REDUCING")).status, 200)
    const opening = await post(world, { symbol: "RED", direction: "long" })
    await ended(world, [await post(world, { symbol: "RED", action: "SELL", direction: "long" })])
    assert.strictEqual(await held(world, "RED"), "0")
    const order = await waitUntil("the entry to be held", async () => {
      const { body } = await world.service.get(`/api/v1/signals/${opening}`)
      return body.orders?.[0]?.status === "held" ? body.orders[0] : undefined
    })
    assert.deepInclude(order, { reason: "trading_reducing" })
  }, 150_000)
})
