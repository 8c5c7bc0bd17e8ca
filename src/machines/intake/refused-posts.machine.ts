/**
 * Refused posts machine: brings refused posts into the database, in batches.
 *
 * Refusing a post never waits for this component; its sender waits a moment for the row and is answered either way. So
 * while it is away, nothing is missing but the rows of what does not fit into the room it is given.
 *
 * Promises: what waits is stored while the database is there, and at a stop within its deadline.
 * Never: decides what is kept (layers/intake/kept-posts.port.ts).
 * States: WaitingForDatabase <-> Storing -> BackingOff -> Storing; all of them -> Flushing -> Stopped.
 */
import { assign, setup } from "xstate"
import { slot, streamSlot } from "../slot.ts"

export interface RefusedPostsInput {
  readonly retryMs: number
  readonly flushDeadlineMs: number
}
export interface RefusedPostsContext extends RefusedPostsInput {
  readonly lastError: string | null
}
export type RefusedPostsEvent =
  | { readonly type: "database.available" }
  | { readonly type: "database.unavailable" }
  | { readonly type: "batch.stored" }
  | { readonly type: "batch.failed"; readonly error: string }
  | { readonly type: "refused_posts.stop" }

export const refusedPostsMachine = setup({
  types: {
    context: {} as RefusedPostsContext,
    events: {} as RefusedPostsEvent,
    input: {} as RefusedPostsInput,
    tags: {} as "ready" | "degraded" | "backingOff" | "draining" | "resting" | "stopped"
  },
  actors: {
    watchDatabase: streamSlot<Record<string, never>>(),
    storePosts: streamSlot<Record<string, never>>(),
    flush: slot<Record<string, never>, void>()
  },
  delays: {
    retry: ({ context }) => context.retryMs,
    flushDeadline: ({ context }) => context.flushDeadlineMs
  }
}).createMachine({
  id: "refused-posts",
  context: ({ input }) => ({ ...input, lastError: null }),
  invoke: { src: "watchDatabase", input: {} },
  on: {
    "database.unavailable": { target: ".WaitingForDatabase" },
    // News only to the state that waits for it; elsewhere ignored on purpose.
    "database.available": {},
    "batch.stored": {},
    "batch.failed": {},
    "refused_posts.stop": { target: ".Flushing" }
  },
  initial: "WaitingForDatabase",
  states: {
    WaitingForDatabase: {
      description: "The database is away: refused posts wait in memory, as far as there is room.",
      tags: ["degraded", "resting"],
      on: {
        "database.available": "Storing",
        "database.unavailable": {},
        "refused_posts.stop": "Stopped"
      }
    },
    Storing: {
      description: "Stores refused posts as they come, those that came together in one statement.",
      tags: ["ready", "resting"],
      invoke: { src: "storePosts", input: {} },
      on: {
        "batch.stored": { actions: assign({ lastError: null }) },
        "batch.failed": {
          target: "BackingOff",
          actions: assign({ lastError: ({ event }) => event.error })
        }
      }
    },
    BackingOff: {
      description: "A batch could not be stored although the database is available; it is tried again.",
      tags: "backingOff",
      after: { retry: "Storing" }
    },
    Flushing: {
      description: "The process stops: what waits is stored, as far as the time allows.",
      tags: "draining",
      invoke: { src: "flush", input: {}, onDone: "Stopped", onError: "Stopped" },
      on: { "database.unavailable": "Stopped", "refused_posts.stop": {} },
      after: { flushDeadline: "Stopped" }
    },
    Stopped: { description: "Nothing is stored any more.", tags: "stopped", type: "final" }
  }
})
