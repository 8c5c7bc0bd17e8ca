import { assert, describe, it } from "@effect/vitest"
import { AGENTS, type AgentQuestion, opinions } from "../../../src/domain/decision/agents.ts"
import type { Bar } from "../../../src/domain/market/bar.ts"

/** A bar per close; each ranges from `range` below to `range` above the way it made. */
const barsOf = (closes: ReadonlyArray<number>, range = 0.1, volume = "1000"): ReadonlyArray<Bar> =>
  closes.map((close, at) => {
    const open = closes[at - 1] ?? close
    return {
      symbol: "SPY",
      startMs: at * 60_000,
      endMs: (at + 1) * 60_000,
      open: open.toFixed(4),
      high: (Math.max(open, close) + range).toFixed(4),
      low: (Math.min(open, close) - range).toFixed(4),
      close: close.toFixed(4),
      volume
    }
  })
const line = (from: number, step: number): ReadonlyArray<number> =>
  Array.from({ length: 60 }, (_, at) => from + at * step)
/** Up and down around a price. */
const noise = (step: number): ReadonlyArray<number> =>
  Array.from({ length: 60 }, (_, at) => 100 + (at % 2 === 0 ? step : -step))
const question = (given: Partial<AgentQuestion>): AgentQuestion => ({
  symbol: "SPY",
  bars: barsOf(line(100, 0.2)),
  quote: { bid: "99.99", ask: "100.01" },
  ...given
})

describe("[D9] an agent of engine B", () => {
  it("of the trend says which way the averages go, the surer the further they are apart", () => {
    const up = opinions.trend(question({ bars: barsOf(line(100, 0.2)) }))
    const down = opinions.trend(question({ bars: barsOf(line(100, -0.2)) }))
    assert.deepStrictEqual([up.vote, down.vote], ["long", "short"])
    assert.strictEqual(up.confidence, down.confidence)
    const faint = opinions.trend(question({ bars: barsOf(line(100, 0.01), 0.5) }))
    assert.isBelow(faint.confidence, up.confidence)
  })

  it("of the volatility stays out of a market that jumps", () => {
    assert.strictEqual(opinions.volatility(question({})).vote, "enter")
    const wild = opinions.volatility(question({ bars: barsOf(noise(4)) }))
    assert.deepStrictEqual([wild.vote, wild.confidence], ["stay_out", 1])
  })

  it("of the liquidity stays out of a wide spread, and of a market in which nobody trades", () => {
    assert.strictEqual(opinions.liquidity(question({})).vote, "enter")
    assert.strictEqual(opinions.liquidity(question({ quote: { bid: "99", ask: "101" } })).vote, "stay_out")
    const dead = question({ bars: barsOf(line(100, 0.2), 0.1, "0") })
    assert.deepStrictEqual(opinions.liquidity(dead).vote, "stay_out")
    assert.strictEqual(opinions.liquidity(question({ quote: null })).vote, "abstain")
  })

  it("of the regime tells a way from noise", () => {
    assert.deepStrictEqual(
      [opinions.regime(question({})).vote, opinions.regime(question({})).confidence],
      ["enter", 1]
    )
    assert.strictEqual(opinions.regime(question({ bars: barsOf(noise(1)) })).vote, "stay_out")
  })

  it("of the risk is against running after a price, and only then for the other side", () => {
    const calm = [...line(100, 0).slice(0, 58), 100.5, 99.5].map((price, at) => price + (at % 3) / 10)
    assert.strictEqual(opinions.risk(question({ bars: barsOf(calm) })).vote === "abstain", false)
    const jump = [...noise(0.1).slice(0, 59), 103]
    const fall = [...noise(0.1).slice(0, 59), 97]
    assert.deepStrictEqual(
      [
        opinions.risk(question({ bars: barsOf(jump) })).vote,
        opinions.risk(question({ bars: barsOf(fall) })).vote
      ],
      ["short", "long"]
    )
  })

  it.each(AGENTS)("%s abstains without bars, or with bars that do not move, and says why", (agent) => {
    for (const bars of [[], barsOf(line(100, 0), 0)]) {
      const opinion = opinions[agent](question({ bars, ...(agent === "liquidity" ? { quote: null } : {}) }))
      assert.deepStrictEqual([opinion.vote, opinion.confidence], ["abstain", 0])
      assert.lengthOf(opinion.reasons, 1)
    }
  })

  it.each(AGENTS)("%s is as sure as 0 to 1, whatever the market", (agent) => {
    for (const closes of [line(100, 50), line(1_000, -16), noise(90), line(0.0001, 0.0001)]) {
      const { confidence } = opinions[agent](question({ bars: barsOf(closes) }))
      assert.isTrue(confidence >= 0 && confidence <= 1, `${confidence}`)
    }
  })
})
