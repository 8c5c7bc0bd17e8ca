/** [G11] What of the configuration file may be shown to be edited, and what an edited text means. */
import { Result } from "effect"
import { assert, describe, it } from "vitest"
import { jsonStrings } from "../../../src/domain/kernel/json-strings.ts"
import { meantFile, shownFile } from "../../../src/domain/kernel/settings-file-text.ts"

const never = () => false
const file = `{
  "adminToken": "admin-clear",
  "databaseUrl": "postgres://me:db-clear@db/trade",
  "feeds": { "a": { "url": "ws://u:url-clear@feed:1/x", "token": "feed-clear" }, "b": { "url": "ws://feed:1/x", "token": "other-clear" } },
  "sources": { "tv": { "authentication": { "bodySecret": { "field": "/secret", "secrets": ["body-clear", { "env": "TV" }, { "file": "/run/tv" }] } } } },
  "alerts": { "sinks": { "ops": { "kind": "webhook", "url": "https://chat/abc-clear" } }, "heartbeat": { "url": "https://beat/clear" } },
  "admintoken": "misspelt-clear",
  "note": "it is known-clear here",
  "risk": { "quantityMax": "5.00", "scopes": {} }, "port": 1e3
}
`
const shown = shownFile(file, (text) => text.includes("known-clear"))

describe("the file as it is shown", () => {
  it("has no secret in it: by place, by name, in a URL, or known by its text", () => {
    assert.notInclude(shown, "clear")
    assert.strictEqual(shown.match(/\[kept secret \d+\]/g)?.length, 10)
  })

  it("is the file in everything else, to the character", () => {
    const around = (text: string) => text.replaceAll(/"[^"]*(?:clear|kept secret)[^"]*"/g, "…")
    assert.strictEqual(around(shown), around(file))
    for (const kept of ['"/secret"', '"env": "TV"', '"file": "/run/tv"', '"5.00"', "1e3", '"ws://feed:1/x"'])
      assert.include(shown, kept)
  })

  it("is a text of which nothing is hidden where there is no secret", () => {
    const plain = '{ "port": 8080, "sources": {}, "symbols": ["SPY"] }'
    assert.strictEqual(shownFile(plain, never), plain)
  })
})

describe("what is meant by an edited text", () => {
  const isSecret = (text: string) => text.includes("known-clear")
  const meant = (edited: string) => meantFile(edited, file, isSecret)

  it("is the file itself where nothing was edited", () => {
    assert.deepStrictEqual(meant(shown), Result.succeed(file))
  })

  it("keeps each secret where it is renamed or moved within its kind, and takes a new one as it is written", () => {
    const edited = shown
      .replace('"b": {', '"renamed": {')
      .replace('"port": 1e3', '"port": 2e3')
      .replace(/"adminToken": "[^"]*"/, '"adminToken": "a new one"')
    const expected = file
      .replace('"b": {', '"renamed": {')
      .replace('"port": 1e3', '"port": 2e3')
      .replace('"admin-clear"', '"a new one"')
    assert.deepStrictEqual(meant(edited), Result.succeed(expected))
  })

  it.each([
    ["at a place that is shown", '{ "note2": "[kept secret 1]" }', "note2"],
    ["at a place of another kind of secret", '{ "adminToken": "[kept secret 2]" }', "adminToken"],
    ["that the file never had", '{ "adminToken": "[kept secret 99]" }', "adminToken"]
  ])("is nothing where a placeholder stands %s", (_, edited, path) => {
    const found = meant(edited)
    assert.isTrue(Result.isFailure(found))
    assert.deepStrictEqual(Result.isFailure(found) ? found.failure.map((one) => one.path) : [], [path])
    assert.notInclude(JSON.stringify(found), "clear")
  })
})

describe("texts of a JSON document", () => {
  it("are found with their paths, names of members apart", () => {
    const text = String.raw`{"a":["x",1,{"b\"":"y \\ \u0041"}],"c":{"d":null},"e":""}`
    assert.deepStrictEqual(
      jsonStrings(text).map(({ end, path, start, value }) => [path.join("/"), value, text.slice(start, end)]),
      [
        ["a/0", "x", '"x"'],
        ['a/2/b"', String.raw`y \ A`, String.raw`"y \\ \u0041"`],
        ["e", "", '""']
      ]
    )
  })
})
