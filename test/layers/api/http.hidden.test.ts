/** What a sender wrote is shown as it was written, but for the secrets of this installation, wherever the sender put them. */
import { afterEach, assert, describe, it } from "vitest"
import { Effect } from "effect"
import { startWorld, type World } from "./http-world.ts"

const secret = "b7f3k2m9q8w4e6r1t5y0u3i7o2p9s4d8"
const token = "c7f3k2m9q8w4e6r1t5y0u3i7o2p9s4d8"

const opened: Array<World> = []
afterEach(async () => {
  for (const world of opened.splice(0)) await world.dispose()
})

/** The answer of a list that has one row with this text in it. */
const listed = async (reason: string, environment: Record<string, string>) => {
  const flow = {
    account: "default",
    amount: "1",
    cash_before: "0",
    cash_after: "1",
    at: "2026-01-01T00:00:00.000Z"
  }
  const world = await startWorld({
    environment: { ADMIN_TOKEN: token, ...environment },
    reads: { list: () => Effect.succeed({ items: [{ ...flow, reason }], nextCursor: "next" }) }
  })
  opened.push(world)
  const headers = { authorization: `Bearer ${token}` }
  const { body, status, text } = await world.send("GET", "/api/v1/cash-flows", { headers })
  assert.strictEqual(status, 200, text)
  return body
}

describe("an answer of the API", () => {
  it("has no secret of the settings in its texts", async () => {
    const { items, next_cursor: cursor } = await listed(`a ${secret} b ${token} c`, {
      WEBHOOK_SECRET: secret
    })
    assert.strictEqual(items[0]?.["reason"], "a [redacted] b [redacted] c")
    assert.deepStrictEqual([items[0]?.["account"], cursor], ["default", "next"])
  })

  it("keeps words and URLs that a short secret of a practice could be", async () => {
    const text = "the account default of https://desk.example/chart?id=7#default"
    const { items } = await listed(text, { WEBHOOK_SECRET: "default" })
    assert.deepStrictEqual([items[0]?.["reason"], items[0]?.["account"]], [text, "default"])
  })
})
