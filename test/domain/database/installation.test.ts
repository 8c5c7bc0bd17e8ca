import { assert, describe, it } from "vitest"
import {
  accountChanges,
  AccountVenueChanged,
  modeProblem
} from "../../../src/domain/database/installation.ts"

describe("T16 data of another mode", () => {
  const modes = ["PRACTICE", "PAPER", "LIVE"] as const
  it.each(modes.flatMap((stored) => modes.map((configured) => [stored, configured] as const)))(
    "%s data under %s",
    (stored, configured) => {
      const problem = modeProblem(stored, configured, "/data")
      if (stored === configured) return assert.isNull(problem)
      if (problem === null) return assert.fail("it was taken")
      assert.strictEqual(problem.failureClass, "configuration")
      assert.strictEqual(problem.path, "APP_MODE")
      assert.include(problem.message, "/data")
      assert.include(problem.hint, "another DATA_DIR")
      assert.strictEqual(problem.hint.includes("npm run reset-practice"), stored === "PRACTICE")
    }
  )
  it("is no matter for data that was never used", () => {
    assert.isNull(modeProblem(null, "LIVE", "/data"))
  })
})

describe("T16 an account that changed in the settings", () => {
  const stored = [{ id: "a", venue: "x", startingCash: "100000" }]
  it.each([
    ["100000.00", []],
    ["150000", [{ account: "a", amount: "50000", before: "100000", after: "150000" }]],
    ["99999.5", [{ account: "a", amount: "-0.5", before: "100000", after: "99999.5" }]]
  ])("starting cash %s is a flow of what it differs by", (startingCash, flows) => {
    assert.deepStrictEqual(accountChanges(stored, [{ id: "a", venue: "x", startingCash }]), flows)
  })
  it("another venue is refused, whatever else changed", () => {
    const refused = accountChanges(stored, [{ id: "a", venue: "y", startingCash: "1" }])
    assert.instanceOf(refused, AccountVenueChanged)
    assert.include(refused, { path: "accounts.a.broker", failureClass: "configuration" })
    assert.include(refused.message, "belongs to the broker x")
  })
  it("an account the data does not know is new, and one the settings do not name is left alone", () => {
    assert.deepStrictEqual(accountChanges(stored, [{ id: "b", venue: "y", startingCash: "1" }]), [])
  })
})
