/**
 * settings-symbols: the symbols of the configuration file, read as those of an alert.
 *
 * A list with `spy` and an alert for `SPY` mean the same thing, and a rule that never matches its symbol is a stop loss
 * that never fires. So every symbol of the file goes through the reader of the intake, and what can never match is refused
 * at the start instead of being discovered later.
 *
 * Promises: every problem with its path; the strategies' lists name instruments, as orders do.
 * Never: knows which instruments exist.
 */
import { readSymbol } from "./instrument.ts"
import type { InstrumentOverride } from "./instruments.ts"
import { instrumentLimits } from "./limits-signals.ts"
import type { Mode, SettingsProblem, StrategySettings } from "./settings.ts"
import { isContinuous, meaningOf, type SymbolMap } from "./symbol-map.ts"

/** The parts of the settings that name symbols. */
export interface NamedSettings {
  readonly symbols: SymbolMap
  readonly instruments: Readonly<Record<string, InstrumentOverride>>
  readonly strategies: Readonly<Record<string, StrategySettings>>
}

const read = (path: string, text: string, problems: Array<SettingsProblem>): string | null => {
  const symbol = readSymbol(text)
  if ("text" in symbol) return symbol.text
  problems.push({ path, message: symbol.message })
  return null
}

/** A record with its keys read as symbols; two spellings of one symbol are a contradiction. */
const keyed = <A>(
  path: string,
  given: Readonly<Record<string, A>>,
  problems: Array<SettingsProblem>
): ReadonlyArray<readonly [string, A]> => {
  const entries = Object.entries(given)
  if (entries.length > instrumentLimits.entriesMax) {
    problems.push({ path, message: `must have at most ${instrumentLimits.entriesMax} entries` })
    return []
  }
  const known = new Set<string>()
  return entries.flatMap(([key, value]) => {
    const symbol = read(`${path}.${key}`, key, problems)
    if (symbol === null) return []
    if (known.has(symbol)) problems.push({ path: `${path}.${key}`, message: `names ${symbol} a second time` })
    known.add(symbol)
    return [[symbol, value] as const]
  })
}

const mapOf = (given: SymbolMap, problems: Array<SettingsProblem>): SymbolMap =>
  Object.fromEntries(
    keyed("symbols", given, problems).flatMap(([key, value]) => {
      const path = `symbols.${key}`
      const symbol = read(path, value, problems)
      if (symbol === null) return []
      // In practice mode as well: a map is written for the day it matters.
      if (isContinuous(symbol))
        problems.push({ path, message: `must name one contract: ${symbol} is a continuous one` })
      return [[key, symbol] as const]
    })
  )

/** Reads them. Problems are added to `problems`. */
export const namesOf = (file: NamedSettings, mode: Mode, problems: Array<SettingsProblem>): NamedSettings => {
  const symbols = mapOf(file.symbols, problems)
  const listed = (name: string, list: ReadonlyArray<string>): ReadonlyArray<string> =>
    list.flatMap((text, index) => {
      const path = `strategies.${name}.symbols.${index}`
      const symbol = read(path, text, problems)
      if (symbol === null) return []
      const meaning = meaningOf(symbol, { symbols, mode })
      if (meaning._tag === "Means") return [meaning.symbol]
      problems.push({ path, message: `is a continuous contract; ${meaning.hint}` })
      return []
    })
  return {
    symbols,
    instruments: Object.fromEntries(keyed("instruments", file.instruments, problems)),
    strategies: Object.fromEntries(
      Object.entries(file.strategies).map(([name, strategy]) => [
        name,
        strategy.symbols === null ? strategy : { ...strategy, symbols: listed(name, strategy.symbols) }
      ])
    )
  }
}
