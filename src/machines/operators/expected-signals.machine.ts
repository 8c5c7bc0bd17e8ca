/**
 * Expected-signals machine: looks whether every source has sent what it is expected to send (F4).
 *
 * A sender that went silent is nobody's crash, so nothing else would show it. A silent source degrades the status like a
 * feed that is away: signals that do not come are trades that are not made. It never makes the process unready, because posts
 * are taken all the same.
 *
 * Promises: one look at a time; while the database is away nothing is judged, and that time counts against nobody.
 * Never: decides what is missing (domain/signals/expected-schedule.ts and the look).
 * States: WaitingForDatabase -> Complete | Missing, each Looking <-> Resting; both -> BackingOff -> Complete | Missing.
 */
import { assign, setup } from "xstate"
import { slot, streamSlot } from "../slot.ts"

export interface ExpectedSignalsInput {
  readonly lookEveryMs: number
  readonly lookDeadlineMs: number
  readonly retryMs: number
}

export interface ExpectedLook {
  /** Sources of which something is expected. */
  readonly watched: number
  /** Those that are silent. */
  readonly missing: ReadonlyArray<string>
}

export interface ExpectedSignalsContext extends ExpectedSignalsInput, ExpectedLook {
  readonly lastError: string | null
}

export type ExpectedSignalsEvent =
  | { readonly type: "database.available" }
  | { readonly type: "database.unavailable" }

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export const expectedSignalsMachine = setup({
  types: {
    context: {} as ExpectedSignalsContext,
    events: {} as ExpectedSignalsEvent,
    input: {} as ExpectedSignalsInput,
    tags: {} as "ready" | "degraded" | "backingOff" | "resting"
  },
  actors: {
    watchDatabase: streamSlot<Record<string, never>>(),
    look: slot<Record<string, never>, ExpectedLook>()
  },
  guards: {
    wasMissing: ({ context }) => context.missing.length > 0
  },
  delays: {
    pause: ({ context }) => context.lookEveryMs,
    lookDeadline: ({ context }) => context.lookDeadlineMs,
    retry: ({ context }) => context.retryMs
  }
}).createMachine({
  id: "expected-signals",
  context: ({ input }) => ({ ...input, watched: 0, missing: [], lastError: null }),
  invoke: { src: "watchDatabase", input: {} },
  on: {
    "database.unavailable": { target: ".WaitingForDatabase" },
    // News only to the state that waits for it; elsewhere ignored on purpose.
    "database.available": {}
  },
  initial: "WaitingForDatabase",
  states: {
    WaitingForDatabase: {
      description: "The database is away: no post is taken, so no sender is silent.",
      tags: ["degraded", "resting"],
      on: {
        "database.available": [{ guard: "wasMissing", target: "Missing" }, { target: "Complete" }],
        "database.unavailable": {}
      }
    },
    Complete: {
      description: "Every expected signal has come, or none is expected.",
      tags: "ready",
      initial: "Looking",
      states: {
        Looking: {
          description: "Notes that posts are taken, and judges what was due since the last look.",
          invoke: {
            src: "look",
            input: {},
            onDone: [
              {
                guard: ({ event }) => event.output.missing.length > 0,
                target: "#expected-signals.Missing.Resting",
                actions: assign(({ event }) => ({ ...event.output, lastError: null }))
              },
              {
                target: "Resting",
                actions: assign(({ event }) => ({ ...event.output, lastError: null }))
              }
            ],
            onError: {
              target: "#expected-signals.BackingOff",
              actions: assign({ lastError: ({ event }) => textOf(event.error) })
            }
          },
          after: {
            lookDeadline: {
              target: "#expected-signals.BackingOff",
              actions: assign({ lastError: "a look did not finish in time" })
            }
          }
        },
        Resting: {
          description: "The next look follows soon.",
          after: { pause: "Looking" }
        }
      }
    },
    Missing: {
      description:
        "A source has not sent what it is expected to send: its sender, or the way from it, should be looked at.",
      tags: ["ready", "degraded"],
      initial: "Looking",
      states: {
        Looking: {
          description: "As before, and whether a signal has come that ends the silence.",
          invoke: {
            src: "look",
            input: {},
            onDone: [
              {
                guard: ({ event }) => event.output.missing.length > 0,
                target: "Resting",
                actions: assign(({ event }) => ({ ...event.output, lastError: null }))
              },
              {
                target: "#expected-signals.Complete.Resting",
                actions: assign(({ event }) => ({ ...event.output, lastError: null }))
              }
            ],
            onError: {
              target: "#expected-signals.BackingOff",
              actions: assign({ lastError: ({ event }) => textOf(event.error) })
            }
          },
          after: {
            lookDeadline: {
              target: "#expected-signals.BackingOff",
              actions: assign({ lastError: "a look did not finish in time" })
            }
          }
        },
        Resting: {
          description: "The next look follows soon.",
          after: { pause: "Looking" }
        }
      }
    },
    BackingOff: {
      description: "A look failed although the database is available; the next one follows after a pause.",
      tags: "backingOff",
      after: { retry: [{ guard: "wasMissing", target: "Missing" }, { target: "Complete" }] }
    }
  }
})
