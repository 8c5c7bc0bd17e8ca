/**
 * settings-fees: what a broker takes for a trade.
 *
 * Promises: as settings.ts, which this is a part of; absent is free.
 * Never: computes a fee (domain/kernel/venue-fee.ts).
 */
import { z } from "zod"
import { amount } from "./settings-words.ts"

const rule = z
  .strictObject({
    perUnit: amount.default("0").meta({ description: "Money for each share, contract or coin." }),
    pct: amount.default("0").meta({ description: "Percent of the money that changes hands." }),
    minimum: amount.default("0").meta({ description: "Money for each trade at least." })
  })
  .meta({
    id: "FeeSettings",
    description: "What one trade costs: `perUnit` and `pct` together, or `minimum`."
  })
const free = rule.exactOptional()

export const fees = z
  .strictObject({ equity: free, option: free, future: free, crypto: free, fx: free }, "must be an object")
  .default({})
  .meta({
    id: "FeesSettings",
    description:
      "Its fees by kind of instrument; a kind that is absent is free. The paper venue inside this process takes them; what a shadow strategy of its accounts fills on paper pays them."
  })
