/**
 * Alerts machine: stores raised alerts in the database whenever it is available.
 *
 * Raising an alert never waits (see layers/alerts/alerts.port.ts); this component is the slow half, so that a lost
 * database delays the row and never the log line.
 *
 * Promises: an alert that was raised is stored once the database is back, or counted as dropped.
 * Never: raises alerts itself, which could feed on its own failures.
 * States: WaitingForDatabase <-> Idle -> Storing -> Idle | BackingOff -> Idle.
 */
import { assign, setup } from "xstate"
import { slot, streamSlot } from "../slot.ts"

export interface AlertsInput {
  readonly pollMs: number
  readonly retryMs: number
  readonly storeDeadlineMs: number
}
export interface AlertsContext extends AlertsInput {
  readonly stored: number
  readonly lastError: string | null
}
export type AlertsEvent =
  | { readonly type: "database.available" }
  | { readonly type: "database.unavailable" }
  | { readonly type: "alerts.raised" }

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export const alertsMachine = setup({
  types: {
    context: {} as AlertsContext,
    events: {} as AlertsEvent,
    input: {} as AlertsInput,
    tags: {} as "ready" | "degraded" | "backingOff" | "resting"
  },
  actors: {
    watchDatabase: streamSlot<Record<string, never>>(),
    watchQueue: streamSlot<Record<string, never>>(),
    storePending: slot<Record<string, never>, number>()
  },
  delays: {
    poll: ({ context }) => context.pollMs,
    retry: ({ context }) => context.retryMs,
    storeDeadline: ({ context }) => context.storeDeadlineMs
  }
}).createMachine({
  id: "alerts",
  context: ({ input }) => ({ ...input, stored: 0, lastError: null }),
  invoke: [
    { src: "watchDatabase", input: {} },
    { src: "watchQueue", input: {} }
  ],
  on: {
    "database.unavailable": { target: ".WaitingForDatabase" },
    // Both are news only to the state that waits for them; elsewhere they are ignored on purpose.
    "database.available": {},
    "alerts.raised": {}
  },
  initial: "WaitingForDatabase",
  states: {
    WaitingForDatabase: {
      description: "The database is away: raised alerts wait in memory, already logged.",
      tags: ["degraded", "resting"],
      on: { "database.available": "Storing" }
    },
    Idle: {
      description: "No alert waits to be stored.",
      tags: "ready",
      on: { "alerts.raised": "Storing" },
      after: { poll: "Storing" }
    },
    Storing: {
      description: "Writes what was raised; the same dedup key increments the count of its open row.",
      tags: "ready",
      invoke: {
        src: "storePending",
        input: {},
        onDone: {
          target: "Idle",
          actions: assign(({ context, event }) => ({
            stored: context.stored + event.output,
            lastError: null
          }))
        },
        onError: { target: "BackingOff", actions: assign({ lastError: ({ event }) => textOf(event.error) }) }
      },
      after: {
        storeDeadline: {
          target: "BackingOff",
          actions: assign({ lastError: "storing did not finish in time" })
        }
      }
    },
    BackingOff: {
      description: "Storing failed although the database is reported available; retried after a pause.",
      tags: "backingOff",
      after: { retry: "Storing" }
    }
  }
})
