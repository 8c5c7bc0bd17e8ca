import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
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
    { encoding: "utf8", env: { ...inherited, FIXTURE_CACHE: scratch }, timeout: 60_000 }
  )
  return { status: run.status, lastLine: run.stdout.trimEnd().split("\n").at(-1) }
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
    expect(results(...files)).toEqual({ status, lastLine })
  },
  90_000
)

test("a test process that dies is a failure", () => {
  const { status, lastLine } = results("passing", "dying")
  expect(status).toBe(1)
  expect(lastLine).toMatch(/^2 passed, [1-9] failed/)
}, 90_000)
