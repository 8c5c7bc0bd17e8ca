/**
 * instruments: what kind of thing a symbol is, and what one unit of it is worth.
 *
 * A limit in money and a profit need the multiplier of an instrument, and a symbol only suggests it. So there are three
 * sources, and which of them was used is part of the answer: the operator's settings define it, a published table or the
 * standard of listed options defines it, or the spelling merely suggests it (`assumed`). What is assumed is one unit of
 * the thing itself, and every figure derived from it can show that.
 *
 * Promises: pure; the same symbol and settings give the same instrument; an entry of the settings wins field by field, the
 * most specific pattern first.
 * Never: claims that a venue lists it; prices it.
 */
import type { CalendarName } from "./calendar.ts"
import { type Decimal, decimal } from "./decimal.ts"
import { FUTURES_AS_OF, futuresTable } from "./futures-table.ts"
import { instrumentLimits, optionLimits } from "./limits-signals.ts"

export const INSTRUMENT_KINDS = ["equity", "option", "future", "crypto", "fx"] as const
export type InstrumentKind = (typeof INSTRUMENT_KINDS)[number]

export interface Instrument {
  readonly symbol: string
  readonly kind: InstrumentKind
  /** Units of money per unit of price for a quantity of one. Positive decimal. */
  readonly multiplier: string
  /** Smallest step of the price; null when only the venue knows it. */
  readonly tick: string | null
  /** Smallest step of the quantity; null when only the venue knows it. */
  readonly lot: string | null
  /** What price and profit are in. */
  readonly currency: string
  /** Null when none of our calendars fits it: the account's counts. */
  readonly calendar: CalendarName | null
  /** Where it comes from; `spelling` is only a guess. */
  readonly basis: "settings" | "table" | "spelling"
  /** The multiplier is only what the spelling suggests. */
  readonly assumed: boolean
}

/** What the settings may define for the symbols of a pattern. */
export type InstrumentOverride = Partial<
  Pick<Instrument, "kind" | "multiplier" | "tick" | "lot" | "currency" | "calendar">
>

export interface Instruments {
  readonly of: (symbol: string) => Instrument
  /** The calendar that the settings give a symbol, null when they give none: that of the account counts. */
  readonly ownCalendar: (symbol: string) => CalendarName | null
}

type Known = Omit<Instrument, "symbol">

