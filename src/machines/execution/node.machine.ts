/**
 * Node machine: the right of this process to act for its node, as a lease that it renews.
 *
 * Everything a process holds (accounts, waves, claims) it holds as one life of its node, under one lease. A restart after
 * a kill takes the lease at once, because the host proves that the former life is dead. A copy of DATA_DIR on a living
 * process finds the lease renewed and stands by, however alike the two look.
 *
 * Promises: holds only under a lease that was granted; a lease that may have lapsed is reopened before anything is held
 * again; a copy is distinguished from a former life that cannot be proven dead by waiting out that life's lease.
 * Never: ends because the database is away; takes a lease from a living life.
 * States: WaitingForDatabase -> Opening -> Holding | Waiting -> Opening; Waiting -> Cloned {Resting <-> Asking} -> Holding;
 * Holding -> Opening; Opening, Cloned -> BackingOff -> Opening; Releasing -> Stopped.
 */
import { assign, setup } from "xstate"
import { slot, streamSlot } from "../slot.ts"

export interface NodeInput {
  readonly openMsMax: number
  readonly retryFirstMs: number
  readonly retryMsMax: number
  readonly clonedAskMs: number
  readonly releaseMsMax: number
}

export interface NodeContext extends NodeInput {
  readonly attempt: number
  /** The life that holds the node while we do not, null when there is none. */
  readonly by: string | null
  readonly forMs: number
  /** The life whose lease was waited out once: if it is still leased, it lives. */
  readonly waitedFor: string | null
  readonly lastError: string | null
}

export type OpenOutcome =
  | { readonly _tag: "Held" }
  | { readonly _tag: "Leased"; readonly life: string; readonly remainingMs: number }

export type NodeEvent =
  | { readonly type: "database.available" }
  | { readonly type: "database.unavailable" }
  | { readonly type: "lease.lost" }
  | { readonly type: "node.stop" }

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const found = (answer: OpenOutcome): Partial<NodeContext> =>
  answer._tag === "Held"
    ? { by: null, forMs: 0, waitedFor: null, attempt: 0, lastError: null }
    : { by: answer.life, forMs: answer.remainingMs, attempt: 0, lastError: null }

export const nodeMachine = setup({
  types: {
    context: {} as NodeContext,
    events: {} as NodeEvent,
    input: {} as NodeInput,
    tags: {} as "starting" | "ready" | "degraded" | "backingOff" | "draining" | "stopped" | "resting"
  },
  actors: {
    watchDatabase: streamSlot<Record<string, never>>(),
    openLife: slot<Record<string, never>, OpenOutcome>(),
    keepLife: streamSlot<Record<string, never>>(),
    standBy: streamSlot<{ readonly by: string }>(),
    releaseLife: slot<Record<string, never>, void>()
  },
  actions: {
    noteWaited: assign({ waitedFor: ({ context }) => context.by }),
    noteSlow: assign({ lastError: "the lease of the node was not opened in time" })
  },
  delays: {
    openDeadline: ({ context }) => context.openMsMax,
    otherLease: ({ context }) => context.forMs + 1,
    retry: ({ context }) =>
      Math.min(
        context.retryMsMax,
        context.retryFirstMs * 2 ** Math.min(Math.max(context.attempt - 1, 0), 10)
      ),
    clonedAsk: ({ context }) => context.clonedAskMs,
    releaseDeadline: ({ context }) => context.releaseMsMax
  },
  guards: {
    wasWaitedFor: ({ context }, { life }: { readonly life: string }) => context.waitedFor === life
  }
}).createMachine({
  id: "node",
  context: ({ input }) => ({ ...input, attempt: 0, by: null, forMs: 0, waitedFor: null, lastError: null }),
  invoke: { src: "watchDatabase", input: {} },
  on: {
    "database.unavailable": ".WaitingForDatabase",
    // News only to the state that waits for it; elsewhere ignored on purpose.
    "database.available": {},
    "lease.lost": {},
    "node.stop": ".Releasing"
  },
  initial: "WaitingForDatabase",
  states: {
    WaitingForDatabase: {
      description: "The database is away, and with it every proof of what this process may hold.",
      tags: ["degraded", "resting"],
      on: { "database.available": "Opening", "database.unavailable": {} }
    },
    Opening: {
      description: "Takes the lease of the node if no other life holds one, or if that life is proven dead.",
      tags: "starting",
      entry: assign({ attempt: ({ context }) => context.attempt + 1 }),
      invoke: {
        src: "openLife",
        input: {},
        onDone: [
          {
            guard: ({ event }) => event.output._tag === "Held",
            target: "Holding",
            actions: assign(({ event }) => found(event.output))
          },
          {
            guard: {
              type: "wasWaitedFor",
              params: ({ event }) => ({ life: event.output._tag === "Leased" ? event.output.life : "" })
            },
            target: "Cloned",
            actions: assign(({ event }) => found(event.output))
          },
          { target: "Waiting", actions: assign(({ event }) => found(event.output)) }
        ],
        onError: { target: "BackingOff", actions: assign({ lastError: ({ event }) => textOf(event.error) }) }
      },
      after: { openDeadline: { target: "BackingOff", actions: "noteSlow" } }
    },
    Waiting: {
      description:
        "Another life of this node is leased and not proven dead: whether it lives shows when its lease would expire.",
      tags: "starting",
      entry: "noteWaited",
      after: { otherLease: "Opening" }
    },
    Holding: {
      description:
        "The lease of the node is ours and is being renewed; accounts, waves and claims are held under it.",
      tags: ["ready", "resting"],
      invoke: { src: "keepLife", input: {} },
      on: {
        "lease.lost": "Opening",
        // The lease runs on its own clock: a short outage costs nothing, a long one loses it.
        "database.unavailable": {}
      }
    },
    Cloned: {
      description:
        "Another living process runs as this node, so DATA_DIR was copied: it acts, this one holds nothing.",
      tags: ["ready", "degraded"],
      invoke: { src: "standBy", input: ({ context }) => ({ by: context.by ?? "" }) },
      initial: "Resting",
      states: {
        Resting: {
          description: "The other process renews its lease.",
          after: { clonedAsk: "Asking" }
        },
        Asking: {
          description: "Checks whether the other process has gone.",
          invoke: {
            src: "openLife",
            input: {},
            onDone: [
              {
                guard: ({ event }) => event.output._tag === "Held",
                target: "#node.Holding",
                actions: assign(({ event }) => found(event.output))
              },
              { target: "Resting", actions: assign(({ event }) => found(event.output)) }
            ],
            onError: {
              target: "#node.BackingOff",
              actions: assign({ lastError: ({ event }) => textOf(event.error) })
            }
          },
          after: { openDeadline: { target: "#node.BackingOff", actions: "noteSlow" } }
        }
      }
    },
    BackingOff: {
      description: "The lease could not be requested although the database is reported available.",
      tags: "backingOff",
      after: { retry: "Opening" }
    },
    Releasing: {
      description: "Releases the lease, after every component that held anything under it has stopped.",
      tags: "draining",
      invoke: {
        src: "releaseLife",
        input: {},
        onDone: "Stopped",
        onError: { target: "Stopped", actions: assign({ lastError: ({ event }) => textOf(event.error) }) }
      },
      on: { "database.unavailable": {}, "node.stop": {} },
      after: { releaseDeadline: "Stopped" }
    },
    Stopped: {
      description: "The lease is released or expires; nothing is held.",
      tags: "stopped",
      type: "final"
    }
  }
})
