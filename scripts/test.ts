/**
 * `npm test` and `npm run test:long`: runs vitest and ends with one line, `N passed, N failed`.
 *
 * Why a wrapper: the line and the exit status must be right even when vitest crashes, hangs, or finds no
 * test at all, which it cannot promise itself.
 *
 * Promises: the last line is `N passed, N failed`, with `, N skipped` when there are any; exit 0 only when
 * something passed, nothing failed and vitest itself ended well; a run past its time limit is killed and
 * counts as failed. Arguments other than `--long` go to vitest: `npm test -- test/runtime`.
 * Prints what failed in full, with everything it logged, and the progress of the run; passing tests only as a count.
 * Never: repeats a failed test.
 */
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import type { Counts } from "./count-reporter.ts"
import { installLocked } from "./locked-install.ts"

/** For a run that hangs. It takes some sixteen minutes on two free cores; on a slow machine, next to other work, several times as long. */
const RUN_MS_MAX = 60 * 60_000
/** The full sizes run by hand and at night. */
const LONG_RUN_MS_MAX = 8 * 3_600_000
/** After SIGTERM vitest stops its workers; then it is killed. */
const STOP_MS_MAX = 10_000

const root = path.dirname(import.meta.dirname)
const given = process.argv.slice(2)
const isLong = given.includes("--long")
const filters = given.filter((argument) => argument !== "--long")
const directory = mkdtempSync(path.join(tmpdir(), "holdfast-test-"))
const countsFile = path.join(directory, "counts.json")

const readCounts = (): Counts => {
  try {
    return JSON.parse(readFileSync(countsFile, "utf8")) as Counts
  } catch {
    console.log("vitest ended without a result")
    return { passed: 0, failed: 1, skipped: 0 }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** A hundred megabytes from a registry, once. */
const BROWSER_MS_MAX = 240_000
// Before the tests, which may not leave the machine. A failure is reported by the tests that need it.
if (
  filters.every((filter) => filter.startsWith("-")) ||
  filters.some((filter) => filter.includes("browser"))
) {
  const missing = await installLocked(path.join(root, "test/browser"), {
    announce: () => console.error("test: installing a browser (once)"),
    mayInstall: true,
    msMax: BROWSER_MS_MAX
  })
  if (missing !== undefined) console.error(`test: no browser for the tests of the console: ${missing}`)
}

/** `npm test -- --reporter=default` shows every file and everything that is logged. */
const isReporterGiven = given.some((argument) => argument.startsWith("--reporter"))
const reporterOf = (name: string): string => `--reporter=${path.join(import.meta.dirname, name)}`
const vitest = spawn(
  process.execPath,
  [
    path.join(root, "node_modules/vitest/vitest.mjs"),
    "run",
    // Node reads the configuration itself; vite would write a bundle of it next to it.
    "--configLoader=native",
    // First, so that its line is gone when the others print.
    ...(isReporterGiven ? [] : [reporterOf("progress-reporter.ts"), "--reporter=minimal"]),
    reporterOf("count-reporter.ts"),
    ...filters
  ],
  {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      TEST_COUNTS: countsFile,
      // A run starts hundreds of processes of the same modules; half of a start is reading TypeScript.
      NODE_COMPILE_CACHE: path.join(root, "node_modules/.cache/compile"),
      // Where vitest keeps a token of its own; a user without a home must be able to run the tests.
      XDG_DATA_HOME: directory,
      ...(isLong ? { TEST_SIZE: "long" } : {})
    }
  }
)

let stoppedBy: string | undefined
const stop = (reason: string) => {
  stoppedBy ??= reason
  vitest.kill("SIGTERM")
  setTimeout(() => vitest.kill("SIGKILL"), STOP_MS_MAX).unref()
}
const limit = setTimeout(() => stop("the time limit"), isLong ? LONG_RUN_MS_MAX : RUN_MS_MAX)
process.on("SIGTERM", () => stop("SIGTERM"))
process.on("SIGINT", () => stop("SIGINT"))

vitest.on("close", (code, signal) => {
  clearTimeout(limit)
  const counts = readCounts()
  const endedWell = code === 0 && stoppedBy === undefined
  if (stoppedBy !== undefined) console.log(`stopped by ${stoppedBy}`)
  else if (!endedWell && counts.failed === 0) console.log(`vitest ended with ${signal ?? code}`)
  if (counts.passed === 0 && counts.failed === 0) console.log("no test ran, which is a failure")
  const failed = counts.failed === 0 && (!endedWell || counts.passed === 0) ? 1 : counts.failed
  const skipped = counts.skipped === 0 ? "" : `, ${counts.skipped} skipped`
  process.exitCode = failed === 0 ? 0 : 1
  console.log(`${counts.passed} passed, ${failed} failed${skipped}`)
})
