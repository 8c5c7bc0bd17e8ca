/** Requirement A1: metadata of an order, which is never an order itself. */
import { assert, describe, it } from "@effect/vitest"

import type { JsonObject } from "../../../src/domain/kernel/canonical-json.ts"
import { isMetadata } from "../../../src/domain/signals/metadata.ts"
import { bodyProblems } from "../../support/openapi.ts"
import { decodeMetadata } from "../../../src/wire/metadata-body.ts"
import { SIGNAL_FIELDS } from "../../../src/domain/signals/signal.ts"

const plain: JsonObject = {
  snapshot_id: "7F3B1C52-2F5A-4A53-9C0E-0B1D2E3F4A5B",
  score: { "Buy Score": 3.2, "Sell Score": -1 },
  trigger: "roc_momo",
  pair: "ZRX-USD"
}
const pathsOf = (body: JsonObject): ReadonlyArray<string> => {
  const parsed = decodeMetadata(body)
  assert.strictEqual(
    parsed.ok,
    bodyProblems(body).length === 0,
    "what is taken is described, and nothing else"
  )
  return !parsed.ok ? parsed.errors.map((error) => error.path) : []
}

describe("metadata", () => {
  it("is read with its scores", () => {
    const parsed = decodeMetadata(plain)
    assert(parsed.ok)
    assert.deepStrictEqual(parsed.value, {
      snapshotId: "7f3b1c52-2f5a-4a53-9c0e-0b1d2e3f4a5b",
      pair: "ZRX-USD",
      trigger: "roc_momo",
      buyScore: 3.2,
      sellScore: -1,
      orderId: null,
      side: null,
      firedAtMs: null
    })
  })

  it("may name an order, a side and a time", () => {
    const parsed = decodeMetadata({
      ...plain,
      order_id: "o-1",
      side: "BUY",
      timestamp: "2025-10-21T22:45:00Z"
    })
    assert(parsed.ok)
    assert.deepInclude(parsed.value, {
      orderId: "o-1",
      side: "buy",
      firedAtMs: Date.UTC(2025, 9, 21, 22, 45)
    })
  })

  const cases: ReadonlyArray<readonly [string, JsonObject, ReadonlyArray<string>]> = [
    ["a null score", { ...plain, score: { "Buy Score": null, "Sell Score": 1 } }, ["score.Buy Score"]],
    ["a score of text", { ...plain, score: { "Buy Score": 1, "Sell Score": "1" } }, ["score.Sell Score"]],
    ["a missing score", { ...plain, score: { "Sell Score": 1 } }, ["score.Buy Score"]],
    ["no score", { ...plain, score: null }, ["score"]],
    ["an array as score", { ...plain, score: [1, 2] }, ["score"]],
    ["a snapshot id that is no UUID", { ...plain, snapshot_id: "42" }, ["snapshot_id"]],
    ["a null snapshot id", { ...plain, snapshot_id: null }, ["snapshot_id"]],
    ["no trigger", { ...plain, trigger: null }, ["trigger"]],
    ["no pair", { ...plain, pair: null }, ["pair"]],
    ["a side that is none", { ...plain, side: "long" }, ["side"]],
    ["a timestamp without zone", { ...plain, timestamp: "2025-10-21T22:45:00" }, ["timestamp"]],
    [
      "nothing right",
      { snapshot_id: 1, score: {} },
      ["snapshot_id", "score.Buy Score", "score.Sell Score", "trigger", "pair"]
    ]
  ]
  for (const [name, body, paths] of cases) {
    it(`[${name}] is refused at ${paths.join(", ")}`, () => {
      assert.deepStrictEqual(pathsOf(body), paths)
    })
  }

  for (const field of SIGNAL_FIELDS) {
    it(`[with the signal's field ${field}] is refused there, null or not`, () => {
      assert.deepStrictEqual(pathsOf({ ...plain, [field]: "BUY" }), [field])
      assert.deepStrictEqual(pathsOf({ ...plain, [field]: null }), [field])
    })
  }
})

describe("a body is metadata", () => {
  it("when it has a snapshot id, whatever its value", () => {
    assert.isTrue(isMetadata({ snapshot_id: null }))
    assert.isTrue(isMetadata({ snapshot_id: "x", symbol: "SPY", action: "BUY" }))
  })
  it("when it has the scores of a snapshot without its id", () => {
    assert.isTrue(isMetadata({ score: { "Sell Score": 1 }, symbol: "SPY" }))
  })
  it("never by a field that senders of signals also use", () => {
    assert.isFalse(
      isMetadata({ symbol: "SPY", trigger: "x", pair: "y", score: 1, side: "buy", order_id: "1" })
    )
    assert.isFalse(isMetadata({ symbol: "SPY", score: { mine: 1 } }))
  })
})
