import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { findings, projectFiles } from "../../scripts/tidy.ts"

const root = path.resolve(import.meta.dirname, "../..")

test("the project keeps the rules about names, places and what is never committed", () => {
  expect(findings(root)).toEqual([])
})

test("a second work tree is read like the first, though its .git is a file that names a path", () => {
  const directory = mkdtempSync(path.join(tmpdir(), "holdfast-tidy-"))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  for (const file of [".git", "package.json"]) writeFileSync(path.join(directory, file), "")
  expect(projectFiles(directory)).toEqual(["package.json"])
})
