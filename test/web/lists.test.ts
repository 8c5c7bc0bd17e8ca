/** The lists of the console: what their rows lead to. */
import { assert, describe, it } from "vitest"
import { lists } from "../../web/lib/lists.ts"

describe("an alert", () => {
  const report = lists["alerts"]?.columns.find(({ title }) => title === "Report")

  it("leads to the report of its time and five minutes around it", () => {
    const row = { first_at: "2026-01-01T10:00:00.000Z", last_at: "2026-01-01T11:00:00.000Z" }
    const query = new URLSearchParams(report?.link?.(row).split("?")[1])
    assert.strictEqual(query.get("from"), "2026-01-01T09:55:00.000Z")
    assert.strictEqual(query.get("to"), "2026-01-01T11:05:00.000Z")
  })

  it("that stood for weeks leads to the last two days of it", () => {
    const row = { first_at: "2026-01-01T10:00:00.000Z", last_at: "2026-01-21T10:00:00.000Z" }
    const query = new URLSearchParams(report?.link?.(row).split("?")[1])
    assert.strictEqual(query.get("from"), "2026-01-19T10:05:00.000Z")
  })

  it("without its times leads nowhere", () => {
    assert.strictEqual(report?.link?.({ first_at: null, last_at: null }), "")
  })
})

describe("an order", () => {
  const at = (row: Record<string, unknown>) =>
    lists["orders"]?.columns
      .find(({ title }) => title === "At")
      ?.text({ stop_price: null, limit_price: null, ...row })

  it("says its kind and the prices it has", () => {
    assert.strictEqual(at({ type: "market" }), "market")
    assert.strictEqual(at({ type: "limit", limit_price: "95.5" }), "limit 95.5")
    assert.strictEqual(
      at({ type: "stop_limit", limit_price: "1112", stop_price: "1110" }),
      "stop limit 1 110 1 112"
    )
  })
})
