/**
 * Practice price: what a symbol costs at an instant, in a market that exists only in arithmetic.
 *
 * The practice market and the paper venue are two programs that must quote the same price at the same time without
 * talking to each other. So the price is not a random walk that is stepped: it is a function of seed, symbol and time,
 * built from layers of smooth noise of ever shorter period, which looks like a random walk and can be asked anywhere.
 *
 * Promises: pure; the same (seed, symbol, time) gives the same quote in every process; any symbol has a price; bid <
 * last < ask; prices are positive decimal strings; one contract of anything fits into a practice account; a price stays within a factor of
 * two of the symbol's base forever, so a test that runs for years never reaches zero; that of an option on a share follows from the share's.
 * Never: knows a real market, a calendar or a clock.
 */

import { plainInstruments } from "../kernel/instruments.ts"
import { type ContractTerms, contractTerms } from "../kernel/option-contract.ts"
import { optionHalfSpread, practiceOptionValue, ticksOf, volatilityOf } from "./practice-options.ts"

/** A quote is valid this long: the market and the venue ask at slightly different instants and should mostly agree. */
export const PRACTICE_STEP_MS = 250

/** Cents: the tick of US equities, fine enough for the bases below. */
const PRICE_SCALE = 2

/** Bases are spread evenly in ratio between these, as prices of listed instruments roughly are. */
const BASE_MIN = 20
const BASE_MAX = 500

/** The same for option contracts, which cost a small part of what they are written on, times a hundred units. */
const CONTRACT_BASE_MIN = 0.5
const CONTRACT_BASE_MAX = 20

/**
 * The largest multiplier at which a future costs what a share costs: fifty times the most expensive is a quarter of a practice
 * account. Beyond it prices are proportionally smaller, and their ticks finer.
 */
const PLAIN_MULTIPLIER_MAX = 50

/** The range of a symbol's base, and the digits of its prices. */
interface PriceRange {
  readonly least: number
  readonly most: number
  readonly scale: number
}

const shares: PriceRange = { least: BASE_MIN, most: BASE_MAX, scale: PRICE_SCALE }
const contracts: PriceRange = { least: CONTRACT_BASE_MIN, most: CONTRACT_BASE_MAX, scale: PRICE_SCALE }

const rangeOf = (symbol: string): PriceRange => {
  const { kind, multiplier } = plainInstruments.of(symbol)
  if (kind === "option") return contracts
  const shrink = Number(multiplier) / PLAIN_MULTIPLIER_MAX
  if (kind !== "future" || shrink <= 1) return shares
  return {
    least: BASE_MIN / shrink,
    most: BASE_MAX / shrink,
    scale: PRICE_SCALE + Math.ceil(Math.log10(shrink))
  }
}

/**
 * Layers of noise: period and the largest log-return each contributes. From a slow tide of a week to a ripple of two
 * seconds; the sum of the amplitudes, 0.6, bounds the price at base x e^0.6 = 1.8.
 */
const LAYERS: ReadonlyArray<{ readonly periodMs: number; readonly amplitude: number }> = [
  { periodMs: 604_800_000, amplitude: 0.4 },
  { periodMs: 86_400_000, amplitude: 0.1 },
  { periodMs: 7_200_000, amplitude: 0.06 },
  { periodMs: 600_000, amplitude: 0.025 },
  { periodMs: 60_000, amplitude: 0.01 },
  { periodMs: 10_000, amplitude: 0.004 },
  { periodMs: 2_000, amplitude: 0.001 }
]

/** Half of the spread as a share of the price: one basis point, and never less than one tick. */
const HALF_SPREAD = 0.0001

export interface PracticeQuote {
  readonly bid: string
  readonly ask: string
  readonly last: string
  /** Start of the step this quote holds for, epoch milliseconds. */
  readonly atMs: number
}

const mix = (value: number): number => {
  let h = value >>> 0
  h = Math.imul(h ^ (h >>> 16), 0x85_eb_ca_6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2_b2_ae_35)
  return (h ^ (h >>> 16)) >>> 0
}

const hashText = (seed: number, text: string): number => {
  let h = mix(seed ^ 0x81_1c_9d_c5)
  for (let i = 0; i < text.length; i++) h = mix(Math.imul(h ^ text.charCodeAt(i), 0x01_00_01_93))
  return h
}

