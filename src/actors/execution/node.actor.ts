/**
 * Node actor: the node machine with the effects that open, renew and release the lease of this node.
 *
 * One statement renews whatever the process holds, and one more checks all accounts that wait for another owner. So a
 * renewal can be frequent and a lease short, and ten thousand accounts cost what two do.
 *
 * Promises: a lease is counted from before its query was sent; a lease that lapsed, even for a moment, is lost with all
 * accounts, whoever may have taken them; an account that the rows give us and nobody here executes is released.
 * Never: takes an account (its executor does), or proves a death by anything but the host it happened on.
 */
import { ordersBell, resolveBell } from "../../layers/platform/bells.ts"
import { Clock, Effect } from "effect"
import { accountLimits, nodeLimits } from "../../domain/kernel/limits-execution.ts"
import { isProvenDead } from "../../domain/platform/node-life.ts"
import { AccountLeases, type LeaseGuard } from "../../layers/accounts/accounts-lease.port.ts"
import { type AccountGrant, AccountsStore } from "../../layers/accounts/accounts-store.port.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { Instance, NodeUnknown } from "../../layers/platform/instance.port.ts"
import {
  instantOf,
  type LeaseDeadline,
  makeLeaseDeadline,
  overdueStatus
} from "../../layers/platform/lease-deadline.ts"
import { NodeStore } from "../../layers/accounts/node-store.port.ts"
import { ProcessMarks } from "../../layers/platform/process-mark.port.ts"
import { OrdersStore } from "../../layers/orders/orders-store.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { type NodeEvent, nodeMachine, type OpenOutcome } from "../../machines/execution/node.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { effectActor, machineChild, streamActor } from "../../runtime/machine-child.ts"

import { watchDatabase } from "../database/database-watch.ts"

/** Numbers a test may shorten; everyone else uses the limits. */
export interface NodePace {
  readonly leaseMs: number
  readonly leaseMarginMs: number
  readonly renewEveryMs: number
  readonly pollMs: number
}

export const defaultNodePace: NodePace = { ...nodeLimits, pollMs: accountLimits.pollMs }

interface Keeper {
  readonly path: string
  readonly pace: NodePace
  deadline: LeaseDeadline | null
  /** Accounts the rows give us and nobody here holds, with the fence they were seen at and since when. */
  orphans: ReadonlyMap<string, { readonly fence: bigint; readonly sinceMs: number }>
}

const open = (keeper: Keeper) =>
  Effect.gen(function* () {
    const nodes = yield* NodeStore
    const marks = yield* ProcessMarks
    const instance = yield* Instance
    const clock = yield* Clock.Clock
    const identity = instance.current()
    if (identity === null) return yield* new NodeUnknown()
    const { leaseMarginMs: marginMs, leaseMs } = keeper.pace
    const me = { nodeId: identity.nodeId, life: identity.life, mark: marks.self }
    let provenDead: string | null = null
    let sent = instantOf(clock)
    let opened = yield* nodes.open(me, leaseMs, provenDead)
    if (opened._tag === "Leased" && isProvenDead(opened.mark, marks.self, marks.seen(opened.mark.pid))) {
      provenDead = opened.life
      sent = instantOf(clock)
      opened = yield* nodes.open(me, leaseMs, provenDead)
    }
    if (opened._tag === "Leased") return opened satisfies OpenOutcome
    const deadline = makeLeaseDeadline(clock, { leaseMs, marginMs }, sent)
    keeper.deadline = deadline
    instance.stand({ _tag: "Held", deadline })
    yield* logEvent("info", "node.lease_taken", "this process acts for its node", {
      component: keeper.path,
      life: identity.life,
      ...(provenDead === null ? {} : { proven_dead: provenDead })
    })
    return { _tag: "Held" } satisfies OpenOutcome
  })

/** Nothing is held any longer, whoever has it now. */
const loseAll = (keeper: Keeper) =>
  Effect.gen(function* () {
    const instance = yield* Instance
    const leases = yield* AccountLeases
    keeper.deadline?.giveUp()
    keeper.deadline = null
    keeper.orphans = new Map()
    instance.stand({ _tag: "Unknown" })
    for (const guard of leases.all()) leases.lose(guard)
  })

