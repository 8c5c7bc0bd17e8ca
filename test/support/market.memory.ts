/**
 * Market twin in memory: prices are what a test sets.
 *
 * Exits, risk and the pipeline need a price that jumps exactly when the scenario wants it to; no seed can promise that.
 *
 * Promises: a price set is a tick at once, with the time of the ambient clock; the feed can be ended like a real one.
 * Never: quotes a symbol that no test has priced.
 * Failure: `MarketFeedEnded` with the reason given to `endFeed`.
 */
import { Clock, Deferred, Effect, PubSub, Stream } from "effect"
import type { Bar } from "../../src/domain/market/bar.ts"
import type { ListedContract } from "../../src/domain/market/option-chain.ts"
import {
  BarsUnavailable,
  barsProblem,
  MarketFeedEnded,
  marketLimits,
  type MarketService,
  type Quote
} from "../../src/layers/market/market.port.ts"

export interface MemoryMarket {
  readonly service: MarketService
  /** Sets bid, ask and last of a symbol to one price. */
  readonly setPrice: (symbol: string, price: string) => Effect.Effect<void>
  /** Sets all bars of a symbol, the oldest first. */
  readonly setBars: (symbol: string, bars: ReadonlyArray<Bar>) => void
  /** Sets what is listed of a right on a symbol. */
  readonly setChain: (right: "CALL" | "PUT", symbol: string, chain: ReadonlyArray<ListedContract>) => void
  /** Ends the feed that runs now. */
  readonly endFeed: (reason: string) => Effect.Effect<void>
}

export const makeMemoryMarket: Effect.Effect<MemoryMarket> = Effect.gen(function* () {
  const quotes = new Map<string, Quote>()
  const charts = new Map<string, ReadonlyArray<Bar>>()
  const chains = new Map<string, ReadonlyArray<ListedContract>>()
  const symbols = new Set<string>()
  const hub = yield* PubSub.sliding<ReadonlyArray<Quote>>(marketLimits.ticksBehindMax)
  const ticked = yield* PubSub.sliding<void>(1)
  let feed: Deferred.Deferred<never, MarketFeedEnded> | null = null
  let lastTickAt: Date | null = null

  const subscribe = (symbol: string): boolean => {
    if (!symbols.has(symbol) && symbols.size >= marketLimits.symbolsMax) return false
    symbols.add(symbol)
    return true
  }
  const service: MarketService = {
    quote: (symbol) => quotes.get(symbol) ?? null,
    subscribe,
    lookUp: (symbol, maxWaitMs) =>
      Effect.suspend(() => {
        if (feed === null || !subscribe(symbol)) return Effect.succeed(null)
        const known = quotes.get(symbol)
        if (known !== undefined) return Effect.succeed(known)
        return Stream.fromPubSub(hub).pipe(
          Stream.takeUntil((tick) => tick.some((quote) => quote.symbol === symbol)),
          Stream.runDrain,
          Effect.timeoutOption(maxWaitMs),
          Effect.map(() => quotes.get(symbol) ?? null)
        )
      }),
    bars: (request) =>
      Effect.suspend(() => {
        const reason = feed === null ? "the feed does not run" : barsProblem(request)
        if (reason !== null) return Effect.fail(new BarsUnavailable({ reason }))
        const all = charts.get(request.symbol) ?? []
        return Effect.succeed(all.filter(({ endMs }) => endMs <= request.atMs).slice(-request.count))
      }),
    chain: ({ right, underlying }) => Effect.succeed(chains.get(`${right} ${underlying}`) ?? []),
    positioning: () => Effect.succeed(null),
    ticks: Stream.fromPubSub(hub),
    status: () => ({ live: feed !== null, symbols: symbols.size, lastTickAt }),
    feed: (onTick) =>
      Effect.gen(function* () {
        const end = yield* Deferred.make<never, MarketFeedEnded>()
        feed = end
        const telling = Stream.runForEach(Stream.fromPubSub(ticked), () => onTick)
        return yield* Effect.raceFirst(Deferred.await(end), Effect.andThen(telling, Effect.never))
      }).pipe(Effect.ensuring(Effect.sync(() => void (feed = null))))
  }
  return {
    service,
    setPrice: (symbol, price) =>
      Effect.gen(function* () {
        const at = new Date(yield* Clock.currentTimeMillis)
        const quote = { symbol, bid: price, ask: price, last: price, at }
        quotes.set(symbol, quote)
        lastTickAt = at
        yield* PubSub.publish(hub, [quote])
        yield* PubSub.publish(ticked, undefined)
      }),
    setChain: (right, symbol, chain) => void chains.set(`${right} ${symbol}`, chain),
    setBars: (symbol, bars) => void charts.set(symbol, bars),
    endFeed: (reason) =>
      Effect.suspend(() =>
        feed === null ? Effect.void : Effect.asVoid(Deferred.fail(feed, new MarketFeedEnded({ reason })))
      )
  }
})
