/** What a post is: a signal, metadata, or refused with every error. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"

import { isJsonObject, type JsonObject, type JsonValue } from "../../src/domain/canonical-json.ts"
import { identityOf } from "../../src/domain/identity.ts"
import { parseIntakeBody } from "../../src/domain/intake-body.ts"
import { readJson } from "../../src/domain/json-reader.ts"

const signal: JsonObject = {
  symbol: "SPY",
  action: "BUY",
  timeframe: "5m",
  timestamp: "2025-10-21T22:45:00Z"
}
const metadata: JsonObject = {
  snapshot_id: "7f3b1c52-2f5a-4a53-9c0e-0b1d2e3f4a5b",
  score: { "Buy Score": 1, "Sell Score": 2 },
  trigger: "t",
  pair: "ZRX-USD"
}
const pathsOf = (body: JsonValue): ReadonlyArray<string> => {
  const parsed = parseIntakeBody(body)
  return Result.isFailure(parsed) ? parsed.failure.map((error) => error.path) : []
}

describe("a post", () => {
  it("with the fields of a signal is a signal, stored without its secret", () => {
    const parsed = parseIntakeBody({ ...signal, secret: "s", note: "mine" })
    assert(Result.isSuccess(parsed) && parsed.success.kind === "signal")
    assert.deepStrictEqual(parsed.success.body, { ...signal, note: "mine" })
    assert.isTrue(parsed.success.hasTimestamp)
  })

  it("T3 with a snapshot_id is metadata, never an order", () => {
    const parsed = parseIntakeBody({ ...metadata, secret: "s" })
    assert(Result.isSuccess(parsed))
    assert.strictEqual(parsed.success.kind, "metadata")
    assert.deepStrictEqual(parsed.success.body, metadata)
    assert.isFalse(parsed.success.hasTimestamp)
  })

  it("of metadata that names its time has a timestamp", () => {
    const parsed = parseIntakeBody({ ...metadata, timestamp: 1_761_086_700 })
    assert(Result.isSuccess(parsed))
    assert.isTrue(parsed.success.hasTimestamp)
  })

  it("T3 with fields of a signal and of metadata together is refused", () => {
    assert.deepStrictEqual(pathsOf({ ...metadata, ...signal }), ["symbol", "action", "timeframe"])
  })

  for (const [name, body] of [
    ["null", null],
    ["text", "BUY SPY"],
    ["a number", 5],
    ["an array", [signal]]
  ] as const) {
    it(`[${name}] is refused as a whole`, () => {
      assert.deepStrictEqual(pathsOf(body), [""])
    })
  }

  it("with an id that cannot be used is refused together with its other errors", () => {
    assert.deepStrictEqual(pathsOf({ ...signal, id: {}, quantity: 0 }), ["quantity", "id"])
    assert.deepStrictEqual(pathsOf({ ...signal, id: "" }), ["id"])
    assert.deepStrictEqual(pathsOf({ ...signal, id: 7 }), [])
  })
})

describe("any body", () => {
  const odd: ReadonlyArray<string> = [
    "null",
    "true",
    "0",
    "-0",
    "-1",
    "1e400",
    "1e-400",
    "5e-324",
    "9007199254740993",
    '""',
    '" "',
    '"NaN"',
    '"BUY"',
    '"long"',
    '"5m"',
    '"SPY"',
    '"2025-10-21T22:45:00Z"',
    '"\\u0000"',
    '"\\ud800"',
    '"{{close}}"',
    "[]",
    "{}",
    '[{"a":[null]}]',
    '{"Buy Score":null}',
    '{"__proto__":1}',
    '{"a":1,"a":2}',
    "1761086700",
    "1761086700000",
    '"7f3b1c52-2f5a-4a53-9c0e-0b1d2e3f4a5b"'
  ]
  const keys = [
    "symbol",
    "ticker",
    "action",
    "direction",
    "timeframe",
    "timestamp",
    "quantity",
    "price",
    "strategy",
    "strike",
    "expiration",
    "id",
    "secret",
    "snapshot_id",
    "score",
    "trigger",
    "pair",
    "order_id",
    "side",
    "constructor",
    "__proto__",
    "x"
  ]
  const members = Arbitrary.array(
    Arbitrary.all([Arbitrary.schema(Schema.Literals(keys)), Arbitrary.schema(Schema.Literals(odd))]),
    { maxLength: 10 }
  )

  it.prop(
    "is taken or refused with paths and messages, and what is taken can be stored, hashed and identified",
    [members, Schema.Boolean],
    ([list, complete]) => {
      const usual = complete
        ? Object.entries(signal).map(([key, value]) => [key, JSON.stringify(value)] as const)
        : []
      const chosen = new Map<string, string>([...usual, ...list])
      const text = `{${[...chosen].map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(",")}}`
      const parsed = Result.flatMap(
        Result.mapError(readJson(new TextEncoder().encode(text)), (refused) => [refused]),
        parseIntakeBody
      )
      if (Result.isFailure(parsed)) {
        assert.isNotEmpty(parsed.failure)
        for (const { path, message } of parsed.failure)
          assert.isTrue(typeof path === "string" && message !== "", text)
        assert.strictEqual(new Set(parsed.failure.map(({ path }) => path)).size, parsed.failure.length, text)
        return
      }
      const { body, hasTimestamp } = parsed.success
      assert(isJsonObject(body))
      assert.isFalse(Object.hasOwn(body, "secret"))
      assert.notInclude(JSON.stringify(body), "\\u0000")
      assert.isTrue(Result.isSuccess(identityOf("default", {}, body, hasTimestamp, 0)), text)
    },
    { arbitrary: { runs: 3_000, seed: 111 } }
  )
})
