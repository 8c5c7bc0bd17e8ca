/**
 * Risk machine: checks the profit and loss of the installation, its accounts and its strategies.
 *
 * Loss limits cannot depend on orders, because prices move without them. So this checks periodically, after every fill and
 * after every change of the trading state, and orders are checked against the figures of the last check.
 *
 * Promises: a check at most `lookMs` after the previous one, soon after a bell, one for many bells; while none succeeds the
 * figures become too old, and old figures deny.
 * Never: checks an order; resumes what a rule has stopped.
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

/** The result of one check. */
export interface LookOutcome {
  /** The longest time until the next check, by the limits in force. */
  readonly lookMs: number
  /** Scopes with limits. */
  readonly scopes: number
  /** Scopes that a rule stopped in this check. */
  readonly stopped: number
  /** Scopes that a rule has stopped and no operator has resumed. */
  readonly tripped: ReadonlyArray<string>
  /** Scopes whose losses are unknown now. */
  readonly unknown: ReadonlyArray<string>
  /** Strategies that run as shadows. */
  readonly shadowed: ReadonlyArray<string>
}

export interface RiskContext extends RiskInput {
  readonly scopes: number
  /** Since the start. */
  readonly stopped: number
  readonly tripped: ReadonlyArray<string>
  readonly unknown: ReadonlyArray<string>
  readonly shadowed: ReadonlyArray<string>
  /** A bell rang during the check. */
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
    shadowed: [],
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
    // Only relevant to the state that waits for it; elsewhere ignored on purpose.
    "database.available": {},
    "risk.rang": {},
    "risk.stop": ".Stopped"
  },
  initial: "WaitingForDatabase",
  states: {
    WaitingForDatabase: {
      description: "The database is unavailable: figures become too old, and loss limits deny entries.",
      tags: ["degraded", "resting"],
      on: { "database.available": "Looking", "database.unavailable": {} }
    },
    Looking: {
      description:
        "Reads profits and marks, values open positions, publishes figures, stops scopes that breached a rule, and demotes or promotes strategies by theirs.",
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
          actions: assign({ lastError: "the check did not finish in time" })
        }
      }
    },
    Watching: {
      description: "Orders are checked against the figures of the last check.",
      tags: "ready",
      on: { "risk.rang": "Gathering" },
      after: { lookEvery: "Looking" }
    },
    Gathering: {
      description:
        "A bell rang for a fill or a change of the trading state; those that follow immediately share the next check.",
      tags: "ready",
      after: { pause: "Looking" }
    },
    BackingOff: {
      description: "The rows could not be read although the database is reported available.",
      tags: ["degraded", "backingOff"],
      after: { retry: "Looking" }
    },
    Stopped: { description: "No more checks; figures become too old.", tags: "stopped", type: "final" }
  }
})
