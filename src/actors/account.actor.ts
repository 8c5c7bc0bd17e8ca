/**
 * Account actor: the executor of one account, the account machine with the effects it may run.
 *
 * Promises: what is held is held under the lease of the node; leaving a state never cuts a round trip; at a stop the round
 * trip under way is finished and the account given back (T8).
 * Never: places an order without a lease; holds state that a restart would lose: everything is in the rows.
 */
import { Effect } from "effect"
import { executionLimits } from "../domain/limits.ts"
import { AccountLeases, makeLeaseGuard } from "../layers/accounts/accounts-lease.ts"
import { AccountsStore } from "../layers/accounts/accounts-store.ts"
import { Alerts } from "../layers/alerts/alerts.ts"
import { Brokers } from "../layers/broker/broker.ts"
import { Config } from "../layers/config/config.ts"
import { Instance } from "../layers/config/instance.ts"
import { Protection } from "../layers/accounts/protection.ts"
import { Wake } from "../layers/process/wake.ts"
import { type AccountEvent, accountMachine, type LeaseOutcome } from "../machines/account.machine.ts"
import type { ChildSelf } from "../runtime/child-spec.ts"
import { logEvent } from "../runtime/log-event.ts"
import { effectActor, machineChild, streamActor } from "../runtime/machine-child.ts"
import { type AccountDesk, defaultPace, type ExecutionPace, LeaseLost, makeDesk } from "./account-desk.ts"
import { reconcileAccount } from "./account-reconcile.ts"
import { resolveUnknown } from "./account-resolve.ts"
import { reconcileBell, venueBell } from "./account-send.ts"
import { executeNext, sendReduces } from "./account-step.ts"
import { watchDatabase } from "./database-watch.ts"
import { invariant } from "../domain/invariant.ts"

/** Inserts the account's row when it is new; a row of another venue is left alone and said aloud. */
const ensureAccount = (desk: AccountDesk) =>
  Effect.gen(function* () {
    const accounts = yield* AccountsStore
    const settings = yield* Config
    const configured = settings.accounts[desk.account]
    invariant(configured !== undefined, "an executor is started for a configured account", {
      account: desk.account
    })
    const mismatches = yield* accounts.ensure([
      { id: desk.account, venue: configured.broker, startingCash: configured.startingCash }
    ])
    const alerts = yield* Alerts
    yield* Effect.forEach(mismatches, ({ id, stored, configured: now }) =>
      alerts.raise({
        severity: "HIGH",
        kind: "account.venue_mismatch",
        dedupKey: `account.venue_mismatch:${id}`,
        message: `the account ${id} belongs to ${stored}, the configuration says ${now}; the stored venue stays`,
        component: desk.path
      })
    )
  })

const takeLease = (desk: AccountDesk) =>
  Effect.gen(function* () {
    const accounts = yield* AccountsStore
    const leases = yield* AccountLeases
    const instance = yield* Instance
    // Until the node's own lease is decided nobody can say whether we may hold anything; the machine has the deadline.
    const standing = yield* instance.settled
    const life = instance.current()?.life
    if (standing._tag === "Cloned") return { _tag: "HeldByOther", owner: standing.by } satisfies LeaseOutcome
    if (life === undefined)
      return yield* new LeaseLost({ account: desk.account, while: "this node has no identity" })
    yield* ensureAccount(desk)
    const taken = yield* accounts.take(desk.account, life)
    if (taken._tag === "Missing")
      return yield* new LeaseLost({ account: desk.account, while: "its row was missing" })
    if (taken._tag === "NoLease")
      return yield* new LeaseLost({ account: desk.account, while: "its node had no lease" })
    if (taken._tag === "HeldByOther")
      return { _tag: "HeldByOther", owner: taken.owner } satisfies LeaseOutcome
    // The lease that the database knew at the take; it may have been opened anew while we waited.
    const now = instance.standing()
    if (now._tag !== "Held")
      return yield* new LeaseLost({ account: desk.account, while: "its node lost its lease" })
    const guard = makeLeaseGuard(taken.grant, now.deadline)
    leases.hold(guard)
    desk.setGuard(guard)
    const fence = String(taken.grant.fence)
    yield* logEvent("info", "account.lease_taken", `fence ${fence}`, {
      component: desk.path,
      account: desk.account,
      fence
    })
    return { _tag: "Taken", fence } satisfies LeaseOutcome
  })

const dropGuard = (desk: AccountDesk) =>
  Effect.map(AccountLeases, (leases) => {
    const guard = desk.guard()
    if (guard !== null) leases.drop(guard)
    desk.setGuard(null)
    return guard
  })

