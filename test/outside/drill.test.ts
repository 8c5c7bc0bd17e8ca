/** G4 on a running service: a fault is really injected, its receipt is true, and outside practice mode there is none. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import { Service } from "./service.ts"

const service = new Service()
beforeAll(() => service.start(), 180_000)
afterAll(() => service.dispose(), 150_000)

interface Drill {
  readonly id: string
  readonly status: string
  readonly receipt: Readonly<Record<string, unknown>> | null
}
const drills = async (): Promise<ReadonlyArray<Drill>> =>
  (await service.list("drills")) as unknown as ReadonlyArray<Drill>
const run = async (fault: string): Promise<Drill> => {
  const { body, status, text } = await service.post("/api/v1/drills", { fault, reason: "a test" })
  assert.strictEqual(status, 202, text)
  return waitUntil(
    () => `the receipt of ${fault}: ${service.tail()}`,
    async () => (await drills()).find(({ id, status: word }) => id === body["id"] && word !== "running"),
    200_000
  )
}

describe("a drill", () => {
  it.each(["database.kill"])(
    "of %s shows every signal decided and ordered once, none lost, and when all was well again",
    async (fault) => {
      await service.trading()
      const { receipt, status } = await run(fault)
      assert.strictEqual(status, "passed", JSON.stringify(receipt))
      assert.deepInclude(receipt, {
        sent: 9,
        taken: 9,
        decided: 9,
        ordered_once: 9,
        lost: 0,
        doubled: 0,
        flat: true
      })
      assert.isAbove(Number(receipt?.["seen"]), 0)
      assert.isAbove(Number(receipt?.["recovered_ms"]), 0)
      // The receipt is true: what it counts is what the lists have.
      const orders = (await service.list("orders", "limit=200")).filter(({ symbol }) =>
        String(symbol).startsWith("DRILL")
      )
      assert.isTrue(
        orders.every((order) => order["status"] === "filled"),
        JSON.stringify(orders)
      )
    },
    240_000
  )

  it("is refused while another one runs", async () => {
    await service.trading()
    const first = await service.post("/api/v1/drills", { fault: "pipeline.restart" })
    assert.strictEqual(first.status, 202, first.text)
    const second = await service.post("/api/v1/drills", { fault: "feed.cut" })
    assert.strictEqual(second.status, 409)
    assert.strictEqual(second.body["reason"], "drill_running")
  }, 150_000)
})
