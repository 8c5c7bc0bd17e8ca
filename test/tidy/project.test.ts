import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
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

test("what is never committed is never copied into an image either, nor is the history", () => {
  const linesOf = (file: string): ReadonlyArray<string> =>
    readFileSync(path.join(root, file), "utf8")
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "" && !line.startsWith("#"))
  const kept = linesOf(".gitignore")
  expect(kept).toContain(".env")
  // A name without a slash is one at every depth for git, and one at the root for Docker.
  const wanted = kept.map((line) => (/^\.env|^holdfast\.json$/.test(line) ? `**/${line}` : line))
  const copied = new Set(linesOf(".dockerignore").map((line) => line.replace(/\/$/, "")))
  expect([".git", ...wanted].filter((line) => !copied.has(line.replace(/\/$/, "")))).toEqual([])
})
