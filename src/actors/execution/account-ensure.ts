/**
 * The rows of accounts: inserted when they are new; a conflict with the settings is logged and alerted.
 *
 * Promises: a row of another venue is left alone, because its positions are there; that is an alert for each.
 * Never: changes a row that exists.
 */
import { Effect } from "effect"
import { executedAccount } from "../../domain/kernel/canary.ts"
import { AccountsStore } from "../../layers/accounts/accounts-store.port.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { Config } from "../../layers/platform/config.port.ts"

/** Fails with `DatabaseUnavailable`. `component` is the one that logs. */
export const ensureAccounts = (names: ReadonlyArray<string>, component: string) =>
  Effect.gen(function* () {
    const accounts = yield* AccountsStore
    const alerts = yield* Alerts
    const settings = yield* Config
    const definitions = names.flatMap((account) => {
      const configured = executedAccount(settings, account)
      // Removed by a reload, and its executor is about to be stopped.
      if (configured === undefined) return []
      const { broker, enabled, startingCash } = configured
      return [{ id: account, venue: broker, startingCash, enabled }]
    })
    if (definitions.length === 0) return
    yield* Effect.forEach(yield* accounts.ensure(definitions), ({ id, stored, configured }) =>
      alerts.raise({
        severity: "HIGH",
        kind: "account.venue_mismatch",
        dedupKey: `account.venue_mismatch:${id}`,
        message: `the account ${id} belongs to ${stored}, the configuration names ${configured}; the stored venue stays`,
        component
      })
    )
  })
