import { assert, describe, it } from "@effect/vitest"
import type { JsonObject } from "../../../src/domain/kernel/canonical-json.ts"
import { ExactNumber } from "../../../src/domain/kernel/exact-number.ts"
import type { FieldMappings } from "../../../src/domain/kernel/settings-source.ts"
import { mapperOf } from "../../../src/domain/signals/field-mapping.ts"

const now = Date.UTC(2026, 10, 30, 12)
const mapped = (fields: FieldMappings, sent: JsonObject) => mapperOf(fields)(sent, now)

describe("a field", () => {
  it("is taken from a place in the body, however deep, and of several the first with a value", () => {
    const fields: FieldMappings = {
      quantity: { from: "/order/amount" },
      price: { from: ["/fill", "/legs/1/price", "/close"] }
    }
    const sent = { order: { amount: "2" }, fill: " ", legs: [{ price: 1 }, { price: 7.5 }], close: 9 }
    const { body, how } = mapped(fields, sent)
    assert.deepStrictEqual(body, { ...sent, quantity: "2", price: 7.5 })
    assert.deepStrictEqual(how, { quantity: "/order/amount", price: "/legs/1/price" })
  })

  it("that is not there is absent, and no place of a prototype counts", () => {
    for (const from of [
      "/none",
      "/toString",
      "/constructor/name",
      "/__proto__/x",
      "/list/length",
      "/list/01"
    ])
      assert.notProperty(mapped({ price: { from } }, { list: [1] }).body, "price", from)
  })

  it("is joined of texts and places, and absent when one of them is", () => {
    const fields: FieldMappings = { symbol: { join: [{ from: "/ex", before: "_" }, ":", { from: "/t" }] } }
    assert.strictEqual(mapped(fields, { ex: "BINANCE_DL", t: " BTCUSDT " }).body["symbol"], "BINANCE:BTCUSDT")
    assert.notProperty(mapped(fields, { ex: "BINANCE" }).body, "symbol")
  })

  it("is cut, put into case, and looked up in a table in any case", () => {
    const fields: FieldMappings = {
      symbol: { from: "/pair", after: "_", before: "-", case: "upper" },
      action: { from: "/side", table: { Long: "BUY", short: "SELL", "*": null } }
    }
    const { body, errors, how } = mapped(fields, { pair: "usdt_btc-perp", side: " LONG " })
    assert.deepStrictEqual([body["symbol"], body["action"]], ["BTC", "BUY"])
    assert.strictEqual(how["action"], "/side by table")
    assert.isEmpty(errors)
    assert.notProperty(mapped(fields, { side: "hold" }).body, "action")
  })

  it("keeps all digits of a number, also as a text of a table or a join", () => {
    const n = new ExactNumber("9007199254740993")
    assert.strictEqual(mapped({ quantity: { from: "/q" } }, { q: n }).body["quantity"], n)
    assert.strictEqual(
      mapped({ id: { join: ["t", { from: "/q" }] } }, { q: n }).body["id"],
      "t9007199254740993"
    )
  })

  it("has its default when there is nothing, and only then", () => {
    const fields: FieldMappings = { timeframe: { from: "/tf", default: "5m" } }
    for (const sent of [{}, { tf: "" }, { tf: null }])
      assert.deepStrictEqual(mapped(fields, sent).how, { timeframe: "a default" })
    assert.strictEqual(mapped(fields, { tf: "1h" }).body["timeframe"], "1h")
  })

  it("may be a constant or the time of receipt", () => {
    const { body, isReceived } = mapped({ timeframe: { constant: "1h" }, timestamp: { received: true } }, {})
    assert.deepStrictEqual(body, { timeframe: "1h", timestamp: now })
    assert.isTrue(isReceived)
  })

  it("of the sender that is something else is left out; one that is not named is the sender's own", () => {
    const sent = { symbol: "SPY", action: "buy", strategy: "My best idea" }
    assert.deepStrictEqual(mapped({ strategy: null }, sent).body, { symbol: "SPY", action: "buy" })
  })

  it("that is the symbol replaces what the sender calls ticker", () => {
    const fields: FieldMappings = { symbol: { join: [{ from: "/exchange" }, ":", { from: "/ticker" }] } }
    assert.deepStrictEqual(mapped(fields, { exchange: "NYSE", ticker: "KO" }).body, {
      exchange: "NYSE",
      symbol: "NYSE:KO"
    })
  })

  it.each([
    ["a word that the table does not have", { from: "/a", table: { x: "BUY" } }, { a: "y" }],
    ["an object where a word is looked up", { from: "/a", table: { x: "BUY" } }, { a: {} }],
    ["an endless text", { from: "/a" }, { a: "x".repeat(1_001) }]
  ] as const)("is an error that does not repeat what was sent [%s]", (_what, action, sent) => {
    const { errors } = mapped({ action }, sent)
    assert.lengthOf(errors, 1)
    assert.strictEqual(errors[0]?.path, "action")
    assert.notInclude(errors[0]?.message ?? "", "yyy")
  })

  it("changes nothing of what was sent", () => {
    const sent = Object.freeze({ side: "buy", ticker: "SPY" })
    mapped({ action: { from: "/side" }, symbol: { from: "/ticker" } }, sent)
    assert.deepStrictEqual({ ...sent }, { side: "buy", ticker: "SPY" })
  })
})
