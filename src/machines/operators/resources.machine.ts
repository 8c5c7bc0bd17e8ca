/**
 * Resources machine: gives up features while something runs out, one after another, and returns them in the reverse order (E9, C5).
 *
 * One bad reading is a burst and no shortage; one good reading is a pause and no recovery. So both directions need several in a
 * row, and the way back takes longer than the way there: what was given up too early costs a chart, what is returned too early
 * costs the process.
 *
 * Promises: features are shed one at a time while pressure lasts, all of them at once when it is critical, and returned one at
 * a time; at most `featuresMax` are shed.
 * Never: measures, or knows what a feature is.
 * States: Normal -> Shedding -> Normal; Normal, Shedding -> Critical -> Shedding.
 */
import { assign, setup } from "xstate"
import { streamSlot } from "../slot.ts"

export interface ResourcesInput {
  /** Readings in a row that are over a limit before the next feature is shed. */
  readonly overReadings: number
  /** Readings in a row that are well before the last shed feature returns. */
  readonly calmReadings: number
  readonly featuresMax: number
}

export interface ResourcesContext extends ResourcesInput {
  readonly shed: number
  readonly over: number
  readonly calm: number
}

export type ResourcesEvent = {
  readonly type: "readings.taken"
  readonly pressure: "normal" | "high" | "critical"
}

const quiet = { over: 0, calm: 0 } as const

export const resourcesMachine = setup({
  types: {
    context: {} as ResourcesContext,
    events: {} as ResourcesEvent,
    input: {} as ResourcesInput,
    tags: {} as "ready" | "degraded" | "resting"
  },
  actors: {
    watch: streamSlot<Record<string, never>>()
  },
  actions: {
    // Publishes what is shed now: implemented by the actor.
    publish: (_scope, _params: { readonly state: string }) => undefined
  },
  guards: {
    isCriticalForLong: ({ context, event }) =>
      event.pressure === "critical" && context.over + 1 >= context.overReadings,
    isOverForLong: ({ context, event }) =>
      event.pressure !== "normal" && context.over + 1 >= context.overReadings,
    isOver: ({ event }) => event.pressure !== "normal",
    isCritical: ({ event }) => event.pressure === "critical",
    isCalmForLong: ({ context }) => context.calm + 1 >= context.calmReadings,
    isLastReturned: ({ context }) => context.calm + 1 >= context.calmReadings && context.shed <= 1
  }
}).createMachine({
  id: "resources",
  context: ({ input }) => ({ ...input, ...quiet, shed: 0 }),
  invoke: { src: "watch", input: {} },
  initial: "Normal",
  states: {
    Normal: {
      description: "Everything is within its limits, or was over one for a moment only; nothing is shed.",
      tags: ["ready", "resting"],
      entry: [assign({ ...quiet, shed: 0 }), { type: "publish", params: { state: "Normal" } }],
      on: {
        "readings.taken": [
          { guard: "isCriticalForLong", target: "Critical" },
          { guard: "isOverForLong", target: "Shedding", actions: assign({ shed: 1 }) },
          { guard: "isOver", actions: assign({ over: ({ context }) => context.over + 1 }) },
          { actions: assign(quiet) }
        ]
      }
    },
    Shedding: {
      description:
        "Something is over its limit: features are given up one after another, or are being returned one after another.",
      tags: ["ready", "degraded", "resting"],
      entry: [assign(quiet), { type: "publish", params: { state: "Shedding" } }],
      on: {
        "readings.taken": [
          { guard: "isCriticalForLong", target: "Critical" },
          {
            guard: "isOverForLong",
            target: "Shedding",
            reenter: true,
            actions: assign({ shed: ({ context }) => Math.min(context.featuresMax, context.shed + 1) })
          },
          { guard: "isOver", actions: assign({ over: ({ context }) => context.over + 1, calm: 0 }) },
          { guard: "isLastReturned", target: "Normal" },
          {
            guard: "isCalmForLong",
            target: "Shedding",
            reenter: true,
            actions: assign({ shed: ({ context }) => context.shed - 1 })
          },
          { actions: assign({ calm: ({ context }) => context.calm + 1, over: 0 }) }
        ]
      }
    },
    Critical: {
      description:
        "The process is about to be unable to work: everything that can be given up is; commands, exits, orders and intake go on.",
      tags: ["ready", "degraded", "resting"],
      entry: [
        assign(({ context }) => ({ ...quiet, shed: context.featuresMax })),
        { type: "publish", params: { state: "Critical" } }
      ],
      on: {
        "readings.taken": [
          { guard: "isCritical", actions: assign({ calm: 0 }) },
          { guard: "isCalmForLong", target: "Shedding" },
          { actions: assign({ calm: ({ context }) => context.calm + 1 }) }
        ]
      }
    }
  }
})
