/** The tests that run for each mutant: those of pure rules, which take milliseconds. */
import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/**
 * A run ends at the first failure, so what takes longest comes last: most mutants never get there. The tables of orders are
 * evaluated when they are loaded, so every test counts as theirs; their own tests come first.
 */
const rankOf = ({ moduleId }: TestSpecification): number =>
  moduleId.endsWith("/order-table.test.ts") ? 0 : moduleId.endsWith("/money-path.test.ts") ? 2 : 1

class QuickestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    return files.toSorted((a, b) => rankOf(a) - rankOf(b))
  }
}

export default defineConfig({
  cacheDir: "mutation/results/vite",
  test: {
    include: [
      "test/domain/{orders,signals,decision}/*.test.ts",
      "test/domain/kernel/{ids,trading-state}.test.ts",
      "test/domain/platform/node-life.test.ts",
      "test/machines/orders/order.machine.test.ts",
      "test/layers/accounts/accounts-lease.test.ts",
      "test/layers/platform/lease-deadline.test.ts"
    ],
    setupFiles: ["test/support/loopback-only.ts"],
    // Fewer runs of the random tests, from a fixed seed: a verdict must not depend on the run.
    env: { TEST_SIZE: "mutation" },
    // Each mutant gets a fresh worker anyway, and loading the packages again for each file takes most of a run.
    isolate: false,
    sequence: { sequencer: QuickestFirst }
  }
})
