/**
 * Database machine: from an unlocked data directory to a database that answers, and back, for as long as it takes.
 *
 * It exists because a database is the one dependency everything shares: whether it is starting, migrating,
 * away or frozen must be a state with a name and not an error in twenty other places. Losing it is an
 * event; the machine goes to `Unreachable` and never ends because of it.
 *
 * Promises: `ready` only while a probe has answered and the schema is ours; every other state names what is
 * missing and retries by itself, except where retrying cannot help (a lock held by another process, a failed
 * migration, a newer schema), which crash the component with their cause.
 * Never: touches a file, a socket or a clock; the actor fills the slots.
 * States: LockingDataDir -> Serving {Launching -> Connecting -> Migrating -> Available {Quiet <-> Checking}, Unreachable}
 * <-> Relaunching.
 */
import { assign, setup } from "xstate"
import { slot, streamSlot } from "../slot.ts"

export interface DatabaseInput {
  /** Milliseconds between two probes while all is well. */
  readonly checkEveryMs: number
  readonly retryFirstMs: number
  readonly retryMaxMs: number
  readonly launchDeadlineMs: number
  readonly probeDeadlineMs: number
  readonly migrateDeadlineMs: number
}

export interface DatabaseContext extends DatabaseInput {
  readonly attempt: number
  readonly migrated: boolean
  readonly lastError: string | null
  readonly server: string | null
}

export type DatabaseEvent =
  | { readonly type: "dataDir.locked" }
  | { readonly type: "server.started"; readonly server: string }
  | { readonly type: "server.exited"; readonly reason: string }
  | { readonly type: "database.lost"; readonly reason: string }

/** Failure classes that no retry can fix. */
const hopeless: ReadonlySet<unknown> = new Set(["fatal", "configuration"])

