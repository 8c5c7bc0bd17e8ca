/** A sender's log of alerts against what is stored: every line has one outcome, found as the intake found it. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { randomUUID } from "node:crypto"
import { alert, bearer } from "../layers/api/http-world.ts"
import { type PgWorld, startPgWorld } from "./http-world.pg.ts"

let world: PgWorld
beforeAll(async () => {
  world = await startPgWorld({
    file: {
      sources: { other: {} },
      strategies: { default: { sources: ["default", "other"], accounts: ["paper-1"] } }
    }
  })
})
afterAll(() => world.dispose())

const ask = (body: Record<string, unknown>) =>
  world.send("POST", "/api/v1/alert-log", {
    body: JSON.stringify(body),
    headers: { ...bearer, "content-type": "application/json" }
  })
const cell = (text: string): string => `"${text.replaceAll('"', '""')}"`
interface Fired {
  readonly text: string
  readonly at?: string
  readonly name?: string
}
const csv = (fired: ReadonlyArray<Fired>): string =>
  [
    "Alert ID,Ticker,Name,Description,Time",
    ...fired.map(
      ({ at = new Date().toISOString(), name = "mine", text }, index) =>
        `${index},"NASDAQ:SPY, 5m",${name},${cell(text)},${at}`
    )
  ].join("\n")
const account = async (fired: ReadonlyArray<Fired>, more: Record<string, unknown> = {}) => {
  const { body, status, text } = await ask({ log: csv(fired), ...more })
  assert.strictEqual(status, 200, text)
  return JSON.parse(JSON.stringify(body))
}
const outcomes = (body: { items: ReadonlyArray<{ outcome: string }> }) =>
  body.items.map(({ outcome }) => outcome)
const fresh = (more: Record<string, unknown> = {}): string =>
  JSON.stringify(alert({ note: randomUUID(), ...more }))

describe("[G2] the account of an alert log", () => {
  it("says of every line whether it was taken, was there before, was refused and why, or never came", async () => {
    const [taken, twice, never] = [fresh(), fresh(), fresh()]
    const named = fresh({ id: "conflicting" })
    const wrong = fresh({ symbol: "", ticker: "" })
    const almost = `{"symbol": "SPY", "price": NaN, "note": "${randomUUID()}"}`
    const stored = await world.post(taken)
    await world.post(twice)
    await world.post(named)
    const other = named.replace("5m", "15m")
    assert.strictEqual((await world.post(other)).status, 409)
    for (const text of [wrong, almost]) assert.strictEqual((await world.post(text)).status, 400)
    // The refusals are stored in the background.
    for (let tries = 0; tries < 3_000; tries += 1) {
      const [row] = await world.sql<{ readonly many: number }>(
        "SELECT count(*)::int AS many FROM refused_posts"
      )
      if (row?.many === 3) break
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    const body = await account([
      { text: never },
      { text: almost },
      { text: wrong },
      { text: other },
      { text: named },
      { text: twice },
      { text: twice },
      // The template was formatted differently and its keys were in another order: the same body.
      { text: JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(taken)).toReversed()), null, 4) }
    ])
    assert.deepStrictEqual(outcomes(body), [
      "never_arrived",
      "refused",
      "refused",
      "refused",
      "accepted",
      "duplicate",
      "accepted",
      "accepted"
    ])
    assert.deepInclude(body, { lines: 8, arrived: 4, complete: false, summary: "4 of 8 alerts arrived" })
    assert.deepStrictEqual(body.totals, {
      accepted: 3,
      duplicate: 1,
      refused: 3,
      never_arrived: 1,
      not_kept: 0,
      unreadable: 0
    })
    assert.deepInclude(body.items[7], { signal_id: stored.body.signal_id, line: 9 })
    assert.match(body.items[1].reason, /^not_json: /)
    assert.match(body.items[2].reason, /^invalid: symbol /)
    assert.match(body.items[3].reason, /^conflict/)
    assert.deepStrictEqual(body.items[0].posts_taken, null)
  })

  it("equal bodies without a time are told apart by when they came", async () => {
    const metadata = JSON.stringify({
      snapshot_id: "00000000-0000-8000-8000-000000000001",
      score: { "Buy Score": 1, "Sell Score": 2 },
      trigger: "roc",
      pair: "ZRX-USD"
    })
    assert.strictEqual((await world.post(metadata)).status, 201)
    await world.sql(`UPDATE signals SET received_at = '2026-01-05T10:00:02Z' WHERE kind = 'metadata'`)
    const body = await account([
      { text: metadata, at: "2026-01-05T10:00:00Z" },
      { text: metadata, at: "2026-01-05T10:01:00Z" },
      { text: metadata, at: "2026-01-05T11:00:00Z" }
    ])
    assert.deepStrictEqual(outcomes(body), ["accepted", "duplicate", "never_arrived"])
    assert.strictEqual(body.items[0].delay_ms, 2_000)
  })

  it("a post that its header named is found by its body", async () => {
    const text = fresh()
    assert.strictEqual((await world.post(text, { "webhook-id": randomUUID() })).status, 201)
    assert.deepStrictEqual(outcomes(await account([{ text }])), ["accepted"])
  })

  it("is of one source, and of one name where it is asked for", async () => {
    const text = fresh()
    await world.post(text)
    assert.deepStrictEqual(outcomes(await account([{ text }], { source: "other" })), ["never_arrived"])
    const body = await account([{ text }, { text: "Crossing 5", name: "a phone alert" }], { name: "mine" })
    assert.deepInclude(body, { lines: 1, others: 1, complete: true, summary: "1 of 1 alerts arrived" })
  })

  it("claims nothing of what is older than what is kept", async () => {
    const body = await account([{ text: fresh(), at: "2020-01-01T00:00:00Z" }])
    assert.deepStrictEqual(outcomes(body), ["not_kept"])
  })

  it("says whether posts were taken when an alert did not come", async () => {
    await world.sql(`INSERT INTO intake_presence (id, life, since, until) VALUES
      (gen_random_uuid(), 'n/1', '2026-01-05T09:00:00Z', '2026-01-05T10:00:00Z'),
      (gen_random_uuid(), 'n/2', '2026-01-05T10:10:00Z', '2026-01-05T11:00:00Z')`)
    const at = ["08:00", "09:30", "10:05", "12:00"].map((time) => ({
      text: fresh(),
      at: `2026-01-05T${time}:00Z`
    }))
    const body = await account(at)
    assert.deepStrictEqual(
      body.items.map((item: { posts_taken: boolean | null }) => item.posts_taken),
      [null, true, false, null]
    )
  })

  it("names what is wrong with a question", async () => {
    for (const [given, path] of [
      [{ log: "when,what\n1,2" }, "log"],
      [{ log: csv([]), source: "nobody" }, "source"],
      [{ log: 5 }, "log"],
      [{ log: csv([]), sorce: "default" }, "sorce"]
    ] as const) {
      const { body, status } = await ask(given)
      assert.deepStrictEqual([status, body.errors[0]?.path], [400, path])
    }
    const unsigned = await world.send("POST", "/api/v1/alert-log", { body: "{}" })
    assert.strictEqual(unsigned.status, 401)
  })

  it("a log of thousands of lines is one question", async () => {
    const text = fresh()
    await world.post(text)
    const many = [...Array.from({ length: 2_999 }, () => ({ text: fresh() })), { text }]
    const body = await account(many)
    assert.deepInclude(body.totals, { accepted: 1, never_arrived: 2_999 })
  })
})
