/**
 * agents: what each agent of engine B makes of a symbol, from its bars and its quote (D9).
 *
 * Five looks at the same market that know nothing of each other, of the signal or of the account. An agent is asked for a symbol
 * and not for an order, so that one answer serves every signal of a batch: where the market goes (`long`, `short`), or whether it
 * is one to enter at all (`enter`, `stay_out`). Opinions are no money, so they are computed in binary floating point.
 *
 * Promises: pure and deterministic; an agent without enough to go by abstains and says why; confidence is from 0 to 1.
 * Never: sees a position, an order or a clock.
 */
import { averageTrueRange, type Bar } from "../market/bar.ts"
import { formatDecimal } from "../kernel/decimal.ts"

export const AGENTS = ["liquidity", "regime", "risk", "trend", "volatility"] as const
export type AgentName = (typeof AGENTS)[number]

export const VOTES = ["long", "short", "enter", "stay_out", "abstain"] as const
export type VoteWord = (typeof VOTES)[number]

/** What an agent knows. Bars are the oldest first; the quote is fresh, null without one. Prices are decimal strings. */
export interface AgentQuestion {
  readonly symbol: string
  readonly bars: ReadonlyArray<Bar>
  readonly quote: { readonly bid: string | null; readonly ask: string | null } | null
}

export interface Opinion {
  readonly vote: VoteWord
  /** From 0 to 1. */
  readonly confidence: number
  /** Sentences without a full stop, the numbers in them. */
  readonly reasons: ReadonlyArray<string>
}

/** Bars an agent is given; each looks at the last of them that it needs. */
export const AGENT_BARS = 60
const FAST = 10
const SLOW = 30
const RANGE_BARS = 14
const WINDOW = 20

const abstain = (reason: string): Opinion => ({ vote: "abstain", confidence: 0, reasons: [reason] })
const bounded = (value: number): number => Math.min(1, Math.max(0, value))
const shown = (value: number): string => String(Number(value.toPrecision(4)))

const closesOf = (bars: ReadonlyArray<Bar>): ReadonlyArray<number> => bars.map(({ close }) => Number(close))
const lastOf = (values: ReadonlyArray<number>): number => values.at(-1) ?? Number.NaN
const meanOf = (values: ReadonlyArray<number>): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

const exponentialMean = (values: ReadonlyArray<number>, length: number): number => {
  const weight = 2 / (length + 1)
  const first = meanOf(values.slice(0, length))
  return values.slice(length).reduce((mean, value) => mean + weight * (value - mean), first)
}

/** The average true range, null where it says nothing. */
const rangeOf = (bars: ReadonlyArray<Bar>): number | null => {
  const range = averageTrueRange(bars, RANGE_BARS)
  const value = range === null ? 0 : Number(formatDecimal(range))
  return value > 0 ? value : null
}

const tooFew = (bars: ReadonlyArray<Bar>, needed: number): Opinion | null =>
  bars.length < needed ? abstain(`${bars.length} bars of ${needed} are there`) : null

/** Which way: the distance of a fast from a slow average, in ranges. */
const trend = ({ bars }: AgentQuestion): Opinion => {
  const few = tooFew(bars, SLOW + 1)
  if (few !== null) return few
  const range = rangeOf(bars)
  if (range === null) return abstain("the bars do not move")
  const closes = closesOf(bars)
  const distance = (exponentialMean(closes, FAST) - exponentialMean(closes, SLOW)) / range
  return {
    vote: distance >= 0 ? "long" : "short",
    confidence: bounded(Math.abs(distance)),
    reasons: [`the average of ${FAST} bars is ${shown(distance)} ranges from that of ${SLOW}`]
  }
}

