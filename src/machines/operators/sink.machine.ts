/**
 * Sink machine: sends what waits for one sink, one message after the other.
 *
 * Whether anything is sent now is decided by the rows, which every process shares: what waits, since when, who sends. The machine
 * knows only what the last attempt came to, and when the next one is due.
 *
 * Promises: one attempt at a time, with a deadline; a failure leads to a pause, longer each time; a new alert is sent at once where
 * nothing stands against it.
 * Never: loses a row, or decides what is sent.
 * States: WaitingForDatabase -> Sending -> Sending | Idle | RateLimited | StandingBy | BackingOff -> Sending.
 */
import { assign, setup } from "xstate"
import { slot, streamSlot } from "../slot.ts"

export interface SinkInput {
  readonly pollMs: number
  readonly heldMs: number
  /** Above the deadlines of an attempt and of its rows. */
  readonly sendMsMax: number
  readonly retryMs: number
}

/** What one attempt came to. */
export type SinkOutcome =
  | { readonly _tag: "Sent"; readonly alerts: number }
  | { readonly _tag: "Nothing" }
  /** Another process sends for this sink. */
  | { readonly _tag: "Held" }
  /** Our own rate, or a pause that the rows remember. */
  | { readonly _tag: "NotYet"; readonly waitMs: number }
  /** The receiver names the time before which it takes nothing. */
  | { readonly _tag: "Limited"; readonly waitMs: number; readonly reason: string }
  | { readonly _tag: "Failed"; readonly waitMs: number; readonly reason: string }

export interface SinkContext extends SinkInput {
  /** Alerts sent by this incarnation. */
  readonly sent: number
  /** Failures in a row. */
  readonly failures: number
  readonly waitMs: number
  readonly lastError: string | null
}

export type SinkEvent =
  | { readonly type: "database.available" }
  | { readonly type: "database.unavailable" }
  | { readonly type: "outbox.filled" }

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const waitOf = (outcome: SinkOutcome): number => ("waitMs" in outcome ? outcome.waitMs : 0)
const reasonOf = (outcome: SinkOutcome): string | null => ("reason" in outcome ? outcome.reason : null)

interface Ended {
  readonly event: { readonly output: SinkOutcome }
}
const isOf =
  (tag: SinkOutcome["_tag"]) =>
  ({ event }: Ended): boolean =>
    event.output._tag === tag

export const sinkMachine = setup({
  types: {
    context: {} as SinkContext,
    events: {} as SinkEvent,
    input: {} as SinkInput,
    tags: {} as "ready" | "degraded" | "backingOff" | "resting"
  },
  actors: {
    watchDatabase: streamSlot<Record<string, never>>(),
    watchOutbox: streamSlot<Record<string, never>>(),
    measure: streamSlot<Record<string, never>>(),
    send: slot<{ readonly failures: number }, SinkOutcome>()
  },
  delays: {
    poll: ({ context }) => context.pollMs,
    held: ({ context }) => context.heldMs,
    wait: ({ context }) => context.waitMs,
    sendDeadline: ({ context }) => context.sendMsMax
  }
}).createMachine({
  id: "sink",
  context: ({ input }) => ({ ...input, sent: 0, failures: 0, waitMs: input.retryMs, lastError: null }),
  invoke: [
    { src: "watchDatabase", input: {} },
    { src: "watchOutbox", input: {} },
    { src: "measure", input: {} }
  ],
  on: {
    "database.unavailable": { target: ".WaitingForDatabase" },
    // News only to the state that waits for it; elsewhere ignored on purpose.
    "database.available": {},
    "outbox.filled": {}
  },
  initial: "WaitingForDatabase",
  states: {
    WaitingForDatabase: {
      description: "The database is away: what waits is in its rows, and alerts are logged meanwhile.",
      tags: ["degraded", "resting"],
      on: { "database.available": "Sending", "database.unavailable": {} }
    },
    Idle: {
      description: "Nothing waits for this sink.",
      tags: "ready",
      on: { "outbox.filled": "Sending" },
      after: { poll: "Sending" }
    },
    Sending: {
      description: "Takes the next message and sends it, unless the rows say that it is not its turn.",
      tags: "ready",
      invoke: {
        src: "send",
        input: ({ context }) => ({ failures: context.failures }),
        onDone: [
          {
            guard: isOf("Sent"),
            target: "Sending",
            reenter: true,
            actions: assign(({ context, event }) => ({
              sent: context.sent + (event.output._tag === "Sent" ? event.output.alerts : 0),
              failures: 0,
              lastError: null
            }))
          },
          { guard: isOf("Nothing"), target: "Idle" },
          { guard: isOf("Held"), target: "StandingBy" },
          {
            guard: isOf("Failed"),
            target: "BackingOff",
            actions: assign(({ context, event }) => ({
              failures: context.failures + 1,
              waitMs: waitOf(event.output),
              lastError: reasonOf(event.output)
            }))
          },
          {
            guard: isOf("Limited"),
            target: "RateLimited",
            // It counts for the next pause, should the receiver not say how long.
            actions: assign(({ context, event }) => ({
              failures: context.failures + 1,
              waitMs: waitOf(event.output),
              lastError: reasonOf(event.output)
            }))
          },
          { target: "RateLimited", actions: assign({ waitMs: ({ event }) => waitOf(event.output) }) }
        ],
        onError: {
          target: "BackingOff",
          actions: assign(({ context, event }) => ({
            waitMs: context.retryMs,
            lastError: textOf(event.error)
          }))
        }
      },
      after: {
        sendDeadline: {
          target: "BackingOff",
          actions: assign(({ context }) => ({
            failures: context.failures + 1,
            waitMs: context.retryMs,
            lastError: "an attempt did not end in time"
          }))
        }
      }
    },
    RateLimited: {
      description:
        "What waits may not be sent yet: our own rate, the receiver's, or a pause after a failure. It is told together afterwards.",
      tags: "ready",
      after: { wait: "Sending" }
    },
    StandingBy: {
      description: "Another process sends for this sink, so that its messages keep their order.",
      tags: "ready",
      after: { held: "Sending" }
    },
    BackingOff: {
      description:
        "The last message was not taken; it is tried again, later each time, and nothing overtakes it but CRITICAL alerts.",
      tags: ["backingOff", "degraded"],
      after: { wait: "Sending" }
    }
  }
})
