/**
 * Exits machine: watches open positions against the market and decides when to look for exits.
 *
 * It depends on nothing that decides to open positions: signals, feeds and the pipeline may be dead and a stop still
 * works (B7). Ticks are judged in memory against the positions of the last look; only when one is due is the
 * database queried, and its answer decides, under the identity of the exit.
 *
 * Promises: a look after every fill, every tick that reaches an exit price, and at the latest after `pollMs`, or
 * `pollIdleMs` while no look is pending; what cannot be protected is reported after every look.
 * Never: sends an order or decides a quantity; the account's executor does both.
 * States: WaitingForDatabase -> Looking -> Watching -> Looking; Looking -> BackingOff -> Looking; Stopped.
 */
import { assign, setup } from "xstate"
import { slot, streamSlot } from "../slot.ts"

export interface ExitsInput {
  readonly pollMs: number
  /** The same while nothing that was found can become due by itself. */
  readonly pollIdleMs: number
  readonly readMsMax: number
  readonly retryMs: number
}

/** What one look found. */
export interface LookOutcome {
  /** Shares that are watched. */
  readonly positions: number
  readonly exits: number
  readonly unprotected: number
  /** Open shares whose strategy has no stop: allowed, and shown. */
  readonly unstopped: number
  /** Something may become due without a bell: a watched share, a partly filled entry. */
  readonly pending: boolean
}

export interface ExitsContext extends ExitsInput {
  readonly positions: number
  /** Exits intended since the start. */
  readonly exits: number
  readonly unprotected: number
  readonly unstopped: number
  readonly pending: boolean
  /** Something happened during a look: look again at once. */
  readonly again: boolean
  readonly lastError: string | null
}

export type ExitsEvent =
  | { readonly type: "database.available" }
  | { readonly type: "database.unavailable" }
  | { readonly type: "positions.changed" }
  | { readonly type: "exit.due" }
  | { readonly type: "exits.stop" }

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export const exitsMachine = setup({
  types: {
    context: {} as ExitsContext,
    events: {} as ExitsEvent,
    input: {} as ExitsInput,
    tags: {} as "ready" | "degraded" | "backingOff" | "resting" | "stopped"
  },
  actors: {
    watchDatabase: streamSlot<Record<string, never>>(),
    watchPositions: streamSlot<Record<string, never>>(),
    watchTicks: streamSlot<Record<string, never>>(),
    look: slot<Record<string, never>, LookOutcome>()
  },
  delays: {
    poll: ({ context }) => (context.pending ? context.pollMs : context.pollIdleMs),
    retry: ({ context }) => context.retryMs,
    lookDeadline: ({ context }) => context.readMsMax
  },
  guards: { mustLookAgain: ({ context }) => context.again },
  actions: { noteAgain: assign({ again: true }) }
}).createMachine({
  id: "exits",
  context: ({ input }) => ({
    ...input,
    positions: 0,
    exits: 0,
    unprotected: 0,
    unstopped: 0,
    pending: true,
    again: false,
    lastError: null
  }),
  invoke: [
    { src: "watchDatabase", input: {} },
    { src: "watchPositions", input: {} },
    { src: "watchTicks", input: {} }
  ],
  on: {
    "database.unavailable": ".WaitingForDatabase",
    // News only to the state that waits for it; elsewhere ignored on purpose.
    "database.available": {},
    "positions.changed": {},
    "exit.due": {},
    "exits.stop": ".Stopped"
  },
  initial: "WaitingForDatabase",
  states: {
    WaitingForDatabase: {
      description: "The database is away: an exit could not be stored, so none can be sent.",
      tags: ["degraded", "resting"],
      on: { "database.available": "Looking", "database.unavailable": {} }
    },
    Looking: {
      description:
        "Reads the open positions, stores the exits that are due and reports what cannot be protected.",
      tags: "ready",
      entry: assign({ again: false }),
      on: { "positions.changed": { actions: "noteAgain" }, "exit.due": { actions: "noteAgain" } },
      invoke: {
        src: "look",
        input: {},
        onDone: [
          {
            guard: "mustLookAgain",
            target: "Looking",
            reenter: true,
            actions: assign(({ context, event }) => ({
              ...event.output,
              exits: context.exits + event.output.exits,
              lastError: null
            }))
          },
          {
            target: "Watching",
            actions: assign(({ context, event }) => ({
              ...event.output,
              exits: context.exits + event.output.exits,
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
      description: "Every tick is judged against the positions of the last look.",
      tags: "ready",
      on: { "positions.changed": "Looking", "exit.due": "Looking" },
      after: { poll: "Looking" }
    },
    BackingOff: {
      description: "The positions could not be read although the database is reported available.",
      tags: ["degraded", "backingOff"],
      after: { retry: "Looking" }
    },
    Stopped: { description: "No more exits are stored.", tags: "stopped", type: "final" }
  }
})
