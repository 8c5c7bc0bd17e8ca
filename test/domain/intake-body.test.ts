/** What a post is: a signal, metadata, or refused with every error. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"

import type { JsonObject, JsonValue } from "../../src/domain/canonical-json.ts"
import { parseIntakeBody } from "../../src/domain/intake-body.ts"

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
