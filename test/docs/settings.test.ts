/** The settings as they are documented: the JSON Schema that editors use judges as the loader does. */
import { assert, describe, it } from "vitest"
import { readFileSync } from "node:fs"
import path from "node:path"
import { settingsFile } from "../../src/wire/settings.ts"
import { settingsProblems } from "../support/settings-schema.ts"

const root = path.resolve(import.meta.dirname, "../..")
const read = (file: string): string => readFileSync(path.join(root, file), "utf8")
const blocks = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/```json\n([\s\S]*?)```/g)].map((match) => match[1] ?? "")

const s = { sources: ["default"], accounts: ["paper-1"] }

describe("the JSON Schema of the configuration file", () => {
  it("takes the example of the README, which the service takes", () => {
    const examples = blocks(read("README.md")).filter((text) => text.includes('"strategies"'))
    assert.lengthOf(examples, 1)
    const example: unknown = JSON.parse(examples[0] ?? "")
    assert.deepStrictEqual(settingsProblems(example), [])
    assert.isTrue(settingsFile.safeParse(example).success)
  })

  it.each([
    {},
    { $schema: "http://127.0.0.1:5003/schemas/holdfast.json", mode: "LIVE" },
    { feeds: { a: { url: "wss://h:1/x", token: "t" } }, risk: { buyingPowerMultiple: null } },
    { instruments: { "ES*": { kind: "future", multiplier: "50" } }, symbols: { "ES1!": "ESZ26" } }
  ])("takes %j, as the service does", (file) => {
    assert.deepStrictEqual(settingsProblems(file), [])
    assert.isTrue(settingsFile.safeParse(file).success)
  })

  it.each([
    [[]],
    [{ prot: 1 }],
    [{ port: "7000" }],
    [{ port: 65_536 }],
    [{ mode: "REAL" }],
    [{ roles: [] }],
    [{ strategies: { s: { ...s, stopLosPct: "1" } } }],
    [{ strategies: { s: { ...s, quantity: "1e5" } } }],
    [{ strategies: { s: { ...s, quantity: "0.0" } } }],
    [{ strategies: { s: { accounts: ["paper-1"] } } }],
    [{ strategies: { "A b": s } }],
    [{ feeds: { a: { url: "http://x" } } }],
    [{ corsOrigins: ["*"] }],
    [{ market: null }]
  ])("refuses %j, as the service does", (file) => {
    assert.isNotEmpty(settingsProblems(file))
    assert.isFalse(settingsFile.safeParse(file).success)
  })

  it("is documented with a line for each key", () => {
    const page = read("docs/settings.md")
    for (const key of Object.keys(settingsFile.shape)) assert.include(page, `| \`${key}\` |`)
  })
})
