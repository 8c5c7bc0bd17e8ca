/**
 * settings-engines: which engine decides a strategy's signals, and how agents vote, in the configuration file.
 *
 * Apart from settings.ts, which is at its size limit.
 *
 * Promises: an agent that does not exist, or a share of more than all signals, is refused.
 * Never: reads a file or the environment.
 */
import { z } from "zod"
import { AGENTS } from "../domain/decision/agents.ts"
import { ENGINES } from "../domain/kernel/settings.ts"
import { mapOf, wholeFrom } from "./settings-words.ts"
import { oneOf } from "./words.ts"

const between = (low: number, high: number) => {
  const words = `must be a number from ${low} to ${high}`
  return z.number(words).min(low, words).max(high, words)
}

export const engine = oneOf([...ENGINES, "split"])
  .default("A")
  .meta({
    description:
      "What decides: `A` the rules alone, `B` the votes of agents on whatever opens, `split` either (see `split`)."
  })

export const split = z
  .strictObject({
    bPct: between(0, 100).meta({
      description: "Percent of the signals that engine B decides; which ones follows from their identity."
    }),
    pins: mapOf(z.string(), oneOf(ENGINES))
      .default({})
      .meta({ description: "By instrument: the engine that always decides it." })
  })
  .meta({ id: "SplitSettings", description: "An experiment: some signals are decided by A, others by B." })
  .nullable()
  .default(null)

export const shadow = oneOf(ENGINES).nullable().default(null).meta({
  description: "An engine that decides as well and orders nothing; its decisions are kept to compare."
})

const agentWords = `must be one of ${AGENTS.join(", ")}`
const agent = z.string(agentWords).regex(new RegExp(`^(?:${AGENTS.join("|")})$`), agentWords)

export const panel = z
  .strictObject({
    threshold: between(-1, 1).default(0.1).meta({
      description: "The score, from -1 (against) to 1 (for), from which engine B lets an order open."
    }),
    quorum: wholeFrom(1, AGENTS.length).default(3).meta({
      description: "Agents that have to vote; with fewer nothing opens."
    }),
    weights: mapOf(agent, between(0, 100))
      .default({})
      .meta({ description: "How much the vote of an agent counts; 1 for one that is not named." }),
    deadlineMs: wholeFrom(10, 10_000).default(250).meta({
      description: "How long a decision waits for votes; who is late abstains."
    }),
    barMs: wholeFrom(1_000, 86_400_000).default(300_000).meta({
      description: "Length of the bars that the agents look at."
    })
  })
  .meta({ id: "PanelSettings", description: "How the votes of engine B become a decision." })
