import { assert, describe, it } from "@effect/vitest"
import { engineOf } from "../../../src/domain/signals/routing.ts"

const ids = Array.from({ length: 4_000 }, (_, at) => `signal-${at}`)
const split = (bPct: number, pins: Readonly<Record<string, "A" | "B" | "C">> = {}, cPct = 0) =>
  ["momentum", { engine: "split", split: { bPct, cPct, pins } }] as const

describe("[D9] the engine of a signal", () => {
  it("is the strategy's where it has one", () => {
    for (const engine of ["A", "B", "C"] as const)
      assert.strictEqual(engineOf(["s", { engine, split: null }], { id: "x", symbol: "SPY" }), engine)
  })

  it("is shared out by the signal's identity: evenly, the same each time, and apart from other strategies", () => {
    const engines = ids.map((id) => engineOf(split(30), { id, symbol: "SPY" }))
    const share = engines.filter((engine) => engine === "B").length / ids.length
    assert.isTrue(share > 0.27 && share < 0.33, `${share}`)
    assert.deepStrictEqual(
      ids.map((id) => engineOf(split(30), { id, symbol: "QQQ" })),
      engines
    )
    const other = ids.map((id) => engineOf(["other", split(30)[1]], { id, symbol: "SPY" }))
    const same = other.filter((engine, at) => engine === engines[at]).length / ids.length
    assert.isTrue(same > 0.53 && same < 0.63, `${same}: as of two independent shares`)
  })

  it("of all and of none is always the one, and a pinned instrument is decided by its own", () => {
    for (const id of ids.slice(0, 200)) {
      assert.strictEqual(engineOf(split(0), { id, symbol: "SPY" }), "A")
      assert.strictEqual(engineOf(split(100), { id, symbol: "SPY" }), "B")
      assert.strictEqual(engineOf(split(0, { SPY: "B" }), { id, symbol: "SPY" }), "B")
      assert.strictEqual(engineOf(split(100, { SPY: "A" }), { id, symbol: "SPY" }), "A")
      assert.strictEqual(engineOf(split(0, {}, 100), { id, symbol: "SPY" }), "C")
      assert.strictEqual(engineOf(split(100, { SPY: "C" }), { id, symbol: "SPY" }), "C")
    }
  })

  it("is C for its own share, which takes nothing from that of B", () => {
    const shared = (cPct: number) => ids.map((id) => engineOf(split(30, {}, cPct), { id, symbol: "SPY" }))
    const before = shared(0)
    const after = shared(20)
    const share = after.filter((engine) => engine === "C").length / ids.length
    assert.isTrue(share > 0.17 && share < 0.23, `${share}`)
    assert.isTrue(
      after.every((engine, at) => engine === before[at] || (engine === "C" && before[at] === "A"))
    )
  })
})
