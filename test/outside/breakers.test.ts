/**
 * Circuit breakers as an operator lives with them (E7): a venue whose orders fail, what is denied and what passes, probes that only
 * read, an operator's own, and a kill in between.
 */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import { alertBody, type Row } from "./service.ts"
import { World } from "./world.ts"

const limits = {
  failuresMax: 3,
  windowMs: 60_000,
  // What is read of an open breaker is read before its first probe, also on a busy machine.
  cooldownMs: 9_000,
  cooldownMsMax: 10_000,
  probesMin: 2,
  probeEveryMs: 300
}
let world: World
beforeAll(async () => {
  world = await World.open({
    database: "external",
    settings: { risk: { breakers: { broker: limits, strategy: { failuresMax: null } } } }
  })
  await world.service.start()
}, 240_000)
afterAll(() => world.dispose(), 150_000)

const post = async (fields: Readonly<Record<string, unknown>>): Promise<string> => {
  const answer = await world.service.post("/webhook", alertBody(fields))
  assert.strictEqual(answer.status, 201, answer.text)
  return String(answer.body.signal_id)
}
const decided = async (fields: Readonly<Record<string, unknown>>) =>
  await world.service.settled(await post(fields), 60_000)

interface Check {
  readonly check: string
  readonly code: string | null
  readonly numbers: Readonly<Record<string, unknown>>
}
const checkOf = (trace: Awaited<ReturnType<typeof decided>>): Check =>
  (trace.decision?.checks as ReadonlyArray<Check> | undefined)?.find(({ check }) => check === "breaker") ??
  assert.fail("the check is in the trace")

const breaker = async (id = "broker:practice"): Promise<Record<string, unknown>> => {
  const rows = await world.service.list("monitoring/circuit-breakers")
  return rows.find((row) => row["id"] === id) ?? assert.fail(`${id} is listed`)
}
const untilState = (state: string) =>
  waitUntil(
    () => `the breaker to be ${state}${world.service.tail()}`,
    async () => {
      const row = await breaker()
      return row["state"] === state ? row : undefined
    }
  )
const command = (name: "open" | "close", body: object = { reason: "drill" }, id = "broker:practice") =>
  world.service.post(`/api/v1/monitoring/circuit-breakers/${id}/${name}`, body)
const alerts = async (status: string): Promise<ReadonlyArray<Row>> =>
  await world.service.list("monitoring/alerts", `kind=breaker.open&status=${status}`)
const audit = async (): Promise<ReadonlyArray<string>> => {
  const rows = await world.service.list("audit", "scope=breaker:broker:practice")
  return rows
    .map((row) => `${String(row["command"])} ${String(row["by"])} ${String(row["result"])}`)
    .toReversed()
}
const health = async () => (await world.service.get("/health")).body

