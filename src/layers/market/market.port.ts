/**
 * Market: the port through which the rest of the service gets prices.
 *
 * Deciding and protecting need a price and its age, now and without waiting for a socket; so quotes are kept in memory
 * and read synchronously, and one component (the market actor) runs the feed that keeps them fresh.
 *
 * Promises: `quote` is the last one known, however old: its age is the caller's question and `ageLimits.quoteAgeMsMax`
 * the answer; a symbol once subscribed is quoted for as long as the feed runs; building it does no I/O.
 * Never: invents a quote while the feed is down, or blocks a reader.
 */
import { Context, Data, type Effect, type Stream } from "effect"
import { ageLimits } from "../../domain/kernel/limits-signals.ts"
import type { Bar, BarsRequest } from "../../domain/market/bar.ts"
import type { ChainRequest, ListedContract } from "../../domain/market/option-chain.ts"
import type { Positioning, PositioningRequest } from "../../domain/market/positioning.ts"

/** Prices are decimal strings; bid <= last <= ask. `at` is when the price held, not when it arrived. */
export interface Quote {
  readonly symbol: string
  readonly bid: string
  readonly ask: string
  readonly last: string
  readonly at: Date
}

/** The feed ended. Every end that we did not request is one, however clean. */
export class MarketFeedEnded extends Data.TaggedError("MarketFeedEnded")<{ readonly reason: string }> {}

/** No bars now: the feed does not run, the symbol has none, or more were asked for than `barsMax`. */
export class BarsUnavailable extends Data.TaggedError("BarsUnavailable")<{ readonly reason: string }> {}

/** No option contracts now: the feed does not run. */
export class ChainUnavailable extends Data.TaggedError("ChainUnavailable")<{ readonly reason: string }> {}

export interface MarketStatus {
  /** True while the feed runs. */
  readonly live: boolean
  readonly symbols: number
  readonly lastTickAt: Date | null
}

export const marketLimits = {
  /** Symbols quoted at once. A symbol comes in a webhook body, so without a bound a sender could fill the memory. */
  symbolsMax: 2_000,
  /** Bars of one request: two years of days. */
  barsMax: 500,
  /** The shortest bar: a quote holds for a part of a second only. */
  barMsMin: 1_000,
  /** Ticks a slow reader may fall behind before it misses some: it wants the latest prices, not all of them. */
  ticksBehindMax: 16,
  /** From the start of a feed to its first tick: what a stream of a real provider needs, twice. */
  connectMsMax: 20_000,
  /** Without a tick for this long the quotes are stale. Equal to the age beyond which nobody may use them. */
  staleAfterMs: ageLimits.quoteAgeMsMax,
  /** A feed that is stale for this long is dropped and reconnected. */
  staleMsMax: 20_000,
  retryMsFirst: 250,
  retryMsMax: 30_000,
  /** How often the machine is notified that the feed ticks: a fifth of the staleness deadline, which it restarts. */
  reportEveryMs: 2_000,
  /** A feed that ticked this often (30 s) was really up; one tick per connection must not reset the backoff. */
  ticksUntilStable: 15
} as const

export interface MarketService {
  /** The last quote of a symbol, or null when there was none since the start. Synchronous. */
  readonly quote: (symbol: string) => Quote | null
  /** Subscribes to a symbol from now on. False when `symbolsMax` is reached; known symbols are always true. */
  readonly subscribe: (symbol: string) => boolean
  /** Subscribes and waits at most `maxWaitMs` for a quote; null when the feed is down or too slow. */
  readonly lookUp: (symbol: string, maxWaitMs: number) => Effect.Effect<Quote | null>
  /**
   * The bars that have ended at `atMs`, the oldest first: as many as there are, at most `count`. The same request gets the same
   * bars, so a decision that is made again reads what it read. Interruptible; the caller sets the deadline.
   */
  readonly bars: (request: BarsRequest) => Effect.Effect<ReadonlyArray<Bar>, BarsUnavailable>
  /**
   * The option contracts of a right that are listed on an instrument, with their quotes; empty where there are none. Interruptible; the
   * caller sets the deadline.
   */
  readonly chain: (request: ChainRequest) => Effect.Effect<ReadonlyArray<ListedContract>, ChainUnavailable>
  /**
   * Open interest and funding of a contract; null where there are none, or the feed does not run. For people to look at. Interruptible;
   * the caller sets the deadline.
   */
  readonly positioning: (request: PositioningRequest) => Effect.Effect<Positioning | null>
  /** Every tick of the feed, with the quotes of all subscribed symbols. A slow reader misses ticks, never blocks. */
  readonly ticks: Stream.Stream<ReadonlyArray<Quote>>
  readonly status: () => MarketStatus
  /** Runs the feed, calling `onTick` after each; for the market actor alone. Ends only by failing. */
  readonly feed: <R>(onTick: Effect.Effect<void, never, R>) => Effect.Effect<never, MarketFeedEnded, R>
}

export class Market extends Context.Service<Market, MarketService>()("holdfast/layers/Market") {}

/** What is wrong with a request for bars; null when nothing is. */
export const barsProblem = ({ count, timeframeMs }: BarsRequest): string | null => {
  if (!Number.isInteger(count) || count < 1 || count > marketLimits.barsMax)
    return `a request is for 1 to ${marketLimits.barsMax} bars`
  return Number.isInteger(timeframeMs) && timeframeMs >= marketLimits.barMsMin
    ? null
    : `a bar is at least ${marketLimits.barMsMin} ms long`
}
