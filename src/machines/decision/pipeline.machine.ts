/**
 * Pipeline machine: from stored signals to stored decisions, batch by batch.
 *
 * It exists so that "nothing is being decided" always has a name: the database is away, there is nothing to decide,
 * a claim failed, or we are stopping. One batch is in progress at a time; the rows themselves are the queue, so nothing
 * is kept here that a restart would lose.
 *
 * Promises: no claim without a database; what former lives had claimed is released before the first claim and after
 * every outage; a batch that was claimed is decided before a stop, as long as the database is there; losing the
 * database is a state and never an end.
 * Never: decides anything itself, or touches a clock, a table or a quote.
 * States: WaitingForDatabase -> Recovering -> Claiming -> Deciding -> Idle -> Claiming; a failed call: BackingOff ->
 * Recovering; a stop: Stopped, from Claiming and Deciding through their Finishing.
 */
import { assign, setup } from "xstate"
import { slot, streamSlot } from "../slot.ts"

export interface PipelineInput {
  /** The net under the bell, milliseconds. */
  readonly pollMs: number
  /** How soon to look again when decisions were deferred, milliseconds. */
  readonly deferMs: number
  readonly retryMs: number
  readonly claimDeadlineMs: number
  readonly decideDeadlineMs: number
}

/** The result of a batch. `more`: others may be waiting, claim again at once. */
export interface BatchReport {
  readonly more: boolean
  readonly decided: number
  readonly deferred: number
  readonly failed: number
  readonly buried: number
  readonly metadata: number
}

export interface PipelineCounters {
  readonly batches: number
  readonly decided: number
  readonly failed: number
  readonly buried: number
  readonly metadata: number
}

/** A claimed batch as the machine knows it: how many, and the token of the claim. The rows stay with the actor. */
export interface ClaimedBatch {
  readonly size: number
  readonly token: string
  /** There is more to do than this batch: claim again at once, even if it is empty. */
  readonly more: boolean
}

export interface PipelineContext extends PipelineInput {
  readonly stopping: boolean
  readonly batch: ClaimedBatch
  /** Signals deferred by the last batch. */
  readonly deferred: number
  readonly counters: PipelineCounters
  readonly lastError: string | null
}

export type PipelineEvent =
  | { readonly type: "database.available" }
  | { readonly type: "database.unavailable" }
  | { readonly type: "pipeline.stop" }

const nothing: ClaimedBatch = { size: 0, token: "", more: false }

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const counted = (counters: PipelineCounters, report: BatchReport): PipelineCounters => ({
  batches: counters.batches + 1,
  decided: counters.decided + report.decided,
  failed: counters.failed + report.failed,
  buried: counters.buried + report.buried,
  metadata: counters.metadata + report.metadata
})