/** Our own spelling of an option contract (option-contract.ts): underlying, expiration, right, strike. */
const OWN_OPTION = /^(?<underlying>\S.*) \d{4}-\d{2}-\d{2} [CP] \d+(?:\.\d+)?$/
/** The OCC's, padded or not, and that of platforms: a point before, a plain strike. A digit marks an adjusted contract. */
const LISTED_OPTION = /^\.?[A-Z.]{1,6}(?<adjusted>\d)? *\d{6}[CP]\d{1,8}(?:\.\d{1,3})?$/
const FUTURE_OPTION = /^\.\/(?<root>[A-Z0-9]{1,3})[FGHJKMNQUVXZ]\d{1,2} .*[CP]\d+(?:\.\d+)?$/
/** `ESZ6`, `MESZ26`, `/ESZ26:XCME`, `ESZ2026`. */
const DATED_FUTURE = /^[/@]?(?<root>[A-Z0-9]{1,5})[FGHJKMNQUVXZ](?:\d{1,2}|20\d{2})(?::[A-Z]+)?$/
/** `ES1!`, `/ES`, `@ES`, `@ES#C`, `ES=F`. */
const FRONT_FUTURE = /^(?:[/@](?<marked>[A-Z0-9]{1,5})(?:#[A-Z])?|(?<root>[A-Z0-9]{1,5})(?:\d!|=F))$/
const PAIR = /^(?<base>[A-Z0-9]{2,12})[-/_](?<quote>[A-Z]{3,5})(?<perpetual>[-_]?(?:PERP|SWAP)|\.P|:[A-Z]+)?$/
const JOINED =
  /^(?<base>[A-Z0-9]{2,12}?)(?<quote>USDT|USDC|FDUSD|BUSD|USD|EUR|GBP|JPY|CHF|AUD|CAD|NZD|BTC|ETH)(?<perpetual>[-_]?PERP|\.P|=X)?$/

const STABLE = new Set(["USDT", "USDC", "FDUSD", "BUSD", "DAI", "TUSD", "USDD"])
// prettier-ignore
const COINS = new Set(["BTC", "XBT", "ETH", "SOL", "XRP", "ADA", "DOGE", "LTC", "BCH", "DOT", "LINK", "AVAX", "BNB", "TRX", "POL", "MATIC", "UNI", "ATOM", "XLM", "ETC", "FIL", "NEAR", "APT", "ARB", "OP", "SUI", "TON", "SHIB", "PEPE", "AAVE", "ALGO", "ICP", "HBAR", "INJ"])
const CURRENCIES = new Set([
  "USD",
  "EUR",
  "GBP",
  "JPY",
  "CHF",
  "AUD",
  "CAD",
  "NZD",
  "SEK",
  "NOK",
  "MXN",
  "SGD"
])

const known = (kind: InstrumentKind, given: Partial<Known>): Known => ({
  kind,
  multiplier: "1",
  tick: null,
  lot: null,
  currency: "USD",
  calendar: null,
  basis: "table",
  assumed: false,
  ...given
})

const assumedOnly = { basis: "spelling", assumed: true } as const

const futureOf = (symbol: string): Known | null => {
  const root =
    DATED_FUTURE.exec(symbol)?.groups?.["root"] ??
    FRONT_FUTURE.exec(symbol)?.groups?.["marked"] ??
    FRONT_FUTURE.exec(symbol)?.groups?.["root"]
  if (root === undefined) return null
  const row = Object.hasOwn(futuresTable, root) ? futuresTable[root] : undefined
  if (row !== undefined) return known("future", { ...row, lot: "1" })
  // Without a mark `AB12` may just as well be a share of some market: only a marked symbol is surely a future we do not know.
  return /^[/@]|\d!$|=F$/.test(symbol) ? known("future", assumedOnly) : null
}

const optionOf = (symbol: string): Known | null => {
  const contract = String(optionLimits.contractMultiplier)
  const listed = known("option", { multiplier: contract, lot: "1", calendar: "XNYS" })
  const occ = LISTED_OPTION.exec(symbol)
  // What an adjusted contract delivers is in its notice and not in its name.
  if (occ !== null) return occ.groups?.["adjusted"] === undefined ? listed : { ...listed, ...assumedOnly }
  const root = FUTURE_OPTION.exec(symbol)?.groups?.["root"]
  if (root !== undefined && Object.hasOwn(futuresTable, root)) {
    return known("option", { multiplier: futuresTable[root]?.multiplier ?? "1", lot: "1", ...assumedOnly })
  }
  const underlying = OWN_OPTION.exec(symbol)?.groups?.["underlying"]
  if (underlying === undefined) return null
  // The standard of 100 is that of listed shares and indices; an option on a coin or a future is whatever its venue defines.
  const plain = futureOf(underlying) === null && pairOf(underlying) === null
  return plain ? listed : { ...listed, calendar: null, ...assumedOnly }
}

const pairOf = (symbol: string): Known | null => {
  const groups = (PAIR.exec(symbol) ?? JOINED.exec(symbol))?.groups
  const [base, quote] = [groups?.["base"] ?? "", groups?.["quote"] ?? ""]
  if (CURRENCIES.has(base) && CURRENCIES.has(quote)) return known("fx", { currency: quote })
  const coin = COINS.has(base) || STABLE.has(base)
  const traded = coin && (COINS.has(quote) || CURRENCIES.has(quote))
  if (!traded && !STABLE.has(quote)) return null
  // Some perpetuals are contracts worth a number of dollars, and nothing in their name shows which.
  const sure = coin && groups?.["perpetual"] === undefined
  return known("crypto", { currency: quote, calendar: "24x7", ...(sure ? {} : assumedOnly) })
}

const share: Known = known("equity", { calendar: "XNYS", ...assumedOnly })

const bySpelling = (symbol: string): Known => optionOf(symbol) ?? futureOf(symbol) ?? pairOf(symbol) ?? share

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`)

/**
 * The perpetual on a pair of a coin, in the same spelling: the symbol itself where it is one, `BTC-USDT-PERP` for `BTC-USDT`; null
 * where there is no such thing. Whether a venue lists it is its own question.
 */
export const perpetualOf = (symbol: string): string | null => {
  if (bySpelling(symbol).kind !== "crypto") return null
  const mark = (PAIR.exec(symbol) ?? JOINED.exec(symbol))?.groups?.["perpetual"]
  if (mark === undefined) return `${symbol}-PERP`
  return mark === "=X" ? null : symbol
}

/** A pattern of the settings: a symbol in which `*` stands for anything. */
const matcherOf = (pattern: string): ((symbol: string) => boolean) => {
  const form = new RegExp(`^${pattern.split(/\*+/).map(escaped).join(".*")}$`)
  return (symbol) => form.test(symbol)
}

/** Letters that a pattern fixes: the more, the more specific it is. */
const weightOf = (pattern: string): number =>
  pattern.replaceAll("*", "").length + (pattern.includes("*") ? 0 : 1_000)

interface Rule {
  readonly matches: (symbol: string) => boolean
  readonly override: InstrumentOverride
}

/** What the settings define for a symbol: the least specific pattern first, so that the most specific wins. */
const ownOf = (symbol: string, rules: ReadonlyArray<Rule>): InstrumentOverride | null => {
  const overrides = rules.filter(({ matches }) => matches(symbol)).map(({ override }) => override)
  if (overrides.length === 0) return null
  return overrides.toReversed().reduce<InstrumentOverride>((all, one) => ({ ...all, ...one }), {})
}

const merged = (symbol: string, rules: ReadonlyArray<Rule>): Instrument => {
  const base = bySpelling(symbol)
  const own = ownOf(symbol, rules)
  if (own === null) return { symbol, ...base }
  return { symbol, ...base, ...own, basis: "settings", assumed: base.assumed && own.multiplier === undefined }
}

/** What the settings define for instruments, by pattern. */
export interface InstrumentSettings {
  readonly instruments: Readonly<Record<string, InstrumentOverride>>
}

const make = (settings: InstrumentSettings): Instruments => {
  const rules = Object.entries(settings.instruments)
    .toSorted(([a], [b]) => weightOf(b) - weightOf(a) || (a < b ? -1 : 1))
    .map(([pattern, override]) => ({ matches: matcherOf(pattern), override }))
  const seen = new Map<string, Instrument>()
  return {
    ownCalendar: (symbol) => ownOf(symbol, rules)?.calendar ?? null,
    of: (symbol) => {
      const there = seen.get(symbol)
      if (there !== undefined) return there
      const found = merged(symbol, rules)
      if (seen.size >= instrumentLimits.rememberedMax) seen.clear()
      seen.set(symbol, found)
      return found
    }
  }
}

/** By what the settings define and not by the settings: a copy of them has the same instruments. */
const made = new WeakMap<InstrumentSettings["instruments"], Instruments>()

/** The instruments under these settings: built once, with a bounded cache of what was looked up. */
export const instrumentsOf = (settings: InstrumentSettings): Instruments => {
  const there = made.get(settings.instruments)
  if (there !== undefined) return there
  const instruments = make(settings)
  made.set(settings.instruments, instruments)
  return instruments
}

/** The instruments where no settings are at hand: the tables and the spelling alone. */
export const plainInstruments: Instruments = instrumentsOf({ instruments: {} })

/** The multiplier of a symbol, ready for arithmetic. */
export const multiplierOf = (instruments: Instruments, symbol: string): Decimal =>
  decimal(instruments.of(symbol).multiplier)

/** What a trace records about an instrument. */
export const instrumentNumbers = (
  instrument: Instrument
): Readonly<Record<string, string | boolean | null>> => {
  const { assumed, basis, currency, kind, lot, multiplier, symbol, tick } = instrument
  const asOf = basis === "table" && kind === "future" ? FUTURES_AS_OF : null
  return { symbol, kind, multiplier, assumed, basis, as_of: asOf, tick, lot, currency }
}
