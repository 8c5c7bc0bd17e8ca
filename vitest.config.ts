import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"

/** `npm run test:long` takes the long files as well; everything else about the run is the same. */
const isLong = process.env["TEST_SIZE"] === "long"

export default defineConfig({
  // Nothing is written next to the packages, so that a user who may only read the checkout can run the tests.
  cacheDir: `${process.env["TMPDIR"] ?? "/tmp"}/holdfast-vitest-${process.getuid?.() ?? 0}`,
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/fixtures/**", ...(isLong ? [] : ["test/**/*.long.test.ts"])],
    // Starts nothing by itself: the shared PostgreSQL starts when the first test file asks for it.
    globalSetup: ["test/support/postgres.global.ts"],
    setupFiles: ["test/support/loopback-only.ts"],
    // Processes, not threads: tests kill, change NODE_OPTIONS and start servers.
    pool: "forks",
    maxWorkers: Math.max(2, Math.floor(availableParallelism() / 2)),
    // A test of ten seconds of computing takes a minute beside other work; a run that hangs has a limit of its own.
    testTimeout: isLong ? 600_000 : 90_000,
    hookTimeout: 120_000,
    teardownTimeout: 10_000,
    // A test that fails once fails: a retry would hide the race it found.
    retry: 0,
    fileParallelism: true,
    restoreMocks: true
  }
})
