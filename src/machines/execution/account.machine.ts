/**
 * Account machine: which process may place orders for one account, and what its executor is doing.
 *
 * Orders of one account are strictly serial, because each may depend on what the previous one did to the account.
 * This machine owns that queue: it holds the lease, compares the account with the broker before any new exposure, and
 * then takes one order after another. A round trip that was begun is always completed: what would end the
 * ownership (a lost lease, a lost database, a stop) is noted and acted upon when the step has finished.
 *
 * Promises: no new exposure is sent outside `Executing`, nothing at all outside `Owning` (cancels, reduces, resends of
 * unresolved orders); every way back into `Executing` after a lost lease or database leads through `Reconciling`.
 * Never: ends because a peer or the database is away; decides what a response means for an order (the table does).
 * States: WaitingForDatabase -> TakingLease -> Standby {InLine <-> Asking} | Owning {Reconciling -> Idle <-> Executing,
 * BrokerAway}; Standby.Asking -> Owning; TakingLease, Standby, Owning -> BackingOff -> TakingLease; Releasing -> Stopped.
 */
import { assign, setup } from "xstate"
import { slot, streamSlot } from "../slot.ts"

export interface AccountInput {
  readonly account: string
  readonly takeLeaseMsMax: number
  readonly retryFirstMs: number
  readonly retryMsMax: number
  /** The longest pause before a broker that does not answer is tried again. */
  readonly askAgainMsMax: number
  readonly reconcileMsMax: number
  readonly stepMsMax: number
  readonly releaseMsMax: number
}

export interface AccountContext extends AccountInput {
  readonly attempt: number
  readonly fence: string | null
  /** Node that holds the lease while we stand by. */
  readonly heldBy: string | null
  /** A bell rang during a step: look again before resting. */
  readonly rang: boolean
  readonly reconcileWanted: boolean
  readonly leaseLost: boolean
  readonly databaseLost: boolean
  readonly stopping: boolean
  readonly unresolved: number
  readonly lastError: string | null
}

/** What one step of the executor did. */
export type StepOutcome =
  /** Something was done; there may be more. */
  | { readonly _tag: "Worked" }
  /** Nothing may be done now. */
  | { readonly _tag: "Nothing" }
  /** The broker did not answer; new creates would only become unknown orders. */
  | { readonly _tag: "BrokerAway"; readonly reason: string }
  /** The lease or the fence is gone; nothing may be written. */
  | { readonly _tag: "LeaseOver" }

export type LeaseOutcome =
  | { readonly _tag: "Taken"; readonly fence: string }
  | { readonly _tag: "HeldByOther"; readonly owner: string }

export type AccountEvent =
  | { readonly type: "database.available" }
  | { readonly type: "database.unavailable" }
  | { readonly type: "orders.waiting" }
  | { readonly type: "reconcile.wanted" }
  | { readonly type: "lease.lost" }
  | { readonly type: "lease.free" }
  | { readonly type: "orders.unresolved"; readonly count: number }
  | { readonly type: "account.stop" }

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
const tagOf = (error: unknown): unknown =>
  typeof error === "object" && error !== null && "_tag" in error ? error._tag : undefined

/** Who holds the lease, after an answer. */
const granted = (answer: LeaseOutcome): Partial<AccountContext> =>
  answer._tag === "Taken"
    ? { fence: answer.fence, heldBy: null, attempt: 0, lastError: null }
    : { heldBy: answer.owner, attempt: 0, lastError: null }

