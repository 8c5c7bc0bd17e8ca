/** How far a canary has come (T9): every stage that its rows can show. */
import { assert, describe, it } from "@effect/vitest"
import { type CanaryTrace, progressOf } from "../../../src/domain/health/canary.ts"

const received: CanaryTrace = {
  claimed: false,
  signal: "received",
  reason: null,
  order: null,
  filled: false,
  latencyMs: null
}
const order = { status: "intended", sends: 0, reason: null }

describe("[T9] the stage a canary has not reached", () => {
  it.each([
    ["stored: there is no row", null, "stored"],
    ["claimed: it waits", received, "claimed"],
    ["decided: its claim failed before", { ...received, claimed: true, reason: "a fault" }, "decided"],
    ["decided: it is claimed", { ...received, claimed: true, signal: "processing" }, "decided"],
    ["sent: its order waits", { ...received, claimed: true, signal: "done", order }, "sent"],
    [
      "filled: its order was sent",
      { ...received, signal: "done", order: { ...order, status: "acked", sends: 1 } },
      "filled"
    ],
    [
      "filled: nobody knows what became of its order",
      { ...received, signal: "done", order: { ...order, status: "unknown", sends: 1 } },
      "filled"
    ]
  ] as const)("is %s", (_, trace, stage) => {
    assert.deepStrictEqual(progressOf(trace), { _tag: "UnderWay", stage })
  })

  it.each([
    [
      "a decision without an order",
      { ...received, signal: "done", reason: "no_strategy" },
      "decided",
      "no_strategy"
    ],
    ["a dead signal", { ...received, signal: "dead" }, "decided", "its signal is dead and has no order"],
    [
      "a denied order",
      { ...received, signal: "rejected", order: { ...order, status: "denied", reason: "account_disabled" } },
      "sent",
      "account_disabled"
    ],
    [
      "a refused order",
      { ...received, signal: "done", order: { status: "rejected", sends: 1, reason: null } },
      "filled",
      "its order is rejected"
    ]
  ] as const)("cannot be reached any more after %s", (_, trace, stage, reason) => {
    assert.deepStrictEqual(progressOf(trace), { _tag: "Failed", stage, reason })
  })

  it("none once its fill is stored, whatever its order says", () => {
    const filled = {
      ...received,
      signal: "done",
      order: { ...order, sends: 1 },
      filled: true,
      latencyMs: 9
    } as const
    assert.deepStrictEqual(progressOf(filled), { _tag: "Came", latencyMs: 9 })
  })
})