/** A market that moves too much, in percent of its price within a bar. */
const RANGE_PCT_MAX = 3
const volatility = ({ bars }: AgentQuestion): Opinion => {
  const few = tooFew(bars, RANGE_BARS + 1)
  if (few !== null) return few
  const range = rangeOf(bars)
  if (range === null) return abstain("the bars do not move")
  const pct = (100 * range) / lastOf(closesOf(bars))
  return {
    vote: pct <= RANGE_PCT_MAX ? "enter" : "stay_out",
    confidence: bounded(Math.abs(RANGE_PCT_MAX - pct) / RANGE_PCT_MAX),
    reasons: [`a bar ranges over ${shown(pct)} % of the price; ${RANGE_PCT_MAX} % is too much`]
  }
}

/** A market whose spread costs too much, in hundredths of a percent of its price. */
const SPREAD_BPS_MAX = 30
const liquidity = ({ bars, quote }: AgentQuestion): Opinion => {
  if (quote === null || quote.bid === null || quote.ask === null) return abstain("there is no fresh quote")
  const [bid, ask] = [Number(quote.bid), Number(quote.ask)]
  const bps = (20_000 * (ask - bid)) / (ask + bid)
  const volumes = bars.slice(-WINDOW).map(({ volume }) => Number(volume))
  if (volumes.length > 0 && volumes.every((volume) => volume === 0))
    return { vote: "stay_out", confidence: 1, reasons: [`nothing was traded in ${volumes.length} bars`] }
  return {
    vote: bps <= SPREAD_BPS_MAX ? "enter" : "stay_out",
    confidence: bounded(Math.abs(SPREAD_BPS_MAX - bps) / SPREAD_BPS_MAX),
    reasons: [`the spread is ${shown(bps)} basis points; ${SPREAD_BPS_MAX} are too many`]
  }
}

/** A market that goes somewhere: the way it has made, of the way it has gone (Kaufman's efficiency ratio). */
const EFFICIENCY_MIN = 0.2
const regime = ({ bars }: AgentQuestion): Opinion => {
  const few = tooFew(bars, WINDOW + 1)
  if (few !== null) return few
  const closes = closesOf(bars).slice(-WINDOW - 1)
  const steps = closes.slice(1).map((close, at) => Math.abs(close - (closes[at] ?? close)))
  const gone = steps.reduce((sum, step) => sum + step, 0)
  if (gone === 0) return abstain("the bars do not move")
  const efficiency = Math.abs(lastOf(closes) - (closes[0] ?? Number.NaN)) / gone
  return {
    vote: efficiency >= EFFICIENCY_MIN ? "enter" : "stay_out",
    confidence: bounded(Math.abs(efficiency - EFFICIENCY_MIN) / (1 - EFFICIENCY_MIN)),
    reasons: [
      `it made ${shown(efficiency)} of its way in ${WINDOW} bars; less than ${EFFICIENCY_MIN} is noise`
    ]
  }
}

/** A market that has run away from its own average: entering with it is late, against it is not. */
const STRETCHED = 2
const risk = ({ bars }: AgentQuestion): Opinion => {
  const few = tooFew(bars, WINDOW)
  if (few !== null) return few
  const closes = closesOf(bars).slice(-WINDOW)
  const mean = meanOf(closes)
  const deviation = Math.sqrt(meanOf(closes.map((close) => (close - mean) ** 2)))
  if (deviation === 0) return abstain("the bars do not move")
  const stretch = (lastOf(closes) - mean) / deviation
  const reasons = [`the price is ${shown(stretch)} deviations from its average of ${WINDOW} bars`]
  if (Math.abs(stretch) < STRETCHED)
    return { vote: "enter", confidence: bounded(1 - Math.abs(stretch) / STRETCHED), reasons }
  return {
    vote: stretch > 0 ? "short" : "long",
    confidence: bounded(Math.abs(stretch) / STRETCHED - 1),
    reasons
  }
}

export const opinions: Readonly<Record<AgentName, (question: AgentQuestion) => Opinion>> = {
  liquidity,
  regime,
  risk,
  trend,
  volatility
}
