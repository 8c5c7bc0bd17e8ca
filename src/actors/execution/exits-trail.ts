/**
 * Stops that move, as the exits watch them: between two looks in memory, and stored by each look.
 *
 * The best price of a share changes with almost every tick of a market that gains, so ticks move stops in memory and a look
 * stores how far they have come. A process that ends in between loses what one poll has gained, never what is stored.
 *
 * Promises: what memory and the table have reached is never taken back while the terms of the share are the same; bars are asked
 * for once per bar and in parallel, and no look waits longer for them than `exitLimits.barsMsMax`.
 * Never: decides that an exit is due (exits-look.ts), or stores a stop of an account that another process executes.
 */
import { BigDecimal, Effect } from "effect"
import { type Decimal, decimal, formatDecimal } from "../../domain/kernel/decimal.ts"
import { exitLimits } from "../../domain/kernel/limits-execution.ts"
import { averageTrueRange } from "../../domain/market/bar.ts"
import { follow, type MovingTerms, moves, type Trail } from "../../domain/orders/trailing.ts"
import { Market, marketLimits, type Quote } from "../../layers/market/market.port.ts"
import type { Moved, OpenShare } from "../../layers/orders/positions-store.port.ts"
import { logEvent } from "../../runtime/log-event.ts"

/** A share with what it is judged by until the next look. */
export interface WatchedShare extends OpenShare {
  readonly terms: MovingTerms
  /** The average true range of its symbol, null when it needs none or there is none. */
  readonly range: Decimal | null
  /** When its time is over, milliseconds of the clock; null when it has none. */
  readonly endsAtMs: number | null
}

/** By symbol and terms: the last range, and until when it is the last. Bounded by the open shares. */
export type Ranges = Map<string, { readonly value: Decimal | null; readonly untilMs: number }>

const rangeKey = (symbol: string, { trailRange }: MovingTerms): string =>
  `${symbol} ${trailRange?.bars ?? ""} ${trailRange?.barMs ?? ""}`

export const rangeOf = (ranges: Ranges, symbol: string, terms: MovingTerms): Decimal | null =>
  terms.trailRange === null ? null : (ranges.get(rangeKey(symbol, terms))?.value ?? null)

/** Bars beyond the length of the average, over which it is smoothed. */
const SMOOTHED = 4

const askRange = (ranges: Ranges, path: string, symbol: string, terms: MovingTerms, nowMs: number) =>
  Effect.gen(function* () {
    const { trailRange } = terms
    if (trailRange === null) return
    const market = yield* Market
    const { barMs, bars } = trailRange
    const count = Math.min(marketLimits.barsMax, bars * SMOOTHED + 1)
    const key = rangeKey(symbol, terms)
    const read = market.bars({ symbol, timeframeMs: barMs, count, atMs: nowMs }).pipe(
      Effect.map((found) => averageTrueRange(found, bars)),
      Effect.timeoutOrElse({
        duration: exitLimits.barsMsMax,
        orElse: () => Effect.fail("no answer in time")
      }),
      Effect.mapError((error) => (typeof error === "string" ? error : error.reason))
    )
    yield* Effect.matchEffect(read, {
      onSuccess: (value) =>
        Effect.sync(() => void ranges.set(key, { value, untilMs: (Math.floor(nowMs / barMs) + 1) * barMs })),
      // What the last bars said still holds better than nothing.
      onFailure: (reason) => {
        ranges.set(key, { value: ranges.get(key)?.value ?? null, untilMs: nowMs + exitLimits.barsAgainMs })
        return logEvent("warn", "exit.bars_missing", `no bars of ${symbol}: its trailing stop stays`, {
          component: path,
          symbol,
          reason
        })
      }
    })
  })

/** Asks for the ranges that are missing or older than their bar, and forgets those that nobody needs. */
export const refreshRanges = (
  ranges: Ranges,
  path: string,
  wanted: ReadonlyArray<{ readonly symbol: string; readonly terms: MovingTerms }>,
  nowMs: number
) =>
  Effect.suspend(() => {
    const needed = new Map(
      wanted
        .filter(({ terms }) => terms.trailRange !== null)
        .map((one) => [rangeKey(one.symbol, one.terms), one] as const)
    )
    for (const key of ranges.keys()) if (!needed.has(key)) ranges.delete(key)
    const due = [...needed].filter(([key]) => (ranges.get(key)?.untilMs ?? 0) <= nowMs)
    return Effect.forEach(due, ([, { symbol, terms }]) => askRange(ranges, path, symbol, terms, nowMs), {
      concurrency: "unbounded",
      discard: true
    })
  })

const numberOf = (text: string | null): Decimal | null => (text === null ? null : decimal(text))

const trailOf = ({ moving, stopPrice }: OpenShare): Trail => ({
  best: numberOf(moving.best),
  stop: stopPrice === null ? null : { price: decimal(stopPrice), by: moving.stopBy ?? "stop_loss" }
})

const withTrail = <Share extends OpenShare>(share: Share, { best, stop }: Trail): Share => ({
  ...share,
  stopPrice: stop === null ? null : formatDecimal(stop.price),
  moving: {
    ...share.moving,
    best: best === null ? null : formatDecimal(best),
    stopBy: stop === null ? null : stop.by
  }
})

/** The tighter of what the table and memory have of a share, as long as both are of one opening and the same terms. */
export const remembered = <Share extends OpenShare>(found: Share, before: OpenShare | undefined): Share => {
  if (
    before === undefined ||
    before.opening !== found.opening ||
    before.moving.terms !== found.moving.terms ||
    before.stopPct !== found.stopPct ||
    found.moving.terms === null
  )
    return found
  const [stored, kept] = [trailOf(found), trailOf(before)]
  const isBetter = BigDecimal.isPositive(decimal(found.quantity))
    ? BigDecimal.isGreaterThan
    : BigDecimal.isLessThan
  const best =
    stored.best === null || (kept.best !== null && isBetter(kept.best, stored.best)) ? kept.best : stored.best
  const stop =
    stored.stop === null || (kept.stop !== null && isBetter(kept.stop.price, stored.stop.price))
      ? kept.stop
      : stored.stop
  return withTrail(found, { best, stop })
}

/** A share after a fresh quote; the same object when nothing moved. */
export const followed = (share: WatchedShare, quote: Quote | null): WatchedShare => {
  if (quote === null || share.moving.terms === null || !moves(share.terms)) return share
  const quantity = decimal(share.quantity)
  const price = decimal(BigDecimal.isPositive(quantity) ? quote.bid : quote.ask)
  const { range, terms } = share
  const input = { quantity, averagePrice: decimal(share.averagePrice), terms, range }
  const next = withTrail(share, follow(trailOf(share), price, input))
  return next.moving.best === share.moving.best && next.stopPrice === share.stopPrice ? share : next
}

/** What of a share is to be stored; nothing when the table has it. */
export const movedSince = (found: OpenShare, share: WatchedShare): ReadonlyArray<Moved> => {
  const { moving, opening, positionId, stopPrice, strategy } = share
  if (moving.best === null) return []
  if (moving.best === found.moving.best && stopPrice === found.stopPrice) return []
  return [{ positionId, strategy, opening, best: moving.best, stopPrice, stopBy: moving.stopBy }]
}
