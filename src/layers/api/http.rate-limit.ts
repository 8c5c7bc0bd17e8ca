/**
 * The rate limit of a source: a sliding window per sender, exact to the request.
 *
 * It is applied after authentication and is off unless configured, because a 429 loses a TradingView alert for good
 * (W12). It exists for sources that ask for it ("one alert per second"), not as a defence of the server. A burst that is legitimate can
 * wait for its turn instead (`queue`), for as long as its sender does.
 *
 * Promises: within any `perMs` milliseconds at most `requests` posts of one sender to one source pass; a refused post
 * does not count; posts that wait pass in the order in which they came; memory is bounded, the sender unseen for longest is
 * forgotten first.
 * Never: reads a clock; lets a post wait that could not pass within `waitMsMax`.
 * Failure: a restart forgets what was counted; a post whose sender hangs up while it waits has used its turn.
 */
import type { SourceRate } from "../../domain/kernel/settings-source.ts"
import { type Exchange, refuse } from "./http.exchange.ts"
import { postLimits } from "../platform/http-limits.ts"

/** `waitMs` 0: it passes now. `retryMs`: when another one could pass, or wait. */
export type Turn = { readonly waitMs: number } | { readonly retryMs: number }

export interface RateLimiter {
  /** The turn of a post that came at `nowMs`, by a clock that never goes back; it is taken where the post has one. */
  readonly take: (source: string, sender: string, limit: SourceRate, nowMs: number) => Turn
  readonly senders: () => number
}

export const makeRateLimiter = (): RateLimiter => {
  // Insertion order is the order of last use: a sender is taken out and put back at each post that passes.
  const passed = new Map<string, Array<number>>()
  return {
    senders: () => passed.size,
    take: (source, sender, { perMs, policy, requests, waitMsMax }, nowMs) => {
      const key = `${source} ${sender}`
      const times = (passed.get(key) ?? []).filter((at) => nowMs - at < perMs)
      // The window is full until the oldest of the last `requests` leaves it, whether those have passed or wait.
      const blocking = times.at(-requests)
      const at = times.length < requests || blocking === undefined ? nowMs : blocking + perMs
      const waitMs = Math.max(0, at - nowMs)
      const allowedMs = policy === "queue" ? waitMsMax : 0
      if (waitMs > allowedMs) return { retryMs: Math.max(1, waitMs - allowedMs) }
      times.push(nowMs + waitMs)
      passed.delete(key)
      passed.set(key, times)
      if (passed.size > postLimits.rateSendersMax) {
        const longestUnseen = passed.keys().next()
        if (longestUnseen.done !== true) passed.delete(longestUnseen.value)
      }
      return { waitMs }
    }
  }
}

const refuseRate = (exchange: Exchange, retryMs: number): void =>
  refuse(exchange, 429, {}, { "retry-after": String(Math.ceil(retryMs / 1_000)) })

/** An authenticated post of a sender with a rate. */
export interface RatedPost {
  readonly exchange: Exchange
  readonly source: string
  readonly sender: string
  readonly nowMs: number
}

export interface RateGate {
  /** Runs `then` when it is the post's turn, or answers 429. `then` must not throw. */
  readonly admit: (post: RatedPost, limit: SourceRate, then: () => void) => void
  /** Posts that wait for their turn, by source. */
  readonly waiting: (source: string) => number
}

export const makeRateGate = (limiter = makeRateLimiter()): RateGate => {
  const waiting = new Map<string, number>()
  const count = (source: string, by: 1 | -1): void => {
    waiting.set(source, (waiting.get(source) ?? 0) + by)
    total += by
  }
  let total = 0
  const wait = ({ exchange: { response }, source }: RatedPost, ms: number, then: () => void): void => {
    count(source, 1)
    const end = (): void => {
      clearTimeout(timer)
      response.off("close", end)
      count(source, -1)
    }
    // A sender that hangs up is answered nothing, and its post is not stored: it may send it again.
    const timer = setTimeout(() => {
      end()
      then()
    }, ms)
    response.once("close", end)
  }
  return {
    waiting: (source) => waiting.get(source) ?? 0,
    admit: (post, limit, then) => {
      const { exchange, nowMs, sender, source } = post
      const policy = total < postLimits.rateWaitingMax ? limit.policy : "reject"
      const turn = limiter.take(source, sender, { ...limit, policy }, nowMs)
      if ("retryMs" in turn) refuseRate(exchange, turn.retryMs)
      else if (turn.waitMs === 0) then()
      else wait(post, turn.waitMs, then)
    }
  }
}
