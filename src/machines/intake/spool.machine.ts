/**
 * Spool machine: takes posts into files while the database cannot, and brings them into the database when it can.
 *
 * Whether a post goes to the files is decided at the intake, per post and without waiting for this machine; here is what keeps
 * the files usable and empties them. Taking and emptying do not exclude each other: posts are taken while others are drained.
 *
 * Promises: what is spooled is drained whenever the database is there, at every start as well, whatever keeps the spool from
 * taking more; a disk that refuses is tried again until it takes something; a drain that moved nothing is not tried again at
 * once, so that two states cannot chase each other while nothing else of the process runs.
 * Never: ends because of a disk or a database.
 * States: Opening -> Idle <-> Spooling, both -> Draining -> Idle; BackingOff -> Draining; Full and Failed -> as they were;
 * all of them -> Closing -> Stopped.
 */
import { assign, setup } from "xstate"
import type { SpoolFaultKind } from "../../domain/intake/spool.ts"
import { slot, streamSlot } from "../slot.ts"

export interface SpoolInput {
  readonly openDeadlineMs: number
  readonly retryMs: number
  readonly proveEveryMs: number
  readonly closeDeadlineMs: number
}
export interface SpoolContext extends SpoolInput {
  readonly isDatabaseThere: boolean
  /** It holds posts. */
  readonly isHolding: boolean
  readonly fault: SpoolFaultKind | null
  readonly lastError: string | null
}
export type SpoolEvent =
  | { readonly type: "database.available" }
  | { readonly type: "database.unavailable" }
  | {
      readonly type: "spool.changed"
      readonly isHolding: boolean
      readonly fault: SpoolFaultKind | null
      readonly error: string | null
    }
  | { readonly type: "spool.stop" }

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export const spoolMachine = setup({
  types: {
    context: {} as SpoolContext,
    events: {} as SpoolEvent,
    input: {} as SpoolInput,
    tags: {} as "starting" | "ready" | "degraded" | "backingOff" | "draining" | "resting" | "stopped"
  },
  actors: {
    watchDatabase: streamSlot<Record<string, never>>(),
    /** Writes what the intake appends, and reports changes of the spool. */
    write: streamSlot<Record<string, never>>(),
    open: slot<Record<string, never>, void>(),
    /** The posts that it moved. */
    drain: slot<Record<string, never>, number>(),
    /** Proves by a write whether the disk takes something. */
    prove: streamSlot<{ readonly everyMs: number }>(),
    flush: slot<Record<string, never>, void>()
  },
  guards: {
    canDrain: ({ context }) => context.isDatabaseThere && context.isHolding,
    isFull: ({ context }) => context.fault === "full",
    isFailed: ({ context }) => context.fault === "failed",
    isDatabaseThere: ({ context }) => context.isDatabaseThere,
    hasMovedNothing: ({ context, event }) => context.isHolding && "output" in event && event.output === 0
  },
  actions: {
    noteDatabase: assign({ isDatabaseThere: ({ event }) => event.type === "database.available" }),
    noteChange: assign(({ context, event }) =>
      event.type === "spool.changed"
        ? { isHolding: event.isHolding, fault: event.fault, lastError: event.error }
        : { lastError: context.lastError }
    ),
    noteError: assign({ lastError: ({ event }) => ("error" in event ? textOf(event.error) : null) })
  },
  delays: {
    openDeadline: ({ context }) => context.openDeadlineMs,
    retry: ({ context }) => context.retryMs,
    closeDeadline: ({ context }) => context.closeDeadlineMs
  }
}).createMachine({
  id: "spool",
  context: ({ input }) => ({
    ...input,
    isDatabaseThere: false,
    isHolding: false,
    fault: null,
    lastError: null
  }),
  invoke: [
    { src: "watchDatabase", input: {} },
    { src: "write", input: {} }
  ],
  on: { "spool.stop": { target: ".Closing" } },
  initial: "Opening",
  states: {
    Opening: {
      description:
        "Waits for the lock on DATA_DIR, then reads what a life before this one has left in the spool.",
      tags: "starting",
      invoke: {
        src: "open",
        input: {},
        onDone: "Choosing",
        onError: { target: "Failed", actions: ["noteError", assign({ fault: "failed" })] }
      },
      on: {
        "database.available": { actions: "noteDatabase" },
        "database.unavailable": { actions: "noteDatabase" },
        "spool.changed": { actions: "noteChange" }
      },
      after: {
        openDeadline: {
          target: "Failed",
          actions: assign({ fault: "failed", lastError: "the spool could not be read in time" })
        }
      }
    },
    Choosing: {
      description: "Draining comes first, then repairing, then waiting.",
      always: [
        { guard: "canDrain", target: "Draining" },
        { guard: "isFull", target: "Full" },
        { guard: "isFailed", target: "Failed" },
        { guard: "isDatabaseThere", target: "Idle" },
        { target: "Spooling" }
      ]
    },
    Idle: {
      description: "The database takes posts itself; the spool is empty and ready.",
      tags: ["ready", "resting"],
      on: {
        "database.available": {},
        "database.unavailable": { target: "Choosing", actions: "noteDatabase" },
        "spool.changed": { target: "Choosing", actions: "noteChange" }
      }
    },
    Spooling: {
      description:
        "The database is away: posts are written to files and answered 202, as long as the disk is proven.",
      tags: ["ready", "resting"],
      invoke: { src: "prove", input: ({ context }) => ({ everyMs: context.proveEveryMs }) },
      on: {
        "database.available": { target: "Choosing", actions: "noteDatabase" },
        "database.unavailable": {},
        "spool.changed": { target: "Choosing", actions: "noteChange" }
      }
    },
    Draining: {
      description:
        "Stores the spooled posts in their order. New posts line up behind them, until the last batch is on its way.",
      tags: ["ready", "resting"],
      invoke: {
        src: "drain",
        input: {},
        onDone: [
          {
            guard: "hasMovedNothing",
            target: "BackingOff",
            actions: assign({ lastError: "it holds posts, and none could be taken out of it" })
          },
          { target: "Choosing", actions: assign({ lastError: null }) }
        ],
        onError: { target: "BackingOff", actions: "noteError" }
      },
      on: {
        "database.available": {},
        "database.unavailable": { target: "Choosing", actions: "noteDatabase" },
        "spool.changed": { actions: "noteChange" }
      }
    },
    BackingOff: {
      description: "Draining failed, or moved nothing, although the database is there; it is tried again.",
      tags: ["backingOff", "degraded"],
      on: {
        "database.available": { actions: "noteDatabase" },
        "database.unavailable": { target: "Choosing", actions: "noteDatabase" },
        "spool.changed": {
          actions: assign({ isHolding: ({ event }) => event.isHolding, fault: ({ event }) => event.fault })
        }
      },
      after: { retry: "Choosing" }
    },
    Full: {
      description:
        "It holds as much as it may, or the disk is full: what the database does not take is answered 503.",
      tags: ["degraded", "resting"],
      invoke: { src: "prove", input: ({ context }) => ({ everyMs: context.retryMs }) },
      on: {
        "database.available": { target: "Choosing", actions: "noteDatabase" },
        "database.unavailable": { actions: "noteDatabase" },
        "spool.changed": { target: "Choosing", actions: "noteChange" }
      }
    },
    Failed: {
      description:
        "The spool cannot be read or written: what the database does not take is answered 503. The disk is tried again.",
      tags: ["degraded", "resting"],
      invoke: { src: "prove", input: ({ context }) => ({ everyMs: context.retryMs }) },
      on: {
        "database.available": { target: "Choosing", actions: "noteDatabase" },
        "database.unavailable": { actions: "noteDatabase" },
        "spool.changed": { target: "Choosing", actions: "noteChange" }
      }
    },
    Closing: {
      description: "The process stops: posts that wait for their write get it.",
      tags: "draining",
      invoke: { src: "flush", input: {}, onDone: "Stopped", onError: "Stopped" },
      on: { "database.available": {}, "database.unavailable": {}, "spool.changed": {}, "spool.stop": {} },
      after: { closeDeadline: "Stopped" }
    },
    Stopped: { description: "Nothing is spooled any more.", tags: "stopped", type: "final" }
  }
})
