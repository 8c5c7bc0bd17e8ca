/** G4: what a drill has to show before it counts as passed. */
import { assert, describe, it } from "vitest"
import { type DrillOutcome, isSettled, receiptOf } from "../../../src/domain/control/drill.ts"

const order = { status: "filled", quantity: "1", filled: "1", isOver: true }
const filled = (place: number): DrillOutcome => ({ signalId: `s-${place}`, status: "done", orders: [order] })
const good = {
  sent: 3,
  resent: 1,
  outcomes: [filled(1), filled(2), { ...filled(3), orders: [{ ...order, status: "denied", filled: "0" }] }],
  seen: 4,
  recoveredMs: 1_200,
  flat: true
}

describe("a receipt", () => {
  it("counts what became of every signal, and has no problem where all of it is as it should be", () => {
    assert.deepStrictEqual(receiptOf(good), {
      sent: 3,
      resent: 1,
      taken: 3,
      decided: 3,
      ordered_once: 2,
      denied: 1,
      lost: 0,
      doubled: 0,
      seen: 4,
      recovered_ms: 1_200,
      flat: true,
      problems: []
    })
  })

  it.each([
    ["the fault left no trace", { ...good, seen: 0 }, /no trace/],
    [
      "a signal has no row",
      { ...good, outcomes: [filled(1), filled(2), { ...filled(3), status: null }] },
      /1 of 3/
    ],
    ["a signal is missing", { ...good, outcomes: [filled(1)] }, /2 of 3/],
    [
      "a signal waits",
      { ...good, outcomes: [filled(1), filled(2), { ...filled(3), status: "received" }] },
      /1 of 3/
    ],
    [
      "a signal was ordered twice",
      { ...good, outcomes: [filled(1), { ...filled(2), orders: [order, order] }, filled(3)] },
      /more than once/
    ],
    [
      "an order filled in part",
      { ...good, outcomes: [filled(1), { ...filled(2), orders: [{ ...order, filled: "0.5" }] }, filled(3)] },
      /did not fill whole/
    ],
    [
      "nothing was ordered",
      {
        ...good,
        sent: 1,
        outcomes: [{ ...filled(1), orders: [{ ...order, status: "denied", filled: "0" }] }]
      },
      /nothing was proven/
    ],
    ["it did not recover", { ...good, recoveredMs: null }, /as before/],
    ["something is still held", { ...good, flat: false }, /still open/]
  ])("names it when %s", (_, facts, problem) => {
    assert.match(receiptOf(facts).problems.join("\n"), problem)
  })
})

describe("a signal", () => {
  it("is settled when it was decided and all of its orders are over", () => {
    assert.isTrue(isSettled(filled(1)))
    assert.isTrue(isSettled({ ...filled(1), status: "rejected", orders: [] }))
    assert.isFalse(isSettled({ ...filled(1), status: "processing" }))
    assert.isFalse(isSettled({ ...filled(1), orders: [{ ...order, isOver: false }] }))
    assert.isFalse(isSettled({ ...filled(1), status: null }))
  })
})
