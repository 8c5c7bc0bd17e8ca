/** The schema of the settings in the browser: as a validator finds it, and what may stand where the cursor is. */
import { Ajv2020 } from "ajv/dist/2020.js"
import { assert, describe, it } from "vitest"
import schema from "../../src/wire/holdfast.schema.json" with { type: "json" }
import { cursorAt, placesIn } from "../../web/lib/json-cursor.ts"
import { namesAt, problemsBy, type Schema, valuesAt } from "../../web/lib/schema-check.ts"

const root = schema as unknown as Schema
const KEYS = Object.keys(schema.$defs.Settings.properties)
const judge = new Ajv2020({ strict: false, allErrors: true }).compile(schema)

const VALUES: ReadonlyArray<unknown> = [
  null,
  true,
  0,
  -1,
  1.5,
  8_080,
  "",
  "x",
  "LIVE",
  "5",
  [],
  ["a"],
  {},
  { a: 1 },
  { a: {} }
]

describe("a value and the schema of the settings", () => {
  it("is refused where a validator refuses it, and only there, at each key", () => {
    let refused = 0
    for (const key of [...KEYS, "noSuchKey"])
      for (const value of VALUES) {
        const found = problemsBy(root, { [key]: value })
        const isRight = judge({ [key]: value })
        assert.strictEqual(
          found.length === 0,
          isRight,
          `${key}: ${JSON.stringify(value)} ${JSON.stringify(found)}`
        )
        if (!isRight) {
          refused += 1
          assert.isTrue(found.every(({ message, path }) => path.startsWith(key) && message !== ""))
        }
      }
    assert.isAbove(refused, 100)
  })

  it("is refused at its place, with a reason", () => {
    const [found] = problemsBy(root, { strategies: { s: { sources: ["default"], accounts: 5 } } })
    assert.strictEqual(found?.path, "strategies.s.accounts")
    assert.match(found?.message ?? "", /must be a list/)
    assert.match(problemsBy(root, { mode: "PAPR" })[0]?.message ?? "", /must be one of "PRACTICE"/)
  })
})

describe("what may stand", () => {
  const at = (marked: string) => cursorAt(marked.replace("¦", ""), marked.indexOf("¦"))

  it("is known from what stands before the cursor, finished or not", () => {
    assert.deepInclude(at('{ "mode": "LI¦'), { around: [], expects: "value", key: "mode", written: '"LI' })
    assert.deepInclude(at('{ "risk": { "quantityMax": "1", "not¦" } }'), {
      around: ["risk"],
      expects: "name",
      names: ["quantityMax"],
      written: '"not'
    })
    assert.deepInclude(at('{ "roles": ["http", ¦] }'), { around: ["roles"], expects: "value", key: "1" })
    assert.strictEqual(at('{ "port": 1 ¦ }').expects, "nothing")
    assert.strictEqual(at("{} ¦").expects, "nothing")
  })

  it("is every name and every word of the schema at that place", () => {
    const names = namesAt(root, []).map(({ text }) => JSON.parse(text) as string)
    assert.sameMembers(names, KEYS)
    assert.isAbove(namesAt(root, ["strategies", "any"]).length, 3)
    assert.includeMembers(
      valuesAt(root, ["mode"]).map(({ text }) => text),
      ['"PRACTICE"', '"PAPER"', '"LIVE"']
    )
    assert.isTrue(namesAt(root, ["risk"]).every(({ about }) => typeof about === "string"))
  })

  it("has a place in the text", () => {
    const text = '{ "a": { "b": [10, "x"] }, "c": null }'
    const places = placesIn(text)
    assert.strictEqual(text.slice(places.get("a.b.1"), (places.get("a.b.1") ?? 0) + 3), '"x"')
    assert.strictEqual(text.slice(places.get("c")).slice(0, 4), "null")
  })
})
