/**
 * switched-off: what health says of features that flags switch off, where somebody would miss them (11.7).
 *
 * Promises: pure; no feature is reported that these settings do not have anyway.
 * Never: makes it a trouble: an operator wanted it so.
 */
import { FLAG_NAMES, FLAGS, type FlagName, isOn } from "../kernel/flags.ts"
import type { Settings } from "../kernel/settings.ts"

type Read = Pick<Settings, "canary" | "flags" | "strategies" | "telegram">

/** Whether these settings would have the feature if its flag were on. */
const isThere = ({ canary, strategies, telegram }: Read, name: FlagName): boolean => {
  switch (name) {
    case "canary":
      return canary.everyMs !== null
    case "telegram_self_test":
      return telegram.token !== null && telegram.selfTestEveryMs !== null
    case "paper":
      return Object.values(strategies).some(({ demotion, stage }) => demotion !== null || stage === "shadow")
    default:
      return true
  }
}

export const switchedOff = (settings: Read): ReadonlyArray<string> =>
  FLAG_NAMES.flatMap((name) => {
    const { missed } = FLAGS[name]
    return missed === null || isOn(settings.flags, name) || !isThere(settings, name) ? [] : [missed]
  })
