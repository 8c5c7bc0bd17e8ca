/**
 * settings-change: what a reload may change while the service runs, and what it would make of the running settings.
 *
 * What is read again for every decision, or for every round of retention, can change between two of them. Accounts, brokers,
 * feeds and sinks are components that come and go (domain/control/tree-change.ts). What is opened once, such as the port, the
 * database and the secrets of the intake, needs a restart, and so do the roles, the schedule of waves and the quotes, which
 * components of every kind are started with.
 *
 * Promises: pure; the next settings are the running ones with every live part replaced, all or none; the version of equal
 * settings is equal, even across processes, and reveals nothing of a secret.
 * Never: compares or shows a secret in clear.
 */
import { Redacted } from "effect"
import { digest128 } from "./ids.ts"
import type { Settings } from "./settings.ts"

/** The parts that change at once. */
export const LIVE_SETTINGS = [
  "strategies",
  "risk",
  "sources",
  "symbols",
  "retention",
  "resources",
  "panel",
  "voters",
  "accounts",
  "brokers",
  "feeds",
  "alerts",
  "flags"
] as const

type LiveSetting = (typeof LIVE_SETTINGS)[number]
const live: ReadonlySet<string> = new Set(LIVE_SETTINGS)

const sorted = (value: object): object =>
  Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))

/** Comparable text of a value: keys in order, a secret by its digest. */
const comparable = (value: unknown): string =>
  // The holder and not the second argument: that one has been through `toJSON`, which makes all secrets look alike.
  JSON.stringify(value, function (this: Readonly<Record<string, unknown>>, key: string) {
    const inner = this[key]
    if (Redacted.isRedacted(inner)) return digest128("secret", [String(Redacted.value(inner))])
    if (inner instanceof Set) return [...inner].map(String).toSorted((a, b) => (a < b ? -1 : 1))
    return typeof inner === "object" && inner !== null && !Array.isArray(inner) ? sorted(inner) : inner
  })

/** Whether two values of one setting are the same, secrets included. */
export const isSameSetting = (a: unknown, b: unknown): boolean => comparable(a) === comparable(b)

/** Names of the settings that differ. */
export const changedSettings = (inForce: Settings, read: Settings): ReadonlyArray<string> => {
  const there = new Map(Object.entries(read).map(([name, value]) => [name, comparable(value)]))
  return Object.entries(inForce).flatMap(([name, value]) =>
    comparable(value) === there.get(name) ? [] : [name]
  )
}

export const isLive = (name: string): name is LiveSetting => live.has(name)

/** The running settings with the live parts of others. */
export const withLive = (inForce: Settings, read: Settings): Settings => ({
  ...inForce,
  strategies: read.strategies,
  risk: read.risk,
  sources: read.sources,
  symbols: read.symbols,
  retention: read.retention,
  resources: read.resources,
  panel: read.panel,
  voters: read.voters,
  accounts: read.accounts,
  brokers: read.brokers,
  feeds: read.feeds,
  alerts: read.alerts,
  flags: read.flags
})

/** Settings do not change, and every decision names the version of those it was made under. */
const versions = new WeakMap<Settings, string>()

/** The name of these settings: 16 hexadecimal digits. Not for a view of live settings, which has no version of its own. */
export const versionOf = (settings: Settings): string => {
  const known = versions.get(settings)
  if (known !== undefined) return known
  const version = digest128("settings", [comparable({ ...settings })]).slice(0, 16)
  versions.set(settings, version)
  return version
}
