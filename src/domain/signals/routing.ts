/**
 * Routing: which strategies take a signal, and which engine decides it for each.
 *
 * The response to a post names the strategy and the engine that will decide, and the decision uses them: two callers, so the rule
 * is here once.
 *
 * Promises: pure; strategies come in the order of the settings.
 * Never: looks at what a strategy would do with the signal.
 */

import type { EngineName, StrategySettings } from "../kernel/settings.ts"

/** The error of a post, or of a denied signal, that names a strategy which does not take its source. */
export const strategyUnknown = { path: "strategy", message: "does not take signals of this source" } as const

/** The parts of a strategy that routing needs. */
interface Subscriber {
  readonly sources: ReadonlyArray<string>
}

/**
 * The strategies that are subscribed to `source`. A name in the signal selects one, however few are subscribed: an alert that
 * names `momentun` is its sender's mistake, and trading it as `momentum` would hide that (T10). Then no strategy takes it.
 */
export const takersOf = <S extends Subscriber>(
  strategies: Readonly<Record<string, S>>,
  source: string,
  named: string | null
): ReadonlyArray<readonly [name: string, strategy: S]> =>
  Object.entries(strategies).filter(
    ([name, { sources }]) => sources.includes(source) && (named === null || name === named)
  )

/** FNV-1a over a text: the same everywhere, and spread evenly enough to share signals out. */
const hashOf = (text: string): number => {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash >>> 0
}

/**
 * The engine that decides a signal of this strategy. Where signals are split it follows from the signal's identity, so that a
 * repeated post, a restart and a replay are decided alike; `symbol` is the instrument that the signal means.
 */
export const engineOf = (
  [name, { engine, split }]: readonly [string, Pick<StrategySettings, "engine" | "split">],
  { id, symbol }: { readonly id: string; readonly symbol: string }
): EngineName => {
  if (engine !== "split") return engine
  if (split === null) return "A"
  const pinned = Object.hasOwn(split.pins, symbol) ? split.pins[symbol] : undefined
  if (pinned !== undefined) return pinned
  const share = hashOf(`${name}:${id}`) % 10_000
  if (share < split.bPct * 100) return "B"
  return share < (split.bPct + split.cPct) * 100 ? "C" : "A"
}
