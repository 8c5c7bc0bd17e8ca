/**
 * Waves machine: one feed's schedule, from one check to the next.
 *
 * The incident's scheduler was one loop: a search that did not end held up every later check, and nobody could see it.
 * Here each check is a state with a deadline below the period, what is due follows from the clock each time it is asked,
 * and the ledger (not this machine's memory) records what was processed.
 *
 * Promises: never two checks at once; a check ends before the next is due; signals are handed over as they are stored,
 * not at the end; losing the database or the feed is a state, never an end.
 * Never: reads a clock, talks to a feed, or decides that a wave has ended (the ledger does).
 * States: WaitingForDatabase -> Accounting -> Waiting (or Behind) -> Accounting; a wave taken: Checking (Requesting -> Collecting ->
 * Dispatching -> Collecting ...) -> Done or Missed -> Accounting; a failed call: BackingOff; a stop: Releasing -> Stopped.
 */
import { assign, setup } from "xstate"
import { slot, streamSlot } from "../slot.ts"

export interface WavesInput {
  readonly periodMs: number
  readonly firstLookMs: number
  readonly lookEveryMs: number
  /** Polls without a signal after which the feed is asked again. */
  readonly askAgainLooks: number
  /** One accounting, one request, one ending: each call below has a shorter deadline of its own. */
  readonly callMsMax: number
  readonly retryMs: number
}

/** A wave this process has claimed. Epoch milliseconds; the lease stays with the actor. */
export interface WaveCheck {
  readonly waveMs: number
  readonly dueAtMs: number
  readonly epoch: number
  /** How long the search may take from now. */
  readonly deadlineMs: number
  readonly late: boolean
}

/** The result of an accounting: a wave to check, or until when there is nothing to do. */
export interface AccountingReport {
  readonly check: WaveCheck | null
  readonly wakeAtMs: number
  readonly nextDueAtMs: number
  readonly missed: number
}

/** What one look found. */
export interface LookReport {
  /** False: another process has the wave now. */
  readonly owned: boolean
  readonly feedLive: boolean
  /** Handed to the pipeline by this look. */
  readonly dispatched: number
  readonly found: number
  readonly pending: number
}

export interface WavesCounters {
  readonly done: number
  readonly empty: number
  readonly missed: number
  /** Checks that another process took over. */
  readonly lost: number
}

export interface WavesContext extends WavesInput {
  readonly stopping: boolean
  readonly check: WaveCheck | null
  /** The feed has answered in this check. */
  readonly answered: boolean
  readonly found: number
  /** Polls since the feed was asked. */
  readonly looks: number
  readonly wakeAtMs: number
  readonly nextDueAtMs: number
  /** Consecutive checks that the feed did not answer. */
  readonly failedChecks: number
  readonly lastDoneMs: number | null
  /** The database was away since the last accounting. */
  readonly outage: boolean
  readonly counters: WavesCounters
  readonly lastError: string | null
}

