/**
 * settings-expected: which expectations of signals can be judged.
 *
 * Promises: pure; one problem per wrong value, with the path of the setting that has it.
 * Never: reads a clock.
 */
import { expectedLimits } from "./limits-kept.ts"
import { readTimeframe } from "./moment.ts"
import type { Expected, Settings, SettingsProblem } from "./settings.ts"

const seconds = (ms: number): string => `${ms / 1_000} s`

const problemsOf = (expected: Expected): ReadonlyArray<readonly [string, string]> => {
  const every = readTimeframe(expected.every)
  if ("message" in every) return [["every", every.message]]
  const isBars = expected.kind === "bars"
  const longest = isBars ? 86_400_000 : expectedLimits.rateMsMax
  return [
    ...(every.ms < expectedLimits.everyMsMin || every.ms > longest
      ? [
          [
            "every",
            `must be an interval from ${seconds(expectedLimits.everyMsMin)} to ${longest / 86_400_000} days`
          ] as const
        ]
      : []),
    ...(isBars && expected.graceMs > every.ms / 2
      ? [
          [
            "graceMs",
            "must be at most half of the interval: the next signal is not a late one of this"
          ] as const
        ]
      : []),
    ...(expected.hours !== null && expected.calendar !== "24x7"
      ? [["hours", `must be left out: the calendar ${expected.calendar} has hours of its own`] as const]
      : [])
  ]
}

/** Every expectation that cannot be judged as it stands. */
export const expectedProblems = ({ feeds, sources }: Settings): ReadonlyArray<SettingsProblem> =>
  Object.entries(sources).flatMap(([name, { expected }]) => {
    if (expected === null) return []
    const path = `sources.${name}.expected`
    const feed = Object.entries(feeds).find(([, { source }]) => source === name)
    if (feed !== undefined)
      return [
        {
          path,
          message: `must be left out: the feed "${feed[0]}" brings this source, and its waves are expected`
        }
      ]
    return problemsOf(expected).map(([key, message]) => ({ path: `${path}.${key}`, message }))
  })
