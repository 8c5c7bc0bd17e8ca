/** One text per value: what the hash of a body sees, and what it must not see. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"

import {
  bodyHash,
  canonicalJson,
  fieldOf,
  type JsonObject,
  withoutSecret
} from "../../../src/domain/kernel/canonical-json.ts"

describe("canonical JSON", () => {
  it("sorts keys by code units at every depth and leaves arrays in order", () => {
    assert.strictEqual(
      canonicalJson({ b: [{ z: 1, a: 2 }, 1], a: { "€": 1, Z: 2, a: 3, "": 4 } }),
      '{"a":{"":4,"Z":2,"a":3,"€":1},"b":[{"a":2,"z":1},1]}'
    )
  })

  it("writes numbers in one way, whatever way they were sent in", () => {
    const sent = JSON.parse("[1, 1.0, 1e0, 100e-2, -0, 0]") as ReadonlyArray<number>
    assert.strictEqual(canonicalJson(sent), "[1,1,1,1,0,0]")
  })

  it.prop(
    "is the same for every order of the keys",
    [
      Arbitrary.array(Arbitrary.all([Arbitrary.schema(Schema.String), Arbitrary.schema(Schema.Int)]), {
        maxLength: 8
      })
    ],
    ([entries]) => {
      const unique = new Map<string, number>(entries.map(([key, value]) => [`k${key}`, value + 0]))
      const forward = Object.fromEntries(unique)
      const backward = Object.fromEntries([...unique].toReversed())
      assert.strictEqual(canonicalJson(forward), canonicalJson(backward))
      assert.deepStrictEqual(JSON.parse(canonicalJson(forward)), forward)
    },
    { arbitrary: { runs: 500, seed: 21 } }
  )
})

describe("the hash of a body", () => {
  const body: JsonObject = { symbol: "SPY", action: "BUY", timestamp: "2025-10-21T22:45:00Z" }

  it("does not see the secret, and sees a nested field of that name", () => {
    assert.strictEqual(bodyHash({ ...body, secret: "one" }), bodyHash({ secret: "two", ...body }))
    assert.strictEqual(bodyHash({ ...body, secret: "one" }), bodyHash(body))
    assert.notStrictEqual(
      bodyHash({ ...body, extra: { secret: "one" } }),
      bodyHash({ ...body, extra: { secret: "two" } })
    )
  })

  it("sees every other field, unknown ones too", () => {
    assert.notStrictEqual(bodyHash(body), bodyHash({ ...body, note: "mine" }))
    assert.notStrictEqual(bodyHash(body), bodyHash({ ...body, timestamp: "2025-10-21T22:45:01Z" }))
    assert.notStrictEqual(bodyHash({ a: "1" }), bodyHash({ a: 1 }))
  })

  it("is the published sha256 of the canonical text", () => {
    // printf '{"a":1,"b":"x"}' | sha256sum
    assert.strictEqual(
      bodyHash({ b: "x", secret: "s", a: 1 }),
      "ecf9e98ec0641e23113ff3ce8bdc78d0ddd249886517fd4a7f68cc83d4e65667"
    )
  })
})

describe("a body without its secret", () => {
  it("keeps everything else and does not change the body it came from", () => {
    const body = { secret: "s", a: 1 }
    assert.deepStrictEqual(withoutSecret(body), { a: 1 })
    assert.deepStrictEqual(body, { secret: "s", a: 1 })
  })
})

describe("a field from outside", () => {
  it("is never found on a prototype", () => {
    assert.isUndefined(fieldOf({}, "constructor"))
    assert.isUndefined(fieldOf({}, "toString"))
    assert.strictEqual(fieldOf({ toString: "own" }, "toString"), "own")
  })
})
