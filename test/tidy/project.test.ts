import path from "node:path"
import { expect, test } from "vitest"
import { findings } from "../../scripts/tidy.ts"

const root = path.resolve(import.meta.dirname, "../..")

test("the project keeps the rules about names, places and what is never committed", () => {
  expect(findings(root)).toEqual([])
})
