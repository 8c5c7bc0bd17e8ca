/**
 * What Stryker mutates, and how it runs the tests for each mutant.
 *
 * Promises: every rule that moves money is in `mutate`: the order table, permit, risk, sizing, fills, positions, shares,
 * protection and profit; identities and what an alert asks for; the deadlines of leases and the ends of lives.
 * Never: mutates what needs a database or a socket: such a test takes seconds, and each mutant repeats its tests.
 */
export default {
  mutate: [
    "src/domain/orders/*.ts",
    "src/domain/signals/{identity,routing,signal-intent,wish}.ts",
    "src/domain/kernel/{ids,trading-state}.ts",
    "src/domain/platform/node-life.ts",
    "src/layers/platform/lease-deadline.ts",
    "src/layers/accounts/accounts-lease.port.ts"
  ],
  testRunner: "vitest",
  plugins: ["@stryker-mutator/vitest-runner"],
  vitest: { configFile: "mutation/vitest.config.ts", related: false },
  coverageAnalysis: "perTest",
  // The order table and the list of risk checks are literals, evaluated once: without these mutants they would not be tested.
  ignoreStatic: false,
  // A survivor runs all its tests, about a second alone; next to other work ten times that.
  timeoutMS: 20_000,
  // It would advise ignoreStatic.
  warnings: { slow: false },
  tempDirName: "mutation/.sandbox",
  cleanTempDir: "always",
  ignorePatterns: [
    "/bench",
    "/docs",
    "/examples",
    "/mutation/node_modules",
    "/mutation/results",
    "/mutation/.sandbox"
  ],
  reporters: ["json", "progress-append-only"],
  jsonReporter: { fileName: "mutation/results/report.json" },
  disableTypeChecks: false,
  // Stryker rewrites the paths of a tsconfig with an API that TypeScript 7 lacks; this file does not exist on purpose.
  tsconfigFile: "mutation/none.json"
}
