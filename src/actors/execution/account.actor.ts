/**
 * Account actor: the executor of one account, the account machine with the effects it may run.
 *
 * Promises: what is held is held under the lease of the node; leaving a state never cuts a round trip; at a stop the round
 * trip in flight is finished and the account released (T8).
 * Never: places an order without a lease; holds state that a restart would lose: everything is in the rows.
 */
import { ordersBell, reconcileBell, venueBell } from "../../layers/platform/bells.ts"
import { Context, Effect, Semaphore } from "effect"
import { CANARY, executedAccount } from "../../domain/kernel/canary.ts"
import { executionLimits } from "../../domain/kernel/limits-execution.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import { AccountLeases, makeLeaseGuard } from "../../layers/accounts/accounts-lease.port.ts"
import { AccountsStore } from "../../layers/accounts/accounts-store.port.ts"
import { Brokers } from "../../layers/venues/broker.port.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { Instance } from "../../layers/platform/instance.port.ts"
import { overdueStatus } from "../../layers/platform/lease-deadline.ts"
import { RestingAccounts } from "../../layers/execution/resting-accounts.port.ts"
import { Protection } from "../../layers/orders/protection.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import {
  type AccountEvent,
  accountMachine,
  type LeaseOutcome
} from "../../machines/execution/account.machine.ts"
import { type ChildSelf, ignore, type Ignore, type Running } from "../../runtime/child-spec.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { effectActor, machineChild, streamActor } from "../../runtime/machine-child.ts"
import { ensureAccounts } from "./account-ensure.ts"
import { Sleeper } from "./account-sleeper.ts"
import {
  type AccountDesk,
  defaultPace,
  type ExecutionPace,
  LeaseLost,
  makeDesk,
  reachOf
} from "./account-desk.ts"
import { reconcileAccount } from "./account-reconcile.ts"
import { resolveUnknown } from "./account-resolve.ts"

import { executeNext, sendReduces } from "./account-step.ts"
import { watchDatabase } from "../database/database-watch.ts"

/** What one executor is, to the effects of its machine. */
interface Executor {
  readonly desk: AccountDesk
  readonly noteBroker: (answers: boolean) => void
}

/** The executor whose machine runs the effect. */
class Current extends Context.Service<Current, Executor>()("holdfast/actors/AccountExecutor") {}

const RELOADED = {
  removed: "it was removed from the settings",
  moved: "its broker was changed in the settings"
} as const

