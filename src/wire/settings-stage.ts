/**
 * settings-stage: whether a strategy trades or runs as a shadow, and the rules that demote it and take it back.
 *
 * Promises: as settings.ts, which this is a part of; a rule that could never demote is refused.
 * Never: changes a stage (domain/orders/stage-rule.ts).
 */
import { z } from "zod"
import { STAGE_CLOSES_MAX } from "../domain/orders/stage-rule.ts"
import { STAGES } from "../domain/orders/stage.ts"
import { amount, natural, positive, wholeFrom } from "./settings-words.ts"
import { oneOf } from "./words.ts"

export const stage = oneOf(STAGES).default("live").meta({
  description:
    "`shadow`: it decides in full and opens nothing, its fills are on paper (docs/engines.md); no rule and no command makes it trade. What it held before is closed as ever."
})

const closes = wholeFrom(1, STAGE_CLOSES_MAX).default(20)

const back = z
  .strictObject({
    closes: closes.meta({
      description: "Closes on paper that count, the last ones; with fewer it stays a shadow."
    }),
    profitMin: amount.default("0").meta({
      description:
        "Money that these must have made together, net of the `fees` of their broker; more than 0 in any case."
    })
  })
  .meta({
    id: "PromotionSettings",
    description:
      "The rule by which a demoted strategy earns its way back; null: only an operator promotes it."
  })

export const demotion = z
  .strictObject({
    lossMax: positive.nullable().default(null).meta({
      description: "Money that its last `lossCloses` closes have lost together, net of their fees; null: any."
    }),
    lossCloses: closes.meta({ description: "Closes that `lossMax` looks at, the last ones." }),
    lossStreakMax: natural.nullable().default(null).meta({
      description: "Closes in a row that have lost; null: any number."
    }),
    drawdownMax: positive
      .nullable()
      .default(null)
      .meta({
        description: `Money by which the sum of its closes is below the highest that it was, of the last ${STAGE_CLOSES_MAX}; null: any.`
      }),
    back: back.nullable().default(null)
  })
  .refine(
    ({ drawdownMax, lossMax, lossStreakMax }) =>
      lossMax !== null || lossStreakMax !== null || drawdownMax !== null,
    "names no rule: lossMax, lossStreakMax or drawdownMax"
  )
  .meta({
    id: "DemotionSettings",
    description:
      "Rules by which a strategy that loses becomes a shadow. They look at what it closed since it began to trade under them, or was last promoted. null: no rule demotes it."
  })
