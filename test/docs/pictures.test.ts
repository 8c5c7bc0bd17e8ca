/** The pictures of the pages: each that a page names is there, none is there for nothing, and all of them stay small. */
import { assert, describe, it } from "vitest"
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import path from "node:path"

const docs = path.resolve(import.meta.dirname, "../../docs")
const folder = path.join(docs, "pictures")

describe("the pictures of the documentation", () => {
  it("are those that docs/console.md shows, in less than 300 kB", () => {
    const page = readFileSync(path.join(docs, "console.md"), "utf8")
    const named = [...page.matchAll(/\]\(pictures\/([\w-]+\.png)\)/g)].map((match) => match[1] ?? "")
    const there = existsSync(folder) ? readdirSync(folder) : []
    assert.sameMembers(there, named)
    const bytes = there.reduce((sum, file) => sum + statSync(path.join(folder, file)).size, 0)
    assert.isBelow(bytes, 300_000)
  })
})
