/** What a position is worth by the quotes of this process; nothing is invented where there is none. */
import { afterEach, assert, describe, it } from "vitest"
import { Effect } from "effect"
import { ageLimits } from "../../../src/domain/kernel/limits-signals.ts"
import type { Quote } from "../../../src/layers/market/market.port.ts"
import { startWorld, type World } from "./http-world.ts"

const opened: Array<World> = []
afterEach(async () => {
  for (const world of opened.splice(0)) await world.dispose()
})

const row = (symbol: string, quantity: string) => ({
  id: "11111111-1111-8111-8111-111111111111",
  account: "paper-1",
  symbol,
  epoch: 1,
  quantity,
  average_price: "401.123456789",
  realised_pnl: "0",
  confirmed_quantity: null,
  confirmed_at: null,
  disputed_at: null,
  opened_at: null,
  closed_at: null,
  updated_at: "2026-01-01T00:00:00.000Z",
  strategies: []
})

/** The value of a position whose symbol was last quoted so long ago; null: never. */
const valueOf = async (symbol: string, quantity: string, last: string, ageMs: number | null) => {
  const at = new Date(Date.now() - (ageMs ?? 0))
  const quote: Quote | null = ageMs === null ? null : { symbol, bid: last, ask: last, last, at }
  const world = await startWorld({
    reads: { list: () => Effect.succeed({ items: [row(symbol, quantity)], nextCursor: null }) },
    quote: (asked) => (asked === symbol ? quote : null)
  })
  opened.push(world)
  const { body, status } = await world.send("GET", "/api/v1/positions")
  assert.strictEqual(status, 200)
  const { last_price, priced_at, unrealised_pnl } = body.items[0] as Readonly<Record<string, unknown>>
  return [last_price, priced_at === null ? null : priced_at === at.toISOString(), unrealised_pnl]
}

describe("a position", () => {
  it.each([
    ["long", "SPY", "1.5", "410", 0, ["410", true, "13.3148148165"]],
    ["short", "SPY", "-1.5", "410", 0, ["410", true, "-13.3148148165"]],
    ["in contracts of 50 units", "ESZ26", "2", "402.123456789", 0, ["402.123456789", true, "100"]],
    ["whose quote is old", "SPY", "1.5", "410", ageLimits.quoteAgeMsMax + 1_000, [null, null, null]],
    ["that nobody quotes", "SPY", "1.5", "410", null, [null, null, null]],
    ["that is closed and quoted by nobody", "SPY", "0.00", "410", null, [null, null, "0"]]
  ] as const)("%s is worth what the market says", async (_what, symbol, quantity, last, ageMs, expected) => {
    assert.deepStrictEqual(await valueOf(symbol, quantity, last, ageMs), [...expected])
  })
})
