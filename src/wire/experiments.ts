/**
 * experiments: how the engines compare, as the API returns it (D9, G5).
 *
 * Promises: profit is a decimal, of shares whose opening signal the engine decided, and net of the fees of their closes; an interval
 * is null until there are closes enough to speak of one.
 * Never: shows the canary, or values what is still open.
 */
import { z } from "zod"
import { ENGINES } from "../domain/kernel/settings.ts"
import { endpoint, list } from "./endpoint.ts"
import { byInstant, byName, page } from "./page.ts"
import { count, decimal } from "./words.ts"

const compared = z
  .object({
    engine: z.enum(ENGINES).meta({ description: "The shadow." }),
    orders: count.meta({ description: "Orders that both engines judged." }),
    agreed: count.meta({ description: "Of these, ordered by both or by neither." }),
    agreement: z.number().nullable().meta({ description: "agreed / orders; null without any." }),
    only_deciding: count.meta({ description: "Ordered by the engine that decides, and not by the shadow." }),
    only_shadow: count.meta({ description: "Ordered by the shadow alone: no profit is known of these." }),
    unknown: count.meta({ description: "Orders that the shadow had nothing to decide by." }),
    pnl: decimal.meta({
      description: "Profit of the closes whose opening the shadow would have ordered as well."
    })
  })
  .meta({ id: "ShadowComparison" })

const experiment = z
  .object({
    experiment_id: z.string().meta({ description: "The strategy that decided first." }),
    engine: z.enum(ENGINES),
    signals: count,
    ordered: count,
    held: count,
    denied: count,
    ignored: count,
    orders: count,
    closes: count.meta({ description: "Orders that closed some of what these signals opened." }),
    pnl: decimal.meta({ description: "Profit of these closes, net of their fees." }),
    pnl_mean: z.number().nullable().meta({ description: "Per close." }),
    pnl_low: z
      .number()
      .nullable()
      .meta({ description: "95 percent interval of the mean; null below five closes." }),
    pnl_high: z.number().nullable(),
    paper_closes: count.meta({
      description: "Closes on paper of what these signals opened there, while their strategy was a shadow."
    }),
    paper_pnl: decimal.meta({ description: "Profit of these, net of all their fees, of the opening too." }),
    paper_fees: decimal.meta({ description: "Fees of all fills on paper that these signals led to." }),
    shadow: compared
      .nullable()
      .meta({ description: "Of one shadow; an engine that has had two has a row with each." })
  })
  .meta({ id: "Experiment" })

export const listExperiments = endpoint({
  ...list,
  path: "/api/v1/experiments",
  tag: "trading",
  name: "listExperiments",
  summary:
    "Engines A and B compared: by strategy and engine what their signals came to, and how a shadow would have decided.",
  query: z.strictObject({ strategy: byName, from: byInstant, to: byInstant }),
  answers: { 200: page(experiment) }
})

export const experimentEndpoints = [listExperiments]
