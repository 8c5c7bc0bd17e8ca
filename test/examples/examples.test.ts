/** Every example runs to its end from the checkout and shows what it promises. */
import { readdirSync } from "node:fs"
import path from "node:path"
import { expect, test } from "vitest"
import { exampleMsMax, runExample } from "../support/example-run.ts"
import { expectations } from "./expectations.ts"

const root = path.resolve(import.meta.dirname, "../..")

test("every file of examples/ has an expectation", () => {
  expect(readdirSync(path.join(root, "examples")).toSorted()).toEqual(Object.keys(expectations).toSorted())
})

test.for(Object.entries(expectations))(
  "%s ends by itself and shows what it promises",
  { timeout: exampleMsMax + 5_000 },
  async ([file, expectation]) => {
    const run = await runExample(root, path.join("examples", file))
    expect(run.stderr).toBe("")
    expect(run.status).toBe(0)
    expectation(run)
  }
)
