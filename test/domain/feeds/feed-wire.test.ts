import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import {
  authText,
  unusableIdentity,
  waveBody,
  waveBodyHash,
  waveIdentity,
  waveSignalId,
  type WaveSignal
} from "../../../src/domain/feeds/feed-wire.ts"
import { readFeedMessage, readWaveSignal } from "../../../src/wire/feed-frame.ts"

const wire = {
  id: "s1",
  symbol: "BTC-USDT",
  action: "BUY",
  wave: "2025-10-21T22:45:00Z",
  price: "100.50",
  score: 0.7
}
const read: WaveSignal = {
  id: "s1",
  symbol: "BTC-USDT",
  action: "BUY",
  waveMs: Date.UTC(2025, 9, 21, 22, 45),
  price: "100.5",
  score: 0.7
}

describe("a signal of a feed", () => {
  it("is read with its fields, and with nothing it was not asked for", () => {
    assert.deepStrictEqual(readWaveSignal({ ...wire, extra: "\u0000", __proto__: { id: "x" } }), read)
  })
  it("has its wave as a moment, whatever zone it is written in", () => {
    const east = readWaveSignal({ ...wire, wave: "2025-10-22T02:45:00+04" })
    assert.deepStrictEqual(east, read)
  })
  it("has its symbol in upper case, as every sender's", () => {
    assert.deepStrictEqual(readWaveSignal({ ...wire, symbol: " btc-usdt " }), read)
    assert.deepInclude(readWaveSignal({ ...wire, symbol: "/es" }), { symbol: "/ES" })
  })
  it.each([
    ["id", { id: "" }],
    ["id", { id: "two words" }],
    ["id", { id: "ü" }],
    ["id", { id: "x".repeat(129) }],
    ["id", { id: null }],
    ["symbol", { symbol: "{{ticker}}" }],
    ["symbol", { symbol: "S".repeat(65) }],
    ["action", { action: "HOLD" }],
    ["action", { action: "buy" }],
    ["wave", { wave: "2025-10-21T22:45:00" }],
    ["wave", { wave: "yesterday" }],
    ["wave", { wave: 1_761_086 }],
    ["wave", { wave: "2025-02-30T00:00:00Z" }],
    ["price", { price: "-1" }],
    ["price", { price: "abc" }],
    ["score", { score: "high" }]
  ])("is refused with the path of what is wrong [%s %o]", (path, wrong) => {
    const result = readWaveSignal({ ...wire, ...wrong })
    assert.deepStrictEqual("errors" in result ? result.errors.map((error) => error.path) : null, [path])
  })
  it("that is refused says all that is wrong with it, and whose it would be as far as that can be read", () => {
    const result = readWaveSignal({
      ...wire,
      action: "HOLD",
      price: "NaN",
      score: "x".repeat(900),
      more: "secret"
    })
    if (!("errors" in result)) return assert.fail("it is usable")
    assert.deepStrictEqual(
      result.errors.map(({ path }) => path),
      ["action", "price", "score"]
    )
    assert.deepStrictEqual([result.id, result.waveMs], ["s1", read.waveMs])
    assert.deepStrictEqual(result.shown, {
      id: "s1",
      symbol: "BTC-USDT",
      action: "HOLD",
      wave: "2025-10-21T22:45:00Z",
      price: "NaN"
    })
    const nameless = readWaveSignal({ ...wire, id: null, wave: "soon" })
    assert.deepStrictEqual("errors" in nameless ? [nameless.id, nameless.waveMs] : null, [null, null])
    return undefined
  })
  it("needs neither price nor score", () => {
    const { price: _price, score: _score, ...bare } = wire
    assert.deepStrictEqual(readWaveSignal(bare), { ...read, price: null, score: null })
  })
})

