/** What of a context is shown: its schema decides, and whatever is in it ends as plain, bounded, masked JSON. */
import { assert, describe, it } from "vitest"
import { makeMask } from "../../../src/domain/kernel/redaction.ts"
import { contextDiff, HIDDEN, journalText, journalValue } from "../../../src/domain/platform/journal.ts"
import { catalog } from "../../../src/machines/catalog.ts"
import { contextShown } from "../../../src/machines/context-shown.ts"

const mask = makeMask(["hunter2222"])
const schema = { attempt: "value", lastError: "value", rows: "size" } as const

describe("the diff of a context", () => {
  it("has the changed fields, before and after, as the schema shows them", () => {
    const before = { attempt: 1, lastError: null, rows: [1], token: "a", same: "x" }
    const after = { attempt: 2, lastError: "no hunter2222", rows: [1, 2, 3], token: "b", same: "x" }
    assert.deepStrictEqual(contextDiff(before, after, schema, mask), {
      attempt: [1, 2],
      lastError: [null, "no [redacted]"],
      rows: [1, 3],
      token: [HIDDEN, HIDDEN]
    })
  })

  it("is null when nothing changed, and for what is no context", () => {
    const context = { attempt: 1 }
    assert.isNull(contextDiff(context, context, schema, mask))
    assert.isNull(contextDiff(context, { attempt: 1 }, schema, mask))
    assert.isNull(contextDiff(undefined, context, schema, mask))
    assert.isNull(contextDiff(context, 5, schema, mask))
  })

  it("hides a field that only a prototype knows", () => {
    const diff = contextDiff({ constructor: 1 }, { constructor: 2 }, schema, mask)
    assert.deepStrictEqual(Object.entries(diff ?? {}), [["constructor", [HIDDEN, HIDDEN]]])
  })

  it("shows a field that came or went as null on the other side", () => {
    assert.deepStrictEqual(contextDiff({}, { attempt: 1 }, schema, mask), { attempt: [null, 1] })
  })

  it("is bounded in fields", () => {
    const wide = Object.fromEntries(Array.from({ length: 500 }, (_one, index) => [`f${index}`, index]))
    assert.isAtMost(Object.keys(contextDiff({}, wide, {}, mask) ?? {}).length, 24)
  })
})

describe("a value that is shown", () => {
  class Odd {
    readonly secret = "x"
  }
  const cyclic: Record<string, unknown> = {}
  cyclic["self"] = cyclic
  it.each([
    ["text with what PostgreSQL cannot store", "a\u0000b\ud800", "a\ufffdb\ufffd"],
    ["a number that JSON has not", Number.NaN, "NaN"],
    ["a bigint", 5n, "5"],
    ["a date", new Date(0), "1970-01-01T00:00:00.000Z"],
    ["an invalid date", new Date(Number.NaN), null],
    ["an error", new Error("hunter2222 fails"), "Error: [redacted] fails"],
    ["a function", () => 1, "function"],
    ["an instance", new Odd(), "an object"],
    ["a key with a secret", { hunter2222: 1 }, { "[redacted]": 1 }]
  ])("is plain JSON: %s", (_name, given, shown) => {
    assert.deepStrictEqual(journalValue(mask, given), shown)
  })
  it("is bounded in depth and items, also when it contains itself", () => {
    assert.isBelow(JSON.stringify(journalValue(mask, cyclic)).length, 200)
    const long = Array.from({ length: 10_000 }, () => "x".repeat(5_000))
    assert.isBelow(JSON.stringify(journalValue(mask, long)).length, 6_000)
  })
  it("cuts a text and says so", () => {
    assert.strictEqual(journalText("abcdef", 4), "abc…")
  })
})

describe("the schemas of contexts", () => {
  it("are one for each machine of the catalog, and for nothing else", () => {
    assert.deepStrictEqual(Object.keys(contextShown).toSorted(), catalog.map(({ name }) => name).toSorted())
  })
  it("are found by the id that a machine gives itself, which no two share", () => {
    const ids = catalog.map(({ machine }) => machine.id)
    assert.strictEqual(new Set(ids).size, ids.length)
  })
})
