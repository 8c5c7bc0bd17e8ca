/**
 * Broker machine: the stream of one broker connection, and what happens whenever it ends.
 *
 * The incident behind it: a venue closed its stream with code 1000, the receive loop ended without an error, and
 * nobody owned that end for three hours. Here every end is an event with its code and reason, and only a stop that we
 * requested is not followed by another attempt.
 *
 * Promises: unlimited attempts, full jitter, a backoff that starts small again only after the stream has lived for
 * `goodAfterMs`; the last close is visible while it waits; accounts reconcile after every connect, because a stream
 * does not replay what it missed.
 * Never: sends orders; a dead stream keeps nobody from querying the venue.
 * States: WaitingForDatabase -> Streaming {Connecting -> Live} -> BackingOff -> Streaming; Stopped.
 */
import { assign, setup } from "xstate"
import { streamSlot } from "../slot.ts"

export interface BrokerInput {
  readonly broker: string
  readonly connectMsMax: number
  readonly retryFirstMs: number
  readonly retryMsMax: number
  readonly goodAfterMs: number
}

export interface BrokerContext extends BrokerInput {
  readonly attempt: number
  readonly connects: number
  readonly delayMs: number
  /** Epoch milliseconds of the next attempt, null while there is a connection. */
  readonly nextAt: number | null
  /** WebSocket close code of the last end, null when there was none. */
  readonly closeCode: number | null
  readonly closeReason: string | null
  readonly fillsMissed: number
  readonly lastError: string | null
}

export type BrokerMachineEvent =
  | { readonly type: "stream.connected" }
  /** `jitter` is drawn from 0 to 1 and `at` is the time of the end: a machine has neither randomness nor clock. */
  | {
      readonly type: "stream.ended"
      readonly code: number | null
      readonly reason: string
      readonly jitter: number
      readonly at: number
    }
  | { readonly type: "fills.missed"; readonly reason: string }
  | { readonly type: "database.available" }
  | { readonly type: "database.unavailable" }
  /** The venue reports that it serves again: waiting any longer would be pointless. */
  | { readonly type: "venue.serves" }
  | { readonly type: "broker.stop" }

/** Doubling from the first delay, capped; the exponent is bounded so that it stays a number. */
const ceilingOf = (context: BrokerContext): number =>
  Math.min(context.retryMsMax, context.retryFirstMs * 2 ** Math.min(context.attempt, 16))

const ended = (
  context: BrokerContext,
  end: { readonly code: number | null; readonly reason: string; readonly jitter: number; readonly at: number }
): Partial<BrokerContext> => {
  const delayMs = Math.floor(end.jitter * ceilingOf(context))
  return {
    attempt: context.attempt + 1,
    delayMs,
    nextAt: end.at + delayMs,
    closeCode: end.code,
    closeReason: end.reason,
    lastError: `the stream ended with ${end.code ?? "no code"}: ${end.reason}`
  }
}

export const brokerMachine = setup({
  types: {
    context: {} as BrokerContext,
    events: {} as BrokerMachineEvent,
    input: {} as BrokerInput,
    tags: {} as "starting" | "ready" | "degraded" | "backingOff" | "stopped" | "resting"
  },
  actors: {
    watchDatabase: streamSlot<Record<string, never>>(),
    stream: streamSlot<Record<string, never>>(),
    venueBell: streamSlot<Record<string, never>>()
  },
  // The actor words these alerts; each action is given the context.
  actions: { alertAway: () => {}, resolveAway: () => {} },
  delays: {
    connectDeadline: ({ context }) => context.connectMsMax,
    retry: ({ context }) => context.delayMs,
    good: ({ context }) => context.goodAfterMs
  }
}).createMachine({
  id: "broker",
  context: ({ input }) => ({
    ...input,
    attempt: 0,
    connects: 0,
    delayMs: 0,
    nextAt: null,
    closeCode: null,
    closeReason: null,
    fillsMissed: 0,
    lastError: null
  }),
  invoke: { src: "watchDatabase", input: {} },
  on: {
    "broker.stop": ".Stopped",
    // Once streaming, a lost database does not end the stream: fills that cannot be stored are fetched again later.
    "database.available": {},
    "database.unavailable": {},
    "fills.missed": {
      actions: assign(({ context, event }) => ({
        fillsMissed: context.fillsMissed + 1,
        lastError: `a fill could not be stored and is fetched again: ${event.reason}`
      }))
    },
    // A stream that was left reports its end late; ignored on purpose.
    "stream.connected": {},
    "stream.ended": {}
  },
  initial: "WaitingForDatabase",
  states: {
    WaitingForDatabase: {
      description: "Nothing can be stored yet: there is no database, or its tables are not there.",
      tags: ["starting", "degraded", "resting"],
      on: { "database.available": "Streaming" }
    },
    Streaming: {
      description: "The stream is being opened or is open; it has one owner, which is this state.",
      invoke: { src: "stream", input: {} },
      on: {
        "stream.ended": {
          target: "BackingOff",
          actions: assign(({ context, event }) => ended(context, event))
        }
      },
      initial: "Connecting",
      states: {
        Connecting: {
          description: "Connects and waits for the venue's hello.",
          tags: ["starting", "degraded"],
          entry: assign({ nextAt: null }),
          on: {
            "stream.connected": {
              target: "Live",
              actions: assign(({ context }) => ({ connects: context.connects + 1, lastError: null }))
            }
          },
          after: {
            connectDeadline: {
              target: "#broker.BackingOff",
              // No random draw here: the attempt itself took varying time, so the full delay is spread enough.
              actions: assign(({ context }) => ({
                attempt: context.attempt + 1,
                delayMs: ceilingOf(context),
                closeCode: null,
                closeReason: "no hello in time",
                lastError: "the venue did not send its hello in time"
              }))
            }
          }
        },
        Live: {
          description:
            "Orders and fills arrive as they happen; accounts were notified to fetch what came before.",
          tags: ["ready", "resting"],
          entry: "resolveAway",
          after: { good: { actions: assign({ attempt: 0 }) } }
        }
      }
    },
    BackingOff: {
      description: "The stream ended; code and reason are kept, and the next attempt has a time.",
      tags: ["degraded", "backingOff"],
      entry: "alertAway",
      invoke: { src: "venueBell", input: {} },
      on: { "venue.serves": "Streaming" },
      after: { retry: "Streaming" }
    },
    Stopped: { description: "We requested the end.", tags: "stopped", type: "final" }
  }
})
