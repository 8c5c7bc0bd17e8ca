import { randomInt } from "node:crypto"
import { assert, describe, it } from "vitest"
import { fuzz, TARGETS, type TargetName, unchanged } from "./targets.ts"

/** Ten thousand in a few seconds; a million by hand: `npm run fuzz -- --cases 1000000`. */
const CASES: Readonly<Record<TargetName, number>> = {
  bodies: 4_000,
  headers: 2_000,
  frames: 2_500,
  settings: 1_500
}

describe("whatever strangers write", () => {
  it.each(Object.entries(unchanged))("%s are taken before they are changed", (_name, taken) => {
    assert.isTrue(taken.every(Boolean), taken.join(" "))
  })

  it.each(Object.keys(TARGETS) as ReadonlyArray<TargetName>)(
    "%s are read or refused, and never believed, leaked or thrown about",
    (name) => {
      // Another seed each time: the failure names it.
      const { finding, taken } = fuzz(name, CASES[name], randomInt(2 ** 31 - 1))
      assert.isNull(finding)
      // Changes that break everything would test the first check alone.
      assert.isAbove(taken, CASES[name] / 100)
    },
    300_000
  )
})
