/**
 * symbol-map: which instrument the symbol of a sender means.
 *
 * A chart's symbol names more than an instrument (`NASDAQ:AAPL` names a listing) or less (`ES1!` names whichever contract
 * is at the front today). The operator's map decides what they are; without an entry a prefix adds nothing that an
 * order needs and is dropped, while a continuous contract cannot be bought and is refused: a guessed month
 * would be the wrong one on the days that matter.
 *
 * Promises: pure; what was done to a symbol is named, so that a trace can show it; an entry of the map is taken as it is and
 * not looked up again.
 * Never: rolls a contract, or knows what a venue lists.
 */
import type { Mode } from "./settings.ts"

/** Sender's spelling to instrument, both as symbols are read. */
export type SymbolMap = Readonly<Record<string, string>>

export interface SymbolRules {
  readonly symbols: SymbolMap
  /** In practice anything has a price, so a continuous contract trades as itself; elsewhere it must be mapped. */
  readonly mode: Mode
}

/** What was done to a symbol that means an instrument. */
export const MEANINGS = ["as_given", "mapped", "prefix_dropped", "continuous_as_given"] as const

export type SymbolMeaning =
  | {
      readonly _tag: "Means"
      readonly symbol: string
      readonly how: (typeof MEANINGS)[number]
    }
  | { readonly _tag: "Refused"; readonly code: "symbol_continuous"; readonly hint: string }

/** `NASDAQ:AAPL`, `O:SPY251219C00600000`; a suffix (`/ESZ26:XCME`) and a spread of two listings are no prefix. */
const PREFIXED = /^[A-Z][A-Z0-9_.]{0,31}:(?<rest>[^:]+)$/
const MONTH_CODED = /[FGHJKMNQUVXZ]\d{1,2}$/

/** Whether a symbol without its prefix is an unnamed front month: `ES1!`, `@ES`, `@ES#C`, `ES=F`, `/ES`. */
export const isContinuous = (symbol: string): boolean =>
  /\d!$/.test(symbol) ||
  symbol.endsWith("=F") ||
  (/^@[A-Z0-9]{1,5}(?:#[A-Z])?$/.test(symbol) && !MONTH_CODED.test(symbol)) ||
  (/^\/[A-Z0-9]{1,5}$/.test(symbol) && !MONTH_CODED.test(symbol))

const entryOf = (map: SymbolMap, symbol: string): string | undefined =>
  Object.hasOwn(map, symbol) ? map[symbol] : undefined

/** What a symbol, in upper case and trimmed, means. */
export const meaningOf = (given: string, { mode, symbols }: SymbolRules): SymbolMeaning => {
  const rest = PREFIXED.exec(given)?.groups?.["rest"]?.trim() || given
  const mapped = entryOf(symbols, given) ?? entryOf(symbols, rest)
  if (mapped !== undefined) return { _tag: "Means", symbol: mapped, how: "mapped" }
  if (isContinuous(rest)) {
    return mode === "PRACTICE"
      ? { _tag: "Means", symbol: rest, how: "continuous_as_given" }
      : {
          _tag: "Refused",
          code: "symbol_continuous",
          hint: `name the contract that is meant: "symbols": { "${given}": "..." } in the settings`
        }
  }
  return { _tag: "Means", symbol: rest, how: rest === given ? "as_given" : "prefix_dropped" }
}

/** The instrument a sender's symbol means; one that is refused later keeps its name until then. */
export const instrumentName = (given: string, settings: SymbolRules): string => {
  const meaning = meaningOf(given, settings)
  return meaning._tag === "Means" ? meaning.symbol : given
}