describe("a circuit breaker", () => {
  it("[E7] opens by failed orders, outlives a kill, probes by look-ups alone, closes, and opens again for longer", async () => {
    const { broker, service } = world
    assert.deepInclude(await untilState("CLOSED"), { changed_by: "system", opened_at: null, manual: false })
    assert.strictEqual((await breaker("strategy:default"))["state"], "CLOSED")
    assert.strictEqual((await decided({ quantity: "5" })).orders[0].status, "filled", service.tail())

    // Every create fails, and so does every look-up once it is open: its probes must not pass yet.
    await broker.faults({ create: { mode: "error_before", times: null } })
    const failing = []
    for (const symbol of ["F1", "F2", "F3", "F4"]) failing.push(await post({ symbol }))
    const opened = await untilState("OPEN")
    await broker.faults({ read: { mode: "error_before", times: null } })
    assert.deepInclude(opened, { changed_by: "rule:breaker_failures", openings: 1, manual: false })
    assert.match(String(opened["reason"]), /^\d+ of \d+ orders failed within 60 s, limit 3 and 50 %$/)
    assert.isNotNull(opened["cooldown_until"])
    const denied = await decided({ symbol: "D1" })
    assert.strictEqual(denied.decision?.outcome, "denied")
    const { code, numbers } = checkOf(denied)
    assert.strictEqual(code, "breaker_open")
    assert.deepInclude(numbers, {
      breaker: "broker:practice",
      state: "OPEN",
      by: "rule:breaker_failures",
      limit: 3
    })
    const { accounts, breakers, reasons, status } = await waitUntil("health to say it", async () => {
      const seen = await health()
      return seen.breakers["broker:practice"]?.state === "OPEN" ? seen : undefined
    })
    assert.strictEqual(status, "degraded")
    assert.include(reasons, "the circuit breaker broker:practice is OPEN")
    assert.strictEqual(breakers["broker:practice"].state, "OPEN")
    assert.isFalse(accounts["paper-1"].can_trade)
    const { text } = await service.get("/metrics")
    assert.include(text, 'holdfast_breaker_state{breaker="broker:practice",state="OPEN"} 1')
    const [alert] = await waitUntil("the alert", async () => {
      const rows = await alerts("open")
      return rows.length === 1 ? rows : undefined
    })
    assert.deepInclude(alert, { severity: "HIGH", component: "root/trading/breakers" })

    await service.kill()
    service.spawn()
    // Ready without its broker; what the other life left is there.
    await waitUntil("the API", async () =>
      (await service.get("/api/v1/trading-state")).status === 200 ? true : undefined
    )
    assert.notStrictEqual((await breaker())["state"], "CLOSED")

    // Its probe fails, so it opens again, for twice as long.
    const again = await waitUntil(
      () => `a failed probe${service.tail()}`,
      async () => {
        const row = await breaker()
        return Number(row["openings"]) >= 2 ? row : undefined
      }
    )
    assert.deepInclude(again, { changed_by: "rule:breaker_probe", opened_at: opened["opened_at"] })
    await broker.clearFaults()
    // Read before the state: what leaves once it is closed is not of the probes.
    const received = async () => (await broker.creates()).reduce((sum, create) => sum + create.received, 0)
    const before = await received()
    const leaked: Array<number> = []
    const closed = await waitUntil(
      () => `the breaker to be closed by its probes${service.tail()}`,
      async () => {
        const sent = await received()
        const row = await breaker()
        if (row["state"] === "CLOSED") return row
        if (sent !== before) leaked.push(sent)
        return undefined
      }
    )
    assert.isEmpty(leaked, "neither what waits nor a probe sends an order")
    assert.deepInclude(closed, { changed_by: "rule:breaker_probe", reason: "2 probes passed" })
    assert.strictEqual((await decided({ symbol: "AFTER" })).orders[0].status, "filled", service.tail())
    await waitUntil("the end of the alert", async () =>
      (await alerts("open")).length === 0 ? true : undefined
    )
    const changes = await audit()
    assert.strictEqual(changes[0], "breaker.open rule:breaker_failures accepted")
    assert.includeMembers(
      [...changes],
      [
        "breaker.close rule:breaker_cooldown accepted",
        "breaker.open rule:breaker_probe accepted",
        "breaker.close rule:breaker_probe accepted"
      ]
    )
  }, 300_000)

  it("[E7] is opened by an operator until an operator closes it: entries are denied, exits pass", async () => {
    const { service } = world
    assert.strictEqual((await decided({ symbol: "HELD", quantity: "5" })).orders[0].status, "filled")
    assert.strictEqual((await command("open", { reason: 5 })).status, 400)
    assert.strictEqual((await command("open", undefined, "broker:nobody")).status, 404)
    const answer = await command("open", { reason: "the venue is being moved" })
    assert.strictEqual(answer.status, 200, answer.text)
    assert.deepInclude(answer.body, {
      id: "broker:practice",
      state: "OPEN",
      manual: true,
      changed_by: "api:127.0.0.1",
      reason: "the venue is being moved",
      cooldown_until: null
    })
    assert.strictEqual(checkOf(await decided({ symbol: "D2" })).code, "breaker_open")
    const closes = await decided({ symbol: "HELD", action: "sell", direction: "long", quantity: "5" })
    assert.strictEqual(closes.orders[0].status, "filled", service.tail())
    const shown = await health()
    assert.strictEqual(shown.breakers["broker:practice"].by, "api:127.0.0.1")
    // What an operator did is shown, and no trouble.
    assert.notInclude(shown.reasons, "the circuit breaker broker:practice is OPEN")

    await service.kill()
    service.spawn()
    await service.ready()
    assert.deepInclude(await breaker(), { state: "OPEN", manual: true })
    assert.strictEqual(checkOf(await decided({ symbol: "D3" })).code, "breaker_open")
    assert.strictEqual((await command("close", { reason: "moved" })).status, 200)
    assert.strictEqual((await decided({ symbol: "D4" })).orders[0].status, "filled", service.tail())
    assert.deepInclude(await breaker(), { state: "CLOSED", manual: false, openings: 0 })
    assert.deepStrictEqual((await audit()).slice(-2), [
      "breaker.open api:127.0.0.1 accepted",
      "breaker.close api:127.0.0.1 accepted"
    ])
  }, 240_000)
})
