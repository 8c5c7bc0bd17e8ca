/**
 * Reconciler machine: makes sure that every account of this process is reconciled, and stays so.
 *
 * The comparison itself belongs to the account's executor, because it needs the fence and must come before the next
 * order (see account-reconcile.ts). What the executor cannot see is that it does not happen: an executor that is parked,
 * a broker that never answers, an order that nobody settles. This machine checks the result from outside.
 *
 * Promises: an account that should be and is not reconciled for `unreconciledMsMax` is an alert; an order that waits
 * to be settled gets its account reconciled again.
 * Never: writes orders or stops anybody; the accounts it compares itself, through its actor, have nothing to do.
 * States: WaitingForDatabase -> Checking -> Watching -> Checking; Checking -> BackingOff -> Checking; Stopped.
 */
import { assign, setup } from "xstate"
import { slot, streamSlot } from "../slot.ts"

export interface ReconcilerInput {
  readonly checkEveryMs: number
  readonly checkMsMax: number
  readonly retryMs: number
}

export interface CheckOutcome {
  /** Accounts owned here whose comparison with the broker is not done. */
  readonly unreconciled: ReadonlyArray<string>
  /** Terminal orders whose fills, position and links are not known to agree. */
  readonly unsettled: number
  /** By account: orders that wait to be sent, and for how long the oldest of them has (milliseconds). */
  readonly backlog: Readonly<Record<string, { readonly waiting: number; readonly oldestMs: number }>>
}

export interface ReconcilerContext extends ReconcilerInput, CheckOutcome {
  readonly lastError: string | null
}

export type ReconcilerEvent =
  | { readonly type: "database.available" }
  | { readonly type: "database.unavailable" }
  | { readonly type: "reconciler.stop" }

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export const reconcilerMachine = setup({
  types: {
    context: {} as ReconcilerContext,
    events: {} as ReconcilerEvent,
    input: {} as ReconcilerInput,
    tags: {} as "ready" | "degraded" | "backingOff" | "resting" | "stopped"
  },
  actors: {
    watchDatabase: streamSlot<Record<string, never>>(),
    openResting: streamSlot<Record<string, never>>(),
    check: slot<Record<string, never>, CheckOutcome>()
  },
  delays: {
    checkEvery: ({ context }) => context.checkEveryMs,
    checkDeadline: ({ context }) => context.checkMsMax,
    retry: ({ context }) => context.retryMs
  }
}).createMachine({
  id: "reconciler",
  context: ({ input }) => ({ ...input, unreconciled: [], unsettled: 0, backlog: {}, lastError: null }),
  invoke: [
    { src: "watchDatabase", input: {} },
    { src: "openResting", input: {} }
  ],
  on: {
    "database.unavailable": ".WaitingForDatabase",
    // News only to the state that waits for it; elsewhere ignored on purpose.
    "database.available": {},
    "reconciler.stop": ".Stopped"
  },
  initial: "WaitingForDatabase",
  states: {
    WaitingForDatabase: {
      description: "The database is away; every account is compared again when it is back.",
      tags: ["degraded", "resting"],
      on: { "database.available": "Checking", "database.unavailable": {} }
    },
    Checking: {
      description: "Reads which accounts are reconciled and which orders wait to be settled.",
      tags: "ready",
      invoke: {
        src: "check",
        input: {},
        onDone: {
          target: "Watching",
          actions: assign(({ event }) => ({ ...event.output, lastError: null }))
        },
        onError: { target: "BackingOff", actions: assign({ lastError: ({ event }) => textOf(event.error) }) }
      },
      after: {
        checkDeadline: {
          target: "BackingOff",
          actions: assign({ lastError: "the check did not finish in time" })
        }
      }
    },
    Watching: {
      description: "All is known for now; the next check is scheduled.",
      tags: "ready",
      after: { checkEvery: "Checking" }
    },
    BackingOff: {
      description: "The rows could not be read although the database is reported available.",
      tags: "backingOff",
      after: { retry: "Checking" }
    },
    Stopped: { description: "No more checks run.", tags: "stopped", type: "final" }
  }
})
