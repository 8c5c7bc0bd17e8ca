/**
 * Account actor: the executor of one account, the account machine with the effects it may run.
 *
 * Promises: the lease deadline is counted from before each query was sent; leaving a state never cuts a round trip;
 * at a stop the round trip under way is finished and the lease given back (T8).
 * Never: places an order without a lease; holds state that a restart would lose: everything is in the rows.
 */
import { Clock, Effect } from "effect"
import { executionLimits } from "../domain/limits.ts"
import { AccountLeases, instantOf, makeLeaseGuard } from "../layers/accounts/accounts-lease.ts"
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
    const clock = yield* Clock.Clock
    const identity = instance.current()
    // The identity comes with the lock on DATA_DIR; without it nobody can tell our former life from another node.
    if (identity === null)
      return yield* new LeaseLost({ account: desk.account, while: "this node has no identity" })
    yield* ensureAccount(desk)
    const sent = instantOf(clock)
    const { leaseMs, leaseMarginMs } = desk.pace
    const taken = yield* accounts.take(desk.account, identity.nodeId, leaseMs)
    if (taken._tag === "Missing")
      return yield* new LeaseLost({ account: desk.account, while: "its row was missing" })
    if (taken._tag === "HeldByOther") return taken satisfies LeaseOutcome
    const guard = makeLeaseGuard(clock, taken.grant, { leaseMs, marginMs: leaseMarginMs }, sent)
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

/** Renews until the fence is gone or the lease ran out without an answer. */
const keepLease = (desk: AccountDesk) =>
  streamActor("account.lease", ({ send }) =>
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      const clock = yield* Clock.Clock
      const guard = desk.guard()
      if (guard === null) return send({ type: "lease.lost" })
      let waitMs = desk.pace.renewEveryMs
      for (;;) {
        yield* Effect.sleep(waitMs)
        const sent = instantOf(clock)
        // A lost answer is no answer: the lease is not extended, and the next try comes while some of it is left.
        const renewed = yield* Effect.option(accounts.renew(guard.grant, desk.pace.leaseMs))
        if (renewed._tag === "Some" && renewed.value) guard.extend(sent)
        waitMs =
          renewed._tag === "Some"
            ? desk.pace.renewEveryMs
            : Math.min(desk.pace.renewEveryMs, desk.pace.pollMs)
        if ((renewed._tag === "Some" && !renewed.value) || !guard.mayWrite()) {
          yield* dropGuard(desk)
          yield* logEvent("warn", "account.lease_lost", "the lease was not renewed", { component: desk.path })
          return send({ type: "lease.lost" })
        }
      }
    })
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
    yield* desk.between(accounts.release(guard.grant))
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
          keepLease: keepLease(desk),
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
