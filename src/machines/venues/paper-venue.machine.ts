/**
 * Paper venue machine: the embedded venue of practice mode, from the database's arrival to a venue that takes orders.
 *
 * The venue keeps its book in PostgreSQL, so it can serve only once the database is there; it survives an outage by
 * itself, and keeps its port through it, so losing the database is a state here and not a restart.
 *
 * Promises: `ready` only while the venue serves and the database is there; a venue that fails is started again after
 * the backoff, at a new address.
 * Never: opens a socket; the actor fills the slots.
 * States: WaitingForDatabase -> Running {Starting -> Serving <-> DatabaseAway} <-> BackingOff.
 */
import { assign, setup } from "xstate"
import { streamSlot } from "../slot.ts"

export interface PaperVenueInput {
  readonly startMsMax: number
  readonly retryMsFirst: number
  readonly retryMsMax: number
}

export interface PaperVenueContext extends PaperVenueInput {
  readonly attempt: number
  readonly url: string | null
  readonly lastError: string | null
}

export type PaperVenueEvent =
  | { readonly type: "database.available" }
  | { readonly type: "database.unavailable" }
  | { readonly type: "venue.listening"; readonly url: string }
  | { readonly type: "venue.serving" }

const textOf = (error: unknown): string => {
  if (typeof error === "object" && error !== null && "reason" in error) return String(error.reason)
  return error instanceof Error ? error.message : String(error)
}

export const paperVenueMachine = setup({
  types: {
    context: {} as PaperVenueContext,
    events: {} as PaperVenueEvent,
    input: {} as PaperVenueInput,
    tags: {} as "starting" | "ready" | "degraded" | "backingOff" | "resting"
  },
  actors: {
    watchDatabase: streamSlot<Record<string, never>>(),
    runVenue: streamSlot<Record<string, never>>()
  },
  delays: {
    startDeadline: ({ context }) => context.startMsMax,
    retry: ({ context }) =>
      Math.min(context.retryMsMax, context.retryMsFirst * 2 ** Math.min(Math.max(context.attempt - 1, 0), 10))
  }
}).createMachine({
  id: "paperVenue",
  context: ({ input }) => ({ ...input, attempt: 0, url: null, lastError: null }),
  invoke: { src: "watchDatabase", input: {} },
  initial: "WaitingForDatabase",
  states: {
    WaitingForDatabase: {
      description:
        "The book of the venue is in the database, which is not there yet. Its arrival is an event.",
      tags: ["starting", "resting"],
      on: { "database.available": "Running", "database.unavailable": {} }
    },
    Running: {
      description: "The venue runs in this process and owns a port.",
      initial: "Starting",
      invoke: {
        src: "runVenue",
        input: {},
        onDone: { target: "BackingOff", actions: assign({ lastError: "the venue ended" }) },
        onError: { target: "BackingOff", actions: assign({ lastError: ({ event }) => textOf(event.error) }) }
      },
      exit: assign({ url: null }),
      states: {
        Starting: {
          description: "The venue opens its port and brings its schema up to date.",
          tags: "starting",
          on: {
            "venue.listening": { actions: assign({ url: ({ event }) => event.url }) },
            "venue.serving": "Serving",
            "database.available": {},
            "database.unavailable": {
              target: "#paperVenue.WaitingForDatabase",
              actions: assign({ lastError: "the database went away while the venue started" })
            }
          },
          after: {
            startDeadline: {
              target: "#paperVenue.BackingOff",
              actions: assign({ lastError: "the venue did not serve within its start deadline" })
            }
          }
        },
        Serving: {
          description: "The venue takes orders and reports fills.",
          tags: ["ready", "resting"],
          entry: assign({ attempt: 0, lastError: null }),
          on: { "database.available": {}, "database.unavailable": "DatabaseAway" }
        },
        DatabaseAway: {
          description: "The venue listens and answers 503 until its database is back; it resumes by itself.",
          tags: ["degraded", "resting"],
          entry: assign({ lastError: "the database is away" }),
          on: { "database.available": "Serving", "database.unavailable": {} }
        }
      }
    },
    BackingOff: {
      description: "The venue failed; it is started again, at a new address, after the backoff.",
      tags: "backingOff",
      entry: assign({ attempt: ({ context }) => context.attempt + 1 }),
      on: { "database.available": {}, "database.unavailable": "WaitingForDatabase" },
      after: { retry: "Running" }
    }
  }
})
