/**
 * Loopback only, for the test process itself and every Node it starts.
 *
 * Why: vitest loads this before each test file (`setupFiles`). The guard proper is loopback-guard.mjs; here
 * it is installed, handed on to children through NODE_OPTIONS, and its report is read after the tests.
 *
 * Promises: a test file fails when anything it ran tried to leave the machine, also when the error was
 * swallowed, also in a child process that inherited the environment.
 * Never: hides the refusal from the code under test.
 */
import "./loopback-guard.mjs"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { afterAll } from "vitest"

const directory = mkdtempSync(path.join(tmpdir(), "loopback-only-"))
const report = path.join(directory, "refused")

/** What applies the guard to a child with an environment of its own as well. */
const guard = `--import=${new URL("loopback-guard.mjs", import.meta.url).href}`
process.env["LOOPBACK_ONLY_REPORT"] = report
const inherited = process.env["NODE_OPTIONS"] ?? ""
if (!inherited.includes(guard)) process.env["NODE_OPTIONS"] = `${inherited} ${guard}`.trim()

// npm asks the registry for its own newest version when a home is fresh; a test that runs npm does not mean that.
process.env["npm_config_update_notifier"] = "false"

const refusals = (): string => {
  try {
    return readFileSync(report, "utf8")
  } catch {
    return ""
  }
}

afterAll(() => {
  const refused = refusals()
  rmSync(directory, { recursive: true, force: true })
  if (refused !== "") throw new Error(`this file tried to leave the machine:\n${refused}`)
})
