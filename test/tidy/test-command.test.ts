import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { stripVTControlCharacters } from "node:util"
import { afterAll, expect, test } from "vitest"

const root = path.resolve(import.meta.dirname, "../..")
const scratch = mkdtempSync(path.join(tmpdir(), "holdfast results "))

afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** `npm test` on some fixture files: its exit status and its last line. */
const results = (...files: ReadonlyArray<string>) => {
  const { TEST_COUNTS: _counts, TEST_SIZE: _size, NODE_OPTIONS: _options, ...inherited } = process.env
  const config = path.join(root, "test/fixtures/guards/results/vitest.config.ts")
  const filters = files.map((file) => `results/${file}`)
  const run = spawnSync(
    process.execPath,
    [path.join(root, "scripts/test.ts"), "--config", config, ...filters],
    { encoding: "utf8", env: { ...inherited, FIXTURE_CACHE: scratch }, timeout: 150_000 }
  )
  const lines = run.stdout.trimEnd().split("\n")
  return {
    status: run.status,
    lastLine: lines.at(-1),
    lines,
    said: stripVTControlCharacters(run.stdout + run.stderr)
  }
}

test.each([
  ["passes", ["passing"], 0, "2 passed, 0 failed"],
  ["fails", ["passing", "failing"], 1, "3 passed, 2 failed"],
  ["is skipped in part", ["skipping"], 0, "1 passed, 0 failed, 1 skipped"],
  ["does not load", ["passing", "unloadable"], 1, "2 passed, 1 failed"],
  ["fails in a hook", ["broken-hook"], 1, "1 passed, 1 failed"],
  ["leaves a rejection behind", ["stray-rejection"], 1, "1 passed, 1 failed"],
  ["does not exist", ["nothing-like-it"], 1, "0 passed, 1 failed"]
])(
  "the last line and the exit status are right when a file [%s]",
  (_, files, status, lastLine) => {
    expect(results(...files)).toMatchObject({ status, lastLine })
  },
  240_000
)

test("a test process that dies is a failure", () => {
  const { status, lastLine } = results("passing", "dying")
  expect(status).toBe(1)
  expect(lastLine).toMatch(/^2 passed, [1-9] failed/)
}, 240_000)

/** The banner, the summary and the last line; half a minute is not over. */
const SCREEN_LINES_MAX = 20

test("what passes is a number, not a line each, however much it logs", () => {
  const { lines, said, status } = results("talking.test", "passing", "skipping")
  expect(status).toBe(0)
  expect(said).not.toContain("nobody needs")
  expect(lines.length).toBeLessThan(SCREEN_LINES_MAX)
}, 240_000)

test("what fails is shown whole: its name, what was expected, where, and all it logged", () => {
  const { said, status } = results("talking-failing")
  expect(status).toBe(1)
  for (const part of [
    "talks and fails",
    "expected 1 to be 2",
    "talking-failing.test.ts:9",
    "what the service said"
  ])
    expect(said).toContain(part)
  expect(said).not.toContain("nobody needs")
}, 240_000)
