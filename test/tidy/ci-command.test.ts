import { spawnSync } from "node:child_process"
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"

// A copy of .ci/run next to an npm that says and ends as it is told.
const root = path.resolve(import.meta.dirname, "../..")
const scratch = mkdtempSync(path.join(tmpdir(), "holdfast ci "))

beforeAll(() => {
  mkdirSync(path.join(scratch, "bin"))
  cpSync(path.join(root, ".ci/run"), path.join(scratch, ".ci/run"))
  const npm =
    '#!/bin/sh\nif [ "$1" = test ]; then echo "$COUNTS"; exit "$TEST"; else echo checked; exit "$CHECK"; fi\n'
  writeFileSync(path.join(scratch, "bin/npm"), npm)
  chmodSync(path.join(scratch, "bin/npm"), 0o755)
})

afterAll(() => rmSync(scratch, { recursive: true, force: true }))

test.each([
  ["both are green", { TEST: "0", CHECK: "0", COUNTS: "5 passed, 0 failed" }, 0, "5 passed, 0 failed"],
  ["the tests fail", { TEST: "1", CHECK: "0", COUNTS: "4 passed, 1 failed" }, 1, "4 passed, 1 failed"],
  ["the check fails", { TEST: "0", CHECK: "1", COUNTS: "5 passed, 0 failed" }, 1, "5 passed, 0 failed"],
  ["the tests say nothing", { TEST: "0", CHECK: "0", COUNTS: "" }, 1, "0 passed, 1 failed"]
])("the exit status and the last line are right when [%s]", (_, settings, status, lastLine) => {
  const run = spawnSync("bash", [path.join(scratch, ".ci/run")], {
    encoding: "utf8",
    env: { ...settings, PATH: `${path.join(scratch, "bin")}:${process.env["PATH"]}` },
    stdio: ["ignore", "pipe", "pipe"]
  })
  expect(run.status, run.stderr).toBe(status)
  expect(run.stdout).toContain("checked")
  expect(run.stdout.trimEnd().split("\n").at(-1)).toBe(lastLine)
})
