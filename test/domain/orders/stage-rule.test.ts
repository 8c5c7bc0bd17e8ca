import { assert, describe, it } from "@effect/vitest"
import type { DemotionSettings } from "../../../src/domain/kernel/settings.ts"
import { changeDue, type StageFigures } from "../../../src/domain/orders/stage-rule.ts"

const demotion: DemotionSettings = {
  lossMax: "100",
  lossCloses: 10,
  lossStreakMax: 4,
  drawdownMax: "250",
  back: { closes: 5, profitMin: "20" }
}
const fine: StageFigures = { closes: 7, profit: "10", losses: 0, drawdown: "0" }
const live = { stage: "live", changedBy: "system" } as const
const shadow = { stage: "shadow", changedBy: "rule:loss" } as const
const due = (
  figures: Partial<StageFigures>,
  row: { readonly stage: "live" | "shadow"; readonly changedBy: string } = live,
  given: DemotionSettings | null = demotion,
  stage: "live" | "shadow" = "live"
) => {
  const change = changeDue({ demotion: given, stage }, row, { ...fine, ...figures })
  return change === null ? null : `${change.rule} ${change.to}`
}

describe("a strategy that trades (G5)", () => {
  it.each([
    ["nothing is lost", {}, null],
    ["a little less than the limit is lost", { profit: "-99.99" }, null],
    ["as much as the limit is lost", { profit: "-100.00" }, "loss shadow"],
    ["as many lost in a row", { losses: 4 }, "loss_streak shadow"],
    ["one less lost in a row", { losses: 3 }, null],
    ["the drawdown is reached", { drawdown: "250" }, "drawdown shadow"],
    ["the drawdown is not reached", { drawdown: "249.9" }, null],
    ["the loss is named before the rest", { profit: "-500", losses: 9, drawdown: "500" }, "loss shadow"]
  ] as const)("[%s]", (_, figures, expected) => {
    assert.strictEqual(due(figures), expected)
  })

  it("is demoted by no rule that is switched off", () => {
    const off = { ...demotion, lossMax: null, lossStreakMax: null, drawdownMax: null }
    assert.isNull(due({ profit: "-500", losses: 9, drawdown: "500" }, live, off))
    assert.isNull(due({ profit: "-500" }, live, null))
  })

  it("says what was compared", () => {
    const change = changeDue({ demotion, stage: "live" }, live, { ...fine, profit: "-120.5" })
    assert.deepStrictEqual(change, {
      to: "shadow",
      rule: "loss",
      reason: "its last 7 closes made -120.5, limit -100",
      numbers: { profit: "-120.5", closes: 7, limit: "100" }
    })
  })
})

describe("a strategy that was demoted (G5)", () => {
  it.each([
    ["too few closes", { closes: 4, profit: "90" }, null],
    ["enough", { closes: 5, profit: "20" }, "recovered live"],
    ["too little", { closes: 9, profit: "19.99" }, null]
  ] as const)("[%s]", (_, figures, expected) => {
    assert.strictEqual(due(figures, shadow), expected)
  })

  it("needs a profit although the limit is zero", () => {
    const zero = { ...demotion, back: { closes: 5, profitMin: "0" } }
    assert.isNull(due({ profit: "0" }, shadow, zero))
    assert.strictEqual(due({ profit: "0.01" }, shadow, zero), "recovered live")
  })

  it("is promoted by no rule after an operator demoted it, without one, or where the settings call it a shadow", () => {
    const good = { closes: 50, profit: "900" }
    assert.isNull(due(good, { ...shadow, changedBy: "console:127.0.0.1" }))
    assert.isNull(due(good, shadow, { ...demotion, back: null }))
    assert.isNull(due(good, shadow, demotion, "shadow"))
  })
})