describe("a message of the server", () => {
  it.each([
    ["auth_success", '{"type":"auth_success","more":1}', { type: "auth_success" }],
    ["auth_failed", '{"type":"auth_failed","reason":"no"}', { type: "auth_failed", reason: "no" }],
    [
      "auth_failed without a reason",
      '{"type":"auth_failed"}',
      { type: "auth_failed", reason: "no reason given" }
    ],
    ["stats", '{"type":"stats","a":{}}', { type: "stats" }],
    ["pong", '{"type":"pong"}', { type: "pong" }],
    ["ping", '{"type":"ping","at":1}', { type: "ping" }],
    ["invalid JSON", "{", { type: "ignored", why: "not_json" }],
    ["an unknown type", '{"type":"news"}', { type: "ignored", why: "unknown_type" }],
    ["no type", "{}", { type: "ignored", why: "unknown_type" }],
    ["a list", "[]", { type: "ignored", why: "malformed" }],
    ["null", "null", { type: "ignored", why: "malformed" }],
    ["signals that are none", '{"type":"signals","signals":{}}', { type: "ignored", why: "malformed" }],
    ["a signal that is missing", '{"type":"signal"}', { type: "ignored", why: "malformed" }]
  ])("is read [%s]", (_name, text, expected) => {
    assert.deepStrictEqual<unknown>(readFeedMessage(text), expected)
  })
  it("with one bad signal keeps the others, and names the bad one", () => {
    const message = readFeedMessage(JSON.stringify({ type: "signals", signals: [wire, { id: "x" }, 7] }))
    if (message.type !== "signals") return assert.fail(message.type)
    assert.deepStrictEqual([message.kind, message.signals], ["batch", [read]])
    assert.deepStrictEqual(
      message.unusable.map(({ errors }) => errors.map(({ path }) => path)),
      [["symbol", "action", "wave"], [""]]
    )
    return undefined
  })
  it("keeps every digit of a price and of an id that is a number", () => {
    const frame = (id: string, price: string): string =>
      `{"type":"signal","signal":{"id":${id},"symbol":"BTC-USDT","action":"BUY","wave":"2025-10-21T22:45:00Z","price":${price},"score":0.12345678901234567891}}`
    const read = (id: string, price: string) => {
      const message = readFeedMessage(frame(id, price))
      if (message.type !== "signals") return assert.fail(message.type)
      return message.signals.map((it) => [it.id, it.price, it.score])
    }
    const score = 0.12345678901234568
    assert.deepStrictEqual(read("9007199254740993", "0.10000000000000001"), [
      ["9007199254740993", "0.10000000000000001", score]
    ])
    assert.deepStrictEqual(read("9007199254740992", "1e3"), [["9007199254740992", "1000", score]])
    assert.deepStrictEqual(read("7", "12345678901234567890.123456789"), [
      ["7", "12345678901234567890.123456789", score]
    ])
    assert.deepStrictEqual(read("1e999", "1"), [], "infinity names nothing")
    assert.deepStrictEqual(read("1e-999", "1"), [])
  })
  it.prop("never throws, whatever comes", [Schema.String], ([text]) => {
    assert.isString(readFeedMessage(text).type)
    assert.isString(readFeedMessage(JSON.stringify({ type: "signals", signals: [text] })).type)
  })
})

describe("the identity of a wave signal", () => {
  it("is feed, wave and id, and unambiguous between them", () => {
    const keys = [
      waveIdentity("a", read),
      waveIdentity("b", read),
      waveIdentity("a", { ...read, id: "s2" }),
      waveIdentity("a", { ...read, waveMs: read.waveMs + 1 }),
      waveIdentity('a","2', read)
    ]
    assert.strictEqual(new Set(keys).size, keys.length)
    assert.strictEqual(waveIdentity("a", { ...read, price: "7", score: null }), keys[0])
  })
  it("of an unusable one is its id, else what it shows, and never that of a usable one", () => {
    const broken = (more: object) => {
      const result = readWaveSignal({ ...wire, price: "NaN", ...more })
      return "errors" in result ? unusableIdentity("a", result) : assert.fail("it is usable")
    }
    assert.strictEqual(broken({}), broken({ score: 2 }))
    assert.notStrictEqual(broken({}), broken({ id: "s2" }))
    assert.notStrictEqual(broken({ id: null }), broken({ id: null, symbol: "ETH-USDT" }))
    assert.notStrictEqual(broken({}), waveIdentity("a", read))
  })
  it("cannot meet an identity that a webhook names or computes", () => {
    assert.isTrue(waveIdentity("a", read).startsWith("wave:"))
  })
  it("gives the same signals.id for good", () => {
    assert.strictEqual(waveSignalId("wave", "north", read), "b8b09e40-cdb5-832b-8d21-f3a2c647131e")
  })
  it("is a conflict when what would be traded differs, and not when an opinion does", () => {
    const hash = waveBodyHash(read)
    assert.strictEqual(waveBodyHash({ ...read, price: "1", score: 0 }), hash)
    assert.notStrictEqual(waveBodyHash({ ...read, action: "SELL" }), hash)
    assert.notStrictEqual(waveBodyHash({ ...read, symbol: "ETH-USDT" }), hash)
  })
  it("is stored with a body that can be read again as the same signal", () => {
    assert.deepStrictEqual(readWaveSignal(waveBody(read)), read)
  })
})

it("the token is sent as it is, escaped", () => {
  assert.strictEqual(authText('a"b'), '{"type":"auth","token":"a\\"b"}')
})
