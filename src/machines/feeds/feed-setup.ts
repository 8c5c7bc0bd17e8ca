/**
 * Feed machine, the parts: its vocabulary, its guards and delays, and what it does at the end of a connection.
 *
 * Separate from the states only because both together exceed a page; nothing else uses it.
 *
 * Promises: every end of a connection goes through `ended`, so attempt, last end and last error cannot disagree.
 * Never: reads a socket or a clock.
 */
import { enqueueActions, sendTo, setup } from "xstate"
import type { FeedEnd } from "../../domain/feeds/feed-end.ts"
import { feedLimits } from "../../domain/kernel/limits-feeds.ts"
import type { FeedFields } from "../../domain/kernel/settings.ts"
import { slot, streamSlot } from "../slot.ts"

export interface FeedInput extends Omit<FeedFields, "url" | "source" | "frameBytesMax" | "practiceSignals"> {
  readonly feed: string
}

export interface FeedContext extends FeedInput {
  /** Attempts since the last connection that proved good. */
  readonly attempt: number
  readonly connects: number
  /** Epoch milliseconds of the last connects, inside the window of the flap detection. */
  readonly connectedAt: ReadonlyArray<number>
  readonly flapping: boolean
  /** Epoch milliseconds since when the connection is live, null while it is not. */
  readonly connectedSince: number | null
  readonly delayMs: number
  /** Epoch milliseconds of the next attempt, null while there is a connection. */
  readonly nextAt: number | null
  readonly lastEnd: FeedEnd | null
  /** A valid message came on this connection. */
  readonly heard: boolean
  /** Reading from the socket is paused, because what was read is not stored yet. */
  readonly paused: boolean
  readonly pongs: { readonly frame: boolean; readonly message: boolean }
  readonly databaseAway: boolean
  readonly lastError: string | null
}

export type FeedEvent =
  | { readonly type: "socket.opened" }
  | { readonly type: "auth.accepted"; readonly at: number }
  | { readonly type: "auth.refused"; readonly reason: string; readonly at: number }
  | { readonly type: "socket.ended"; readonly end: FeedEnd; readonly at: number }
  | { readonly type: "pong.framed" }
  | { readonly type: "pong.received" }
  | { readonly type: "stats.received" }
  | { readonly type: "signals.received" }
  | { readonly type: "message.received" }
  | { readonly type: "reading.paused" }
  | { readonly type: "reading.resumed" }
  | { readonly type: "store.failed"; readonly reason: string }
  | { readonly type: "database.available" }
  | { readonly type: "database.unavailable" }
  | { readonly type: "signals.ask" }
  | { readonly type: "feed.reconnect"; readonly reason: string }
  | { readonly type: "feed.stop" }

/** What the session is asked to send. */
export type FeedCommand =
  | { readonly type: "send.auth" }
  | { readonly type: "send.get_signals" }
  | { readonly type: "send.get_stats" }
  | { readonly type: "send.pings" }

/** What an operator should know. */
export interface FeedAlert {
  readonly kind: "feed.flapping" | "feed.credentials_refused" | "feed.frame_oversize" | "feed.not_recovered"
  readonly severity: "MEDIUM" | "HIGH"
  readonly message: string
}

/** What the log should know. */
export type FeedNews =
  | { readonly event: "feed.live" }
  | { readonly event: "feed.ended"; readonly end: FeedEnd }
  | { readonly event: "feed.waiting" }

/** Doubling from the first delay, capped; the exponent is bounded so that it stays a number. */
export const ceilingOf = ({ attempt, retryFirstMs, retryMsMax }: FeedContext): number =>
  Math.min(retryMsMax, retryFirstMs * 2 ** Math.min(Math.max(attempt - 1, 0), 20))

const textOf = (end: FeedEnd): string =>
  `${end.kind}${end.code === null ? "" : ` with code ${end.code}`}: ${end.reason}`

const ended = (context: FeedContext, end: FeedEnd): Partial<FeedContext> => ({
  attempt: context.attempt + 1,
  connectedSince: null,
  lastEnd: end,
  lastError: textOf(end)
})

export const silent = (kind: FeedEnd["kind"], what: string, ms: number): FeedEnd => ({
  kind,
  code: null,
  reason: `${what} within ${ms} ms`
})

