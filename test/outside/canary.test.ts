/**
 * The canary of a running service, broken on purpose at each stage of its way: health names the stage within two periods, and
 * nobody else's lists, figures or limits know of it.
 */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import { stopwatch } from "../support/stopwatch.ts"
import { alertBody, type Row } from "./service.ts"
import { World } from "./world.ts"

const EVERY_MS = 800
/** Between the moment of the fault and the look that sees it named: answers of the API, and what a whole canary takes here and now. */
const LOOK_MS = 1_500
const BUSY = 10

let world: World
beforeAll(async () => {
  world = await World.open({
    database: "external",
    settings: {
      canary: { everyMs: EVERY_MS },
      // Two canaries a second would use it up.
      risk: { scopes: { global: { ordersPerMinuteMax: 3 } } }
    }
  })
  await world.service.start()
}, 180_000)
afterAll(() => world.dispose(), 150_000)

const canary = async () =>
  (await world.service.get("/health")).body.canary as Readonly<Record<string, unknown>> | null

const until = (what: string, holds: (seen: Readonly<Record<string, unknown>>) => boolean) => {
  let last = ""
  return waitUntil(
    () => `${what}; last seen ${last}${world.service.tail()}`,
    async () => {
      const seen = await canary()
      last = JSON.stringify(seen)
      return seen !== null && holds(seen) ? seen : undefined
    }
  )
}
const comesThrough = (after: number) =>
  until(
    "a canary comes through",
    (seen) => seen["state"] === "ok" && Date.parse(String(seen["last_ok"])) > after
  )

const component = (path: string, verb: "pause" | "resume") =>
  world.service.post(`/api/v1/actors/${encodeURIComponent(path)}/${verb}`, { reason: "a drill" })

/** A trigger that refuses what is of the canary. */
const refusal = (table: string, when: string) => ({
  break: async () => {
    await world.alter(`CREATE FUNCTION refuse_canary() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN IF ${when} THEN RAISE EXCEPTION 'broken on purpose'; END IF; RETURN NEW; END $$`)
    await world.alter(
      `CREATE TRIGGER refuse_canary BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION refuse_canary()`
    )
  },
  mend: () => world.alter(`DROP FUNCTION refuse_canary() CASCADE`)
})
const paused = (path: string) => ({
  break: async () => assert.strictEqual((await component(path, "pause")).status, 202),
  mend: async () => void (await component(path, "resume"))
})

const faults = {
  stored: refusal("signals", "NEW.source = 'canary'"),
  claimed: paused("root/trading/pipeline"),
  decided: refusal(
    "decisions",
    "EXISTS (SELECT FROM signals s WHERE s.id = NEW.signal_id AND s.source = 'canary')"
  ),
  sent: paused("root/trading/accounts/canary"),
  filled: paused("root/trading/brokers/canary")
} as const

describe("[T9, C3] the canary", () => {
  it("comes through the whole path, with its latency", async () => {
    const seen = await comesThrough(0)
    assert.isNull(seen["stage"])
    assert.isAbove(Number(seen["latency_ms"]), 0)
  }, 150_000)

  it.each(["stored", "claimed", "decided", "sent", "filled"] as const)(
    "broken where it is to be %s: health names the stage within two periods, and its recovery",
    async (stage) => {
      const { latency_ms: latencyMs } = await comesThrough(Date.now())
      const tookMs = stopwatch()
      await faults[stage].break()
      try {
        await until(
          `the stage ${stage} is named`,
          (seen) => seen["stage"] === stage && seen["state"] !== "ok"
        )
        assert.isBelow(tookMs(), 2 * EVERY_MS + LOOK_MS + BUSY * Number(latencyMs))
        const { body, status } = await world.service.get("/health")
        assert.strictEqual(status, 200, "never 503 by itself")
        assert.isTrue(body.ready)
        const { items } = (await world.service.get("/api/v1/monitoring/alerts?kind=canary.late&status=open"))
          .body
        if (items.length > 0) assert.include(["MEDIUM", "HIGH"], items[0].severity)
      } finally {
        await faults[stage].mend()
      }
      await comesThrough(Date.now())
    },
    150_000
  )

  it("is halted while trading is, and comes again after the resume", async () => {
    const to = (state: string) => world.service.post("/api/v1/trading-state", { state, reason: "a drill" })
    assert.strictEqual((await to("HALTED")).status, 200)
    await until("halted", (seen) => seen["state"] === "halted" && seen["stage"] === null)
    await waitUntil("health to be well", async () =>
      (await world.service.get("/health")).body.status === "healthy" ? true : undefined
    )
    const resumedAt = Date.now()
    await to("ACTIVE")
    await comesThrough(resumedAt)
  }, 150_000)

  it("is in no list, figure or limit, takes no post from outside, and leaves no rows", async () => {
    const { service } = world
    const signal = await service.post("/webhook", alertBody())
    const trace = await service.settled(String(signal.body.signal_id))
    assert.strictEqual(trace.orders[0].status, "filled", "the limit of orders per minute is not used up")
    for (const list of ["signals", "orders", "fills", "positions", "accounts", "dead-letters", "refused"]) {
      const rows: ReadonlyArray<Row> = await service.list(list)
      assert.notInclude(JSON.stringify(rows).toLowerCase(), "canary", list)
    }
    for (const list of ["transactions", "circuit-breakers", "locks/status"])
      assert.notInclude((await service.get(`/api/v1/monitoring/${list}`)).text, "canary", list)
    const linkage = (await service.get("/api/v1/linkage")).body
    assert.strictEqual(linkage.ours, (await service.list("fills")).length)
    const { text } = await service.get("/metrics")
    assert.notMatch(text, /"canary"/)
    assert.match(text, /^holdfast_canary_age_seconds /m)
    assert.strictEqual((await service.post("/webhook/canary", alertBody())).status, 404)
    // What came through is removed at once; what did not is kept for two minutes.
    const came = service.events("canary.ok").map((line) => `'${String(line["correlation_id"])}'`)
    assert.isAbove(came.length, 4)
    await waitUntil("nothing to be left of them", async () => {
      await world.alter(`DO $$ BEGIN
        IF EXISTS (SELECT FROM signals WHERE id::text IN (${came.join(", ")})) THEN RAISE EXCEPTION 'canaries are left'; END IF;
      END $$`)
      return true
    })
  }, 150_000)

  it("finds its way again after a kill, and alerts about nothing that it left", async () => {
    await world.service.kill()
    const startedAt = Date.now()
    await world.service.start()
    await comesThrough(startedAt)
    await waitUntil("its alert is over", async () => {
      const { items } = (await world.service.get("/api/v1/monitoring/alerts?status=open")).body
      const left = (items as ReadonlyArray<Row>).filter((row) => JSON.stringify(row).includes("canary"))
      return left.length === 0 ? true : undefined
    })
  }, 180_000)
})
