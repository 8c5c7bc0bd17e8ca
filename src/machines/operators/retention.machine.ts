/**
 * Retention machine: removes rows whose retention period is over (T13), round after round.
 *
 * Old rows are never urgent, so everything here yields: pages are small, with pauses between them, and a round that finds the
 * database busy leaves the rest to the next one. What must be visible is retention that does not keep up: a row kept long past
 * its period makes the component late, and the status degraded.
 *
 * Promises: one round at a time; what a round had no time for is continued at once by the next one.
 * Never: decides how long anything lives (layers/operators/retention-rules.pg.ts).
 * States: WaitingForDatabase -> OnTime | Late, each Pruning <-> Resting; both -> BackingOff -> OnTime | Late.
 */
import { assign, setup } from "xstate"
import { slot, streamSlot } from "../slot.ts"

export interface RetentionInput {
  readonly roundEveryMs: number
  /** The pause after a round that is not finished. */
  readonly againMs: number
  readonly roundDeadlineMs: number
  readonly retryMs: number
  readonly lateMsMax: number
}

export interface RoundOutcome {
  /** Everything past its period was removed; false: the round ran out of time. */
  readonly complete: boolean
  /** Rows that were removed, by rule. */
  readonly removed: Readonly<Record<string, number>>
  /** By how much the oldest removable row is past its period, milliseconds; 0 when none is left. */
  readonly overdueMs: number
}

export interface RetentionContext extends RetentionInput, RoundOutcome {
  readonly lastError: string | null
}

export type RetentionEvent =
  | { readonly type: "database.available" }
  | { readonly type: "database.unavailable" }

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const retention = setup({
  types: {
    context: {} as RetentionContext,
    events: {} as RetentionEvent,
    input: {} as RetentionInput,
    tags: {} as "ready" | "degraded" | "backingOff" | "resting"
  },
  actors: {
    watchDatabase: streamSlot<Record<string, never>>(),
    prune: slot<Record<string, never>, RoundOutcome>()
  },
  guards: {
    wasLate: ({ context }) => context.overdueMs > context.lateMsMax
  },
  delays: {
    pause: ({ context }) => (context.complete ? context.roundEveryMs : context.againMs),
    roundDeadline: ({ context }) => context.roundDeadlineMs,
    retry: ({ context }) => context.retryMs
  }
})

/** The round, the same whether it is late or not: what it finds decides where it rests. */
const pruning = retention.createStateConfig({
  invoke: {
    src: "prune",
    input: {},
    onDone: [
      {
        guard: ({ context, event }) => event.output.overdueMs > context.lateMsMax,
        target: "#retention.Late.Resting",
        actions: assign(({ event }) => ({ ...event.output, lastError: null }))
      },
      {
        target: "#retention.OnTime.Resting",
        actions: assign(({ event }) => ({ ...event.output, lastError: null }))
      }
    ],
    onError: {
      target: "#retention.BackingOff",
      actions: assign({ lastError: ({ event }) => textOf(event.error) })
    }
  },
  after: {
    roundDeadline: {
      target: "#retention.BackingOff",
      actions: assign({ lastError: "a round did not finish in time" })
    }
  }
})

export const retentionMachine = retention.createMachine({
  id: "retention",
  context: ({ input }) => ({ ...input, complete: true, removed: {}, overdueMs: 0, lastError: null }),
  invoke: { src: "watchDatabase", input: {} },
  on: {
    "database.unavailable": { target: ".WaitingForDatabase" },
    // News only to the state that waits for it; elsewhere ignored on purpose.
    "database.available": {}
  },
  initial: "WaitingForDatabase",
  states: {
    WaitingForDatabase: {
      description: "The database is away: nothing grows, and nothing can be removed.",
      tags: ["degraded", "resting"],
      on: {
        "database.available": [{ guard: "wasLate", target: "Late" }, { target: "OnTime" }],
        "database.unavailable": {}
      }
    },
    OnTime: {
      description: "Rows past their retention period are removed, or will be soon.",
      tags: "ready",
      initial: "Pruning",
      states: {
        Pruning: {
          ...pruning,
          description:
            "Walks through the tables from the oldest row on, a page of each in turn, and removes what it may."
        },
        Resting: {
          description:
            "Nothing is left to remove, or the round ran out of time; the next round is scheduled.",
          after: { pause: "Pruning" }
        }
      }
    },
    Late: {
      description:
        "Rows are kept long past their retention period: the tables grow, and an operator should find out why.",
      tags: ["ready", "degraded"],
      initial: "Pruning",
      states: {
        Pruning: { ...pruning, description: "As on time: a page at a time, however much there is." },
        Resting: {
          description: "A pause for other users of the database; the next round starts soon.",
          after: { pause: "Pruning" }
        }
      }
    },
    BackingOff: {
      description: "A rule could not be carried out although the database is available; all are tried again.",
      tags: "backingOff",
      after: { retry: [{ guard: "wasLate", target: "Late" }, { target: "OnTime" }] }
    }
  }
})