export const feedSetup = setup({
  types: {
    context: {} as FeedContext,
    events: {} as FeedEvent,
    input: {} as FeedInput,
    tags: {} as "starting" | "ready" | "degraded" | "backingOff" | "stopped" | "resting"
  },
  actors: {
    session: streamSlot<Record<string, never>>(),
    /** Stores what comes, over all connections. */
    storing: streamSlot<Record<string, never>>(),
    watchDatabase: streamSlot<Record<string, never>>(),
    /** Randomness and clock for the next attempt. */
    plan: slot<Record<string, never>, { readonly jitter: number; readonly at: number }>()
  },
  actions: {
    raise: (_of, _alert: FeedAlert) => {},
    logNews: (_of, _news: FeedNews) => {}
  },
  guards: {
    isCredential: ({ event }) => event.type === "socket.ended" && event.end.kind === "credentials",
    isPaused: ({ context }) => context.paused,
    isDatabaseAway: ({ context }) => context.databaseAway,
    isDatabaseThere: ({ context }) => !context.databaseAway,
    hasReceived: ({ context }) => context.heard,
    hasBothPongs: ({ context }) => context.pongs.frame && context.pongs.message
  },
  delays: {
    connectDeadline: ({ context }) => context.connectMsMax,
    authDeadline: ({ context }) => context.authMsMax,
    nextPing: ({ context }) => context.pingEveryMs,
    pongDeadline: ({ context }) => context.pongMsMax,
    nextStats: ({ context }) => context.statsEveryMs,
    answerDeadline: ({ context }) => context.answerMsMax,
    good: ({ context }) => context.goodAfterMs,
    retry: ({ context }) => context.delayMs,
    credentialRetry: ({ context }) => context.credentialRetryMs,
    planDeadline: 1_000,
    storeRetry: feedLimits.storeRetryMs,
    databaseDeadline: feedLimits.databaseMsMax
  }
})

export const sendCommand = (command: FeedCommand) => feedSetup.createAction(sendTo("session", command))

/** The end of a connection that we decide ourselves: nobody answered. */
export const noAnswer = (end: (context: FeedContext) => FeedEnd) =>
  feedSetup.createAction(
    enqueueActions(({ context, enqueue }) => {
      const found = end(context)
      enqueue.assign(ended(context, found))
      enqueue({ type: "logNews", params: { event: "feed.ended", end: found } })
    })
  )

export const socketEnded = feedSetup.createAction(
  enqueueActions(({ context, enqueue, event }) => {
    if (event.type !== "socket.ended") return
    enqueue.assign(ended(context, event.end))
    enqueue({ type: "logNews", params: { event: "feed.ended", end: event.end } })
    if (event.end.kind === "oversize") {
      enqueue({
        type: "raise",
        params: {
          kind: "feed.frame_oversize",
          severity: "HIGH",
          message: `the signal feed ${context.feed} sent a frame above the limit: ${event.end.reason}`
        }
      })
    }
  })
)

export const credentialRefused = feedSetup.createAction(
  enqueueActions(({ context, enqueue, event }) => {
    if (event.type !== "auth.refused" && event.type !== "socket.ended") return
    const end: FeedEnd =
      event.type === "auth.refused" ? { kind: "credentials", code: null, reason: event.reason } : event.end
    enqueue.assign({
      ...ended(context, end),
      delayMs: context.credentialRetryMs,
      nextAt: event.at + context.credentialRetryMs
    })
    enqueue({ type: "logNews", params: { event: "feed.ended", end } })
    enqueue({
      type: "raise",
      params: {
        kind: "feed.credentials_refused",
        severity: "HIGH",
        message: `the signal feed ${context.feed} refuses our credentials: ${end.reason}`
      }
    })
  })
)

export const live = feedSetup.createAction(
  enqueueActions(({ context, enqueue, event }) => {
    if (event.type !== "auth.accepted") return
    const within = context.connectedAt.filter((at) => event.at - at < context.flapWithinMs)
    const connectedAt = [...within, event.at].slice(-context.flapConnects)
    const flapping = connectedAt.length >= context.flapConnects
    enqueue.assign({
      connects: context.connects + 1,
      connectedAt,
      flapping,
      connectedSince: event.at,
      lastError: null
    })
    enqueue({ type: "logNews", params: { event: "feed.live" } })
    if (flapping && !context.flapping) {
      enqueue({
        type: "raise",
        params: {
          kind: "feed.flapping",
          severity: "MEDIUM",
          message: `the signal feed ${context.feed} connected ${connectedAt.length} times within ${context.flapWithinMs} ms`
        }
      })
    }
  })
)

/** The delay is known: record when it ends, and alert after too many attempts in a row. */
export const waiting = feedSetup.createAction(
  enqueueActions(({ context, enqueue }) => {
    enqueue({ type: "logNews", params: { event: "feed.waiting" } })
    if (context.attempt === context.alertAfterAttempts) {
      enqueue({
        type: "raise",
        params: {
          kind: "feed.not_recovered",
          severity: "HIGH",
          message: `the signal feed ${context.feed} did not recover in ${context.attempt} attempts: ${context.lastError ?? "no reason known"}`
        }
      })
    }
  })
)

export const givenUp = feedSetup.createAction(
  enqueueActions(({ context, enqueue, event }) => {
    if (event.type !== "feed.reconnect") return
    const end: FeedEnd = { kind: "given_up", code: null, reason: event.reason }
    enqueue.assign(ended(context, end))
    enqueue({ type: "logNews", params: { event: "feed.ended", end } })
  })
)
