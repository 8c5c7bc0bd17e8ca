/**
 * Market machine: are the prices fresh.
 *
 * A dead quote feed must be a state that everybody sees, because a position without quotes cannot be protected. Only
 * data proves a feed: a connection that is open and silent is stale, not live.
 *
 * Promises: `ready` only within `staleAfterMs` of a tick; every end of the feed, a clean one too, leads to another
 * try after the backoff; the backoff starts over only after a feed that really was up.
 * Never: gives up, or reads a price.
 * States: Feeding {Connecting -> Live <-> Stale} <-> BackingOff.
 */
import { assign, setup } from "xstate"
import { streamSlot } from "../slot.ts"

export interface MarketInput {
  readonly connectMsMax: number
  /** Without a tick for this long the quotes are stale. */
  readonly staleAfterMs: number
  /** A feed that stays stale for this long is reconnected. */
  readonly staleMsMax: number
  readonly retryMsFirst: number
  readonly retryMsMax: number
  readonly ticksUntilStable: number
}

export interface MarketContext extends MarketInput {
  readonly attempt: number
  /** Ticks of the current connection. */
  readonly ticks: number
  readonly lastError: string | null
}

export type MarketEvent = { readonly type: "market.ticked" }

const textOf = (error: unknown): string => {
  if (typeof error === "object" && error !== null && "reason" in error) return String(error.reason)
  return error instanceof Error ? error.message : String(error)
}

export const marketMachine = setup({
  types: {
    context: {} as MarketContext,
    events: {} as MarketEvent,
    input: {} as MarketInput,
    tags: {} as "starting" | "ready" | "degraded" | "backingOff"
  },
  actors: { feed: streamSlot<Record<string, never>>() },
  actions: {
    countTick: assign(({ context }) => {
      const ticks = context.ticks + 1
      const stable = ticks >= context.ticksUntilStable
      return { ticks, attempt: stable ? 0 : context.attempt, lastError: null }
    })
  },
  delays: {
    connectDeadline: ({ context }) => context.connectMsMax,
    staleAfter: ({ context }) => context.staleAfterMs,
    staleDeadline: ({ context }) => context.staleMsMax,
    retry: ({ context }) =>
      Math.min(context.retryMsMax, context.retryMsFirst * 2 ** Math.min(Math.max(context.attempt - 1, 0), 10))
  }
}).createMachine({
  id: "market",
  context: ({ input }) => ({ ...input, attempt: 0, ticks: 0, lastError: null }),
  initial: "Feeding",
  states: {
    Feeding: {
      description: "The feed runs; what it delivers decides whether quotes are fresh.",
      initial: "Connecting",
      entry: assign({ ticks: 0 }),
      invoke: {
        src: "feed",
        input: {},
        onDone: { target: "BackingOff", actions: assign({ lastError: "the feed ended" }) },
        onError: { target: "BackingOff", actions: assign({ lastError: ({ event }) => textOf(event.error) }) }
      },
      states: {
        Connecting: {
          description: "No tick has come yet.",
          tags: "starting",
          on: { "market.ticked": { target: "Live", actions: "countTick" } },
          after: {
            connectDeadline: {
              target: "#market.BackingOff",
              actions: assign({ lastError: "no tick within the connect deadline" })
            }
          }
        },
        Live: {
          description: "Quotes are fresh; each tick starts the staleness deadline again.",
          tags: "ready",
          on: { "market.ticked": { target: "Live", reenter: true, actions: "countTick" } },
          after: {
            staleAfter: { target: "Stale", actions: assign({ lastError: "no tick: the quotes are stale" }) }
          }
        },
        Stale: {
          description: "The feed is connected and silent; nothing may be priced or protected by its quotes.",
          tags: "degraded",
          on: { "market.ticked": { target: "Live", actions: "countTick" } },
          after: { staleDeadline: "#market.BackingOff" }
        }
      }
    },
    BackingOff: {
      description: "The feed ended or went silent; it is reconnected after the backoff.",
      tags: "backingOff",
      entry: assign({ attempt: ({ context }) => context.attempt + 1 }),
      after: { retry: "Feeding" }
    }
  }
})
