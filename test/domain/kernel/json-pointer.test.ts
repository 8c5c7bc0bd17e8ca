import { assert, describe, it } from "vitest"
import type { JsonValue } from "../../../src/domain/kernel/canonical-json.ts"
import { pathOfPointer, valueAt, withoutAt } from "../../../src/domain/kernel/json-pointer.ts"

const without = (value: JsonValue, pointer: string) => withoutAt(value, pathOfPointer(pointer))

describe("a value without a place of it", () => {
  it.each<[string, JsonValue, string, JsonValue]>([
    ["a field", { a: 1, b: 2 }, "/a", { b: 2 }],
    ["a field inside", { a: { b: 1, c: 2 } }, "/a/b", { a: { c: 2 } }],
    ["a field of an item", { a: [{ b: 1, c: 2 }, 3] }, "/a/0/b", { a: [{ c: 2 }, 3] }],
    ["an item, whose place stays", { a: [1, "x", 3] }, "/a/1", { a: [1, null, 3] }],
    ["an item of an item", [[1, "x"]], "/0/1", [[1, null]]],
    ["a name with a slash", { "a/b": 1 }, "/a~1b", {}],
    [
      "a field of a name that means something",
      { ["__proto__"]: { a: 1, b: 2 } },
      "/__proto__/a",
      { ["__proto__"]: { b: 2 } }
    ]
  ])("has everything else [%s]", (_, value, pointer, left) => {
    const sent = structuredClone(value)
    assert.deepStrictEqual(without(value, pointer), left)
    assert.deepStrictEqual(value, sent, "what was given is not changed")
    assert.notExists(valueAt(without(value, pointer), pathOfPointer(pointer)))
  })

  it.each<[string, JsonValue, string]>([
    ["an absent field", { a: 1 }, "/b"],
    ["an item beyond the end", { a: [1] }, "/a/1"],
    ["a name of an array", { a: [1] }, "/a/length"],
    ["a field of a text", { a: "text" }, "/a/length"],
    ["what is inherited", { a: 1 }, "/toString"]
  ])("is the value as it is where nothing is there [%s]", (_, value, pointer) => {
    assert.deepStrictEqual(without(value, pointer), value)
  })
})
