/**
 * Risk machine: looks again and again at what the installation, its accounts and its strategies have gained and lost.
 *
 * Limits on losses cannot wait for the next order: prices move alone. So this looks by the clock, after every fill and after
 * every change of the trading state, and what it finds is what orders are judged by until the next look.
 *
 * Promises: a look at the latest after `lookMs`, soon after a bell, one for many bells; while none succeeds the figures grow
 * old, and old figures deny.
 * Never: judges an order; resumes what a rule has stopped.
 * States: WaitingForDatabase -> Looking -> Watching -> Looking; Watching -> Gathering -> Looking; Looking -> BackingOff ->
 * Looking; Stopped.
 */
import { assign, setup } from "xstate"
import { slot, streamSlot } from "../slot.ts"

export interface RiskInput {
  readonly lookMs: number
  readonly pauseMs: number
  readonly readMsMax: number
  readonly retryMs: number
}

/** What one look found. */
export interface LookOutcome {
  /** When to look again at the latest, by the limits that were in force. */
  readonly lookMs: number
  /** Scopes with limits. */
  readonly scopes: number
  /** Scopes that a rule stopped at this look. */
  readonly stopped: number
  /** Scopes that a rule has stopped and nobody has resumed. */
  readonly tripped: ReadonlyArray<string>
  /** Scopes whose losses nobody can tell now. */
  readonly unknown: ReadonlyArray<string>
}

export interface RiskContext extends RiskInput {
  readonly scopes: number
  /** Since the start. */
  readonly stopped: number
  readonly tripped: ReadonlyArray<string>
  readonly unknown: ReadonlyArray<string>
  /** Something happened while a look was under way. */
  readonly again: boolean
  readonly lastError: string | null
}

export type RiskEvent =
  | { readonly type: "database.available" }
  | { readonly type: "database.unavailable" }
  | { readonly type: "risk.rang" }
  | { readonly type: "risk.stop" }

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export const riskMachine = setup({
  types: {
    context: {} as RiskContext,
    events: {} as RiskEvent,
    input: {} as RiskInput,
    tags: {} as "ready" | "degraded" | "backingOff" | "resting" | "stopped"
  },
  actors: {
    watchDatabase: streamSlot<Record<string, never>>(),
    watchBells: streamSlot<Record<string, never>>(),
    askBalances: streamSlot<Record<string, never>>(),
    look: slot<Record<string, never>, LookOutcome>()
  },
  delays: {
    lookEvery: ({ context }) => context.lookMs,
    pause: ({ context }) => context.pauseMs,
    retry: ({ context }) => context.retryMs,
    lookDeadline: ({ context }) => context.readMsMax
  },
  guards: { mustLookAgain: ({ context }) => context.again },
  actions: { noteAgain: assign({ again: true }) }
}).createMachine({
  id: "risk",
  context: ({ input }) => ({
    ...input,
    scopes: 0,
    stopped: 0,
    tripped: [],
    unknown: [],
    again: false,
    lastError: null
  }),
  invoke: [
    { src: "watchDatabase", input: {} },
    { src: "watchBells", input: {} },
    { src: "askBalances", input: {} }
  ],
  on: {
    "database.unavailable": ".WaitingForDatabase",
    // News only to the state that waits for it; elsewhere ignored on purpose.
    "database.available": {},
    "risk.rang": {},
    "risk.stop": ".Stopped"
  },
  initial: "WaitingForDatabase",
  states: {
    WaitingForDatabase: {
      description:
        "The database is away: figures grow old, and limits on losses deny what they cannot judge.",
      tags: ["degraded", "resting"],
      on: { "database.available": "Looking", "database.unavailable": {} }
    },
    Looking: {
      description:
        "Reads profits and marks, values what is open, publishes figures and stops what broke a rule.",
      tags: "ready",
      entry: assign({ again: false }),
      on: { "risk.rang": { actions: "noteAgain" } },
      invoke: {
        src: "look",
        input: {},
        onDone: [
          {
            guard: "mustLookAgain",
            target: "Gathering",
            actions: assign(({ context, event }) => ({
              ...event.output,
              stopped: context.stopped + event.output.stopped,
              lastError: null
            }))
          },
          {
            target: "Watching",
            actions: assign(({ context, event }) => ({
              ...event.output,
              stopped: context.stopped + event.output.stopped,
              lastError: null
            }))
          }
        ],
        onError: { target: "BackingOff", actions: assign({ lastError: ({ event }) => textOf(event.error) }) }
      },
      after: {
        lookDeadline: {
          target: "BackingOff",
          actions: assign({ lastError: "the look did not finish in time" })
        }
      }
    },
    Watching: {
      description: "The figures of the last look are what orders are judged by.",
      tags: "ready",
      on: { "risk.rang": "Gathering" },
      after: { lookEvery: "Looking" }
    },
    Gathering: {
      description:
        "A fill or a change of the trading state was heard; those that follow at once share the next look.",
      tags: "ready",
      after: { pause: "Looking" }
    },
    BackingOff: {
      description: "The rows could not be read although the database is said to be there.",
      tags: ["degraded", "backingOff"],
      after: { retry: "Looking" }
    },
    Stopped: { description: "Nobody looks any more; figures grow old.", tags: "stopped", type: "final" }
  }
})