/**
 * The rows and our guards differ: another life took accounts from us, or an executor ended without releasing its own.
 * `held` was read before the rows were, so a guard that came since is not judged.
 */
const compare = (keeper: Keeper, life: string, held: ReadonlyArray<LeaseGuard>) =>
  Effect.gen(function* () {
    const accounts = yield* AccountsStore
    const leases = yield* AccountLeases
    const owned = new Map((yield* accounts.owned(life)).map((grant) => [grant.account, grant]))
    for (const guard of held) {
      if (owned.get(guard.grant.account)?.fence === guard.grant.fence) continue
      if (leases.current(guard.grant.account) === guard) leases.lose(guard)
    }
    const nowMs = yield* Clock.currentTimeMillis
    const orphans = new Map<string, { readonly fence: bigint; readonly sinceMs: number }>()
    const givenBack: Array<AccountGrant> = []
    for (const grant of owned.values()) {
      if (leases.current(grant.account) !== null) continue
      const before = keeper.orphans.get(grant.account)
      const sinceMs = before?.fence === grant.fence ? before.sinceMs : nowMs
      if (nowMs - sinceMs >= nodeLimits.orphanMs) givenBack.push(grant)
      else orphans.set(grant.account, { fence: grant.fence, sinceMs })
    }
    keeper.orphans = orphans
    if (givenBack.length === 0) return
    yield* accounts.release(givenBack)
    yield* logEvent(
      "warn",
      "node.accounts_given_back",
      `released ${givenBack.length} accounts that nobody executes here`,
      {
        component: keeper.path,
        accounts: givenBack.slice(0, 16).map(({ account }) => account)
      }
    )
  })

/** One renewal. Returns whether the lease is still ours as far as can be determined. */
const renew = (keeper: Keeper, deadline: LeaseDeadline, life: string) =>
  Effect.gen(function* () {
    const nodes = yield* NodeStore
    const leases = yield* AccountLeases
    const sent = instantOf(yield* Clock.Clock)
    const held = leases.all()
    const renewal = yield* nodes.renew(life, keeper.pace.leaseMs)
    if (!renewal.held || renewal.lapsed) return false
    if (renewal.accounts !== held.length || keeper.orphans.size > 0) yield* compare(keeper, life, held)
    // Last: the time of a guard whose account was taken is not prolonged, wherever this process freezes in between.
    deadline.extend(sent)
    return true
  }).pipe(
    // A missing answer proves nothing: the lease runs on, and is lost once the margin is used up as well.
    Effect.catchTag("DatabaseUnavailable", () =>
      Effect.sync(() => deadline.remainingMs() > -keeper.pace.leaseMarginMs)
    )
  )

/** Notifies those who wait for another owner's account that it is free. Returns when to look again at the latest. */
const serveLine = (keeper: Keeper) =>
  Effect.gen(function* () {
    const accounts = yield* AccountsStore
    const leases = yield* AccountLeases
    const wanted = leases.wanted()
    if (wanted.size === 0) return keeper.pace.renewEveryMs
    const { free, nextMs } = yield* accounts.free([...wanted.keys()])
    for (const account of free) wanted.get(account)?.()
    // At the moment the other's lease expires, and not a period later.
    return Math.min(keeper.pace.renewEveryMs, (nextMs ?? keeper.pace.renewEveryMs) + 1)
  }).pipe(Effect.catchTag("DatabaseUnavailable", () => Effect.succeed(keeper.pace.renewEveryMs)))

/**
 * Rings for every account of ours that has something to do, when all should look again and periodically: the net under lost
 * bells, and under other processes' rows.
 */
const sweep = (keeper: Keeper) =>
  Effect.forever(
    Effect.gen(function* () {
      const leases = yield* AccountLeases
      const wake = yield* Wake
      yield* wake.wait("orders", keeper.pace.pollMs)
      if (leases.size() === 0) return
      const orders = yield* OrdersStore
      const held = leases.all().map(({ grant }) => grant.account)
      for (const { account, unresolved, waiting } of yield* orders.busy(held)) {
        if (waiting) wake.notify(ordersBell(account))
        if (unresolved) wake.notify(resolveBell(account))
      }
    }).pipe(Effect.catchTag("DatabaseUnavailable", () => Effect.void))
  )