const takeLease = (desk: AccountDesk) =>
  Effect.gen(function* () {
    const accounts = yield* AccountsStore
    const leases = yield* AccountLeases
    const instance = yield* Instance
    const wake = yield* Wake
    // Until the node's own lease is decided nobody knows whether we may hold anything; the machine has the deadline.
    const standing = yield* instance.settled
    const life = instance.current()?.life
    if (standing._tag === "Cloned") return { _tag: "HeldByOther", owner: standing.by } satisfies LeaseOutcome
    if (life === undefined)
      return yield* new LeaseLost({ account: desk.account, while: "this node has no identity" })
    const reach = yield* reachOf(desk.account, desk.broker)
    if (reach !== "current") return yield* new LeaseLost({ account: desk.account, while: RELOADED[reach] })
    yield* ensureAccounts([desk.account], desk.path)
    const taken = yield* accounts.take(desk.account, life)
    if (taken._tag === "Missing")
      return yield* new LeaseLost({ account: desk.account, while: "its row was missing" })
    if (taken._tag === "NoLease")
      return yield* new LeaseLost({ account: desk.account, while: "its node had no lease" })
    if (taken._tag === "HeldByOther")
      return { _tag: "HeldByOther", owner: taken.owner } satisfies LeaseOutcome
    // The lease that the database knew at the take; it may have been reopened while we waited.
    const now = instance.standing()
    if (now._tag !== "Held")
      return yield* new LeaseLost({ account: desk.account, while: "its node lost its lease" })
    const guard = makeLeaseGuard(taken.grant, now.deadline)
    leases.hold(guard)
    desk.setGuard(guard)
    // Positions that a former owner opened a moment ago are ours to protect from now on.
    wake.notify("positions")
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

/** Receives from the keeper of the node's lease that the account is lost. */
const watchLease = streamActor("account.lease", ({ send }) =>
  Effect.gen(function* () {
    const { desk } = yield* Current
    const leases = yield* AccountLeases
    const guard = desk.guard()
    const lost = Effect.callback<void>((resume) =>
      Effect.sync(leases.watch(desk.account, () => resume(Effect.void)))
    )
    // Lost between the take and now. Sent in a turn of its own: the state is still being entered.
    yield* Effect.yieldNow
    if (guard !== null && leases.current(desk.account) === guard) yield* lost
    if (desk.guard() === guard) desk.setGuard(null)
    send({ type: "lease.lost" })
  })
)

const waitInLine = streamActor("account.line", ({ send }) =>
  Effect.gen(function* () {
    const { desk } = yield* Current
    const leases = yield* AccountLeases
    return yield* Effect.callback<void>(() =>
      Effect.sync(leases.want(desk.account, () => send({ type: "lease.free" })))
    )
  })
)

const watchBells = streamActor("account.bells", ({ send }) =>
  Effect.gen(function* () {
    const { desk } = yield* Current
    const wake = yield* Wake
    return yield* Effect.callback<void>(() => {
      const ends = [
        wake.listen(ordersBell(desk.account), () => send({ type: "orders.waiting" })),
        wake.listen(reconcileBell(desk.account), () => send({ type: "reconcile.wanted" }))
      ]
      return Effect.sync(() => ends.forEach((end) => end()))
    })
  })
)

const release = (desk: AccountDesk) =>
  Effect.gen(function* () {
    const accounts = yield* AccountsStore
    // From here on nothing that waits for its turn may begin; what has begun is awaited.
    const guard = yield* dropGuard(desk)
    if (guard === null) return
    yield* desk.between(accounts.release([guard.grant]))
    yield* logEvent("info", "account.lease_released", "the lease was released", { component: desk.path })
  })

const withDesk = <A, E, R>(name: string, f: (desk: AccountDesk) => Effect.Effect<A, E, R>) =>
  effectActor(name, () => Effect.flatMap(Current, ({ desk }) => f(desk)))

/** Concurrent reconciliations of one broker: thousands at once would all miss the deadlines of their look-ups. */
const makeTurns = () => {
  // Bounded by the configured brokers.
  const turns = new Map<string, Semaphore.Semaphore>()
  return (broker: string): Semaphore.Semaphore => {
    const turn = turns.get(broker) ?? Semaphore.makeUnsafe(executionLimits.reconcilesMax)
    turns.set(broker, turn)
    return turn
  }
}

/**
 * One machine for every executor of a tree: what differs between accounts is looked up by account. A machine made for each
 * account costs a megabyte and fifteen milliseconds, most of it for states that are the same.
 */
const machineOf = (paths: ReadonlyMap<string, string>, executors: ReadonlyMap<string, Executor>) => {
  const turnOf = makeTurns()
  return machineChild({
    machine: accountMachine,
    input: ({ path }) => ({ account: paths.get(path) ?? "", ...executionLimits }),
    actors: {
      watchDatabase: watchDatabase(),
      takeLease: withDesk("account.take", (desk) => desk.between(takeLease(desk))),
      waitInLine,
      watchLease,
      watchBells,
      resolveUnknown: streamActor("account.resolve", ({ send }) =>
        Effect.flatMap(Current, ({ desk }) =>
          resolveUnknown(desk, (count) => {
            const event: AccountEvent = { type: "orders.unresolved", count }
            send(event)
          })
        )
      ),
      reconcile: withDesk("account.reconcile", (desk) =>
        turnOf(desk.broker.name).withPermit(reconcileAccount(desk))
      ),
      executeNext: withDesk("account.step", (desk) => executeNext(desk)),
      sendReduces: streamActor("account.reduces", () =>
        Effect.flatMap(Current, ({ desk }) => sendReduces(desk))
      ),
      releaseLease: withDesk("account.release", release)
    },
    actions: {
      noteBrokerAway: ({ context }) => executors.get(context.account)?.noteBroker(false),
      noteBrokerBack: ({ context }) => executors.get(context.account)?.noteBroker(true)
    },
    stopEvent: { type: "account.stop" },
    status: (snapshot) => {
      const standsBy = snapshot.matches("Standby")
      // What was held before it stood by is gone, and no longer of interest.
      const guard = standsBy ? null : (executors.get(snapshot.context.account)?.desk.guard() ?? null)
      return {
        // Checking periodically whether the other is still there is part of standing by, and no news.
        ...(standsBy ? { state: "Standby" } : {}),
        ...(snapshot.hasTag("ready") && !standsBy ? overdueStatus(guard) : {}),
        detail: {
          account: snapshot.context.account,
          fence: snapshot.context.fence,
          held_by: snapshot.context.heldBy,
          unresolved: snapshot.context.unresolved,
          lease_left_ms: guard?.remainingMs() ?? null
        }
      }
    }
  })
}

/**
 * The executor without its machine, which starts when there is something to do. Starting it is synchronous, as every start
 * of a machine is, so that whoever rang finds it there.
 */
const resting = <R, E, S>(
  self: ChildSelf,
  desk: AccountDesk,
  broker: string,
  begin: Effect.Effect<Running<R> | Ignore, E, S>
) =>
  Effect.gen(function* () {
    const run = Effect.runSyncWith(yield* Effect.context<S>())
    let running: Running<R> | null = null
    const sleeper = new Sleeper({
      account: desk.account,
      broker,
      connection: desk.broker,
      leases: yield* AccountLeases,
      resting: yield* RestingAccounts,
      wake: yield* Wake,
      guard: desk.guard,
      setGuard: desk.setGuard,
      publish: self.setStatus,
      begin: () => {
        try {
          const started = run(begin)
          running = "_tag" in started ? null : started
        } catch (error) {
          self.crash(error)
        }
      }
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => sleeper.leave()))
    const answer: Running<R> = {
      send: (event) => {
        sleeper.awaken()
        return running?.send?.(event) ?? "not_running"
      },
      status: () => running?.status?.() ?? sleeper.status(),
      mailbox: () => running?.mailbox?.() ?? { depth: 0, capacity: 0, dropped: 0 },
      // A resting account has nothing to finish: its lease ends with that of its node.
      drain: Effect.suspend((): Effect.Effect<void, unknown, R> => {
        sleeper.leave()
        return running?.drain ?? Effect.void
      })
    }
    return answer
  })

/** The components `root/trading/accounts/<account>` of one tree; the child is named by its account. `pace` is for tests. */
export const accountActors = (pace: ExecutionPace = defaultPace) => {
  // Bounded by the configured accounts.
  const executors = new Map<string, Executor>()
  const paths = new Map<string, string>()
  const run = machineOf(paths, executors)
  // Counted once: ten thousand accounts that each count all of them are fourteen seconds.
  let rests: boolean | null = null
  const mayRest = ({ accounts }: Settings): boolean =>
    (rests ??= Object.keys(accounts).length > executionLimits.awakeMax)
  return (account: string) => (self: ChildSelf) =>
    Effect.gen(function* () {
      const settings = yield* Config
      const brokers = yield* Brokers
      const protection = yield* Protection
      const { turns } = yield* AccountLeases
      const wake = yield* Wake
      const configured = executedAccount(settings, account)
      // Removed by a reload while it was to be restarted: it is about to be removed from the tree as well.
      if (configured === undefined) return ignore
      const desk = makeDesk(self, account, brokers.get(configured.broker), pace, () => turns.open(account))
      const executor: Executor = {
        desk,
        noteBroker: (answers) => {
          const before = protection.brokerAnswers(account)
          protection.noteBroker(account, answers)
          // Its stream waits to reconnect; an answering broker is the occasion.
          if (answers && !before) wake.notify(venueBell(configured.broker))
        }
      }
      executors.set(account, executor)
      paths.set(self.path, account)
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          // Its next incarnation may have come before this one is quite gone.
          if (executors.get(account) !== executor) return
          executors.delete(account)
          paths.delete(self.path)
        })
      )
      // However this incarnation ends, nobody may go on believing that it executes.
      yield* Effect.addFinalizer(() => dropGuard(desk))
      const begin = Effect.map(Effect.provideService(run(self), Current, executor), (running) => {
        if ("_tag" in running) return running
        const { drain, run: life, ...rest } = running
        const under = <A, E, R>(effect: Effect.Effect<A, E, R> | undefined) =>
          effect === undefined ? undefined : Effect.provideService(effect, Current, executor)
        const [drained, lived] = [under(drain), under(life)]
        return { ...rest, drain: drained, ...(lived === undefined ? {} : { run: lived }) }
      })
      // What a restarted one was doing is unknown: it finds out by itself, whatever the others do.
      // The canary's is opened by nobody else, and woken every minute.
      return yield* mayRest(settings) && self.incarnation === 1 && account !== CANARY
        ? resting(self, desk, configured.broker, begin)
        : begin
    })
}
