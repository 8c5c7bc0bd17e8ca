/**
 * Telegram price: what something costs, and around it what the market has to show.
 *
 * A price is an answer; what it did in a day, open interest and funding are decoration, which a process that is short of memory gives up
 * first. So decoration is asked for last, all at the same time, and whatever does not come in time is left out.
 *
 * Promises: what the market does not have is not shown, and is never a zero; what is of another contract names it.
 * Never: waits for decoration longer than for the price.
 */
import { Clock, Effect } from "effect"
import { oneLine } from "../../domain/kernel/text-line.ts"
import type { Funding, Positioning } from "../../domain/market/positioning.ts"
import { bold, cell, code, lasting, pagesOf } from "../../domain/operators/telegram-text.ts"
import { runKey } from "../../domain/operators/telegram-words.ts"
import { Market, type Quote } from "../../layers/market/market.port.ts"
import { Shedding } from "../../layers/platform/shedding.port.ts"
import { inRows, type Reply } from "./telegram-reply.ts"
import { rowsOf } from "./telegram-rows.ts"

/** How long somebody waits for the first quote of a symbol. */
const QUOTE_MS_MAX = 2_000

const HOUR_MS = 3_600_000

/** What a figure did, with an arrow; null when it cannot be told. For the eye: nothing is decided by it. */
const moved = (before: number, now: number): string | null => {
  const percent = (100 * (now - before)) / before
  if (!Number.isFinite(percent)) return null
  return `${percent > 0 ? "▲" : percent < 0 ? "▼" : "="} ${percent.toFixed(2)} %`
}

/** What a price did in a day; without bars nothing. */
const changeOf = ({ last, symbol }: Quote, nowMs: number) =>
  Effect.gen(function* () {
    const market = yield* Market
    const bars = yield* market.bars({ symbol, timeframeMs: HOUR_MS, count: 24, atMs: nowMs }).pipe(
      Effect.timeout(QUOTE_MS_MAX),
      Effect.catchTag(["BarsUnavailable", "TimeoutError"], () => Effect.succeed([]))
    )
    const change = moved(Number(bars[0]?.open), Number(last))
    return change === null ? [] : [`${bars.length} h ${change}`]
  })

const fundingLine = ({ atMs, rate }: Funding, nowMs: number): string => {
  const percent = Math.abs(100 * Number(rate)).toFixed(4)
  const who = Number(rate) === 0 ? "" : Number(rate) > 0 ? ", longs pay" : ", shorts pay"
  return `funding ${percent} %${who} in ${lasting(Math.max(0, atMs - nowMs))}`
}

const positioningLines = (
  asked: string,
  { funding, openInterest, openInterestDayAgo, symbol }: Positioning,
  nowMs: number
): ReadonlyArray<string> => {
  const change = openInterestDayAgo === null ? null : moved(Number(openInterestDayAgo), Number(openInterest))
  const lines = [
    ...(openInterest === null
      ? []
      : [`open interest ${openInterest}${change === null ? "" : `, 24 h ${change}`}`]),
    ...(funding === null ? [] : [fundingLine(funding, nowMs)])
  ]
  return lines.length === 0 || symbol === asked ? lines : [`of ${symbol}:`, ...lines]
}

/** Open interest and funding, where the market has them. */
const positioningOf = ({ symbol }: Quote, nowMs: number) =>
  Effect.gen(function* () {
    const market = yield* Market
    const found = yield* market.positioning({ symbol, atMs: nowMs }).pipe(
      Effect.timeout(QUOTE_MS_MAX),
      Effect.catchTag("TimeoutError", () => Effect.succeed(null))
    )
    return found === null ? [] : positioningLines(symbol, found, nowMs)
  })

/** What stands below the last price, and below the quote. */
const decorationOf = (quote: Quote, nowMs: number) =>
  Effect.gen(function* () {
    const shedding = yield* Shedding
    if (!shedding.may("decoration")) return [[], []] as const
    return yield* Effect.all([changeOf(quote, nowMs), positioningOf(quote, nowMs)], { concurrency: 2 })
  })

export const price = ({ words }: { readonly words: ReadonlyArray<string> }) =>
  Effect.gen(function* () {
    const [symbol] = words
    if (symbol === undefined) {
      const held = yield* rowsOf("positions", { open: "true" }, 50)
      const known = [...new Set(held.items.map((row) => cell(row, "symbol")))].slice(0, 6)
      const keys = (known.length === 0 ? ["BTC-USDT", "ETH-USDT"] : known).flatMap((one) =>
        runKey(one, `/price ${one}`)
      )
      return [{ html: "Of which symbol?", keys: inRows(keys) }]
    }
    const market = yield* Market
    const name = oneLine(symbol, 64).toUpperCase()
    const quote = yield* market.lookUp(name, QUOTE_MS_MAX)
    if (quote === null) return [{ html: `There is no price of ${code(name)}.` }]
    const nowMs = yield* Clock.currentTimeMillis
    const [change, positioning] = yield* decorationOf(quote, nowMs)
    const lines = [`last ${quote.last}`, ...change, `bid  ${quote.bid}`, `ask  ${quote.ask}`, ...positioning]
    const head = `${bold(name)}, ${lasting(nowMs - quote.at.getTime())} old`
    return pagesOf(head, lines).map((html): Reply => ({ html }))
  })
