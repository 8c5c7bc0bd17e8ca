/**
 * Canary machine: sends a signal of its own through the whole path, again and again (T9).
 *
 * Health that is green while trading is dead was the failure of the systems this one replaces. No component can say of itself
 * that signals come through; only a signal can.
 *
 * Promises: one canary at a time; the next one follows a period after the one before, whatever became of it; none is sent while
 * trading is not ACTIVE, because it would be held, nor while the database is away, because it would be refused.
 * Never: decides which stage is late (domain/health/canary.ts and the actor do).
 * States: WaitingForDatabase -> Starting -> Flying -> Resting | Missing -> Flying; Flying -> Halted -> Flying;
 * Flying -> BackingOff -> Flying.
 */
import { assign, setup } from "xstate"
import { slot, streamSlot } from "../slot.ts"

export interface CanaryInput {
  /** The first one waits until the components it needs have started. */
  readonly firstMs: number
  readonly everyMs: number
  /** Above the time a canary is given, which its effect knows. */
  readonly flightMsMax: number
  readonly retryMs: number
}

export type CanaryOutcome =
  | { readonly _tag: "Came"; readonly latencyMs: number }
  | { readonly _tag: "Late" | "Failed"; readonly stage: string; readonly reason: string | null }
  /** Trading is not ACTIVE or a flag switches the canary off: nothing was sent, or what was sent is held. */
  | { readonly _tag: "Halted" }

export interface CanaryContext extends CanaryInput {
  readonly came: number
  readonly missing: number
  /** The stage that the last one has not reached; null when it came. */
  readonly stage: string | null
  readonly latencyMs: number | null
  readonly lastError: string | null
}

export type CanaryEvent =
  | { readonly type: "database.available" }
  | { readonly type: "database.unavailable" }
  | { readonly type: "trading.active" }

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export const canaryMachine = setup({
  types: {
    context: {} as CanaryContext,
    events: {} as CanaryEvent,
    input: {} as CanaryInput,
    tags: {} as "starting" | "ready" | "degraded" | "backingOff" | "resting"
  },
  actors: {
    watchDatabase: streamSlot<Record<string, never>>(),
    watchTrading: streamSlot<Record<string, never>>(),
    fly: slot<Record<string, never>, CanaryOutcome>()
  },
  actions: {
    // For health: implemented by the actor.
    noteAway: () => undefined
  },
  delays: {
    first: ({ context }) => context.firstMs,
    pause: ({ context }) => context.everyMs,
    flightDeadline: ({ context }) => context.flightMsMax,
    retry: ({ context }) => context.retryMs
  }
}).createMachine({
  id: "canary",
  context: ({ input }) => ({
    ...input,
    came: 0,
    missing: 0,
    stage: null,
    latencyMs: null,
    lastError: null
  }),
  invoke: { src: "watchDatabase", input: {} },
  on: {
    "database.unavailable": { target: ".WaitingForDatabase" },
    // News only to the state that waits for it; elsewhere ignored on purpose.
    "database.available": {},
    "trading.active": {}
  },
  initial: "WaitingForDatabase",
  states: {
    WaitingForDatabase: {
      description: "The database is away: a canary would be refused like every post, and is not sent.",
      tags: ["degraded", "resting"],
      entry: "noteAway",
      on: { "database.available": "Starting", "database.unavailable": {} }
    },
    Starting: {
      description: "The components that a signal needs have just started, or just got their database back.",
      tags: "ready",
      after: { first: "Flying" }
    },
    Flying: {
      description: "A canary is on its way, or trading is found restricted and none is sent.",
      tags: "ready",
      invoke: {
        src: "fly",
        input: {},
        onDone: [
          {
            guard: ({ event }) => event.output._tag === "Halted",
            target: "Halted",
            actions: assign({ stage: null, lastError: null })
          },
          {
            guard: ({ event }) => event.output._tag === "Came",
            target: "Resting",
            actions: assign(({ context, event }) => ({
              came: context.came + 1,
              stage: null,
              latencyMs: event.output._tag === "Came" ? event.output.latencyMs : null,
              lastError: null
            }))
          },
          {
            target: "Missing",
            actions: assign(({ context, event }) => ({
              missing: context.missing + 1,
              stage: "stage" in event.output ? event.output.stage : null,
              lastError: "reason" in event.output ? event.output.reason : null
            }))
          }
        ],
        onError: { target: "BackingOff", actions: assign({ lastError: ({ event }) => textOf(event.error) }) }
      },
      after: {
        flightDeadline: {
          target: "BackingOff",
          actions: assign({ lastError: "a canary could not be followed in time" })
        }
      }
    },
    Resting: {
      description: "The last canary came through; the next one follows after the period.",
      tags: "ready",
      after: { pause: "Flying" }
    },
    Missing: {
      description:
        "The last canary did not come through: its stage is named in health, and an alert lasts until one comes.",
      tags: "ready",
      after: { pause: "Flying" }
    },
    Halted: {
      description:
        "Trading is not ACTIVE or a flag switches the canary off, so none is sent and none is missing; the next one follows when that is over.",
      tags: ["ready", "resting"],
      invoke: { src: "watchTrading", input: {} },
      on: { "trading.active": "Flying" }
    },
    BackingOff: {
      description: "The rows of a canary could not be read although the database is available.",
      tags: "backingOff",
      after: { retry: "Flying" }
    }
  }
})