/** True for errors that a retry can fix; the others crash the component with their cause. */
const isTransient = (error: unknown): boolean =>
  !(
    typeof error === "object" &&
    error !== null &&
    "failureClass" in error &&
    hopeless.has(error.failureClass)
  )

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export const databaseMachine = setup({
  types: {
    context: {} as DatabaseContext,
    events: {} as DatabaseEvent,
    input: {} as DatabaseInput,
    tags: {} as "starting" | "ready" | "backingOff"
  },
  actors: {
    holdDataDir: streamSlot<Record<string, never>>(),
    runServer: streamSlot<Record<string, never>>(),
    probe: slot<Record<string, never>, void>(),
    migrate: slot<Record<string, never>, void>(),
    watchAvailability: streamSlot<Record<string, never>>()
  },
  actions: {
    markAvailable: () => undefined,
    markUnavailable: () => undefined
  },
  guards: {
    failedForNow: ({ event }) => "error" in event && isTransient(event.error),
    migrated: ({ context }) => context.migrated
  },
  delays: {
    launchDeadline: ({ context }) => context.launchDeadlineMs,
    probeDeadline: ({ context }) => context.probeDeadlineMs,
    migrateDeadline: ({ context }) => context.migrateDeadlineMs,
    checkEvery: ({ context }) => context.checkEveryMs,
    // Doubling from retryFirstMs, capped: a server that comes back is noticed within retryMaxMs at the latest.
    retry: ({ context }) =>
      Math.min(context.retryMaxMs, context.retryFirstMs * 2 ** Math.min(Math.max(context.attempt - 1, 0), 10))
  }
}).createMachine({
  id: "database",
  context: ({ input }) => ({ ...input, attempt: 0, migrated: false, lastError: null, server: null }),
  // Held for the whole life of the component: two services on one directory would be two writers.
  invoke: { src: "holdDataDir", input: {} },
  initial: "LockingDataDir",
  states: {
    LockingDataDir: {
      description:
        "Takes the exclusive lock on DATA_DIR; another holder is a fatal error with its process id.",
      tags: "starting",
      on: { "dataDir.locked": "Serving" },
      // The lock attempt has a deadline of its own that is fatal; this one only makes a slow disk visible.
      after: {
        launchDeadline: {
          target: "LockingDataDir",
          reenter: true,
          actions: assign({ lastError: "still waiting for the lock on DATA_DIR" })
        }
      }
    },
    Serving: {
      description: "A server process of ours runs, or DATABASE_URL names one that somebody else runs.",
      initial: "Launching",
      invoke: {
        src: "runServer",
        input: {},
        onError: {
          guard: "failedForNow",
          target: "Relaunching",
          actions: assign(({ context, event }) => ({
            lastError: textOf(event.error),
            attempt: context.attempt + 1
          }))
        }
      },
      on: {
        "server.exited": {
          target: "Relaunching",
          actions: assign(({ context, event }) => ({
            lastError: `the server ended: ${event.reason}`,
            attempt: context.attempt + 1
          }))
        }
      },
      states: {
        Launching: {
          description: "Starts the embedded server, or only names the external one.",
          tags: "starting",
          on: {
            "server.started": {
              target: "Connecting",
              actions: assign({ server: ({ event }) => event.server })
            }
          },
          after: {
            launchDeadline: {
              target: "#database.Relaunching",
              actions: assign(({ context }) => ({
                lastError: "the server did not start in time",
                attempt: context.attempt + 1
              }))
            }
          }
        },
        Connecting: {
          description: "Sends the database one query to learn whether it answers.",
          tags: "starting",
          invoke: {
            src: "probe",
            input: {},
            onDone: [{ guard: "migrated", target: "Available" }, { target: "Migrating" }],
            onError: {
              target: "Unreachable",
              actions: assign(({ context, event }) => ({
                lastError: textOf(event.error),
                attempt: context.attempt + 1
              }))
            }
          },
          after: {
            probeDeadline: {
              target: "Unreachable",
              actions: assign(({ context }) => ({
                lastError: "no answer within the probe deadline",
                attempt: context.attempt + 1
              }))
            }
          }
        },
        Migrating: {
          description: "Applies the pending migrations, once in the life of this component.",
          tags: "starting",
          invoke: {
            src: "migrate",
            input: {},
            onDone: { target: "Available", actions: assign({ migrated: true }) },
            onError: {
              guard: "failedForNow",
              target: "Unreachable",
              actions: assign(({ context, event }) => ({
                lastError: textOf(event.error),
                attempt: context.attempt + 1
              }))
            }
          },
          after: {
            migrateDeadline: {
              target: "Unreachable",
              actions: assign(({ context }) => ({
                lastError: "the migrations did not finish in time",
                attempt: context.attempt + 1
              }))
            }
          }
        },
        Available: {
          description: "The database answers and its schema is ours; everything durable may proceed.",
          tags: "ready",
          entry: [assign({ attempt: 0, lastError: null }), "markAvailable"],
          invoke: { src: "watchAvailability", input: {} },
          on: {
            "database.lost": {
              target: "Unreachable",
              actions: assign(({ event }) => ({ lastError: event.reason, attempt: 1 }))
            }
          },
          initial: "Quiet",
          states: {
            Quiet: {
              description: "Calls of other components are the proof; a routine probe is due after a while.",
              // A frozen server refuses nothing: only an unanswered query reveals it.
              after: { checkEvery: "Checking" }
            },
            Checking: {
              description: "A routine probe is under way.",
              invoke: {
                src: "probe",
                input: {},
                onDone: "Quiet",
                onError: {
                  target: "#database.Serving.Unreachable",
                  actions: assign(({ event }) => ({ lastError: textOf(event.error), attempt: 1 }))
                }
              },
              after: {
                probeDeadline: {
                  target: "#database.Serving.Unreachable",
                  actions: assign({ lastError: "no answer within the probe deadline", attempt: 1 })
                }
              }
            }
          }
        },
        Unreachable: {
          description:
            "The database does not answer. Storing components wait; the next try is due after the backoff.",
          tags: "backingOff",
          entry: "markUnavailable",
          after: { retry: "Connecting" }
        }
      }
    },
    Relaunching: {
      description: "The server process ended or never came up; it is started again after the backoff.",
      tags: "backingOff",
      entry: "markUnavailable",
      after: { retry: "Serving" }
    }
  }
})
