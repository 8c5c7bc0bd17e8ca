import { assert, describe, it } from "vitest"
import { migrationsList, numbered } from "../../scripts/migrations-list.ts"

describe("the list of migrations", () => {
  it("is ordered by number; other files are not migrations", () => {
    assert.deepStrictEqual(numbered(["0002_b.ts", "README.md", "list.ts", "0001_a-z.ts"]), [
      { id: 1, name: "0001_a-z" },
      { id: 2, name: "0002_b" }
    ])
    assert.include(migrationsList(["0001_a-z.ts"]), 'import m0001 from "./0001_a-z.ts"')
  })

  for (const [what, files, text] of [
    ["a gap", ["0001_a.ts", "0003_c.ts"], "a gap"],
    ["a duplicate", ["0001_a.ts", "0001_b.ts"], "a duplicate"],
    ["a start other than one", ["0002_a.ts"], "a gap"],
    ["an unnumbered file", ["0001_a.ts", "init.ts"], "NNNN_name.ts"],
    ["a short number", ["1_a.ts"], "NNNN_name.ts"]
  ] as const) {
    it(`refuses ${what} and names the file`, () => {
      assert.throws(() => numbered(files), new RegExp(`${files.at(-1)}.*${text}`))
    })
  }
})
