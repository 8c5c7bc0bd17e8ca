import { assert, describe, it } from "@effect/vitest"
import { contractMultiplier } from "../../../src/domain/kernel/option-contract.ts"
import { formatDecimal } from "../../../src/domain/kernel/decimal.ts"
import { profitOf, sumOfProfits } from "../../../src/domain/orders/profit.ts"
import {
  lossesOf,
  type Marks,
  mergedMarks,
  nextMarks,
  type Seen
} from "../../../src/domain/orders/risk-marks.ts"

const seen = (pnl: string | null, given: Partial<Seen> = {}): Seen => ({
  nowMs: 1_000,
  day: "2026-11-23",
  pnl,
  state: "ACTIVE",
  ...given
})
const marks = (given: Partial<Marks> = {}): Marks => ({
  day: "2026-11-23",
  dayBase: "100",
  highWater: "150",
  pnl: "120",
  sinceMs: 500,
  tripped: null,
  ...given
})

describe("the marks of a scope", () => {
  it("begin at the first figure that is known", () => {
    assert.isNull(nextMarks(null, seen(null)))
    assert.deepStrictEqual(nextMarks(null, seen("-5")), {
      day: "2026-11-23",
      dayBase: "-5",
      highWater: "-5",
      pnl: "-5",
      sinceMs: 1_000,
      tripped: null
    })
  })
  it.each([
    ["a better moment raises the high-water mark", seen("151"), { highWater: "151", pnl: "151" }],
    ["the same one does not", seen("150"), { pnl: "150" }],
    ["a worse one keeps it", seen("-10"), { pnl: "-10" }],
    ["an unknown one moves nothing", seen(null, { day: "2026-11-24" }), {}],
    [
      "a new day begins with the last figure of the one before, whatever the night did",
      seen("60", { day: "2026-11-24" }),
      { day: "2026-11-24", dayBase: "120", pnl: "60" }
    ],
    ["a clock that went back begins no day", seen("60", { day: "2026-11-22" }), { pnl: "60" }],
    ["a state that an operator set resets nothing", seen("60", { state: "HALTED" }), { pnl: "60" }]
  ])("%s", (_, given, expected) => assert.deepStrictEqual(nextMarks(marks(), given), marks(expected)))
  it("are reset when a scope that a rule stopped is active again, and only then", () => {
    const stopped = marks({ tripped: "drawdown" })
    for (const state of ["REDUCING", "HALTED"] as const)
      assert.deepStrictEqual(nextMarks(stopped, seen("60", { state })), { ...stopped, pnl: "60" })
    assert.deepStrictEqual(nextMarks(stopped, seen(null)), stopped)
    const reset = nextMarks(stopped, seen("60"))
    assert.deepStrictEqual(reset, {
      day: "2026-11-23",
      dayBase: "60",
      highWater: "60",
      pnl: "60",
      sinceMs: 1_000,
      tripped: null
    })
    assert.deepStrictEqual(lossesOf(reset, "60"), { dayLoss: "0", drawdown: "0" })
    assert.deepStrictEqual(lossesOf(reset, "55"), { dayLoss: "5", drawdown: "5" })
  })
  it("measure losses, gains below zero", () => {
    assert.deepStrictEqual(lossesOf(marks(), "80"), { dayLoss: "20", drawdown: "70" })
    assert.deepStrictEqual(lossesOf(marks(), "130"), { dayLoss: "-30", drawdown: "20" })
    assert.deepStrictEqual(lossesOf(marks(), null), { dayLoss: null, drawdown: null })
    assert.deepStrictEqual(lossesOf(null, "1"), { dayLoss: null, drawdown: null })
  })
  it.each([
    ["nothing was seen yet", marks(), null, marks()],
    ["nothing is written yet", null, marks(), marks()],
    [
      "seen since: its best moment and its figure",
      marks(),
      marks({ highWater: "170", pnl: "90" }),
      marks({ highWater: "170", pnl: "90" })
    ],
    [
      "written by another: its best moment",
      marks({ highWater: "180" }),
      marks({ highWater: "170" }),
      marks({ highWater: "180" })
    ],
    [
      "resumed by another: what was seen before is over",
      marks({ sinceMs: 900, highWater: "10" }),
      marks(),
      marks({ sinceMs: 900, highWater: "10" })
    ],
    [
      "a day begun by another",
      marks({ day: "2026-11-24", dayBase: "7" }),
      marks({ pnl: "5" }),
      marks({ day: "2026-11-24", dayBase: "7" })
    ],
    [
      "stopped by another",
      marks({ tripped: "drawdown" }),
      marks({ pnl: "5" }),
      marks({ tripped: "drawdown", pnl: "5" })
    ]
  ])("of two tellings: %s", (_, written, own, expected) =>
    assert.deepStrictEqual(mergedMarks(written, own), expected)
  )
})

describe("profit and loss", () => {
  const prices: Readonly<Record<string, string>> = { SPY: "110", "SPY 2026-12-18 C 400": "3" }
  const valuation = {
    marketPrice: (symbol: string) => prices[symbol] ?? null,
    multiplierOf: contractMultiplier
  }
  const net = (open: ReadonlyArray<readonly [string, string, string]>, realised = "5", fees = "1") => {
    const profit = profitOf(
      {
        realised,
        fees,
        open: open.map(([symbol, quantity, averagePrice]) => ({ symbol, quantity, averagePrice }))
      },
      valuation
    )
    return profit.net === null ? null : formatDecimal(profit.net)
  }
  it.each([
    ["nothing open", [], "4"],
    ["a long", [["SPY", "2", "100"]], "24"],
    ["a short", [["SPY", "-2", "100"]], "-16"],
    ["a contract counts with its size", [["SPY 2026-12-18 C 400", "1", "1"]], "204"],
    [
      "one that nobody quotes",
      [
        ["SPY", "2", "100"],
        ["QQQ", "1", "1"]
      ],
      null
    ]
  ] as const)("%s", (_, open, expected) => assert.strictEqual(net(open), expected))
  it("adds up, and is unknown when one of them is", () => {
    const one = profitOf({ realised: "1", fees: "0", open: [] }, valuation)
    const two = profitOf({ realised: "2", fees: "1", open: [] }, valuation)
    const none = profitOf(
      { realised: "2", fees: "1", open: [{ symbol: "X", quantity: "1", averagePrice: "1" }] },
      valuation
    )
    assert.strictEqual(formatDecimal(sumOfProfits([one, two]).net ?? assert.fail("known")), "2")
    assert.isNull(sumOfProfits([one, none]).net)
    assert.strictEqual(formatDecimal(sumOfProfits([]).net ?? assert.fail("known")), "0")
  })
})
