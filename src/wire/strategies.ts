/**
 * strategies: which of them trade and which run as shadows, as the API returns it (G5).
 *
 * Promises: a strategy of the settings is listed whether anything ever happened to it or not; money is a decimal.
 * Never: values what is open.
 */
import { z } from "zod"
import { STAGES } from "../domain/orders/stage.ts"
import { command, endpoint, list } from "./endpoint.ts"
import { page } from "./page.ts"
import { anyObject, count, decimal, instant } from "./words.ts"

const holding = z
  .object({ account: z.string(), symbol: z.string(), quantity: decimal, average_price: decimal })
  .meta({ id: "PaperHolding" })

const resting = z
  .object({
    order_id: z.string(),
    signal_id: z.string(),
    account: z.string(),
    symbol: z.string(),
    side: z.enum(["buy", "sell"]),
    quantity: decimal,
    limit_price: decimal.nullable(),
    stop_price: decimal.nullable(),
    triggered: z.boolean().meta({ description: "The market has reached its stop." }),
    expires_at: instant.nullable().meta({ description: "Null: it rests until it is cancelled." })
  })
  .meta({ id: "PaperOrder" })

const strategy = z
  .object({
    strategy: z.string(),
    stage: z.enum(STAGES).meta({
      description:
        "A `shadow` decides in full and opens nothing; what it would have opened is filled on paper."
    }),
    changed_by: z.string().nullable().meta({
      description: "`settings`, `rule:NAME`, or who gave the command; null: nobody ever changed it."
    }),
    reason: z.string().nullable(),
    numbers: anyObject.meta({ description: "What a rule compared." }),
    since: instant.nullable().meta({ description: "Since when; null while no rule looks at it." }),
    demotes: z.boolean().meta({ description: "Rules of its settings may demote it." }),
    promotes: z.boolean().meta({ description: "A rule of its settings may take it back." }),
    closes: count.meta({ description: "Real orders since then that closed some of what it holds." }),
    pnl: decimal.meta({ description: "Profit of these, net of their fees." }),
    paper_closes: count.meta({ description: "The same on paper." }),
    paper_pnl: decimal.meta({
      description: "Profit of these, net of the fees that its broker would have taken to open and close them."
    }),
    paper_fees: decimal.meta({ description: "All fees of its fills on paper since then." }),
    paper_open: z.array(holding).meta({ description: "What it holds on paper." }),
    paper_resting: z.array(resting).meta({ description: "Its orders that wait for their price on paper." })
  })
  .meta({ id: "Strategy" })

export const listStrategies = endpoint({
  ...list,
  path: "/api/v1/strategies",
  tag: "trading",
  name: "listStrategies",
  summary:
    "The strategies of the settings: whether they trade or run as shadows, by whom, and what they closed since.",
  answers: { 200: page(strategy) }
})

const answer = z
  .object({
    strategy: z.string(),
    stage: z.enum(STAGES),
    reason: z.string().nullable(),
    changed_by: z.string(),
    since: instant
  })
  .meta({ id: "StrategyStage" })

const stageCommand = <Body extends z.ZodObject>(name: "demote" | "promote", summary: string, body: Body) =>
  endpoint({
    ...command,
    tag: "commands",
    path: `/api/v1/strategies/:id/${name}`,
    name: `${name}Strategy`,
    summary,
    body,
    answers: { 200: answer }
  })

/** The two commands about a stage: `why` is a body with a reason, `maybeWhy` one that may have it. */
export const stageEndpoints = <Why extends z.ZodObject, MaybeWhy extends z.ZodObject>(
  why: Why,
  maybeWhy: MaybeWhy
) => ({
  "strategy.demote": stageCommand(
    "demote",
    "Makes a strategy a shadow until an operator promotes it; what it holds is closed as ever.",
    why
  ),
  "strategy.promote": stageCommand(
    "promote",
    "Lets a demoted strategy trade again; refused where the settings call it a shadow.",
    maybeWhy
  )
})