export const accountMachine = setup({
  types: {
    context: {} as AccountContext,
    events: {} as AccountEvent,
    input: {} as AccountInput,
    tags: {} as
      | "starting"
      | "ready"
      | "standby"
      | "degraded"
      | "backingOff"
      | "draining"
      | "stopped"
      | "resting"
  },
  actors: {
    watchDatabase: streamSlot<Record<string, never>>(),
    takeLease: slot<Record<string, never>, LeaseOutcome>(),
    waitInLine: streamSlot<Record<string, never>>(),
    watchLease: streamSlot<Record<string, never>>(),
    watchBells: streamSlot<Record<string, never>>(),
    resolveUnknown: streamSlot<Record<string, never>>(),
    reconcile: slot<Record<string, never>, void>(),
    executeNext: slot<Record<string, never>, StepOutcome>(),
    sendReduces: streamSlot<Record<string, never>>(),
    releaseLease: slot<Record<string, never>, void>()
  },
  actions: {
    noteLeaseLost: assign({ leaseLost: true }),
    noteDatabaseLost: assign({ databaseLost: true }),
    noteStop: assign({ stopping: true }),
    noteReconcile: assign({ reconcileWanted: true }),
    noteNoLease: assign({ lastError: "the lease was not taken in time" }),
    noteBell: assign({ rang: true }),
    // For those who must know without asking: implemented by the actor.
    noteBrokerAway: () => undefined,
    noteBrokerBack: () => undefined,
    noteTry: assign({ attempt: ({ context }) => context.attempt + 1 })
  },
  delays: {
    takeLeaseDeadline: ({ context }) => context.takeLeaseMsMax,
    retry: ({ context }) =>
      Math.min(
        context.retryMsMax,
        context.retryFirstMs * 2 ** Math.min(Math.max(context.attempt - 1, 0), 10)
      ),
    askAgain: ({ context }) =>
      Math.min(
        context.askAgainMsMax,
        context.retryFirstMs * 2 ** Math.min(Math.max(context.attempt - 1, 0), 10)
      ),
    reconcileDeadline: ({ context }) => context.reconcileMsMax,
    stepDeadline: ({ context }) => context.stepMsMax,
    releaseDeadline: ({ context }) => context.releaseMsMax
  },
  guards: {
    mustStop: ({ context }) => context.stopping,
    mustWaitForDatabase: ({ context }) => context.databaseLost,
    mustTakeLease: ({ context }) => context.leaseLost,
    mustReconcile: ({ context }) => context.reconcileWanted,
    mayHaveMore: ({ context }) => context.rang
  }
}).createMachine({
  id: "account",
  context: ({ input }) => ({
    ...input,
    attempt: 0,
    fence: null,
    heldBy: null,
    rang: false,
    reconcileWanted: false,
    leaseLost: false,
    databaseLost: false,
    stopping: false,
    unresolved: 0,
    lastError: null
  }),
  invoke: { src: "watchDatabase", input: {} },
  on: {
    // News only to the state that waits for it; elsewhere ignored on purpose.
    "database.available": {},
    "database.unavailable": ".WaitingForDatabase",
    "account.stop": ".Releasing",
    "orders.waiting": {},
    "reconcile.wanted": {},
    "orders.unresolved": { actions: assign({ unresolved: ({ event }) => event.count }) },
    "lease.lost": {},
    "lease.free": {}
  },
  initial: "WaitingForDatabase",
  states: {
    WaitingForDatabase: {
      description:
        "The database is away. Nothing can be stored, so nothing is sent; open orders live on at the venue.",
      tags: ["degraded", "resting"],
      entry: assign({ databaseLost: false, fence: null }),
      on: { "database.available": "TakingLease", "database.unavailable": {} }
    },
    TakingLease: {
      description:
        "Takes the account's lease and raises its fence, after a round trip of a former grant has ended.",
      tags: "starting",
      entry: [assign({ leaseLost: false, reconcileWanted: false, fence: null }), "noteTry"],
      invoke: {
        src: "takeLease",
        input: {},
        onDone: [
          {
            guard: ({ event }) => event.output._tag === "Taken",
            target: "Owning",
            actions: assign(({ event }) => granted(event.output))
          },
          { target: "Standby", actions: assign(({ event }) => granted(event.output)) }
        ],
        onError: { target: "BackingOff", actions: assign({ lastError: ({ event }) => textOf(event.error) }) }
      },
      after: { takeLeaseDeadline: { target: "BackingOff", actions: "noteNoLease" } }
    },
    Standby: {
      description:
        "Another life owns the account and renews its lease: all is well, and the account is not ours to trade.",
      tags: ["ready", "standby"],
      initial: "InLine",
      states: {
        InLine: {
          description:
            "The keeper of our node's lease checks all accounts in line at once, and reports when one is free.",
          tags: "resting",
          invoke: { src: "waitInLine", input: {} },
          on: { "lease.free": "Asking" }
        },
        Asking: {
          description:
            "Takes the account over if its owner's lease has expired; otherwise the owner keeps it.",
          entry: [assign({ leaseLost: false, reconcileWanted: false }), "noteTry"],
          invoke: {
            src: "takeLease",
            input: {},
            onDone: [
              {
                guard: ({ event }) => event.output._tag === "Taken",
                target: "#account.Owning",
                actions: assign(({ event }) => granted(event.output))
              },
              { target: "InLine", actions: assign(({ event }) => granted(event.output)) }
            ],
            onError: {
              target: "#account.BackingOff",
              actions: assign({ lastError: ({ event }) => textOf(event.error) })
            }
          },
          after: { takeLeaseDeadline: { target: "#account.BackingOff", actions: "noteNoLease" } }
        }
      }
    },
    BackingOff: {
      description: "The lease could not be taken although the database is reported available.",
      tags: "backingOff",
      after: { retry: "TakingLease" }
    },
    Owning: {
      description:
        "The account is ours, under the lease of our node; unresolved orders are looked up, each in its own fiber.",
      initial: "Reconciling",
      invoke: [
        { src: "watchLease", input: {} },
        { src: "watchBells", input: {} },
        { src: "resolveUnknown", input: {} }
      ],
      on: { "lease.lost": "TakingLease" },
      states: {
        Reconciling: {
          description:
            "Compares orders, fills and positions with the broker; until then only cancels and reduces leave.",
          tags: "starting",
          entry: assign({ reconcileWanted: false }),
          on: { "reconcile.wanted": { actions: "noteReconcile" } },
          invoke: [
            { src: "sendReduces", input: {} },
            {
              src: "reconcile",
              input: {},
              onDone: [
                { guard: "mustReconcile", target: "Reconciling", reenter: true },
                { target: "Executing", actions: ["noteBrokerBack", assign({ attempt: 0, lastError: null })] }
              ],
              onError: [
                {
                  guard: ({ event }) => tagOf(event.error) === "BrokerUnavailable",
                  target: "BrokerAway",
                  actions: assign({ lastError: ({ event }) => textOf(event.error) })
                },
                // The lease is gone or the database was slow: both start over with a new grant.
                {
                  target: "#account.BackingOff",
                  actions: assign({ lastError: ({ event }) => textOf(event.error) })
                }
              ]
            }
          ],
          after: {
            reconcileDeadline: {
              target: "BrokerAway",
              actions: assign({ lastError: "the reconciliation did not finish in time" })
            }
          }
        },
        BrokerAway: {
          description:
            "The broker does not answer. Entries wait or grow stale; a reduce leaves if the broker reports its position.",
          tags: ["degraded", "backingOff"],
          entry: ["noteTry", "noteBrokerAway"],
          invoke: { src: "sendReduces", input: {} },
          on: { "reconcile.wanted": "Reconciling" },
          after: { askAgain: "Reconciling" }
        },
        Idle: {
          description:
            "Nothing may be sent now; a bell signals when to look again, with a periodic look at all accounts as its net.",
          tags: ["ready", "resting"],
          on: { "orders.waiting": "Executing", "reconcile.wanted": "Reconciling" }
        },
        Executing: {
          description:
            "Looks for the next order and takes it through commit, broker and commit. Never cut short.",
          tags: "ready",
          entry: assign({ rang: false }),
          invoke: {
            src: "executeNext",
            input: {},
            onDone: [
              { guard: "mustStop", target: "#account.Releasing" },
              { guard: "mustWaitForDatabase", target: "#account.WaitingForDatabase" },
              {
                guard: ({ context, event }) => context.leaseLost || event.output._tag === "LeaseOver",
                target: "#account.TakingLease"
              },
              {
                guard: ({ event }) => event.output._tag === "BrokerAway",
                target: "BrokerAway",
                actions: assign(({ event }) => ({
                  lastError: event.output._tag === "BrokerAway" ? event.output.reason : null
                }))
              },
              { guard: "mustReconcile", target: "Reconciling" },
              { guard: ({ event }) => event.output._tag === "Worked", target: "Executing", reenter: true },
              { guard: "mayHaveMore", target: "Executing", reenter: true },
              { target: "Idle" }
            ],
            // Whatever was begun is in the rows: the next grant finds it there and asks the broker.
            onError: [
              { guard: "mustStop", target: "#account.Releasing" },
              {
                guard: "mustWaitForDatabase",
                target: "#account.WaitingForDatabase",
                actions: assign({ lastError: ({ event }) => textOf(event.error) })
              },
              {
                target: "#account.BackingOff",
                actions: assign({ lastError: ({ event }) => textOf(event.error) })
              }
            ]
          },
          on: {
            "orders.waiting": { actions: "noteBell" },
            "reconcile.wanted": { actions: "noteReconcile" },
            "lease.lost": { actions: "noteLeaseLost" },
            "database.unavailable": { actions: "noteDatabaseLost" },
            "database.available": { actions: assign({ databaseLost: false }) },
            "account.stop": { actions: "noteStop" }
          },
          after: {
            stepDeadline: {
              target: "#account.BackingOff",
              actions: assign({ lastError: "a step of the executor did not finish in time" })
            }
          }
        }
      }
    },
    Releasing: {
      description:
        "Waits for a round trip in flight and releases the lease, so that a successor need not wait.",
      tags: "draining",
      invoke: {
        src: "releaseLease",
        input: {},
        onDone: "Stopped",
        onError: { target: "Stopped", actions: assign({ lastError: ({ event }) => textOf(event.error) }) }
      },
      on: {
        "database.unavailable": {},
        "account.stop": {},
        "orders.waiting": {},
        "reconcile.wanted": {},
        "lease.free": {},
        "orders.unresolved": {}
      },
      after: { releaseDeadline: "Stopped" }
    },
    Stopped: {
      description: "The lease is released or expires; the executor is gone.",
      tags: "stopped",
      type: "final"
    }
  }
})
