/**
 * Breakers machine: keeps the circuit breakers of brokers and strategies, which are rows that all processes share (E7).
 *
 * Failed calls are counted in memory and ring; each look stores what was counted, reads the windows of all breakers and makes
 * the changes that calls and time ask for. Probing is an effect of its own, because a venue that does not respond must not
 * delay the opening of another breaker.
 *
 * Promises: a look soon after a failure, one for many; at most `lookMs` apart while a breaker is not closed; counts wait in
 * memory while none succeeds.
 * Never: checks an order, because decisions and permits read the rows; closes what an operator opened.
 * States: WaitingForDatabase -> Looking -> Watching -> Looking; Watching -> Gathering -> Looking; Looking -> BackingOff ->
 * Looking; Stopped.
 */
import { assign, setup } from "xstate"
import { slot, streamSlot } from "../slot.ts"

export interface BreakersInput {
  readonly lookMs: number
  readonly pauseMs: number
  readonly readMsMax: number
  readonly retryMs: number
}

/** The result of one look. */
export interface BreakersOutcome {
  /** The longest time until the next one. */
  readonly lookMs: number
  readonly watched: number
  /** Breakers that are not closed, with their state. */
  readonly stopped: Readonly<Record<string, string>>
  /** Changes that this look made. */
  readonly changes: number
}

export interface BreakersContext extends BreakersInput {
  readonly watched: number
  readonly stopped: Readonly<Record<string, string>>
  /** Since the start. */
  readonly changes: number
  /** A bell rang during the look. */
  readonly again: boolean
  readonly lastError: string | null
}

export type BreakersEvent =
  | { readonly type: "database.available" }
  | { readonly type: "database.unavailable" }
  | { readonly type: "breakers.rang" }
  | { readonly type: "breakers.stop" }

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const looked = (context: BreakersContext, outcome: BreakersOutcome): Partial<BreakersContext> => ({
  ...outcome,
  changes: context.changes + outcome.changes,
  lastError: null
})

export const breakersMachine = setup({
  types: {
    context: {} as BreakersContext,
    events: {} as BreakersEvent,
    input: {} as BreakersInput,
    tags: {} as "ready" | "degraded" | "backingOff" | "resting" | "stopped"
  },
  actors: {
    watchDatabase: streamSlot<Record<string, never>>(),
    watchBells: streamSlot<Record<string, never>>(),
    probe: streamSlot<Record<string, never>>(),
    look: slot<Record<string, never>, BreakersOutcome>()
  },
  delays: {
    lookEvery: ({ context }) => context.lookMs,
    pause: ({ context }) => context.pauseMs,
    retry: ({ context }) => context.retryMs,
    lookDeadline: ({ context }) => context.readMsMax
  },
  guards: { mustLookAgain: ({ context }) => context.again },
  actions: { noteAgain: assign({ again: true }), forget: () => undefined }
}).createMachine({
  id: "breakers",
  context: ({ input }) => ({
    ...input,
    watched: 0,
    stopped: {},
    changes: 0,
    again: false,
    lastError: null
  }),
  invoke: [
    { src: "watchDatabase", input: {} },
    { src: "watchBells", input: {} },
    { src: "probe", input: {} }
  ],
  on: {
    "database.unavailable": ".WaitingForDatabase",
    // Only relevant to the state that waits for it; elsewhere ignored on purpose.
    "database.available": {},
    "breakers.rang": {},
    "breakers.stop": ".Stopped"
  },
  initial: "WaitingForDatabase",
  states: {
    WaitingForDatabase: {
      description:
        "The database is unavailable: nothing is decided or sent either, and counts wait in memory.",
      tags: ["degraded", "resting"],
      entry: "forget",
      on: { "database.available": "Looking", "database.unavailable": {} }
    },
    Looking: {
      description:
        "Stores what was counted, reads all windows, opens what failed and half opens what has cooled down.",
      tags: "ready",
      entry: assign({ again: false }),
      on: { "breakers.rang": { actions: "noteAgain" } },
      invoke: {
        src: "look",
        input: {},
        onDone: [
          {
            guard: "mustLookAgain",
            target: "Gathering",
            actions: assign(({ context, event }) => looked(context, event.output))
          },
          { target: "Watching", actions: assign(({ context, event }) => looked(context, event.output)) }
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
      description:
        "The view of all breakers is at most one interval old; decisions read the rows themselves.",
      tags: "ready",
      on: { "breakers.rang": "Gathering" },
      after: { lookEvery: "Looking" }
    },
    Gathering: {
      description:
        "A call failed or a breaker was changed; failures that follow immediately share the next look.",
      tags: "ready",
      after: { pause: "Looking" }
    },
    BackingOff: {
      description: "The rows could not be read although the database is reported available.",
      tags: ["degraded", "backingOff"],
      after: { retry: "Looking" }
    },
    Stopped: { description: "No more looks; open breakers stay open.", tags: "stopped", type: "final" }
  }
})