export const pipelineMachine = setup({
  types: {
    context: {} as PipelineContext,
    events: {} as PipelineEvent,
    input: {} as PipelineInput,
    tags: {} as "starting" | "ready" | "degraded" | "backingOff" | "draining" | "stopped" | "resting"
  },
  actors: {
    watchDatabase: streamSlot<Record<string, never>>(),
    releaseOwn: slot<Record<string, never>, number>(),
    waitForSignals: slot<{ readonly maxWaitMs: number }, void>(),
    claim: slot<Record<string, never>, ClaimedBatch>(),
    decide: slot<{ readonly batch: ClaimedBatch }, BatchReport>()
  },
  guards: {
    stopping: ({ context }) => context.stopping
  },
  delays: {
    net: ({ context }) => 2 * context.pollMs,
    retry: ({ context }) => context.retryMs,
    claimDeadline: ({ context }) => context.claimDeadlineMs,
    decideDeadline: ({ context }) => context.decideDeadlineMs
  }
}).createMachine({
  id: "pipeline",
  context: ({ input }) => ({
    ...input,
    stopping: false,
    batch: nothing,
    deferred: 0,
    counters: { batches: 0, decided: 0, failed: 0, buried: 0, metadata: 0 },
    lastError: null
  }),
  invoke: { src: "watchDatabase", input: {} },
  initial: "WaitingForDatabase",
  on: {
    "database.unavailable": [{ guard: "stopping", target: ".Stopped" }, { target: ".WaitingForDatabase" }],
    "pipeline.stop": { target: ".Stopped" }
  },
  states: {
    WaitingForDatabase: {
      description:
        "The database is away: signals wait in their table, claims of this node are void until they are released.",
      tags: ["degraded", "resting"],
      on: { "database.available": "Recovering" }
    },
    Recovering: {
      description:
        "Releases what this node had claimed before: a former life's claims, or those from before the outage.",
      tags: "starting",
      invoke: {
        src: "releaseOwn",
        input: {},
        onDone: "Claiming",
        onError: { target: "BackingOff", actions: assign({ lastError: ({ event }) => textOf(event.error) }) }
      },
      after: {
        claimDeadline: {
          target: "BackingOff",
          actions: assign({ lastError: "releasing claims did not finish in time" })
        }
      }
    },
    Idle: {
      description: "Nothing to decide; waits for the bell, and polls as the net under a lost one.",
      tags: "ready",
      invoke: {
        src: "waitForSignals",
        // Deferred signals ring no bell when their account is ready.
        input: ({ context }) => ({ maxWaitMs: context.deferred > 0 ? context.deferMs : context.pollMs }),
        onDone: "Claiming"
      },
      after: { net: "Claiming" }
    },
    Claiming: {
      description:
        "Ends a bounded number of signals that are too old, then claims the oldest unclaimed others under a lease and a token.",
      initial: "Running",
      invoke: {
        src: "claim",
        input: {},
        onDone: [
          {
            guard: ({ event, context }) => event.output.size > 0 && context.stopping,
            target: "Deciding.Finishing",
            actions: assign({ batch: ({ event }) => event.output })
          },
          {
            guard: ({ event }) => event.output.size > 0,
            target: "Deciding",
            actions: assign({ batch: ({ event }) => event.output })
          },
          { guard: "stopping", target: "Stopped" },
          // Nothing fresh, and others are still to be ended.
          { guard: ({ event }) => event.output.more, target: "Claiming", reenter: true },
          { target: "Idle", actions: assign({ lastError: null, deferred: 0 }) }
        ],
        onError: { target: "BackingOff", actions: assign({ lastError: ({ event }) => textOf(event.error) }) }
      },
      after: {
        claimDeadline: {
          target: "BackingOff",
          actions: assign({ lastError: "claiming did not finish in time" })
        }
      },
      states: {
        Running: {
          description: "The claim is in progress.",
          tags: "ready",
          on: { "pipeline.stop": { target: "Finishing", actions: assign({ stopping: true }) } }
        },
        Finishing: {
          description: "Asked to stop during a claim: what it returns is decided, nothing more is claimed.",
          tags: "draining",
          on: { "pipeline.stop": {} }
        }
      }
    },
    Deciding: {
      description: "Decides the claimed batch; each decision is one guarded commit.",
      initial: "Running",
      invoke: {
        src: "decide",
        input: ({ context }) => ({ batch: context.batch }),
        onDone: [
          {
            guard: "stopping",
            target: "Stopped",
            actions: assign({ counters: ({ context, event }) => counted(context.counters, event.output) })
          },
          {
            // Deferred signals are no reason to claim again at once.
            guard: ({ event }) => event.output.more,
            target: "Claiming",
            actions: assign({
              counters: ({ context, event }) => counted(context.counters, event.output),
              lastError: null
            })
          },
          {
            target: "Idle",
            actions: assign({
              counters: ({ context, event }) => counted(context.counters, event.output),
              deferred: ({ event }) => event.output.deferred + event.output.failed,
              lastError: null
            })
          }
        ],
        onError: { target: "BackingOff", actions: assign({ lastError: ({ event }) => textOf(event.error) }) }
      },
      exit: assign({ batch: nothing }),
      after: {
        decideDeadline: {
          target: "BackingOff",
          actions: assign({ lastError: "deciding did not finish in time" })
        }
      },
      states: {
        Running: {
          description: "The batch is being decided.",
          tags: "ready",
          on: { "pipeline.stop": { target: "Finishing", actions: assign({ stopping: true }) } }
        },
        Finishing: {
          description: "Asked to stop during a batch: it is finished, and nothing more is claimed (T8).",
          tags: "draining",
          on: { "pipeline.stop": {} }
        }
      }
    },
    BackingOff: {
      description: "A call failed although the database is reported available; retried after a pause.",
      tags: "backingOff",
      always: { guard: "stopping", target: "Stopped" },
      after: { retry: "Recovering" }
    },
    Stopped: {
      description: "Stopped as requested; undecided signals wait in their table for the next life.",
      tags: "stopped",
      type: "final"
    }
  }
})