const keepLife = (keeper: Keeper) =>
  streamActor("node.keep", ({ send }) => Effect.raceFirst(sweep(keeper), keepLease(keeper, send)))

const keepLease = (keeper: Keeper, send: (event: NodeEvent) => void) =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const life = (yield* Instance).current()?.life
    const { deadline } = keeper
    if (deadline === null || life === undefined) return send({ type: "lease.lost" })
    let dueMs = clock.currentTimeMillisUnsafe() + keeper.pace.renewEveryMs
    for (;;) {
      const lookMs = yield* serveLine(keeper)
      yield* Effect.sleep(Math.max(0, Math.min(lookMs, dueMs - clock.currentTimeMillisUnsafe())))
      const nowMs = clock.currentTimeMillisUnsafe()
      // A clock that was set back must not put the renewal off.
      if (nowMs < dueMs && dueMs - nowMs <= keeper.pace.renewEveryMs) continue
      dueMs = nowMs + keeper.pace.renewEveryMs
      if (yield* renew(keeper, deadline, life)) continue
      yield* loseAll(keeper)
      yield* logEvent("warn", "node.lease_lost", "the lease of this node was not renewed in time", {
        component: keeper.path
      })
      return send({ type: "lease.lost" })
    }
  })

const release = (keeper: Keeper) =>
  Effect.gen(function* () {
    const nodes = yield* NodeStore
    const life = (yield* Instance).current()?.life
    const { deadline } = keeper
    yield* loseAll(keeper)
    if (deadline === null || life === undefined) return
    yield* nodes.release(life)
    yield* logEvent("info", "node.lease_released", "the lease of this node was released", {
      component: keeper.path
    })
  })

/** Notifies everyone who waits to hold something, and a human, that this process holds nothing, and why. */
const standBy = (path: string) =>
  streamActor("node.stand-by", ({ input: { by } }: { readonly input: { readonly by: string } }) =>
    Effect.gen(function* () {
      const instance = yield* Instance
      const alerts = yield* Alerts
      const identity = instance.current()
      instance.stand({ _tag: "Cloned", by })
      yield* alerts.raise({
        severity: "HIGH",
        kind: "node.cloned",
        dedupKey: `node.cloned:${identity?.nodeId ?? ""}`,
        message: `another living process runs as this node (${by}): DATA_DIR was copied; this one stands by`,
        component: path,
        detail: { life: identity?.life ?? null, by }
      })
      return yield* Effect.never
    })
  )

/** The component `root/node`. `pace` is for tests. */
export const nodeActor =
  (pace: NodePace = defaultNodePace) =>
  (self: ChildSelf) =>
    Effect.gen(function* () {
      const instance = yield* Instance
      const keeper: Keeper = { path: self.path, pace, deadline: null, orphans: new Map() }
      // However this incarnation ends, nobody may go on holding anything under a lease that is not renewed.
      yield* Effect.addFinalizer(() => loseAll(keeper))
      return yield* machineChild({
        machine: nodeMachine,
        input: nodeLimits,
        actors: {
          watchDatabase: watchDatabase(),
          openLife: effectActor("node.open", () => open(keeper)),
          keepLife: keepLife(keeper),
          standBy: standBy(self.path),
          releaseLife: effectActor("node.release", () => release(keeper))
        },
        stopEvent: { type: "node.stop" },
        status: (snapshot) => ({
          // Checking periodically whether the other process is still there is part of standing by, and no news.
          ...(snapshot.matches("Cloned") ? { state: "Cloned" } : {}),
          ...(snapshot.matches("Holding") ? overdueStatus(keeper.deadline) : {}),
          detail: {
            life: instance.current()?.life ?? null,
            by: snapshot.context.by,
            lease_left_ms: keeper.deadline?.remainingMs() ?? null
          }
        })
      })(self)
    })
