/**
 * Voter machine: does an endpoint of the user's own get questions.
 *
 * It is a circuit breaker: an endpoint that fails again and again costs every decision its deadline, so it is left alone for a
 * while and then tried with one question. What it votes is no event of this machine.
 *
 * Promises: `failuresMax` failures in a row end the asking at once; one answer after the pause takes it up again, one failure ends
 * it again; an answer that is refused for what it says is a failure like none at all.
 * Never: holds a question, or judges an answer.
 * States: Closed -> Open <-> Probing -> Closed.
 */
import { assign, setup } from "xstate"
import { streamSlot } from "../slot.ts"

export interface VoterInput {
  readonly failuresMax: number
  readonly cooldownMs: number
}

export interface VoterContext extends VoterInput {
  /** In a row. */
  readonly failures: number
  /** How often the breaker has opened. */
  readonly opened: number
  readonly lastError: string | null
}

export type VoterEvent =
  /** An answer that is a vote; told after a failure only. */
  { readonly type: "voter.answered" } | { readonly type: "voter.failed"; readonly reason: string }

export const voterMachine = setup({
  types: {
    context: {} as VoterContext,
    events: {} as VoterEvent,
    input: {} as VoterInput,
    tags: {} as "ready" | "degraded" | "backingOff" | "resting"
  },
  actors: { ask: streamSlot<{ readonly alone: boolean }>() },
  // The actor words the alert, and tells who asks why nobody is asked.
  actions: { opened: () => {}, closed: () => {} },
  delays: { cooldown: ({ context }) => context.cooldownMs }
}).createMachine({
  id: "voter",
  context: ({ input }) => ({ ...input, failures: 0, opened: 0, lastError: null }),
  initial: "Closed",
  states: {
    Closed: {
      description: "Puts the questions of decisions to the endpoint, some at the same time.",
      tags: ["ready", "resting"],
      invoke: { src: "ask", input: { alone: false } },
      on: {
        "voter.answered": { actions: assign({ failures: 0 }) },
        "voter.failed": [
          {
            guard: ({ context }) => context.failures + 1 >= context.failuresMax,
            target: "Open",
            actions: assign({
              failures: ({ context }) => context.failures + 1,
              lastError: ({ event }) => event.reason
            })
          },
          {
            actions: assign({
              failures: ({ context }) => context.failures + 1,
              lastError: ({ event }) => event.reason
            })
          }
        ]
      }
    },
    Open: {
      description: "It failed too often in a row: decisions go without its vote, at once.",
      tags: ["backingOff", "degraded"],
      entry: [assign({ opened: ({ context }) => context.opened + 1 }), "opened"],
      after: { cooldown: "Probing" }
    },
    Probing: {
      description: "The next question is put to it, alone, to see whether it answers again.",
      tags: ["degraded", "resting"],
      invoke: { src: "ask", input: { alone: true } },
      on: {
        "voter.answered": {
          target: "Closed",
          actions: [assign({ failures: 0, lastError: null }), "closed"]
        },
        "voter.failed": {
          target: "Open",
          actions: assign({
            failures: ({ context }) => context.failures + 1,
            lastError: ({ event }) => event.reason
          })
        }
      }
    }
  }
})
