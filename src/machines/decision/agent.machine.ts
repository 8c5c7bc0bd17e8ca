/**
 * Agent machine: does an agent of engine B take questions.
 *
 * What an agent says is a vote of a decision and no event of this machine: a chart that moved with every question would show
 * nothing else.
 *
 * Promises: an agent that hangs is left to itself for a pause and asked again; one that dies is restarted by its supervisor.
 * Never: holds a question.
 * States: Listening <-> BackingOff.
 */
import { assign, setup } from "xstate"
import { streamSlot } from "../slot.ts"

export interface AgentInput {
  readonly retryMs: number
}

export interface AgentContext extends AgentInput {
  /** How often it has hung. */
  readonly hung: number
  readonly lastError: string | null
}

/** It has not come to an opinion of a symbol in time. */
export interface AgentHung {
  readonly type: "agent.hung"
  readonly symbol: string
}

export const agentMachine = setup({
  types: {
    context: {} as AgentContext,
    events: {} as AgentHung,
    input: {} as AgentInput,
    tags: {} as "ready" | "backingOff" | "resting"
  },
  actors: { answer: streamSlot<Record<string, never>>() },
  delays: { retry: ({ context }) => context.retryMs }
}).createMachine({
  id: "agent",
  context: ({ input }) => ({ ...input, hung: 0, lastError: null }),
  initial: "Listening",
  states: {
    Listening: {
      description: "Answers one question after the other; a question comes when a signal is decided.",
      tags: ["ready", "resting"],
      invoke: { src: "answer", input: {} },
      on: {
        "agent.hung": {
          target: "BackingOff",
          actions: assign({
            hung: ({ context }) => context.hung + 1,
            lastError: ({ event }) => `no opinion of ${event.symbol} in time`
          })
        }
      }
    },
    BackingOff: {
      description: "It did not come to an opinion in time: whoever asks now goes without it.",
      tags: "backingOff",
      after: { retry: "Listening" }
    }
  }
})
