/**
 * The rate limit of a source: a sliding window per sender, exact to the request.
 *
 * It is applied after authentication and is off unless configured, because a 429 loses a TradingView alert for good
 * (W12). It exists for sources that ask for it ("one alert per second"), not as a defence of the server.
 *
 * Promises: within any `perMs` milliseconds at most `requests` posts of one sender to one source pass; a refused post
 * does not count; memory is bounded, the sender unseen for longest is forgotten first.
 * Never: reads a clock.
 * Failure: a restart forgets what was counted.
 */
import { postLimits } from "../platform/http-limits.ts"

export interface RateLimit {
  readonly requests: number
  readonly perMs: number
}

export interface RateLimiter {
  /** Counts a post at `nowMs`. 0: it passes; otherwise the milliseconds until the next one would. */
  readonly take: (source: string, sender: string, limit: RateLimit, nowMs: number) => number
  readonly senders: () => number
}

export const makeRateLimiter = (): RateLimiter => {
  // Insertion order is the order of last use: a sender is taken out and put back at each post that passes.
  const passed = new Map<string, Array<number>>()
  return {
    senders: () => passed.size,
    take: (source, sender, limit, nowMs) => {
      const key = `${source} ${sender}`
      const times = (passed.get(key) ?? []).filter((at) => nowMs - at < limit.perMs)
      const oldest = times[0]
      if (times.length >= limit.requests && oldest !== undefined)
        return Math.max(1, oldest + limit.perMs - nowMs)
      times.push(nowMs)
      passed.delete(key)
      passed.set(key, times)
      if (passed.size > postLimits.rateSendersMax) {
        const longestUnseen = passed.keys().next()
        if (longestUnseen.done !== true) passed.delete(longestUnseen.value)
      }
      return 0
    }
  }
}
