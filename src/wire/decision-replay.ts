/**
 * decision-replay: how a span of decisions is made again, and what was different (T15).
 *
 * Promises: what a replay reports has one form, in the API and in a terminal.
 * Never: handles anything.
 */
import { z } from "zod"
import type { ReplayedOutcome, ReplayResult } from "../domain/decision/decision-replay.ts"
import { isoOf } from "../domain/kernel/iso-time.ts"
import { command, endpoint, list } from "./endpoint.ts"
import { anyObject, count, decimal, instant, storable, uuid } from "./words.ts"

const text = z.string().nullable()
const moment = z.iso.datetime({
  offset: true,
  error: "must be an instant such as 2026-01-31T09:30:00Z"
})

const replayedOutcome = z
  .object({
    engine: z.string(),
    variant: z.string(),
    outcome: z.enum(["ordered", "held", "denied", "ignored", "deferred", "undecidable"]).meta({
      description:
        "`deferred`: it would have waited. `undecidable`: the settings read what its facts do not have."
    }),
    reason: text,
    orders: z.array(
      z.object({
        account: z.string(),
        strategy: z.string(),
        leg: count,
        symbol: z.string(),
        side: z.string(),
        quantity: decimal,
        terms: text.meta({
          description: "Kind, prices and time in force, where it is not a plain order at market."
        }),
        denied: z.array(z.string()).meta({ description: "Checks that are against it; none: it is sent." })
      })
    ),
    missing: z.array(z.string()).meta({ description: "What the facts do not have." })
  })
  .meta({ id: "ReplayedOutcome" })

const replayDifference = z
  .object({
    signal_id: uuid,
    decided_at: instant,
    symbol: z.string(),
    kind: z.enum(["decision", "numbers"]).meta({
      description:
        "`numbers`: the same decision by checks with other numbers; only for decisions of the same settings."
    }),
    was: replayedOutcome,
    now: replayedOutcome,
    pnl_change: decimal.nullable().meta({
      description:
        "What the orders that differ come to, from the quote they were decided on to the last price of the time; null: no price."
    })
  })
  .meta({ id: "ReplayDifference" })

const replayedSpan = {
  decided: count.meta({ description: "Decisions that were made again so far." }),
  without_facts: count.meta({ description: "Decisions from before facts were kept." }),
  differing: count.meta({ description: "All differences; the first 500 are listed." }),
  differences: z.array(replayDifference),
  orders_changed: count,
  orders_unpriced: count.meta({ description: "Orders that are not in `pnl_change`: they had no price." }),
  pnl_change: decimal.nullable().meta({ description: "Null while it runs." })
} as const

export const decisionReplay = z
  .object({
    id: uuid,
    status: z.enum(["running", "done", "failed"]),
    from: instant,
    to: instant,
    source: text,
    settings_version: z.string().meta({ description: "Of the settings it is decided under." }),
    error: text,
    ...replayedSpan
  })
  .meta({ id: "DecisionReplay" })

export const replayBody = z
  .strictObject({
    from: moment.meta({ description: "Signals received from then on." }),
    to: moment.meta({ description: "Signals received before then." }),
    source: storable(z.string("must name a source")).optional(),
    settings: anyObject.optional().meta({
      description:
        "Changed settings, in the form of the configuration file and laid over it; absent: the settings in force."
    })
  })
  .meta({ id: "DecisionReplayBody" })

export const replayDecisions = endpoint({
  ...command,
  path: "/api/v1/replay",
  tag: "operations",
  name: "replayDecisions",
  summary: "Makes the decisions of a time again by today's code, from their facts; changes nothing.",
  body: replayBody,
  answers: { 202: z.object({ id: uuid }) }
})
export const getDecisionReplay = endpoint({
  ...list,
  path: "/api/v1/replay/:id",
  tag: "operations",
  name: "getDecisionReplay",
  summary: "How far a replay of decisions is, and what was different.",
  answers: { 200: decisionReplay }
})
/** All of them, in the order of the documentation. */
export const decisionReplayEndpoints = [replayDecisions, getDecisionReplay]

const outcomeItem = ({ engine, missing, orders, outcome, reason, variant }: ReplayedOutcome) => ({
  engine,
  variant,
  outcome,
  reason,
  orders,
  missing
})

/** What a replay found, before it is checked against its shape. */
export const replayedFields = (result: ReplayResult) => ({
  decided: result.decided,
  without_facts: result.withoutFacts,
  differing: result.differing,
  differences: result.differences.map((difference) => ({
    signal_id: difference.signalId,
    decided_at: isoOf(difference.decidedAtMs),
    symbol: difference.symbol,
    kind: difference.kind,
    was: outcomeItem(difference.was),
    now: outcomeItem(difference.now),
    pnl_change: difference.pnlChange
  })),
  orders_changed: result.ordersChanged,
  orders_unpriced: result.ordersUnpriced,
  pnl_change: result.pnlChange
})
