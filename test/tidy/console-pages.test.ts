import { readFileSync } from "node:fs"
import path from "node:path"
import { expect, test } from "vitest"

const root = path.resolve(import.meta.dirname, "../..")

// From the text: the list imports the pages themselves, which only the build of the console can read.
test("no two pages of the console have one name or one key", () => {
  const text = readFileSync(path.join(root, "web/lib/pages.ts"), "utf8")
  const pages = [...text.matchAll(/\{ name: "([^"]*)", title: "[^"]+", key: "([^"]+)"/g)]
  expect(pages.length).toBeGreaterThan(15)
  expect(pages.length).toBe(text.match(/^ {2}\{ name: /gm)?.length)
  for (const column of [1, 2]) {
    const words = pages.map((page) => page[column] ?? "")
    expect(words.filter((word, index) => words.indexOf(word) !== index)).toEqual([])
  }
})
