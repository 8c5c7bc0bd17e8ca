/** What is different between two versions of the settings, as a person names it. */
import { assert, describe, it } from "vitest"
import { differencesOf } from "../../web/lib/differences.ts"

describe("the differences of two settings", () => {
  it("are named by their place, with what was and what is", () => {
    const before = {
      risk: { quantityMax: "5", scopes: { global: { drawdownMax: "9" } } },
      feeds: ["a"],
      same: 1
    }
    const after = { risk: { quantityMax: "6", scopes: {} }, feeds: ["a", "b"], same: 1, port: null }
    assert.deepStrictEqual(differencesOf(before, after), [
      { place: "feeds", before: '["a"]', after: '["a","b"]' },
      { place: "port", before: null, after: "null" },
      { place: "risk.quantityMax", before: '"5"', after: '"6"' },
      { place: "risk.scopes.global", before: '{"drawdownMax":"9"}', after: null }
    ])
  })

  it("are none of what is the same", () => {
    assert.deepStrictEqual(differencesOf({ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }), [])
  })
})
