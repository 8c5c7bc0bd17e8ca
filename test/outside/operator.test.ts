import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { setTimeout as pause } from "node:timers/promises"
import { waitUntil } from "../support/exchange.ts"
import { alertBody, type Row } from "./service.ts"
import { World } from "./world.ts"

let world: World
beforeAll(async () => {
  world = await World.open({ database: "external" })
  await world.service.start()
}, 150_000)
afterAll(() => world.dispose(), 150_000)

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
    const { body, status } = await waitUntil("health to be well", async () => {
      const answer = await service.get("/health")
      return answer.body.status === "healthy" ? answer : undefined
    })
    assert.lengthOf(await broker.creates(), 0)
    assert.strictEqual(status, 200)
    assert.deepStrictEqual(
      [body.status, body.ready, body.can_trade, body.halted],
      ["healthy", true, false, true],
      JSON.stringify(body)
    )
    const { body: state } = await service.get("/api/v1/trading-state")
    assert.deepStrictEqual([state.state, state.reason], ["HALTED", "the judge wants to see it"])
  }, 180_000)

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
  }, 150_000)
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
    const alerts = await waitUntil("the alert", async () => {
      const found = await service.list("monitoring/alerts", "kind=config.refused&status=open")
      return found.length > 0 ? found : undefined
    })
    assert.lengthOf(alerts, 1)
    world.configure({})
    const applied = await service.post("/api/v1/settings/reload", { reason: "the limit is not needed" })
    assert.deepInclude(applied.body, { status: "ok", applied: ["risk"], restart: [] }, applied.text)
    assert.deepInclude(await order("LIMITED"), { status: "filled" })
    const back = await service.post("/api/v1/settings/back", { reason: "it is" })
    assert.deepInclude(back.body, { applied: ["risk"] }, back.text)
    assert.deepInclude(await order("LIMITED"), { status: "denied", reason: "quantity" })
    await service.post("/api/v1/settings/reload", {})
    const audit = await service.list("audit", "scope=settings")
    assert.deepStrictEqual(
      audit.map(({ command, result }) => `${command} ${result}`),
      ["settings.reload accepted", "settings.back accepted", "settings.reload accepted"]
    )
    await waitUntil("the alert to be over", async () => {
      const open = await service.list("monitoring/alerts", "kind=config.refused&status=open")
      return open.length === 0 ? true : undefined
    })
    assert.strictEqual(service.lives, lives)
    assert.deepStrictEqual(await service.restarts(), {})
  }, 150_000)
})

describe("T14 commands, in the hands of an operator", () => {
  const post = (path: string, body: object, key?: string) =>
    world.service.post(
      `/api/v1/${path}`,
      body,
      key === undefined ? {} : { headers: { ...world.service.bearer(), "idempotency-key": key } }
    )
  const audit = (query: string): Promise<ReadonlyArray<Row>> => world.service.list("audit", query)

  it("halts, flattens and trades again, and a repeated flatten makes no order more", async () => {
    const { broker, service } = world
    await setState("HALTED", "flatten it")
    const flattened = await post("accounts/paper-1/flatten", { reason: "enough" }, "flatten-1")
    assert.strictEqual(flattened.status, 202, flattened.text)
    const made = flattened.body.orders as ReadonlyArray<Row>
    assert.sameMembers(
      made.map(({ symbol, side }) => `${side} ${symbol}`),
      ["sell SPY", "sell QQQ", "sell LIMITED"]
    )
    await waitUntil(
      () => `both positions to be closed${service.tail()}`,
      async () => {
        const positions = await service.list("positions")
        return positions.every(({ quantity }) => quantity === "0") ? true : undefined
      }
    )
    const again = await post("accounts/paper-1/flatten", { reason: "enough" }, "flatten-1")
    assert.deepStrictEqual(again.body.orders, flattened.body.orders)
    assert.lengthOf((await post("accounts/paper-1/flatten", { reason: "enough" })).body.orders, 0)
    assert.isTrue((await broker.creates()).every(({ received }) => received === 1))
    assert.lengthOf(
      (await broker.orders()).filter(({ side }) => side === "sell"),
      3
    )
    await setState("ACTIVE", "it is flat")
    const [row] = await audit("command=account.flatten&result=accepted")
    assert.deepInclude(row, { scope: "account:paper-1", by: "api:127.0.0.1", reason: "enough" })
  }, 150_000)

  it("halts one account, which health says over a restart, and what it holds of orders until it is freed", async () => {
    const { broker, service } = world
    const scope = "account:paper-1"
    const set = (state: string) => post("trading-state", { scope, state, reason: "this one" })
    assert.strictEqual((await set("HALTED")).status, 200)
    const said = () =>
      waitUntil("health to say it", async () => {
        const { accounts } = (await service.get("/health")).body
        const { can_trade: may, reason } = accounts["paper-1"]
        return may === false && String(reason).includes("account:paper-1 is HALTED") ? true : undefined
      })
    await said()
    await service.kill()
    service.spawn()
    await service.ready()
    await said()
    assert.include(String(service.events("ready").at(-1)?.["msg"]), "account:paper-1 HALTED")
    const before = (await broker.creates()).length
    const taken = await service.post("/webhook", alertBody({ symbol: "IWM" }))
    await waitUntil("its order to be held", async () => {
      const { body } = await service.get(`/api/v1/signals/${taken.body.signal_id}`)
      return body.orders?.[0]?.status === "held" ? true : undefined
    })
    assert.lengthOf(await broker.creates(), before)
    assert.strictEqual((await set("ACTIVE")).status, 200)
    await service.settled(String(taken.body.signal_id))
    assert.lengthOf(await broker.creates(), before + 1)
  }, 150_000)

  it("that a SIGKILL cuts off says so after the next start, and is carried out under its key", async () => {
    const { service } = world
    // The effect of the command waits in the database, its audit row does not.
    await world.alter(`CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$`)
    await world.alter(
      "CREATE TRIGGER linger BEFORE UPDATE ON trading_state FOR EACH ROW EXECUTE FUNCTION linger()"
    )
    const change = { state: "REDUCING", reason: "cut off" }
    const cut = post("trading-state", change, "cut-1").catch(() => null)
    await waitUntil("the command to begin", async () =>
      (await audit("result=begun")).length === 1 ? true : undefined
    )
    await service.kill()
    await cut
    await world.alter("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
    await world.alter("DROP TRIGGER linger ON trading_state")
    service.spawn()
    await service.ready()
    await waitUntil(
      () => `the audit to say it${service.tail()}`,
      async () => ((await audit("result=interrupted")).length === 1 ? true : undefined)
    )
    assert.strictEqual((await service.get("/api/v1/trading-state")).body.state, "ACTIVE")
    const again = await post("trading-state", change, "cut-1")
    assert.deepStrictEqual([again.status, again.body.state], [200, "REDUCING"], again.text)
    const results = (await audit("command=trading_state.set")).filter((row) => row["reason"] === "cut off")
    assert.deepStrictEqual(
      results.map(({ result }) => result),
      ["accepted", "interrupted"]
    )
    await setState("ACTIVE", "seen")
  }, 180_000)
})
