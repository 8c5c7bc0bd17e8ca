/**
 * Opening resting accounts: leases, books and brokers of thousands of idle executors in a handful of statements and queries.
 *
 * It checks what the executor's machine would check, for all at once: is the account ours, is anything open by our books,
 * does its broker have anything of it that we do not. An account with nothing on either side rests; every other is woken
 * and reconciles itself, by the one path there is (account-reconcile.ts).
 *
 * Promises: an account rests only under a lease, after our books and the broker's were both found empty and the newest fill
 * known; after every reconnect, every lost lease and every return of the database all of that is checked again.
 * Never: sends, settles, adopts or repairs anything: where something has to be done, the account's own executor does it.
 */
import { venueBell } from "../../layers/platform/bells.ts"
import { Effect, Stream } from "effect"
import { executionLimits } from "../../domain/kernel/limits-execution.ts"
import { AccountLeases, type LeaseGuard, makeLeaseGuard } from "../../layers/accounts/accounts-lease.port.ts"
import { type AccountGrant, AccountsStore } from "../../layers/accounts/accounts-store.port.ts"
import { Protection } from "../../layers/orders/protection.port.ts"
import { type RestingAccount, RestingAccounts } from "../../layers/execution/resting-accounts.port.ts"
import { OrdersStore } from "../../layers/orders/orders-store.port.ts"
import { Brokers } from "../../layers/venues/broker.port.ts"
import { Instance } from "../../layers/platform/instance.port.ts"
import { Database } from "../../layers/database/database.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { streamActor } from "../../runtime/machine-child.ts"
import { reachOf } from "./account-desk.ts"
import { ensureAccounts } from "./account-ensure.ts"

/** Machines that are started before other fibers get their turn. */
const BEGIN_AT_ONCE = 8

interface Opened {
  readonly entry: RestingAccount
  readonly guard: LeaseGuard
}

/** The leases of `entries`; those that are not ours are notified. Null: the node has no lease to hold anything under. */
const takeLeases = (entries: ReadonlyArray<RestingAccount>, path: string) =>
  Effect.gen(function* () {
    const accounts = yield* AccountsStore
    const leases = yield* AccountLeases
    const instance = yield* Instance
    const standing = yield* instance.settled
    if (standing._tag === "Cloned") {
      for (const entry of entries) entry.standBy(standing.by)
      return []
    }
    const life = instance.current()?.life
    if (life === undefined) return null
    const opened: Array<Opened> = []
    const unheld: Array<RestingAccount> = []
    for (const entry of entries) {
      const guard = entry.guard()
      // Removed or moved by a reload, and about to be stopped.
      if ((yield* reachOf(entry.account, entry.connection)) !== "current") entry.wait("TakingLease")
      else if (guard?.mayWrite() === true) opened.push({ entry, guard })
      else unheld.push(entry)
    }
    if (unheld.length === 0) return opened
    const names = unheld.map(({ account }) => account)
    yield* ensureAccounts(names, path)
    const taken = yield* accounts.takeMany(names, life)
    // The lease that the database knew at the take; it may have been reopened meanwhile.
    const now = instance.standing()
    const unwanted: Array<AccountGrant> = []
    for (const entry of unheld) {
      const outcome = taken.get(entry.account)
      if (outcome?._tag === "HeldByOther") entry.standBy(outcome.owner)
      else if (outcome?._tag !== "Taken" || now._tag !== "Held") entry.wait("TakingLease")
      else if (entry.phase() === "Over") unwanted.push(outcome.grant)
      else {
        const guard = makeLeaseGuard(outcome.grant, now.deadline)
        leases.hold(guard)
        entry.hold(guard)
        opened.push({ entry, guard })
      }
    }
    // It woke or ended meanwhile. What its machine took since has a higher fence and is not touched by this.
    if (unwanted.length > 0) yield* accounts.release(unwanted)
    return opened
  })

/** Among those of one broker: one with nothing on either side rests, one with anything wakes, none when it is silent. */
const compareAll = (name: string, opened: ReadonlyArray<Opened>) =>
  Effect.gen(function* () {
    const accounts = yield* AccountsStore
    const orders = yield* OrdersStore
    const brokers = yield* Brokers
    const leases = yield* AccountLeases
    const protection = yield* Protection
    const wake = yield* Wake
    const resting = yield* RestingAccounts
    // Every bell until now, as the broker's connection rings for all of its accounts, is answered by this comparison.
    resting.answered(opened.map(({ entry }) => entry.account))
    const theirs = yield* brokers.get(name).activity
    const there = new Map(theirs.map((activity) => [activity.account, activity]))
    const quiet = yield* orders.quiet(opened.map(({ entry }) => entry.account))
    const isIdle = ({ entry: { account } }: Opened): boolean => {
      const activity = there.get(account)
      return (
        quiet.has(account) &&
        (activity?.openOrders ?? 0) === 0 &&
        (activity?.positions ?? 0) === 0 &&
        (activity?.lastFill ?? null) === quiet.get(account)
      )
    }
    const idle = opened.filter(isIdle)
    const marked = yield* accounts.markManyReconciled(idle.map(({ guard }) => guard.grant))
    // Its stream waits to reconnect; an answering broker is the occasion.
    if (opened.some(({ entry }) => !protection.brokerAnswers(entry.account))) wake.notify(venueBell(name))
    const rests = new Set(idle)
    let begun = 0
    for (const one of opened) {
      const { entry, guard } = one
      protection.noteBroker(entry.account, true)
      if (!rests.has(one)) {
        entry.awaken()
        begun += 1
        // A machine takes milliseconds to start; a thousand of them must not hold up the renewal of the lease.
        if (begun % BEGIN_AT_ONCE === 0) yield* Effect.yieldNow
      } else if (marked.has(guard.grant)) entry.rest(guard)
      else {
        // The rows show that it is not ours, whatever our clock says about the lease.
        if (leases.current(entry.account) === guard) leases.lose(guard)
        entry.wait("TakingLease")
      }
    }
    return { resting: marked.size, awake: opened.length - idle.length }
  })

