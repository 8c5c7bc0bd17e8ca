/**
 * settings-exits: how a strategy sizes its entries, and the exits that move with the price or follow the clock.
 *
 * Promises: as settings.ts, which this is a part of.
 * Never: computes a size or a price (domain/orders/position-size.ts, domain/orders/trailing.ts).
 */
import { z } from "zod"
import { SIZING_RULES } from "../domain/kernel/settings.ts"
import { natural, positive, wholeFrom } from "./settings-words.ts"
import { oneOf } from "./words.ts"

export const sizing = z
  .strictObject({
    by: oneOf(SIZING_RULES).meta({
      description:
        "`notional`: each entry costs `amount`; `equityPct`: it costs `amount` percent of what the account is worth; `riskPct`: when the stop is reached, it loses `amount` percent of that."
    }),
    amount: positive.meta({ description: "Money, or a percentage." })
  })
  .meta({
    id: "SizingSettings",
    description:
      "The size of an entry whose signal names none, rounded down to whole lots; needs a quote. null: `quantity`."
  })

/** A smoothed range needs a few times its length of bars, and a request has at most 500 (layers/market/market.port.ts). */
const BARS_MAX = 100

const averageRange = z
  .strictObject({
    multiple: positive.meta({ description: "How many average true ranges behind." }),
    bars: wholeFrom(1, BARS_MAX).default(14).meta({ description: "Bars of the average." }),
    barMs: wholeFrom(1_000, 86_400_000).default(300_000).meta({ description: "Length of a bar." })
  })
  .meta({
    id: "AverageRangeStop",
    description: "A trailing stop by the average true range; without bars it stays where it is. null: none."
  })

export const exits = z
  .strictObject({
    trailingPct: positive.nullable().default(null).meta({
      description: "The stop follows the best price since the opening, this percent of it behind."
    }),
    trailingAmount: positive
      .nullable()
      .default(null)
      .meta({ description: "The same, this much of the price behind." }),
    trailingAtr: averageRange.nullable().default(null),
    breakEvenAfterPct: positive
      .nullable()
      .default(null)
      .meta({ description: "After a gain of this percent the stop is at the average price or better." }),
    holdMsMax: natural
      .nullable()
      .default(null)
      .meta({ description: "A share is closed when it has been open for this long." })
  })
  .meta({
    id: "ExitSettings",
    description:
      "Exits that move, beside `stopLossPct` and `profitTargetPct`. Of several stops the tightest counts, and none ever loosens. null: none."
  })
