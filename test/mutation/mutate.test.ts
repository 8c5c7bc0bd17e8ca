/** The mutation tester keeps finding what it is to mutate, and refuses what it does not know. */
import { execFile } from "node:child_process"
import { globSync, readFileSync } from "node:fs"
import path from "node:path"
import { promisify } from "node:util"
import { describe, expect, test } from "vitest"
import stryker from "../../mutation/stryker.config.ts"
import tests from "../../mutation/vitest.config.ts"

const root = path.resolve(import.meta.dirname, "../..")
const run = promisify(execFile)
const matched = (pattern: string): number => globSync(pattern, { cwd: root }).length

const readJson = (file: string): unknown => JSON.parse(readFileSync(path.join(root, file), "utf8"))

describe("npm run mutate", () => {
  test("mutates files that exist, and repeats tests that exist", () => {
    const patterns = [...stryker.mutate, ...(tests.test?.include ?? [])]
    expect(patterns.length).toBeGreaterThan(10)
    expect(patterns.filter((pattern) => matched(pattern) === 0)).toEqual([])
  })

  test("installs what its package.json pins", () => {
    const { dependencies } = readJson("mutation/package.json") as {
      readonly dependencies: Readonly<Record<string, string>>
    }
    const { packages } = readJson("mutation/package-lock.json") as {
      readonly packages: Readonly<Record<string, { readonly version?: string; readonly resolved?: string }>>
    }
    for (const [name, version] of Object.entries(dependencies))
      expect(packages[`node_modules/${name}`]?.version).toBe(version)
    // A lock that names a registry installs from that one alone.
    expect(Object.values(packages).filter(({ resolved }) => resolved !== undefined)).toEqual([])
  })

  test.each([
    [
      "a file that does not exist",
      ["src/domain/orders/nobody.ts"],
      "no such file: src/domain/orders/nobody.ts"
    ],
    ["a concurrency that is no count", ["--concurrency", "0"], "--concurrency 0 is not a count"],
    ["an option it does not know", ["--quick"], "--quick"]
  ])("refuses %s before it installs anything", async (_, options, message) => {
    const refused = await run(process.execPath, [path.join(root, "mutation/main.ts"), ...options], {
      cwd: root
    }).catch((error: { readonly code: number; readonly stderr: string }) => error)
    expect(refused).toMatchObject({ code: 64, stderr: expect.stringContaining(message) })
  })
})
