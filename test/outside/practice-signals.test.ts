/** Practice mode that shows life, as a newcomer starts it: a signal of its own now and then, and none where nobody asked. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import { alertBody, Service } from "./service.ts"

const PATH = "root/operators/practice-signals"
const EVERY_MS = 1_000
const service = new Service({ env: { PRACTICE_SIGNAL_MS: String(EVERY_MS) } })
beforeAll(() => service.start(), 180_000)
afterAll(() => service.dispose(), 150_000)

const sent = () => service.list("signals", "source=practice")
const atLeast = (count: number) =>
  waitUntil(
    () => `${count} practice signals${service.tail()}`,
    async () => {
      const found = await sent()
      return found.length >= count ? found : undefined
    }
  )

describe("practice signals", () => {
  it("go the way of every signal, in rows that name their source, with a stop and a target on what they open", async () => {
    const [newest] = await atLeast(3)
    const trace = await service.settled(String(newest?.["id"]))
    assert.deepInclude(trace.signal, { source: "practice", status: "done" })
    assert.strictEqual(trace.orders[0]?.status, "filled", JSON.stringify(trace.orders))
    const positions = await waitUntil("an open position with its exits", async () => {
      const open = (await service.list("positions")).filter(({ quantity }) => Number(quantity) !== 0)
      return open.length > 0 ? open : undefined
    })
    const [position] = positions
    const shares = (position?.["strategies"] ?? []) as unknown as ReadonlyArray<Record<string, unknown>>
    const [share] = shares
    assert.strictEqual(share?.["strategy"], "default")
    assert.isString(share?.["stop_price"])
    assert.isString(share?.["target_price"])
    const { components } = (await service.get("/health")).body
    assert.deepInclude(components[PATH].detail, { source: "practice", every_ms: EVERY_MS })
  }, 150_000)

  it("are one a period, also when the process is killed in between", async () => {
    await service.kill()
    await service.start()
    const before = (await sent()).length
    await atLeast(before + 2)
    const rows = await sent()
    const periods = rows.map((row) => Math.floor(Date.parse(String(row["fired_at"])) / EVERY_MS))
    assert.strictEqual(new Set(periods).size, periods.length)
  }, 180_000)

  it("pause while trading is halted, and are none where nobody asked for them", async () => {
    const halt = { state: "HALTED", reason: "a look around" }
    assert.isBelow((await service.post("/api/v1/trading-state", halt)).status, 300)
    await waitUntil("one is left out", async () =>
      (await service.get("/health")).body.components[PATH].detail.why_left_out === "trading is HALTED"
        ? true
        : undefined
    )
    await service.stop()
    service.spawn({ PRACTICE_SIGNAL_MS: "" })
    await service.ready()
    const count = (await sent()).length
    const { components } = (await service.get("/health")).body
    assert.notProperty(components, PATH)
    assert.isBelow(
      (await service.post("/api/v1/trading-state", { state: "ACTIVE", reason: "seen" })).status,
      300
    )
    await service.trading()
    const answer = await service.post("/webhook", alertBody())
    await service.settled(String(answer.body.signal_id))
    assert.lengthOf(await sent(), count)
    assert.strictEqual((await service.post("/webhook/practice", alertBody())).status, 404)
  }, 240_000)
})
