/**
 * stage-rule: when a losing strategy is demoted to a shadow, and when it has earned its way back (G5).
 *
 * Three rules of its settings look at the closes of its real positions since it began to trade under them: what the last of
 * them made together, how many lost in a row, and how far their sum has fallen from its best. One rule looks at what it closed on
 * paper since it was demoted.
 *
 * Promises: pure, exact; a limit is breached when it is reached; of several breached rules the first of the list is named; a rule
 * takes back only what a rule did, and never what the settings call a shadow.
 * Never: looks at what is open: a price that moves back demotes nobody.
 */
import { BigDecimal } from "effect"
import { decimal, zero } from "../kernel/decimal.ts"
import type { DemotionSettings, StrategySettings } from "../kernel/settings.ts"
import type { RiskNumbers } from "./risk-verdict.ts"
import type { Stage } from "./stage.ts"

/** The rule that takes a strategy back. */
const PROMOTION_RULE = "recovered"

/** Closes that are looked at, the latest; more say nothing about how a strategy does now, and cost a read every few seconds. */
export const STAGE_CLOSES_MAX = 1_000

/** Of the closes since its stage began: the real ones of what trades, those on paper of a shadow. Money is text. */
export interface StageFigures {
  readonly closes: number
  /** Of the last ones, as many as the rule asks for. */
  readonly profit: string
  /** Losses in a row, up to now. */
  readonly losses: number
  /** How far their sum is below its highest, which is at least zero. */
  readonly drawdown: string
}

/** The stage of a strategy as it is stored. */
export interface StageRow {
  readonly strategy: string
  readonly stage: Stage
  /** Who changed it last. */
  readonly changedBy: string
  readonly version: number
}

export interface StageChange {
  readonly to: Stage
  readonly rule: string
  readonly reason: string
  readonly numbers: RiskNumbers
}

const reaches = (value: string, limit: string): boolean =>
  BigDecimal.isGreaterThanOrEqualTo(decimal(value), decimal(limit))

const demotionDue = (rule: DemotionSettings, figures: StageFigures): StageChange | null => {
  const { closes, drawdown, losses, profit } = figures
  const lost = BigDecimal.negate(decimal(profit))
  if (rule.lossMax !== null && BigDecimal.isGreaterThanOrEqualTo(lost, decimal(rule.lossMax))) {
    const counted = Math.min(closes, rule.lossCloses)
    return {
      to: "shadow",
      rule: "loss",
      reason: `its last ${counted} closes made ${profit}, limit -${rule.lossMax}`,
      numbers: { profit, closes: counted, limit: rule.lossMax }
    }
  }
  if (rule.lossStreakMax !== null && losses >= rule.lossStreakMax)
    return {
      to: "shadow",
      rule: "loss_streak",
      reason: `${losses} closes in a row lost, limit ${rule.lossStreakMax}`,
      numbers: { losses, limit: rule.lossStreakMax }
    }
  if (rule.drawdownMax !== null && reaches(drawdown, rule.drawdownMax))
    return {
      to: "shadow",
      rule: "drawdown",
      reason: `its closes are ${drawdown} below their best, limit ${rule.drawdownMax}`,
      numbers: { drawdown, limit: rule.drawdownMax }
    }
  return null
}

const promotionDue = ({ back }: DemotionSettings, { closes, profit }: StageFigures): StageChange | null => {
  if (back === null || closes < back.closes) return null
  const made = decimal(profit)
  if (!BigDecimal.isGreaterThan(made, zero) || BigDecimal.isLessThan(made, decimal(back.profitMin)))
    return null
  return {
    to: "live",
    rule: PROMOTION_RULE,
    reason: `its last ${back.closes} closes on paper made ${profit}, at least ${back.profitMin}`,
    numbers: { profit, closes: back.closes, limit: back.profitMin }
  }
}

/** How many closes the profit of a stage is summed over. */
export const closesAsked = (rule: DemotionSettings, stage: Stage): number =>
  stage === "live" ? rule.lossCloses : (rule.back?.closes ?? 0)

/** What the rules of its settings make of a strategy now; null: nothing. */
export const changeDue = (
  strategy: Pick<StrategySettings, "demotion" | "stage">,
  row: Pick<StageRow, "changedBy" | "stage">,
  figures: StageFigures
): StageChange | null => {
  const { demotion, stage } = strategy
  if (demotion === null || stage === "shadow") return null
  if (row.stage === "live") return demotionDue(demotion, figures)
  return row.changedBy.startsWith("rule:") ? promotionDue(demotion, figures) : null
}
