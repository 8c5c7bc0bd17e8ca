/**
 * A day in the life of an operator (F1, F2, T14), on real processes: a rule reduces trading, exits still pass, the operator halts and
 * flattens, one close gets lost and is resolved, trading is resumed with a reason. Two restarts in between lose none of it, and
 * afterwards the audit states who did what, and why.
 */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import { alertBody, type Row } from "./service.ts"
import { World } from "./world.ts"

let world: World
beforeAll(async () => {
  world = await World.open({
    // Where the venue may take an id twice, a lost create is an operator's to resolve (T5).
    rule: "O",
    database: "external",
    // The spread of a thousand is more than that, so buying them is enough.
    settings: { risk: { scopes: { global: { drawdownMax: "1" } } } }
  })
  await world.service.start()
}, 150_000)
afterAll(() => world.dispose(), 150_000)

const take = async (fields: Readonly<Record<string, unknown>>): Promise<string> => {
  const answer = await world.service.post("/webhook", alertBody(fields))
  assert.strictEqual(answer.status, 201, answer.text)
  return String(answer.body.signal_id)
}
const trade = async (fields: Readonly<Record<string, unknown>>) =>
  await world.service.settled(await take(fields), 60_000)
const command = async (path: string, body: Readonly<Record<string, unknown>>) => {
  const answer = await world.service.post(`/api/v1/${path}`, body)
  assert.isBelow(answer.status, 300, answer.text)
  return answer.body
}
const state = async (): Promise<Row> => (await world.service.get("/api/v1/trading-state")).body as never
const audit = (): Promise<ReadonlyArray<Row>> => world.service.list("audit")
const held = async (): Promise<ReadonlyArray<string>> =>
  (await world.broker.positions("paper-1"))
    .filter(({ quantity }) => Number(quantity) !== 0)
    .map(({ quantity, symbol }) => `${Number(quantity)} ${symbol}`)
    .toSorted()

/** What must survive a life: who set which state and why, and every line of the audit. */
const restart = async (how: "kill" | "stop"): Promise<void> => {
  const { service } = world
  const before = { state: await state(), audit: await audit() }
  await (how === "kill" ? service.kill() : service.stop())
  service.spawn()
  await service.ready()
  assert.deepStrictEqual({ state: await state(), audit: await audit() }, before, `after a ${how}`)
}

interface Check {
  readonly check: string
  readonly code: string | null
  readonly numbers: Readonly<Record<string, unknown>>
}

