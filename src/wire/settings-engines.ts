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
import { SILENCES } from "../domain/kernel/settings-voters.ts"
import { secretReference } from "./settings-source.ts"
import { mapOf, text, wholeFrom } from "./settings-words.ts"
import { oneOf } from "./words.ts"

const between = (low: number, high: number) => {
  const words = `must be a number from ${low} to ${high}`
  return z.number(words).min(low, words).max(high, words)
}

export const engine = oneOf([...ENGINES, "split"])
  .default("A")
  .meta({
    description:
      "What decides: `A` the rules alone, `B` the votes of agents on whatever opens, `C` the vote of an endpoint of yours (see `voter`), `split` one of them (see `split`)."
  })

export const split = z
  .strictObject({
    bPct: between(0, 100).default(0).meta({
      description: "Percent of the signals that engine B decides; which ones follows from their identity."
    }),
    cPct: between(0, 100).default(0).meta({
      description: "Percent of the signals that engine C decides. What is left of 100 is decided by A."
    }),
    pins: mapOf(z.string(), oneOf(ENGINES))
      .default({})
      .meta({ description: "By instrument: the engine that always decides it." })
  })
  .meta({
    id: "SplitSettings",
    description: "An experiment: some signals are decided by A, others by B or C."
  })
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

const nameWords = "must be a name of a-z, 0-9, - and _, at most 64 long"
export const voterName = z.string(nameWords).regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, nameWords)

export const voter = z
  .strictObject({
    url: text.meta({ description: "Where it is asked: http or https." }),
    secret: secretReference.meta({ description: "What questions are signed with (Standard Webhooks)." }),
    deadlineMs: wholeFrom(10, 5_000).default(500).meta({
      description:
        "How long a decision that it decides waits for its vote. Other signals wait for as long as one of the same batch does."
    }),
    shadowDeadlineMs: wholeFrom(1, 1_000).default(50).meta({
      description: "The same where it is a shadow."
    }),
    confidenceMin: between(0, 1).default(0.5).meta({
      description: "The least confidence of a vote for an order with which it opens."
    }),
    onSilence: oneOf(SILENCES).default("deny").meta({
      description:
        "What becomes of an order without a vote: `deny`, or `rules`, which lets the rules alone decide."
    }),
    atOnceMax: wholeFrom(1, 64).default(8).meta({ description: "Questions at the same time." }),
    failuresMax: wholeFrom(1, 1_000).default(5).meta({
      description: "Failures in a row after which it is not asked for a while."
    }),
    cooldownMs: wholeFrom(100, 3_600_000).default(30_000).meta({
      description: "How long it is not asked then; one question tries it again."
    })
  })
  .meta({ id: "VoterSettings", description: "An endpoint of your own that votes on whatever opens." })
export type VoterFile = z.output<typeof voter>

export const contractRule = z
  .strictObject({
    delta: between(0.01, 0.99).default(0.5).meta({
      description: "The size of the delta that is wanted; the listed contract nearest to it is chosen."
    }),
    days: wholeFrom(0, 1_000).default(30).meta({
      description: "Days to expiration that are wanted; the nearest listed expiration is chosen first."
    }),
    spreadPctMax: between(0, 200).default(10).meta({
      description: "Percent of their middle that bid and ask may be apart."
    }),
    openInterestMin: wholeFrom(0).default(100).meta({
      description: "Contracts that must be open."
    })
  })
  .meta({
    id: "ContractRule",
    description:
      "How a contract is chosen for a CALL or a PUT that does not name it, among those that the market lists; null: at the money and the next monthly expiration, whatever is listed."
  })