export type WavesEvent =
  | { readonly type: "database.available" }
  | { readonly type: "database.unavailable" }
  | { readonly type: "waves.stop" }

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export const wavesMachine = setup({
  types: {
    context: {} as WavesContext,
    events: {} as WavesEvent,
    input: {} as WavesInput,
    tags: {} as "starting" | "ready" | "degraded" | "backingOff" | "draining" | "stopped" | "resting"
  },
  actors: {
    watchDatabase: streamSlot<Record<string, never>>(),
    account: slot<{ readonly outage: boolean }, AccountingReport>(),
    wait: slot<{ readonly untilMs: number }, void>(),
    request: slot<{ readonly check: WaveCheck | null }, void>(),
    pause: slot<{ readonly maxMs: number }, void>(),
    look: slot<{ readonly check: WaveCheck | null }, LookReport>(),
    finish: slot<{ readonly check: WaveCheck | null }, void>(),
    giveUp: slot<{ readonly check: WaveCheck | null; readonly failedChecks: number }, void>(),
    release: slot<{ readonly check: WaveCheck | null }, void>()
  },
  delays: {
    call: ({ context }) => context.callMsMax,
    retry: ({ context }) => context.retryMs,
    net: ({ context }) => 2 * context.periodMs,
    checkDeadline: ({ context }) => context.check?.deadlineMs ?? 0
  },
  guards: {
    stopping: ({ context }) => context.stopping,
    behind: ({ context }) => context.failedChecks > 0,
    found: ({ context }) => context.found > 0,
    answered: ({ context }) => context.answered
  },
  actions: {
    noteDone: assign(({ context }) => ({
      failedChecks: 0,
      lastDoneMs: context.check?.waveMs ?? context.lastDoneMs,
      lastError: null,
      counters: {
        ...context.counters,
        done: context.counters.done + 1,
        empty: context.counters.empty + (context.found === 0 ? 1 : 0)
      }
    })),
    noteFailed: assign(({ context }) => ({
      failedChecks: context.failedChecks + 1,
      lastError: "the feed did not answer until the check's deadline"
    })),
    noteOutage: assign({ outage: true }),
    noteStopping: assign({ stopping: true }),
    dropCheck: assign({ check: null })
  }
}).createMachine({
  id: "waves",
  context: ({ input }) => ({
    ...input,
    stopping: false,
    check: null,
    answered: false,
    found: 0,
    looks: 0,
    wakeAtMs: 0,
    nextDueAtMs: 0,
    failedChecks: 0,
    lastDoneMs: null,
    outage: false,
    counters: { done: 0, empty: 0, missed: 0, lost: 0 },
    lastError: null
  }),
  invoke: { src: "watchDatabase", input: {} },
  initial: "WaitingForDatabase",
  on: {
    "database.unavailable": [{ guard: "stopping", target: ".Stopped" }, { target: ".WaitingForDatabase" }],
    // News only to the state that waits for it; elsewhere ignored on purpose.
    "database.available": {},
    "waves.stop": ".Stopped"
  },
  states: {
    WaitingForDatabase: {
      description:
        "The database is away: the ledger cannot be written, so no wave is claimed. Waves that become due are accounted for later.",
      tags: ["degraded", "resting"],
      entry: ["dropCheck", "noteOutage"],
      on: { "database.available": "Accounting", "database.unavailable": {} }
    },
    Accounting: {
      description:
        "Fills the ledger up to the next wave, ends the waves that are past their time, claims the one that is fresh.",
      tags: "ready",
      entry: "dropCheck",
      invoke: {
        src: "account",
        input: ({ context }) => ({ outage: context.outage }),
        onDone: [
          {
            guard: ({ event }) => event.output.check !== null,
            target: "Checking",
            actions: [
              assign(({ context, event }) => ({
                ...event.output,
                outage: false,
                answered: false,
                found: 0,
                looks: 0,
                counters: { ...context.counters, missed: context.counters.missed + event.output.missed }
              }))
            ]
          },
          {
            guard: "behind",
            target: "Behind",
            actions: assign(({ context, event }) => ({
              ...event.output,
              outage: false,
              counters: { ...context.counters, missed: context.counters.missed + event.output.missed }
            }))
          },
          {
            target: "Waiting",
            actions: assign(({ context, event }) => ({
              ...event.output,
              outage: false,
              counters: { ...context.counters, missed: context.counters.missed + event.output.missed }
            }))
          }
        ],
        onError: {
          target: "#waves.BackingOff",
          actions: assign({ lastError: ({ event }) => textOf(event.error) })
        }
      },
      after: {
        call: {
          target: "BackingOff",
          actions: assign({ lastError: "the accounting did not finish in time" })
        }
      }
    },
    Waiting: {
      description:
        "No wave is due. The wall clock is read again every second, so a suspended machine or a stepped clock is noticed; signals that arrive for the last wave while it is fresh are still handed over.",
      tags: "ready",
      invoke: {
        src: "wait",
        input: ({ context }) => ({ untilMs: context.wakeAtMs }),
        onDone: "Accounting",
        onError: {
          target: "BackingOff",
          actions: assign({ lastError: ({ event }) => textOf(event.error) })
        }
      },
      after: { net: "Accounting" }
    },
    Behind: {
      description:
        "Like Waiting, after a check that the feed did not answer: not ready until a check completes again.",
      tags: "degraded",
      invoke: {
        src: "wait",
        input: ({ context }) => ({ untilMs: context.wakeAtMs }),
        onDone: "Accounting",
        onError: {
          target: "BackingOff",
          actions: assign({ lastError: ({ event }) => textOf(event.error) })
        }
      },
      after: { net: "Accounting" }
    },
    Checking: {
      description:
        "One wave is searched for under its lease. The deadline is below the period, so the next check is never held up.",
      initial: "Requesting",
      on: { "waves.stop": "Releasing" },
      after: {
        checkDeadline: [
          { guard: "found", target: "Done" },
          { guard: "answered", target: "Done" },
          { target: "Missed" }
        ]
      },
      states: {
        Requesting: {
          description:
            "Asks the feed for its signals; a missing answer does not end the check, because signals also arrive unrequested.",
          tags: "ready",
          entry: assign({ looks: 0 }),
          invoke: {
            src: "request",
            input: ({ context }) => ({ check: context.check }),
            onDone: { target: "Collecting", actions: assign({ answered: true, lastError: null }) },
            onError: {
              target: "Collecting",
              actions: assign({ lastError: ({ event }) => textOf(event.error) })
            }
          },
          after: { call: "Collecting" }
        },
        Collecting: {
          description:
            "Waits for signals of the wave until the feed's bell rings, polling after one second and then every two.",
          tags: "ready",
          invoke: {
            src: "pause",
            input: ({ context }) => ({
              maxMs: context.looks === 0 ? context.firstLookMs : context.lookEveryMs
            }),
            onDone: "Dispatching"
          },
          after: { call: "Dispatching" }
        },
        Dispatching: {
          description:
            "Hands every stored signal of the wave to the pipeline, counts the outcomes of earlier ones, renews the lease.",
          tags: "ready",
          entry: assign({ looks: ({ context }) => context.looks + 1 }),
          invoke: {
            src: "look",
            input: ({ context }) => ({ check: context.check }),
            onDone: [
              {
                guard: ({ event }) => !event.output.owned,
                target: "#waves.Accounting",
                actions: assign({
                  counters: ({ context }) => ({ ...context.counters, lost: context.counters.lost + 1 })
                })
              },
              {
                // Everything the feed had is stored, handed over and settled, and nothing came since the last look.
                guard: ({ context, event }) =>
                  context.answered &&
                  event.output.found > 0 &&
                  event.output.found === context.found &&
                  event.output.dispatched === 0 &&
                  event.output.pending === 0,
                target: "#waves.Done"
              },
              {
                guard: ({ context, event }) =>
                  event.output.feedLive &&
                  event.output.found === 0 &&
                  (!context.answered || context.looks >= context.askAgainLooks),
                target: "Requesting"
              },
              {
                target: "Collecting",
                actions: assign(({ context, event }) => ({
                  found: event.output.found,
                  // What a feed that died in between would have sent next is unknown.
                  answered: context.answered && (event.output.feedLive || event.output.found > 0)
                }))
              }
            ],
            onError: {
              target: "#waves.BackingOff",
              actions: assign({ lastError: ({ event }) => textOf(event.error) })
            }
          },
          after: {
            call: {
              target: "#waves.BackingOff",
              actions: assign({ lastError: "a look did not finish in time" })
            }
          }
        }
      }
    },
    Done: {
      description: "The wave has ended: its counts and duration are written, an empty one as such.",
      tags: "ready",
      on: { "waves.stop": { actions: "noteStopping" } },
      invoke: {
        src: "finish",
        input: ({ context }) => ({ check: context.check }),
        onDone: [
          { guard: "stopping", target: "Stopped" },
          { target: "Accounting", actions: "noteDone" }
        ],
        onError: {
          target: "#waves.BackingOff",
          actions: assign({ lastError: ({ event }) => textOf(event.error) })
        }
      },
      after: {
        call: {
          target: "BackingOff",
          actions: assign({ lastError: "ending the wave did not finish in time" })
        }
      }
    },
    Missed: {
      description:
        "The feed did not answer before the deadline. The wave is released: retried while it is fresh, missed after that.",
      tags: "degraded",
      entry: "noteFailed",
      on: { "waves.stop": { actions: "noteStopping" } },
      invoke: {
        src: "giveUp",
        input: ({ context }) => ({ check: context.check, failedChecks: context.failedChecks }),
        onDone: [{ guard: "stopping", target: "Stopped" }, { target: "Accounting" }],
        onError: {
          target: "#waves.BackingOff",
          actions: assign({ lastError: ({ event }) => textOf(event.error) })
        }
      },
      after: {
        call: {
          target: "BackingOff",
          actions: assign({ lastError: "releasing the wave did not finish in time" })
        }
      }
    },
    BackingOff: {
      description: "A call failed although the database is reported available; retried after a pause.",
      tags: "backingOff",
      entry: ["dropCheck", "noteOutage"],
      always: { guard: "stopping", target: "Stopped" },
      after: { retry: "Accounting" }
    },
    Releasing: {
      description:
        "Asked to stop during a check: the wave is released, so that another process need not wait for the lease.",
      tags: "draining",
      on: { "waves.stop": {}, "database.unavailable": "Stopped" },
      invoke: {
        src: "release",
        input: ({ context }) => ({ check: context.check }),
        onDone: "Stopped",
        onError: "Stopped"
      },
      after: { call: "Stopped" }
    },
    Stopped: {
      description: "Stopped as requested; the ledger has what is expected next.",
      tags: "stopped",
      type: "final"
    }
  }
})
