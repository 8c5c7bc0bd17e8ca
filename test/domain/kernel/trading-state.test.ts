import { assert, describe, it } from "vitest"
import { isStricter, TRADING_STATES } from "../../../src/domain/kernel/trading-state.ts"

describe("trading states", () => {
  it("are named from the freest to the strictest, and none is stricter than itself", () => {
    assert.deepStrictEqual([...TRADING_STATES], ["ACTIVE", "REDUCING", "HALTED"])
    const stricter = TRADING_STATES.flatMap((state) =>
      TRADING_STATES.filter((other) => isStricter(state, other)).map((other) => `${state} > ${other}`)
    )
    assert.deepStrictEqual(stricter, ["REDUCING > ACTIVE", "HALTED > ACTIVE", "HALTED > REDUCING"])
  })
})