describe("a day in the life", () => {
  it("[F2, T14] limit hit, REDUCING, exits pass, halted, flattened, an unknown resolved, resumed: all of it in the audit", async () => {
    const { broker, service } = world
    // Morning: a loss that reaches its limit.
    assert.strictEqual((await trade({ symbol: "SPY", quantity: "1000" })).orders[0].status, "filled")
    const reduced = await waitUntil(
      () => `the rule to step in${service.tail()}`,
      async () => {
        const now = await state()
        return now["state"] === "REDUCING" ? now : undefined
      }
    )
    assert.deepInclude(reduced, { scope: "global", changed_by: "rule:drawdown" })

    // Entries are denied, with the numbers; an exit of a part passes.
    const denied = await trade({ symbol: "QQQ" })
    assert.strictEqual(denied.decision?.outcome, "denied", JSON.stringify(denied.decision))
    const check = (denied.decision.checks as ReadonlyArray<Check>).find((one) => one.check === "drawdown")
    assert.deepInclude(check?.numbers, { scope: "global", limit: "1" })
    assert.isAtLeast(Number(check?.numbers["drawdown"]), 1)
    const exit = await trade({ symbol: "SPY", action: "SELL", direction: "long", quantity: "400" })
    assert.deepInclude(exit.orders[0], { status: "filled", intent: "reduce" })
    assert.deepStrictEqual(await held(), ["600 SPY"])
    await restart("kill")

    // Noon: halted. A strategy's close is held, the operator's flatten is sent, and its answer and order are lost.
    await command("trading-state", { state: "HALTED", reason: "look at it first" })
    const waiting = await take({ symbol: "SPY", action: "SELL", direction: "long" })
    await waitUntil("the close to be held", async () => {
      const { orders } = (await service.get(`/api/v1/signals/${waiting}`)).body
      return orders?.[0]?.status === "held" ? true : undefined
    })
    await broker.faults({ create: { mode: "drop_before", times: 1 } })
    const flattened = await command("accounts/paper-1/flatten", { reason: "out of everything" })
    const [close] = flattened.orders as ReadonlyArray<Row>
    const lost = await waitUntil(
      () => `the close to need an operator${service.tail()}`,
      async () => {
        const { body } = await service.get(`/api/v1/orders/${close?.["id"]}`)
        return body.status === "needs_operator" ? (body as Row) : undefined
      },
      150_000
    )
    assert.strictEqual(
      (lost as unknown as { readonly events: ReadonlyArray<Row> }).events[0]?.["event"],
      "order.intended"
    )
    // Alerts are stored by their own component, a moment after the row.
    const open = await waitUntil("its alert", async () => {
      const alerts = await service.list("monitoring/alerts", "kind=order.needs_operator&status=open")
      return alerts.length > 0 ? alerts : undefined
    })
    assert.lengthOf(open, 1)
    await restart("stop")

    // The operator looks at the venue, which has no such order, and has it sent once more.
    assert.isEmpty(await broker.orders(String(lost["client_order_id"])))
    await command(`orders/${lost["id"]}/resolve`, {
      outcome: "not_placed",
      reason: "not in the venue's list"
    })
    await waitUntil(
      () => `the account to be flat${service.tail(30)}`,
      async () => ((await held()).length === 0 ? true : undefined),
      60_000
    )
    await waitUntil("the end of its alert", async () =>
      (await service.list("monitoring/alerts", "kind=order.needs_operator&status=open")).length === 0
        ? true
        : undefined
    )
    assert.strictEqual((await state())["state"], "HALTED")

    // Evening: resumed, and what was held finds nothing to close.
    await command("trading-state", { state: "ACTIVE", reason: "it was the spread" })
    await service.trading()
    const late = await service.settled(waiting, 60_000)
    assert.deepInclude(late.orders[0], { status: "withdrawn", reason: "nothing_to_close" })
    assert.strictEqual((await trade({ symbol: "IWM", quantity: "0.001" })).orders[0].status, "filled")
    assert.deepInclude(await state(), { state: "ACTIVE", reason: "it was the spread" })
    await restart("kill")

    const story = (await audit()).toReversed().map((row) => ({
      did: `${row["command"]} ${(row["arguments"] as unknown as Row)["state"] ?? ""}`.trim(),
      scope: String(row["scope"]).split(":")[0],
      by: row["by"],
      result: row["result"],
      reason: String(row["reason"]).replace(/[\d.]+ of/, "N of")
    }))
    const operator = { by: "api:127.0.0.1", result: "accepted" }
    assert.deepStrictEqual(story, [
      {
        did: "trading_state.set REDUCING",
        scope: "global",
        by: "rule:drawdown",
        result: "accepted",
        reason: "drawdown N of 1"
      },
      { did: "trading_state.set HALTED", scope: "global", ...operator, reason: "look at it first" },
      { did: "account.flatten", scope: "account", ...operator, reason: "out of everything" },
      { did: "order.resolve", scope: "order", ...operator, reason: "not in the venue's list" },
      { did: "trading_state.set ACTIVE", scope: "global", ...operator, reason: "it was the spread" }
    ])
    // One create each: the buy, the exit, the close that was sent once more, and the entry after the resume.
    const creates = await broker.creates()
    assert.deepStrictEqual(
      creates.map(({ created }) => created).toSorted((a, b) => a - b),
      [0, 1, 1, 1, 1]
    )
    assert.isTrue(creates.every(({ received }) => received === 1))
  }, 480_000)
})
