import { assert, describe, it } from "vitest"
import { stopLimits } from "../../../src/domain/kernel/limits.ts"
import { meaningOfStop } from "../../../src/domain/platform/stop-signal.ts"

describe("T16 a stop that is asked for twice", () => {
  it.each([
    ["the first is a request", null, 10, "request"],
    ["one in the same instant is the same request", 10, 10, "again"],
    ["one at the end of the time is the same request", 10, 10 + stopLimits.sameRequestMs, "again"],
    ["a later one means now", 10, 11 + stopLimits.sameRequestMs, "now"]
  ] as const)("%s", (_name, first, now, meaning) => {
    assert.strictEqual(meaningOfStop(first, now), meaning)
  })
})
