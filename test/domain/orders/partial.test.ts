import { assert, describe, it } from "@effect/vitest"
import { partialStep, partialTermsOf } from "../../../src/domain/orders/partial.ts"

const over = { isOver: true, idleMs: 0 }
const working = (idleMs: number) => ({ isOver: false, idleMs })

describe("an entry that is partly filled", () => {
  it.each(["keep", "close", "leave"] as const)("[%s] is that when it has ended", (policy) => {
    assert.strictEqual(partialStep(over, { policy, restMsMax: null }), policy)
    assert.strictEqual(partialStep(over, { policy, restMsMax: 1_000 }), policy)
  })
  it.each([
    ["keep", 999, null],
    ["keep", 1_000, "cancel_rest"],
    ["close", 1_000, "cancel_rest"],
    ["leave", 1_000, "leave"]
  ] as const)("[%s, %d ms without a fill, limit 1000] is %s while it works", (policy, idleMs, step) => {
    assert.strictEqual(partialStep(working(idleMs), { policy, restMsMax: 1_000 }), step)
  })
  it("works as long as its venue lets it, without a limit", () => {
    assert.isNull(partialStep(working(1e12), { policy: "close", restMsMax: null }))
  })
  it("is kept when its strategy is gone from the settings: nobody closes by a default", () => {
    assert.deepStrictEqual(partialTermsOf(undefined), { policy: "keep", restMsMax: null })
  })
})
