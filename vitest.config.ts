import { createHash } from "node:crypto"
import { readFileSync, statSync } from "node:fs"
import { availableParallelism } from "node:os"
import path from "node:path"
import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** `npm run test:long` takes the long files as well; everything else about the run is the same. */
const isLong = process.env["TEST_SIZE"] === "long"

/** A file of a few lines is the entry to a long body beside it, which `npm test` and `test:long` share. */
const entryBytesMax = 1_024

/**
 * Entries to long bodies first: vitest begins with the largest files when it has no memory of a former run, so the longest
 * tests came last, alone, while the other worker stood idle.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const isEntry = ({ moduleId }: TestSpecification): boolean =>
      moduleId.includes("/outside/") && statSync(moduleId).size <= entryBytesMax
    // oxlint-disable-next-line unicorn/no-array-sort -- a sequencer's own method, no array's
    const sorted = await super.sort(files)
    return [...sorted.filter(isEntry), ...sorted.filter((file) => !isEntry(file))]
  }
}

/** Nothing is written next to the packages, so that a user who may only read the checkout can run the tests. */
const cache = `${process.env["TMPDIR"] ?? "/tmp"}/holdfast-vitest-${process.getuid?.() ?? 0}`

/** Modules as vitest made them: of this checkout with these packages. */
const checkout = createHash("sha256")
  .update(import.meta.dirname)
  .update(readFileSync(path.join(import.meta.dirname, "package-lock.json")))
  .digest("hex")

export default defineConfig({
  cacheDir: cache,
  test: {
    fsModuleCachePath: path.join(cache, checkout.slice(0, 16)),
    include: ["test/**/*.test.ts"],
    exclude: ["test/fixtures/**", "**/node_modules/**", ...(isLong ? [] : ["test/**/*.long.test.ts"])],
    // Starts nothing by itself: the shared PostgreSQL starts when the first test file asks for it.
    globalSetup: ["test/support/postgres.global.ts"],
    setupFiles: ["test/support/loopback-only.ts"],
    // Processes, not threads: tests kill, change NODE_OPTIONS and start servers.
    pool: "forks",
    sequence: { sequencer: LongestFirst },
    // More than there are cores: the tests from outside wait for processes, leases and deadlines three quarters of their time.
    maxWorkers: isLong ? 2 : Math.max(4, Math.floor(availableParallelism() / 2)),
    // A test of ten seconds of computing takes a minute beside other work; a run that hangs has a limit of its own.
    testTimeout: isLong ? 600_000 : 180_000,
    hookTimeout: 240_000,
    teardownTimeout: 60_000,
    // A test that fails once fails: a retry would hide the race it found.
    retry: 0,
    fileParallelism: true,
    restoreMocks: true
  }
})
