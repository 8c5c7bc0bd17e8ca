/**
 * Requests an account's balance from its venue and stores it together with the book at that time.
 *
 * The book is read before the request: a fill in between is then counted as spent twice, never not at all. No response, or an
 * invalid figure (broker.gate.ts), is stored as unknown.
 *
 * Promises: never fails because of the venue; an old balance is discarded when a request fails.
 * Never: decides whether an order may use the money (domain/orders/risk.ts does).
 */
import { Effect } from "effect"
import { riskLimits } from "../../domain/kernel/risk-limits.ts"
import { AccountLeases, type LeaseGuard } from "../../layers/accounts/accounts-lease.port.ts"
import { RestingAccounts } from "../../layers/execution/resting-accounts.port.ts"
import { RiskStore } from "../../layers/orders/risk-store.port.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { type BrokerConnection, Brokers } from "../../layers/venues/broker.port.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { streamActor } from "../../runtime/machine-child.ts"

/** One request, under the deadline of the adapter. Fails with `DatabaseUnavailable` only. */
export const askBalance = (path: string, account: string, broker: BrokerConnection, guard: LeaseGuard) =>
  Effect.gen(function* () {
    const store = yield* RiskStore
    const book = yield* store.book(account)
    const money = yield* broker.balance(account).pipe(
      Effect.map(({ buyingPower, cash }) => ({ buyingPower, cash, book })),
      Effect.catchTag("BrokerUnavailable", ({ reason }) =>
        Effect.as(logEvent("debug", "account.balance_unknown", reason, { component: path, account }), null)
      )
    )
    yield* store.noteBalance(guard.grant, money)
  })

/** Fills the slot `askBalances`: requests the balances of the accounts this process executes, periodically. */
export const askBalances = (path: string) =>
  streamActor("risk.balances", () =>
    Effect.gen(function* () {
      const leases = yield* AccountLeases
      const resting = yield* RestingAccounts
      const brokers = yield* Brokers
      const settings = yield* Config
      const round = Effect.suspend(() =>
        Effect.forEach(
          leases.all(),
          (guard) => {
            const { account } = guard.grant
            const broker = settings.accounts[account]?.broker
            // A resting account has no orders; its first one starts a reconciliation, which requests the balance.
            return broker === undefined || resting.isResting(account)
              ? Effect.void
              : askBalance(path, account, brokers.get(broker), guard)
          },
          { concurrency: riskLimits.balancesMax, discard: true }
        )
      ).pipe(Effect.catchTag("DatabaseUnavailable", () => Effect.void))
      return yield* Effect.forever(Effect.andThen(Effect.sleep(riskLimits.balanceEveryMs), round))
    })
  )
