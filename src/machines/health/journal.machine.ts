/**
 * Journal machine: brings the entries of the journal into the database, in batches.
 *
 * Recording never waits for this component. While it is away, entries stay in memory as far as there is room, and what makes
 * room is counted.
 *
 * It takes no event for a batch that was stored: such an event would be a transition, which is an entry, which is a batch.
 *
 * Promises: what was recorded is stored while the database is there, and at a stop within its deadline.
 * Never: decides what is recorded (layers/platform/journal.port.ts).
 * States: WaitingForDatabase <-> Storing -> BackingOff -> Storing; all of them -> Flushing -> Stopped.
 */
import { assign, setup } from "xstate"
import { slot, streamSlot } from "../slot.ts"

export interface JournalInput {
  readonly retryMs: number
  readonly flushDeadlineMs: number
}
export interface JournalContext extends JournalInput {
  readonly lastError: string | null
}
export type JournalEvent =
  | { readonly type: "database.available" }
  | { readonly type: "database.unavailable" }
  | { readonly type: "batch.failed"; readonly error: string }
  | { readonly type: "journal.stop" }

export const journalMachine = setup({
  types: {
    context: {} as JournalContext,
    events: {} as JournalEvent,
    input: {} as JournalInput,
    tags: {} as "ready" | "degraded" | "backingOff" | "draining" | "resting" | "stopped"
  },
  actors: {
    watchDatabase: streamSlot<Record<string, never>>(),
    storeEntries: streamSlot<Record<string, never>>(),
    flush: slot<Record<string, never>, void>()
  },
  delays: {
    retry: ({ context }) => context.retryMs,
    flushDeadline: ({ context }) => context.flushDeadlineMs
  }
}).createMachine({
  id: "journal",
  context: ({ input }) => ({ ...input, lastError: null }),
  invoke: { src: "watchDatabase", input: {} },
  on: {
    "database.unavailable": { target: ".WaitingForDatabase" },
    // News only to the state that waits for it; elsewhere ignored on purpose.
    "database.available": {},
    "batch.failed": {},
    "journal.stop": { target: ".Flushing" }
  },
  initial: "WaitingForDatabase",
  states: {
    WaitingForDatabase: {
      description: "The database is away: entries wait in memory, as far as there is room.",
      tags: ["degraded", "resting"],
      on: {
        "database.available": "Storing",
        "database.unavailable": {},
        "journal.stop": "Stopped"
      }
    },
    Storing: {
      description: "Stores what was recorded, twice a second, in statements of a few hundred entries.",
      tags: ["ready", "resting"],
      invoke: { src: "storeEntries", input: {} },
      on: {
        "batch.failed": {
          target: "BackingOff",
          actions: assign({ lastError: ({ event }) => event.error })
        }
      }
    },
    BackingOff: {
      description: "A batch could not be stored although the database is available; it is tried again.",
      tags: "backingOff",
      after: { retry: { target: "Storing", actions: assign({ lastError: null }) } }
    },
    Flushing: {
      description: "The process stops: what waits is stored, as far as the time allows.",
      tags: "draining",
      invoke: { src: "flush", input: {}, onDone: "Stopped", onError: "Stopped" },
      on: { "database.unavailable": "Stopped", "journal.stop": {} },
      after: { flushDeadline: "Stopped" }
    },
    Stopped: { description: "Nothing is stored any more.", tags: "stopped", type: "final" }
  }
})
