/** docs/tradingview.md: what its sources make of texts that the page only speaks of. */
import { assert, describe, it } from "vitest"
import { Result } from "effect"
import { readPost } from "../../src/layers/signals/intake-reading.wire.ts"
import { sections } from "../support/alert-texts.ts"
import { settingsFrom } from "../support/practice-settings.ts"

/** The quantity of a text, as the source of the section with this title reads it. */
const quantityOf = (title: string, text: Record<string, string>): string | null => {
  const { source: file } = sections().find((section) => section.title.endsWith(title)) ?? assert.fail(title)
  const settings = settingsFrom({ sources: { s: file } }).sources["s"] ?? assert.fail("no such source")
  const read = readPost({ source: "s", settings, json: text, headers: {}, cameAtMs: Date.now() })
  if (Result.isFailure(read)) return assert.fail(JSON.stringify(read.failure))
  const { parsed } = read.success
  return parsed.kind === "signal" ? parsed.signal.quantity : assert.fail("metadata")
}

describe("an order for Alpaca", () => {
  const order = { symbol: "SPY", side: "buy", type: "market", time_in_force: "day" }
  it("is of as many units as its qty says", () => {
    assert.strictEqual(quantityOf("Alpaca", { ...order, qty: "3" }), "3")
  })
  it("[T10] names no quantity with a notional, which is money: never so many units", () => {
    assert.isNull(quantityOf("Alpaca", { ...order, notional: "1000" }))
  })
})
