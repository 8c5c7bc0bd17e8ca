/**
 * Settings warnings: what is allowed and hardly intended.
 *
 * A wrong configuration is refused. One that works and ignores what it is given, or trades on prices that
 * nobody quoted, is the operator's decision, but must not pass silently.
 *
 * Promises: pure; every warning names the path of the setting and its consequence.
 * Never: warns about the defaults of practice mode.
 */
import type { Settings, SettingsProblem } from "./settings.ts"

/** Sources that can bring signals here and that no strategy takes. */
const withoutStrategy = ({ feeds, sources, strategies }: Settings): ReadonlyArray<SettingsProblem> => {
  const taken = new Set(Object.values(strategies).flatMap((strategy) => strategy.sources))
  const fed = new Set(Object.values(feeds).map(({ source }) => source))
  return Object.keys(sources)
    .filter((name) => !taken.has(name) && (name !== "wave" || fed.has(name)))
    .map((name) => ({
      path: `sources.${name}`,
      message:
        "no strategy takes signals of this source: they are stored, decided as ignored and never traded"
    }))
}

/** Everything worth a warning, in the order of importance. */
export const settingsWarnings = (settings: Settings): ReadonlyArray<SettingsProblem> => [
  ...(settings.mode !== "PRACTICE" && settings.market.kind === "practice"
    ? [
        {
          path: "market.kind",
          message: `${settings.mode} runs on the seeded practice market: EVERY PRICE IS INVENTED, and no fill, profit or loss tells anything about a real market`
        }
      ]
    : []),
  ...withoutStrategy(settings)
]