/** A number in [-1, 1) that belongs to a point of a layer's grid. The index is split, because it exceeds 32 bits. */
const gridValue = (stream: number, index: number): number =>
  mix(mix(stream ^ (index >>> 0)) ^ Math.floor(index / 0x1_00_00_00_00)) / 0x80_00_00_00 - 1

/** Smooth noise: the values of the two neighbouring grid points, blended without a kink at the points. */
const noise = (stream: number, position: number): number => {
  const index = Math.floor(position)
  const t = position - index
  const blend = t * t * (3 - 2 * t)
  return gridValue(stream, index) * (1 - blend) + gridValue(stream, index + 1) * blend
}

const formatTicks = (ticks: number, scale: number): string => {
  const perUnit = 10 ** scale
  return `${Math.floor(ticks / perUnit)}.${String(ticks % perUnit).padStart(scale, "0")}`
}

/** Prices of one symbol at any time, in whole ticks of the text that `text` writes. */
export interface PracticeSeries {
  /** The last price at `atMs`, epoch milliseconds; the same within a step. */
  readonly ticksAt: (atMs: number) => number
  readonly text: (ticks: number) => string
  /** Half of the spread at a price and a time, in ticks. */
  readonly halfSpread: (ticks: number, atMs: number) => number
}

/** The volatility that options on a share are priced with. */
export const practiceVolatility = (seed: number, underlying: string): number =>
  volatilityOf(practiceNumber(seed, `volatility ${underlying}`, 0))

const stepOf = (atMs: number): number => Math.floor(atMs / PRACTICE_STEP_MS) * PRACTICE_STEP_MS

/** The terms of an option whose price follows from that of a share; null for every other symbol. */
const optionOn = (symbol: string): ContractTerms | null => {
  if (plainInstruments.of(symbol).kind !== "option") return null
  const terms = contractTerms(symbol)
  return terms !== null && plainInstruments.of(terms.underlying).kind === "equity" ? terms : null
}

const optionSeries = (seed: number, terms: ContractTerms): PracticeSeries => {
  const share = practiceSeries(seed, terms.underlying)
  const volatility = practiceVolatility(seed, terms.underlying)
  const spotAt = (atMs: number): number => share.ticksAt(atMs) / 10 ** PRICE_SCALE
  return {
    ticksAt: (atMs) => ticksOf(practiceOptionValue(terms, spotAt(atMs), volatility, stepOf(atMs))),
    text: (ticks) => formatTicks(ticks, PRICE_SCALE),
    halfSpread: (ticks, atMs) => optionHalfSpread(ticks, terms, spotAt(atMs))
  }
}

/** The prices of `symbol` in the market of `seed`. Total: every symbol has some. */
export const practiceSeries = (seed: number, symbol: string): PracticeSeries => {
  const option = optionOn(symbol)
  if (option !== null) return optionSeries(seed, option)
  const root = hashText(seed, symbol)
  const { least, most, scale } = rangeOf(symbol)
  const base = least * (most / least) ** (mix(root) / 0x1_00_00_00_00)
  const streams = LAYERS.map((_, i) => mix(root + i + 1))
  const ticksAt = (atMs: number): number => {
    const stepMs = stepOf(atMs)
    let logReturn = 0
    for (const [i, layer] of LAYERS.entries())
      logReturn += layer.amplitude * noise(streams[i] ?? 0, stepMs / layer.periodMs)
    return Math.round(base * Math.exp(logReturn) * 10 ** scale)
  }
  return {
    ticksAt,
    text: (ticks) => formatTicks(ticks, scale),
    halfSpread: (ticks) => Math.max(1, Math.round(ticks * HALF_SPREAD))
  }
}

/** A number in [0, 1) that belongs to a name and an index of the market of `seed`. */
export const practiceNumber = (seed: number, name: string, index: number): number =>
  (gridValue(hashText(seed, name), index) + 1) / 2

/** The quote of `symbol` at `atMs` (epoch milliseconds) in the market of `seed`. Total: every symbol has one. */
export const practiceQuote = (seed: number, symbol: string, atMs: number): PracticeQuote => {
  const { halfSpread, text, ticksAt } = practiceSeries(seed, symbol)
  const last = ticksAt(atMs)
  const half = halfSpread(last, atMs)
  return {
    bid: text(last - half),
    ask: text(last + half),
    last: text(last),
    atMs: stepOf(atMs)
  }
}