/** Hears from the keeper of the node's lease that the account is lost. */
const watchLease = (desk: AccountDesk) =>
  streamActor("account.lease", ({ send }) =>
    Effect.gen(function* () {
      const leases = yield* AccountLeases
      const guard = desk.guard()
      const lost = Effect.callback<void>((resume) =>
        Effect.sync(leases.watch(desk.account, () => resume(Effect.void)))
      )
      // Lost between the take and now. Said in a turn of its own: the state is still being entered.
      yield* Effect.yieldNow
      if (guard !== null && leases.current(desk.account) === guard) yield* lost
      if (desk.guard() === guard) desk.setGuard(null)
      send({ type: "lease.lost" })
    })
  )

const waitInLine = (desk: AccountDesk) =>
  streamActor("account.line", ({ send }) =>
    Effect.flatMap(AccountLeases, (leases) =>
      Effect.callback<void>(() => Effect.sync(leases.want(desk.account, () => send({ type: "lease.free" }))))
    )
  )

const watchBells = (desk: AccountDesk) =>
  streamActor("account.bells", ({ send }) =>
    Effect.flatMap(Wake, (wake) => {
      const forward = (topic: string, type: "orders.waiting" | "reconcile.wanted") =>
        // A wait that ends without a bell is the net: a look for orders the machine's poll makes anyway, and the
        // reconciliation that is due now and then.
        Effect.forever(
          Effect.andThen(
            wake.wait(topic, executionLimits.reconcileEveryMs),
            Effect.sync(() => send({ type }))
          )
        )
      return Effect.all(
        [
          forward(`orders:${desk.account}`, "orders.waiting"),
          forward(reconcileBell(desk.account), "reconcile.wanted")
        ],
        { concurrency: "unbounded", discard: true }
      )
    })
  )

const release = (desk: AccountDesk) =>
  Effect.gen(function* () {
    const accounts = yield* AccountsStore
    // From here on nothing that waits for its turn may begin; what has begun is waited for.
    const guard = yield* dropGuard(desk)
    if (guard === null) return
    yield* desk.between(accounts.release([guard.grant]))
    yield* logEvent("info", "account.lease_released", "the lease was given back", { component: desk.path })
  })

/** The component `root/trading/accounts/<account>`. `pace` is for tests. */
export const accountActor =
  (account: string, pace: ExecutionPace = defaultPace) =>
  (self: ChildSelf) =>
    Effect.gen(function* () {
      const settings = yield* Config
      const brokers = yield* Brokers
      const protection = yield* Protection
      const wake = yield* Wake
      const configured = settings.accounts[account]
      invariant(configured !== undefined, "an executor is started for a configured account", { account })
      const desk = makeDesk(self, account, brokers.get(configured.broker), pace)
      // However this incarnation ends, nobody may go on to think that it executes.
      yield* Effect.addFinalizer(() => dropGuard(desk))
      return yield* machineChild({
        machine: accountMachine,
        input: { account, ...executionLimits, pollMs: pace.pollMs },
        actors: {
          watchDatabase: watchDatabase(),
          takeLease: effectActor("account.take", () => desk.between(takeLease(desk))),
          waitInLine: waitInLine(desk),
          watchLease: watchLease(desk),
          watchBells: watchBells(desk),
          resolveUnknown: streamActor("account.resolve", ({ send }) =>
            resolveUnknown(desk, (count) => {
              const event: AccountEvent = { type: "orders.unresolved", count }
              send(event)
            })
          ),
          reconcile: effectActor("account.reconcile", () => reconcileAccount(desk)),
          executeNext: effectActor("account.step", () => executeNext(desk)),
          sendReduces: streamActor("account.reduces", () => sendReduces(desk)),
          releaseLease: effectActor("account.release", () => release(desk))
        },
        actions: {
          noteBrokerAway: () => protection.noteBroker(account, false),
          noteBrokerBack: () => {
            if (protection.brokerAnswers(account)) return
            protection.noteBroker(account, true)
            // Its stream waits for a chance; that the broker answers again is one.
            wake.notify(venueBell(configured.broker))
          }
        },
        stopEvent: { type: "account.stop" },
        // Asking now and then whether the other node is still there is part of standing by, and no news.
        status: (snapshot) => ({
          ...(snapshot.matches("Standby") ? { state: "Standby" } : {}),
          detail: {
            account,
            fence: snapshot.context.fence,
            held_by: snapshot.context.heldBy,
            unresolved: snapshot.context.unresolved,
            lease_left_ms: desk.guard()?.remainingMs() ?? null
          }
        })
      })(self)
    })
