/**
 * Routing: which strategies take a signal.
 *
 * The answer to a post names the strategy that will decide, and the decision is made by it: two places that ask, so the rule
 * stands here once.
 *
 * Promises: pure; strategies come in the order of the settings.
 * Never: looks at what a strategy would do with the signal.
 */

/** A strategy as far as routing needs it. */
interface Subscriber {
  readonly sources: ReadonlyArray<string>
}

/**
 * The strategies that are subscribed to `source`. A name in the signal selects one, however few are subscribed: an alert that
 * names `momentun` is a mistake of its sender, and trading it by `momentum` would hide that (T10). Then nobody takes it.
 */
export const takersOf = <S extends Subscriber>(
  strategies: Readonly<Record<string, S>>,
  source: string,
  named: string | null
): ReadonlyArray<readonly [name: string, strategy: S]> =>
  Object.entries(strategies).filter(
    ([name, { sources }]) => sources.includes(source) && (named === null || name === named)
  )
