/**
 * Counts the results of a vitest run into the file named by TEST_COUNTS, for scripts/test.ts.
 *
 * Why: the last line of `npm test` is a promise to scripts, and vitest's own summary is for people. The
 * file is written once, at the end; a missing file means that vitest did not get there.
 *
 * Promises: `failed` also counts what is not a test: a file that does not load, an error outside any test.
 * Never: prints.
 */
import { writeFileSync } from "node:fs"
import type { Reporter, SerializedError, TestModule } from "vitest/node"

/** What the file holds. */
export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

export default class CountReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandledErrors: ReadonlyArray<SerializedError>): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 }
    for (const module of modules) {
      let failedInside = 0
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === "passed") counts.passed += 1
        else if (state === "skipped") counts.skipped += 1
        else failedInside += 1
      }
      // A failing hook or a file that does not load fails the module without failing a test of it.
      counts.failed += failedInside > 0 ? failedInside : module.ok() ? 0 : 1
    }
    const file = process.env["TEST_COUNTS"]
    if (file !== undefined) writeFileSync(file, JSON.stringify(counts))
  }
}
