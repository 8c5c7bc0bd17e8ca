/**
 * Practice-signals machine: sends a signal of practice mode in every period.
 *
 * A newcomer has no sender, and a service in which nothing happens shows nothing.
 *
 * Promises: one signal at a time, and one for a period at most; a signal that was not sent is left out and never sent late.
 * Never: decides whether one may be sent now, or which: its effect does.
 * States: WaitingForDatabase -> Waiting <-> Sending.
 */
import { assign, setup } from "xstate"
import { slot, streamSlot } from "../slot.ts"

export interface PracticeSignalsInput {
  /** The first one waits until the components it needs have started. */
  readonly firstMs: number
  readonly sendMsMax: number
  readonly retryMs: number
}

/** What became of one period, and how long it is to the next one. */
export interface PracticeReport {
  readonly _tag: "Sent" | "LeftOut"
  /** What was sent, or why nothing was. */
  readonly what: string
  readonly waitMs: number
}

export interface PracticeSignalsContext extends PracticeSignalsInput {
  readonly waitMs: number
  readonly sent: number
  readonly leftOut: number
  /** The last signal that was sent; null before the first. */
  readonly lastSignal: string | null
  /** Why the last period was left out; null when it was not. */
  readonly why: string | null
  readonly lastError: string | null
}

export type PracticeSignalsEvent =
  | { readonly type: "database.available" }
  | { readonly type: "database.unavailable" }

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export const practiceSignalsMachine = setup({
  types: {
    context: {} as PracticeSignalsContext,
    events: {} as PracticeSignalsEvent,
    input: {} as PracticeSignalsInput,
    tags: {} as "ready" | "degraded" | "resting"
  },
  actors: {
    watchDatabase: streamSlot<Record<string, never>>(),
    send: slot<Record<string, never>, PracticeReport>()
  },
  delays: {
    wait: ({ context }) => context.waitMs,
    sendDeadline: ({ context }) => context.sendMsMax
  }
}).createMachine({
  id: "practice-signals",
  context: ({ input }) => ({
    ...input,
    waitMs: input.firstMs,
    sent: 0,
    leftOut: 0,
    lastSignal: null,
    why: null,
    lastError: null
  }),
  invoke: { src: "watchDatabase", input: {} },
  on: {
    "database.unavailable": { target: ".WaitingForDatabase" },
    // News only to the state that waits for it; elsewhere ignored on purpose.
    "database.available": {}
  },
  initial: "WaitingForDatabase",
  states: {
    WaitingForDatabase: {
      description: "The database is away: a signal would not be stored, and is not sent.",
      tags: ["degraded", "resting"],
      on: {
        "database.available": {
          target: "Waiting",
          actions: assign({ waitMs: ({ context }) => context.firstMs })
        },
        "database.unavailable": {}
      }
    },
    Waiting: {
      description: "Until the next period begins, or shortly after a start.",
      tags: "ready",
      after: { wait: "Sending" }
    },
    Sending: {
      description:
        "The signal of this period is sent, unless trading is restricted or the process gives it up.",
      tags: "ready",
      invoke: {
        src: "send",
        input: {},
        onDone: [
          {
            guard: ({ event }) => event.output._tag === "Sent",
            target: "Waiting",
            actions: assign(({ context, event }) => ({
              waitMs: event.output.waitMs,
              sent: context.sent + 1,
              lastSignal: event.output.what,
              why: null,
              lastError: null
            }))
          },
          {
            target: "Waiting",
            actions: assign(({ context, event }) => ({
              waitMs: event.output.waitMs,
              leftOut: context.leftOut + 1,
              why: event.output.what,
              lastError: null
            }))
          }
        ],
        onError: {
          target: "Waiting",
          actions: assign(({ context, event }) => ({
            waitMs: context.retryMs,
            lastError: textOf(event.error)
          }))
        }
      },
      after: {
        sendDeadline: {
          target: "Waiting",
          actions: assign(({ context }) => ({
            waitMs: context.retryMs,
            lastError: "the intake did not answer in time"
          }))
        }
      }
    }
  }
})
