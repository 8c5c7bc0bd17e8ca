/**
 * Trading state machine: keeps this process's view of ACTIVE, REDUCING or HALTED fresh.
 *
 * The row in the database decides (every decision reads it in its own statement); this view is for health and
 * the console, which must answer without SQL. An unknown state is reported as unknown, never assumed ACTIVE.
 *
 * Promises: re-read when it was changed here, at the latest after `pollMs` when another process changed it, and
 * forgotten as soon as the database is away.
 * Never: changes the state; an operator does, with a reason.
 * States: WaitingForDatabase -> Reading -> Current -> Reading; Reading -> BackingOff -> Reading.
 */
import { assign, setup } from "xstate"
import { slot, streamSlot } from "../slot.ts"

export interface TradingStateInput {
  readonly pollMs: number
  readonly retryMs: number
  readonly readDeadlineMs: number
}
export interface TradingStateContext extends TradingStateInput {
  readonly state: string | null
  readonly lastError: string | null
}
export type TradingStateEvent =
  | { readonly type: "database.available" }
  | { readonly type: "database.unavailable" }
  | { readonly type: "tradingState.changed" }

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export const tradingStateMachine = setup({
  types: {
    context: {} as TradingStateContext,
    events: {} as TradingStateEvent,
    input: {} as TradingStateInput,
    tags: {} as "starting" | "ready" | "backingOff" | "resting" | "degraded"
  },
  actors: {
    watchDatabase: streamSlot<Record<string, never>>(),
    watchChanges: streamSlot<Record<string, never>>(),
    read: slot<Record<string, never>, string>()
  },
  actions: { forget: () => undefined },
  delays: {
    poll: ({ context }) => context.pollMs,
    retry: ({ context }) => context.retryMs,
    readDeadline: ({ context }) => context.readDeadlineMs
  }
}).createMachine({
  id: "tradingState",
  context: ({ input }) => ({ ...input, state: null, lastError: null }),
  invoke: [
    { src: "watchDatabase", input: {} },
    { src: "watchChanges", input: {} }
  ],
  on: {
    "database.unavailable": { target: ".WaitingForDatabase" },
    // News only to the state that waits for it; elsewhere ignored on purpose.
    "database.available": {},
    "tradingState.changed": { target: ".Reading" }
  },
  initial: "WaitingForDatabase",
  states: {
    WaitingForDatabase: {
      description: "The database is away, so the state is unknown and nothing here claims otherwise.",
      tags: ["degraded", "resting"],
      entry: ["forget", assign({ state: null })],
      on: { "database.available": "Reading", "tradingState.changed": {} }
    },
    Reading: {
      description: "Reads the state from the database.",
      tags: "ready",
      invoke: {
        src: "read",
        input: {},
        onDone: {
          target: "Current",
          actions: assign(({ event }) => ({ state: event.output, lastError: null }))
        },
        onError: { target: "BackingOff", actions: assign({ lastError: ({ event }) => textOf(event.error) }) }
      },
      after: { readDeadline: { target: "BackingOff", actions: assign({ lastError: "no answer in time" }) } }
    },
    Current: {
      description: "The state is known and at most one poll interval old.",
      tags: "ready",
      after: { poll: "Reading" }
    },
    BackingOff: {
      description: "The state could not be read although the database is reported available.",
      tags: "backingOff",
      after: { retry: "Reading" }
    }
  }
})
