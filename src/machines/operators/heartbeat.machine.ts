/**
 * Heartbeat machine: tells a switch outside, again and again, that this process is well.
 *
 * What is dead, frozen or cut off cannot tell; so somebody outside waits for a word that comes while all is well, and calls when it
 * does not. A process that is unhealthy keeps silent on purpose.
 *
 * Promises: one beat in each period while the process is healthy or degraded, none while it starts or is unhealthy; a beat that
 * failed is tried again sooner than a period.
 * Never: judges health.
 * States: Beating -> Resting | Withholding | BackingOff -> Beating.
 */
import { assign, setup } from "xstate"
import { slot } from "../slot.ts"

export interface HeartbeatInput {
  readonly everyMs: number
  /** After a beat that was withheld. */
  readonly withheldMs: number
  /** After one that failed. */
  readonly retryMs: number
  readonly beatMsMax: number
}

/** Null: the switch was told; else why it was not. */
export interface BeatOutcome {
  readonly withheld: string | null
}

export interface HeartbeatContext extends HeartbeatInput {
  readonly beats: number
  readonly failed: number
  /** Failures in a row. */
  readonly failures: number
  readonly withheld: string | null
  readonly lastError: string | null
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const failedWith = (context: HeartbeatContext, lastError: string) => ({
  failed: context.failed + 1,
  failures: context.failures + 1,
  lastError
})

export const heartbeatMachine = setup({
  types: {
    context: {} as HeartbeatContext,
    input: {} as HeartbeatInput,
    tags: {} as "ready" | "degraded" | "backingOff"
  },
  actors: { beat: slot<Record<string, never>, BeatOutcome>() },
  // The actor words these alerts; each action is given the context.
  actions: { raiseFailing: () => {}, resolveFailing: () => {} },
  delays: {
    period: ({ context }) => context.everyMs,
    withheld: ({ context }) => context.withheldMs,
    retry: ({ context }) => context.retryMs,
    beatDeadline: ({ context }) => context.beatMsMax
  }
}).createMachine({
  id: "heartbeat",
  context: ({ input }) => ({ ...input, beats: 0, failed: 0, failures: 0, withheld: null, lastError: null }),
  initial: "Beating",
  states: {
    Beating: {
      description: "Looks at the health of the process, and tells the switch outside unless that is bad.",
      tags: "ready",
      invoke: {
        src: "beat",
        input: {},
        onDone: [
          {
            guard: ({ event }) => event.output.withheld === null,
            target: "Resting",
            actions: [
              assign(({ context }) => ({
                beats: context.beats + 1,
                failures: 0,
                withheld: null,
                lastError: null
              })),
              "resolveFailing"
            ]
          },
          { target: "Withholding", actions: assign({ withheld: ({ event }) => event.output.withheld }) }
        ],
        onError: {
          target: "BackingOff",
          actions: assign(({ context, event }) => failedWith(context, textOf(event.error)))
        }
      },
      after: {
        beatDeadline: {
          target: "BackingOff",
          actions: assign(({ context }) => failedWith(context, "no answer in time"))
        }
      }
    },
    Resting: {
      description: "The switch outside was told; the next beat follows after the period.",
      tags: "ready",
      after: { period: "Beating" }
    },
    Withholding: {
      description:
        "The process starts or is unhealthy, so the switch outside is not told, and will call if that lasts.",
      tags: "ready",
      after: { withheld: "Beating" }
    },
    BackingOff: {
      description: "The switch outside did not take the last beat: it may call although all is well here.",
      tags: ["backingOff", "degraded"],
      entry: "raiseFailing",
      after: { retry: "Beating" }
    }
  }
})
