/**
 * Reconciler actor: watches from outside that accounts are reconciled, rings for those that should be again, and opens
 * those that rest (account-rest.ts). It also ends what waits for a strategy or an account that is gone (unconfigured.ts), and tells
 * of accounts that were left behind (abandoned.ts).
 *
 * Promises: one alert per account that stays unreconciled; accounts another node owns are left alone.
 * Never: reconciles what has anything to reconcile; the account's executor is the one owner of that (account-reconcile.ts).
 */
import { reconcileBell } from "../../layers/platform/bells.ts"
import { Clock, Effect } from "effect"
import { executionLimits, exitLimits } from "../../domain/kernel/limits-execution.ts"
import { AccountsStore } from "../../layers/accounts/accounts-store.port.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { Config } from "../../layers/platform/config.port.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import { Instance } from "../../layers/platform/instance.port.ts"
import { type OrderBacklog, OrdersStore } from "../../layers/orders/orders-store.port.ts"
import { RestingAccounts } from "../../layers/execution/resting-accounts.port.ts"
import { Protection } from "../../layers/orders/protection.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { type CheckOutcome, reconcilerMachine } from "../../machines/execution/reconciler.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { effectActor, machineChild } from "../../runtime/machine-child.ts"
import { type AbandonedSeen, lookForAbandoned, noneAbandoned } from "./abandoned.ts"
import { openResting } from "./account-rest.ts"
import { endUnconfigured } from "./unconfigured.ts"

import { watchDatabase } from "../database/database-watch.ts"

interface Round {
  readonly path: string
  /** Live: accounts come and go with a reload. */
  readonly settings: Settings
  /** Since when (milliseconds of the clock) an account is unreconciled. */
  readonly since: Map<string, number>
  /** Accounts that were reported reconciled. */
  readonly settled: Set<string>
  readonly abandoned: AbandonedSeen
}

const lateKey = (account: string): string => `account.unreconciled:${account}`

const late = (round: Round, account: string, sinceMs: number, nowMs: number) =>
  Alerts.use((alerts) =>
    alerts.raise({
      severity: "HIGH",
      kind: "account.unreconciled",
      dedupKey: lateKey(account),
      message: `the account ${account} has not been reconciled with its broker for ${Math.round((nowMs - sinceMs) / 1_000)} s; it sends no entries`,
      component: round.path,
      detail: { account },
      standing: true
    })
  )

/** No longer late. Once even without a memory of it: an alert of a former life is resolved just like one of ours. */
const over = ({ settled, since }: Round, accounts: ReadonlyArray<string>, why: string) =>
  Effect.suspend(() => {
    const news = accounts.filter((account) => since.delete(account) || !settled.has(account))
    for (const account of news) settled.add(account)
    return Alerts.use((alerts) => alerts.resolve(news.map(lateKey), why))
  })

const check = (round: Round) =>
  Effect.gen(function* () {
    const accounts = yield* AccountsStore
    const orders = yield* OrdersStore
    const instance = yield* Instance
    const protection = yield* Protection
    const wake = yield* Wake
    const resting = yield* RestingAccounts
    const nowMs = yield* Clock.currentTimeMillis
    const watched: Array<string> = []
    // A resting account agrees with its broker and has nothing that could wait.
    const rest: Array<string> = []
    const { accounts: configured } = round.settings
    for (const account of Object.keys(configured)) (resting.isResting(account) ? rest : watched).push(account)
    yield* over(round, rest, "it is reconciled")
    for (const account of round.settled)
      if (!Object.hasOwn(configured, account)) round.settled.delete(account)
    const gone = [...round.since.keys()].filter((account) => !Object.hasOwn(configured, account))
    if (gone.length > 0) yield* over(round, gone, "it was removed from the settings")
    const unreconciled: Array<string> = []
    const backlog: Record<string, OrderBacklog> = {}
    let unsettled = 0
    const rows = new Map((yield* accounts.read(watched)).map((row) => [row.id, row]))
    const waiting = yield* orders.backlog(watched)
    const counts = yield* orders.unsettledCounts(watched)
    for (const account of watched) {
      const row = rows.get(account)
      const elsewhere = row !== undefined && row.leased && row.owner !== instance.current()?.life
      // Compared once and then without a broker is not reconciled either.
      const agreed = row !== undefined && row.reconciledAt !== null && protection.brokerAnswers(account)
      if (elsewhere || agreed) {
        yield* over(round, [account], elsewhere ? "another process has the account" : "it is reconciled")
      } else {
        const sinceMs = round.since.get(account) ?? nowMs
        round.since.set(account, sinceMs)
        unreconciled.push(account)
        if (nowMs - sinceMs >= executionLimits.unreconciledMsMax) yield* late(round, account, sinceMs, nowMs)
      }
      if (elsewhere) continue
      backlog[account] = waiting.get(account) ?? { waiting: 0, oldestMs: 0 }
      const { all, due } = counts.get(account) ?? { all: 0, due: 0 }
      unsettled += all
      // A check without result has a next time; until then it is no reason to compare everything again. What is in dispute
      // takes no exposure, so it is compared at every check.
      if (due > 0 || row?.disputed === true) wake.notify(reconcileBell(account))
    }
    const life = instance.current()?.life
    if (life !== undefined) yield* endUnconfigured(round.path, life)
    yield* lookForAbandoned(round.path, round.abandoned, Object.keys(configured))
    return { unreconciled, unsettled, backlog } satisfies CheckOutcome
  })

/** The component `root/trading/reconciler`. */
export const reconcilerActor = () => (self: ChildSelf) =>
  Effect.gen(function* () {
    const settings = yield* Config
    const round: Round = {
      path: self.path,
      settings,
      since: new Map(),
      settled: new Set(),
      abandoned: noneAbandoned()
    }
    return yield* machineChild({
      machine: reconcilerMachine,
      input: {
        checkEveryMs: executionLimits.checkEveryMs,
        checkMsMax: exitLimits.readMsMax,
        retryMs: executionLimits.retryMsMax
      },
      actors: {
        watchDatabase: watchDatabase(),
        openResting: openResting(self.path),
        check: effectActor("reconciler.check", () => check(round))
      },
      stopEvent: { type: "reconciler.stop" },
      status: ({ context }) => ({
        detail: { unreconciled: context.unreconciled, unsettled: context.unsettled, backlog: context.backlog }
      })
    })(self)
  })
