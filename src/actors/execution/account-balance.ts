/**
 * Asking a venue for the money of an account, and keeping the answer beside the book it was said over.
 *
 * The book is read before the question: what fills in between is then counted as spent once too often, never once too
 * little. No answer, and a figure that is none (broker.gate.ts), are kept as what they are: not known.
 *
 * Promises: never fails for the venue; an old answer does not outlive a question that found nothing.
 * Never: says whether an order may use the money (domain/orders/risk.ts does).
 */
import { Effect } from "effect"
import { riskLimits } from "../../domain/kernel/limits.ts"
import { AccountLeases, type LeaseGuard } from "../../layers/accounts/accounts-lease.port.ts"
import { RestingAccounts } from "../../layers/execution/resting-accounts.port.ts"
import { RiskStore } from "../../layers/orders/risk-store.port.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { type BrokerConnection, Brokers } from "../../layers/venues/broker.port.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { streamActor } from "../../runtime/machine-child.ts"

/** Asks once, under the deadline of the adapter. Fails with `DatabaseUnavailable` only. */
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

/** Fills the slot `askBalances`: the accounts this process executes, some at once, again and again. */
export const askBalances = (path: string) =>
  streamActor("risk.balances", () =>
    Effect.gen(function* () {
      const leases = yield* AccountLeases
      const resting = yield* RestingAccounts
      const brokers = yield* Brokers
      const { accounts } = yield* Config
      const round = Effect.suspend(() =>
        Effect.forEach(
          leases.all(),
          (guard) => {
            const { account } = guard.grant
            const broker = accounts[account]?.broker
            // Who rests has no order to judge; its first one brings a comparison, which asks.
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
