/** [G4] How far a drill has come, by what the journal shows of its signals. */
import { assert, describe, it } from "vitest"
import { concernsDrill, DRILL_SIGNALS, FAULTS, progressOf } from "../../web/lib/drill.ts"

const order = (symbol: string, side: "buy" | "sell", to: string) => ({
  type: "order",
  at: "2026-01-01T00:00:00.000Z",
  to,
  detail: { symbol, side }
})

describe("the progress of a drill", () => {
  it("counts its signals once each, and no other's", () => {
    const entries = [
      order("DRILL1", "buy", "submitting"),
      order("DRILL1", "buy", "acked"),
      order("DRILL1", "buy", "filled"),
      order("DRILL2", "buy", "unknown"),
      order("DRILL1", "sell", "submitting"),
      order("DRILL1", "sell", "filled"),
      order("AAPL", "buy", "filled"),
      { type: "transition", at: "", to: "filled", detail: { symbol: "DRILL9", side: "buy" } }
    ]
    assert.deepStrictEqual(progressOf(entries), { ordered: 2, filled: 1, closed: 1 })
    assert.strictEqual(DRILL_SIGNALS, 9)
    assert.isAbove(Object.keys(FAULTS).length, 3)
  })

  it("is watched with what became of components, and without the orders of others", () => {
    assert.isTrue(concernsDrill({ type: "restart", at: "", to: null, detail: null }))
    assert.isTrue(concernsDrill(order("DRILL3", "buy", "acked")))
    assert.isFalse(concernsDrill(order("AAPL", "buy", "acked")))
    assert.isFalse(concernsDrill({ type: "transition", at: "", to: "Live", detail: null }))
  })
})
