/**
 * Settings warnings: what is allowed and hardly intended.
 *
 * A wrong configuration is refused. One that works and ignores what it is given, or trades on prices that
 * nobody quoted, is the operator's decision, but must not pass silently.
 *
 * Promises: pure; every warning names the path of the setting and its consequence.
 * Never: warns about the defaults of practice mode.
 */
import { BigDecimal } from "effect"
import { type Decimal, decimal } from "./decimal.ts"
import { getsAlerts, type ScopeLimits, type Settings, type SettingsProblem, WEEKDAYS } from "./settings.ts"

const DAY_MS = 86_400_000

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

/** Starting cash of the accounts of a scope. */
const moneyOf = ({ accounts, strategies }: Settings, scope: string): Decimal => {
  const [kind, name = ""] = scope.split(":")
  const all = Object.keys(accounts)
  const named = kind === "account" ? [name] : kind === "strategy" ? (strategies[name]?.accounts ?? []) : all
  return BigDecimal.sumAll(named.map((id) => decimal(accounts[id]?.startingCash ?? "0")))
}

/** Values at which a limit stops nothing, or everything. */
const absurd = (limits: ScopeLimits, money: Decimal): ReadonlyArray<readonly [keyof ScopeLimits, string]> => {
  const { cooldownAfterCrashMs, cooldownAfterLossMs, ordersPerMinuteMax, priceCollarPct } = limits
  const beyond = (limit: string | null, bound: Decimal): boolean =>
    limit !== null && BigDecimal.isGreaterThan(decimal(limit), bound)
  const all = "exceeds the starting cash of the scope: it triggers only when all of that is lost"
  const long = "is longer than a day"
  return [
    ...(beyond(limits.dailyLossMax, money) ? [["dailyLossMax", all] as const] : []),
    ...(beyond(limits.drawdownMax, money) ? [["drawdownMax", all] as const] : []),
    ...(beyond(priceCollarPct, decimal("50"))
      ? [["priceCollarPct", "is more than half of the price: it excludes hardly any wrong quote"] as const]
      : []),
    ...((ordersPerMinuteMax ?? 0) > 1_000
      ? [["ordersPerMinuteMax", "is more than any venue accepts: it limits nothing"] as const]
      : []),
    ...((cooldownAfterLossMs ?? 0) > DAY_MS ? [["cooldownAfterLossMs", long] as const] : []),
    ...((cooldownAfterCrashMs ?? 0) > DAY_MS ? [["cooldownAfterCrashMs", long] as const] : []),
    ...(Object.entries(limits).every(([key, limit]) => key === "onBreach" || limit === null)
      ? [["onBreach", "has no effect: this scope has no limit"] as const]
      : [])
  ]
}

const ofScopes = (settings: Settings): ReadonlyArray<SettingsProblem> =>
  Object.entries(settings.risk.scopes).flatMap(([scope, limits]) =>
    absurd(limits, moneyOf(settings, scope)).map(([key, message]) => ({
      path: `risk.scopes.${scope}.${key}`,
      message
    }))
  )

/** A bot that tells nobody. */
const withoutListener = ({ telegram }: Settings): ReadonlyArray<SettingsProblem> =>
  telegram.token === null || Object.values(telegram.chats).some(getsAlerts)
    ? []
    : [
        {
          path: "telegram.chats",
          message: "no chat gets alerts: name one with the role operator, or with alerts: true"
        }
      ]

/** Quiet hours that never end keep everything. */
const alwaysQuiet = ({ telegram: { quiet } }: Settings): ReadonlyArray<SettingsProblem> =>
  quiet === null || quiet.from !== quiet.to || quiet.days.length < WEEKDAYS.length
    ? []
    : [{ path: "telegram.quiet", message: "is never over: of alerts only what is CRITICAL is ever sent" }]

/** Everything worth a warning, in the order of importance. */
export const settingsWarnings = (settings: Settings): ReadonlyArray<SettingsProblem> => [
  ...(settings.mode !== "PRACTICE" && settings.market.kind === "practice"
    ? [
        {
          path: "market.kind",
          message: `${settings.mode} runs on the seeded practice market: EVERY PRICE IS INVENTED, and no fill, profit or loss means anything about a real market`
        }
      ]
    : []),
  ...ofScopes(settings),
  ...withoutListener(settings),
  ...alwaysQuiet(settings),
  ...withoutStrategy(settings)
]
