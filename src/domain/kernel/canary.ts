/**
 * canary: the names and the settings of the signal that proves the whole path (T9).
 *
 * Its account, strategy and source exist in every installation and in nobody's settings: what reads the settings to list, limit
 * or count never meets it, and only what executes an order asks here for it.
 *
 * Promises: pure; the account trades at all hours, is charged nothing and is limited by nothing but the trading state.
 * Never: is a name that the settings may use (settings-names.ts).
 */
import { plainStrategy } from "./practice-defaults.ts"
import type { AccountSettings, Settings, StrategySettings } from "./settings.ts"

/** Source, strategy, account and broker have this one name, which the SQL of lists and figures leaves out. */
export const CANARY = "canary"
export const CANARY_SYMBOL = "CANARY"

/** What a signal has to get through, in this order. */
export const CANARY_STAGES = ["stored", "claimed", "decided", "sent", "filled"] as const
export type CanaryStage = (typeof CANARY_STAGES)[number]

/** The null account: its broker fills everything at this price and moves no money. */
export const CANARY_PRICE = "1"
const account: AccountSettings = { broker: CANARY, startingCash: "1000000", calendar: "24x7", enabled: true }

export const canaryStrategy: StrategySettings = {
  ...plainStrategy,
  sources: [CANARY],
  accounts: [CANARY]
}

type WithAccounts = Pick<Settings, "accounts" | "canary">

/** The settings of an account that may be executed: one that is configured, or the canary's while it is on. */
export const executedAccount = (
  { accounts, canary }: WithAccounts,
  id: string
): AccountSettings | undefined => {
  if (id === CANARY) return canary.everyMs === null ? undefined : account
  return Object.hasOwn(accounts, id) ? accounts[id] : undefined
}

/** Accounts that are executed at one broker. */
export const accountsAt = (
  settings: WithAccounts,
  broker: string
): ReadonlyArray<readonly [id: string, account: AccountSettings]> => {
  if (broker === CANARY) return settings.canary.everyMs === null ? [] : [[CANARY, account]]
  return Object.entries(settings.accounts).filter(([, one]) => one.broker === broker)
}
