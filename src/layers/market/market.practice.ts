/**
 * Practice market: quotes and bars of any symbol, computed from a seed and the clock.
 *
 * A newcomer has no market data account, and a test must see the same prices twice. The price function is shared with
 * the paper venue, so an order fills near the quote it was decided on.
 *
 * Promises: the same seed gives the same quotes at the same times; a tick every `tickMs` of the ambient clock; on the
 * virtual clock no tick happens unasked.
 * Never: reads the real clock or a network.
 * Failure: the feed runs until it is interrupted, and while it does not run there are no new quotes.
 */
import { Clock, Effect, Layer, PubSub, Stream } from "effect"
import { practiceBars } from "../../domain/market/practice-bars.ts"
import { practiceChain } from "../../domain/market/practice-chain.ts"
import { practicePositioning } from "../../domain/market/practice-positioning.ts"
import { practiceQuote } from "../../domain/market/practice-price.ts"
import { Config } from "../platform/config.port.ts"
import {
  BarsUnavailable,
  barsProblem,
  ChainUnavailable,
  Market,
  marketLimits,
  type MarketService,
  type Quote
} from "./market.port.ts"

export interface PracticeMarketOptions {
  readonly seed: number
  /** Milliseconds between two ticks. */
  readonly tickMs: number
}

const quoteAt = (seed: number, symbol: string, ms: number): Quote => {
  const { bid, ask, last } = practiceQuote(seed, symbol, ms)
  return { symbol, bid, ask, last, at: new Date(ms) }
}

/** Builds the market; its feed is run by the market actor. */
export const makePracticeMarket = (options: PracticeMarketOptions): Effect.Effect<MarketService> =>
  Effect.gen(function* () {
    // The key is the subscription, the value its last quote.
    const quotes = new Map<string, Quote | null>()
    const hub = yield* PubSub.sliding<ReadonlyArray<Quote>>(marketLimits.ticksBehindMax)
    let live = false
    let lastTickAt: Date | null = null

    const subscribe = (symbol: string): boolean => {
      if (quotes.has(symbol)) return true
      if (quotes.size >= marketLimits.symbolsMax) return false
      quotes.set(symbol, null)
      return true
    }
    const tick = Effect.gen(function* () {
      const ms = yield* Clock.currentTimeMillis
      const fresh = [...quotes.keys()].map((symbol) => quoteAt(options.seed, symbol, ms))
      for (const quote of fresh) quotes.set(quote.symbol, quote)
      lastTickAt = new Date(ms)
      yield* PubSub.publish(hub, fresh)
    })
    return {
      quote: (symbol) => quotes.get(symbol) ?? null,
      subscribe,
      // No waiting here: where prices are arithmetic, the first one is due at once.
      lookUp: (symbol) =>
        Effect.map(Clock.currentTimeMillis, (ms) => {
          if (!live || !subscribe(symbol)) return null
          const quote = quoteAt(options.seed, symbol, ms)
          quotes.set(symbol, quote)
          return quote
        }),
      bars: (request) =>
        Effect.suspend(() => {
          const reason = live ? barsProblem(request) : "the feed does not run"
          if (reason !== null) return Effect.fail(new BarsUnavailable({ reason }))
          return Effect.succeed(practiceBars(options.seed, request))
        }),
      chain: (request) =>
        Effect.suspend(() =>
          live
            ? Effect.succeed(practiceChain(options.seed, request))
            : Effect.fail(new ChainUnavailable({ reason: "the feed does not run" }))
        ),
      positioning: (request) => Effect.sync(() => (live ? practicePositioning(options.seed, request) : null)),
      ticks: Stream.fromPubSub(hub),
      status: () => ({ live, symbols: quotes.size, lastTickAt }),
      feed: (onTick) =>
        Effect.sync(() => {
          live = true
        }).pipe(
          Effect.andThen(
            Effect.forever(Effect.andThen(Effect.andThen(tick, onTick), Effect.sleep(options.tickMs)))
          ),
          Effect.ensuring(Effect.sync(() => void (live = false)))
        )
    }
  })

/** The practice market of the configuration. */
export const layerPracticeMarket: Layer.Layer<Market, never, Config> = Layer.effect(
  Market,
  Effect.flatMap(Config, ({ market }) => makePracticeMarket(market))
)