/** A broker that does not answer: recorded for each of its accounts, and logged once when it is news. */
const away = (name: string, some: ReadonlyArray<Opened>, reason: string, path: string) =>
  Effect.gen(function* () {
    const protection = yield* Protection
    const isNews = some.some(({ entry }) => protection.brokerAnswers(entry.account))
    for (const { entry } of some) {
      protection.noteBroker(entry.account, false)
      entry.wait("BrokerAway")
    }
    if (!isNews) return
    yield* logEvent("warn", "accounts.not_compared", `the broker ${name} does not answer: ${reason}`, {
      component: path,
      broker: name,
      accounts: some.length
    })
  })

/** Opens every account that is due. False: the node holds nothing. */
const openDue = (entries: ReadonlyArray<RestingAccount>, path: string) =>
  Effect.gen(function* () {
    const opened = yield* takeLeases(entries, path)
    if (opened === null) return false
    const names = [...new Set(opened.map(({ entry }) => entry.broker))]
    // All at once: one that is silent must not keep the accounts of another waiting. Bounded by the configured brokers.
    yield* Effect.forEach(
      names,
      (name) => {
        const some = opened.filter(({ entry }) => entry.broker === name)
        return compareAll(name, some).pipe(
          Effect.flatMap((counts) =>
            logEvent("info", "accounts.compared", `${counts.resting} idle accounts rest`, {
              component: path,
              broker: name,
              ...counts
            })
          ),
          Effect.catchTag("BrokerUnavailable", ({ reason }) => away(name, some, reason, path))
        )
      },
      { concurrency: "unbounded", discard: true }
    )
    return true
  })

const untilDue = Effect.map(RestingAccounts, ({ onDue }) =>
  Effect.callback<void>((resume) => {
    const end = onDue(() => resume(Effect.void))
    return Effect.sync(end)
  })
).pipe(Effect.flatten)

/** One pass over what is due: whether all were placed. Whatever stops it, no account is left halfway. */
const pass = (path: string) =>
  Effect.gen(function* () {
    yield* untilDue
    // Whoever rings for one usually rings for all of them within a moment.
    yield* Effect.yieldNow
    const resting = yield* RestingAccounts
    const entries = resting.takeDue()
    const open = Effect.suspend(() => {
      for (const entry of entries) entry.begin()
      return openDue(entries, path)
    })
    const isDone = yield* open.pipe(
      Effect.timeout(executionLimits.openRestingMsMax),
      Effect.catchTag(["DatabaseUnavailable", "TimeoutError"], ({ message }) =>
        Effect.as(logEvent("warn", "accounts.not_opened", message, { component: path }), false)
      ),
      Effect.ensuring(
        Effect.sync(() => {
          for (const entry of entries) if (entry.phase() === "Opening") entry.wait("TakingLease")
        })
      )
    )
    return isDone && !entries.some((entry) => entry.phase() === "Waiting")
  })

/** One pass after the other; what failed is retried soon, then less and less often. */
const passes = (path: string) =>
  Effect.gen(function* () {
    const { askAgainMsMax, retryFirstMs } = executionLimits
    for (let pauseMs: number = retryFirstMs; ;) {
      if (yield* pass(path)) {
        pauseMs = retryFirstMs
        continue
      }
      yield* Effect.sleep(pauseMs)
      pauseMs = Math.min(2 * pauseMs, askAgainMsMax)
    }
  })

/** Waits until the database is there, or is not. */
const untilDatabase = (isThere: boolean) =>
  Effect.flatMap(Database, ({ availability }) =>
    availability.changes.pipe(
      Stream.filter((state) => (state === "available") === isThere),
      Stream.runHead
    )
  )

/** Implements the slot `openResting`: works while the database is there; without it every resting account waits for it. */
export const openResting = (path: string) =>
  streamActor("accounts.open", () =>
    Effect.gen(function* () {
      const resting = yield* RestingAccounts
      // A former incarnation may have left them at any point.
      for (const { account } of resting.all()) resting.due(account)
      const round = Effect.andThen(untilDatabase(true), Effect.raceFirst(passes(path), untilDatabase(false)))
      const close = Effect.sync(() => {
        for (const entry of resting.all()) entry.wait("WaitingForDatabase")
      })
      return yield* Effect.forever(Effect.andThen(round, close))
    })
  )
