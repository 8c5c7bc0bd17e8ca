import { assert, describe, it } from "@effect/vitest"
import { decimal, formatDecimal } from "../../../src/domain/kernel/decimal.ts"
import { leftToClose, partialStep, partialTermsOf } from "../../../src/domain/orders/partial.ts"

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

describe("the next close of an entry's fills", () => {
  it.each([
    ["all of them", "10", "0", null, "10"],
    ["of a late fill what is new", "12", "10", null, "2"],
    ["what the one before left", "10", "3", ["10", "3"], "7"],
    ["no late fill of the entry, which is judged by itself", "12", "3", ["10", "3"], "7"],
    ["nothing where the one before filled after it was followed", "10", "12", ["10", "5"], "-2"],
    ["nothing where another close took its rest over", "12", "12", ["10", "3"], "0"]
  ] as const)("takes over %s", (_what, opened, closed, before, left) => {
    const entry = { opened: decimal(opened), closed: decimal(closed) }
    const short = before === null ? null : { wanted: decimal(before[0]), filled: decimal(before[1]) }
    assert.strictEqual(formatDecimal(leftToClose(entry, short)), left)
  })
})
