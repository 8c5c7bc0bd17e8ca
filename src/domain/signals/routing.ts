/**
 * Routing: which strategies take a signal.
 *
 * The response to a post names the strategy that will decide, and the decision uses it: two callers, so the rule
 * is here once.
 *
 * Promises: pure; strategies come in the order of the settings.
 * Never: looks at what a strategy would do with the signal.
 */

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
