/** The keeper of a node's lease on the virtual clock, over a store whose answers a test scripts. */
import { assert, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { nodeActor } from "../../../src/actors/execution/node.actor.ts"
import { nodeLimits } from "../../../src/domain/kernel/limits-execution.ts"
import { AccountLeases, makeLeaseGuard } from "../../../src/layers/accounts/accounts-lease.port.ts"
import { type AccountGrant, AccountsStore } from "../../../src/layers/accounts/accounts-store.port.ts"
import { Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { alertsQueue } from "../../support/alerts-queue.ts"
import { Instance, makeInstance } from "../../../src/layers/platform/instance.port.ts"
import { Database, DatabaseUnavailable } from "../../../src/layers/database/database.port.ts"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"
import {
  NodeStore,
  type NodeStoreService,
  type Opening,
  type Renewal
} from "../../../src/layers/accounts/node-store.port.ts"
import { OrdersStore } from "../../../src/layers/orders/orders-store.port.ts"
import { ProcessMarks } from "../../../src/layers/platform/process-mark.port.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"

const away = new DatabaseUnavailable({
  operation: "nodes.renew",
  reason: "busy",
  outcome: "unknown",
  cause: new Error("a test")
})

const leasedBy = (life: string, remainingMs = 3_000, pid = 99): Opening => ({
  _tag: "Leased",
  life,
  mark: { host: "here", pid, startedAt: "1" },
  remainingMs
})

const setUp = (alivePid: number | null = 99) =>
  Effect.gen(function* () {
    const virtual = yield* Clock.Clock
    const wall = { offsetMs: 0 }
    const currentTimeMillisUnsafe = () => virtual.currentTimeMillisUnsafe() + wall.offsetMs
    const clock: Clock.Clock = Object.assign(Object.create(virtual), {
      currentTimeMillisUnsafe,
      currentTimeMillis: Effect.sync(currentTimeMillisUnsafe)
    })
    const availability = makeAvailability()
    const instance = makeInstance()
    instance.assign({ nodeId: "node-a", bootId: "boot" })
    const script = {
      open: (_dead: string | null): Opening => ({ _tag: "Held" }),
      openTakesMs: 0,
      renew: Effect.succeed<Renewal>({ held: true, lapsed: false, accounts: 0 }) as ReturnType<
        NodeStoreService["renew"]
      >,
      owned: Effect.succeed<ReadonlyArray<AccountGrant>>([]),
      released: [] as Array<AccountGrant>,
      renewals: 0
    }
    const services = Layer.mergeAll(
      AccountLeases.layer,
      Layer.succeed(Instance, instance),
      Layer.succeed(ProcessMarks, {
        self: { host: "here", pid: 100, startedAt: "2" },
        seen: (pid) => (pid === alivePid ? { startedAt: "1" } : null)
      }),
      Layer.succeed(NodeStore, {
        open: (_me, _leaseMs, dead) =>
          Effect.suspend(() => {
            const answer = Effect.sync(() => script.open(dead))
            return script.openTakesMs === 0 ? answer : Effect.delay(answer, script.openTakesMs)
          }),
        renew: () =>
          Effect.suspend(() => {
            script.renewals += 1
            return script.renew
          }),
        release: () => Effect.void
      }),
      Layer.mock(AccountsStore, {
        owned: () => Effect.suspend(() => script.owned),
        release: (grants) => Effect.sync(() => void script.released.push(...grants)),
        free: (accounts) => Effect.succeed({ free: accounts, nextMs: null })
      }),
      Layer.mock(OrdersStore, { busy: () => Effect.succeed([]) }),
      Layer.mock(Database, { availability, stats: () => assert.fail("nobody asks") }),
      alertsQueue.pipe(Layer.provideMerge(Wake.layer))
    )
    const context = yield* Layer.build(services)
    const tree = yield* startTree(
      supervisor({ id: "root", children: [worker({ id: "node", start: nodeActor() })] }),
      { stopDeadlineMs: 1_000 }
    ).pipe(Effect.provide(context), Effect.provideService(Clock.Clock, clock))
    availability.mark("available")
    yield* TestClock.adjust(0)
    const provided = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provide(effect, context)
    const leases = yield* provided(AccountLeases)
    const hold = (account: string, fence = 1n) => {
      const standing = instance.standing()
      if (standing._tag !== "Held") return assert.fail("the lease is not held")
      const guard = makeLeaseGuard({ account, owner: "node-a/boot", fence }, standing.deadline)
      leases.hold(guard)
      return guard
    }
    return {
      availability,
      hold,
      instance,
      leases,
      script,
      state: () => tree.snapshot().children[0]?.state,
      /** Sets the wall clock only; the monotonic one goes on. */
      setClock: (offsetMs: number) => (wall.offsetMs = offsetMs),
      ready: () => tree.snapshot().children[0]?.ready,
      alerts: provided(
        Alerts.use((alerts) =>
          Effect.sync(() =>
            alerts.takePending().flatMap((entry) => (entry._tag === "Outbreak" ? [entry.kind] : []))
          )
        )
      )
    }
  })

const usableMs = nodeLimits.leaseMs - nodeLimits.leaseMarginMs

it.effect("[T4] a renewal is counted from its request, however late the answer comes", () =>
  Effect.gen(function* () {
    const node = yield* setUp()
    const guard = node.hold("paper-1")
    const answer = yield* Deferred.make<Renewal>()
    node.script.renew = Effect.suspend(() => {
      node.script.renew = Effect.never
      return Deferred.await(answer)
    })
    yield* TestClock.adjust(nodeLimits.renewEveryMs)
    yield* TestClock.adjust(1_500)
    yield* Deferred.succeed(answer, { held: true, lapsed: false, accounts: 1 })
    yield* TestClock.adjust(0)
    assert.strictEqual(guard.remainingMs(), usableMs - 1_500)
  })
)

it.effect("[T4] and so is the opening", () =>
  Effect.gen(function* () {
    const node = yield* setUp()
    node.script.openTakesMs = 1_500
    node.script.renew = Effect.succeed({ held: false, lapsed: true, accounts: 0 })
    yield* TestClock.adjust(nodeLimits.renewEveryMs)
    node.script.renew = Effect.never
    yield* TestClock.adjust(1_500)
    assert.strictEqual(node.state(), "Holding")
    assert.strictEqual(node.hold("paper-1").remainingMs(), usableMs - 1_500)
  })
)

it.effect("a lease of ten thousand accounts is one renewal", () =>
  Effect.gen(function* () {
    const node = yield* setUp()
    for (let n = 0; n < 10_000; n += 1) node.hold(`a-${n}`)
    node.script.renew = Effect.succeed({ held: true, lapsed: false, accounts: 10_000 })
    yield* TestClock.adjust(10 * nodeLimits.renewEveryMs)
    assert.strictEqual(node.script.renewals, 10)
    assert.strictEqual(node.leases.size(), 10_000)
  })
)

it.effect("a clock that is set back puts no renewal off", () =>
  Effect.gen(function* () {
    const node = yield* setUp()
    const guard = node.hold("paper-1")
    node.script.renew = Effect.succeed({ held: true, lapsed: false, accounts: 1 })
    yield* TestClock.adjust(nodeLimits.renewEveryMs)
    node.setClock(-3_600_000)
    yield* TestClock.adjust(10 * nodeLimits.renewEveryMs)
    assert.isAtLeast(node.script.renewals, 10)
    assert.isTrue(guard.mayWrite())
    assert.strictEqual(node.state(), "Holding")
  })
)

it.effect("renewals without an answer stop sending at the margin, and lose the lease only after it", () =>
  Effect.gen(function* () {
    const node = yield* setUp()
    const guard = node.hold("paper-1")
    node.script.renew = Effect.fail(away)
    yield* TestClock.adjust(usableMs - 1)
    assert.isTrue(guard.mayWrite())
    yield* TestClock.adjust(1)
    assert.isFalse(guard.mayWrite())
    assert.strictEqual(node.leases.current("paper-1"), guard)
    node.script.renew = Effect.succeed({ held: true, lapsed: false, accounts: 1 })
    yield* TestClock.adjust(nodeLimits.renewEveryMs)
    assert.isTrue(guard.mayWrite(), "the lease was never over")
    node.script.renew = Effect.fail(away)
    yield* TestClock.adjust(nodeLimits.leaseMs + nodeLimits.renewEveryMs)
    assert.isNull(node.leases.current("paper-1"))
  })
)

it.effect("[T2] ready ends with the time of the lease, whatever the machine has heard of by then", () =>
  Effect.gen(function* () {
    const node = yield* setUp()
    node.script.renew = Effect.never
    yield* TestClock.adjust(usableMs - 1)
    assert.deepStrictEqual([node.state(), node.ready()], ["Holding", true])
    yield* TestClock.adjust(1)
    assert.deepStrictEqual([node.state(), node.ready()], ["Overdue", false])
  })
)

it.effect(
  "a lease that had lapsed is lost with all its accounts although the renewal worked, and reopened",
  () =>
    Effect.gen(function* () {
      const node = yield* setUp()
      const guard = node.hold("paper-1")
      let lost = 0
      node.leases.watch("paper-1", () => (lost += 1))
      node.script.renew = Effect.succeed({ held: true, lapsed: true, accounts: 1 })
      yield* TestClock.adjust(nodeLimits.renewEveryMs)
      assert.isFalse(guard.mayWrite())
      assert.strictEqual(lost, 1)
      assert.strictEqual(node.state(), "Holding")
      assert.isFalse(guard.mayWrite(), "the new lease is not that of the old guard")
    })
)

it.effect("an account that another took is lost alone; one that nobody here executes is released", () =>
  Effect.gen(function* () {
    const node = yield* setUp()
    const mine = node.hold("paper-1")
    const taken = node.hold("paper-2")
    const orphan = { account: "paper-3", owner: "node-a/boot", fence: 4n }
    node.script.owned = Effect.succeed([mine.grant, orphan])
    node.script.renew = Effect.succeed({ held: true, lapsed: false, accounts: 3 })
    yield* TestClock.adjust(nodeLimits.renewEveryMs)
    assert.isTrue(mine.mayWrite())
    assert.isFalse(taken.mayWrite())
    assert.deepStrictEqual(node.script.released, [], "its executor may be on its way")
    yield* TestClock.adjust(nodeLimits.orphanMs + nodeLimits.renewEveryMs)
    assert.deepStrictEqual(node.script.released.slice(0, 1), [orphan])
  })
)

it.effect(
  "[T4] the time of an account that was taken away is not prolonged by the renewal that shows it",
  () =>
    Effect.gen(function* () {
      const node = yield* setUp()
      const [mine, taken] = [node.hold("paper-1"), node.hold("paper-2")]
      const rows = yield* Deferred.make<ReadonlyArray<AccountGrant>>()
      node.script.renew = Effect.succeed({ held: true, lapsed: false, accounts: 1 })
      node.script.owned = Deferred.await(rows)
      yield* TestClock.adjust(usableMs - 1)
      // It has renewed, and looks which account is gone: frozen here, it wakes up without time to send.
      assert.deepStrictEqual([taken.remainingMs(), mine.remainingMs()], [1, 1])
      node.script.renew = Effect.never
      yield* Deferred.succeed(rows, [mine.grant])
      yield* TestClock.adjust(0)
      assert.isFalse(taken.mayWrite())
      assert.strictEqual(mine.remainingMs(), nodeLimits.renewEveryMs + 1)
    })
)

it.effect(
  "an account that nobody here executes gets its full time again when it was taken again meanwhile",
  () =>
    Effect.gen(function* () {
      const node = yield* setUp()
      const orphan = (fence: bigint) => ({ account: "paper-3", owner: "node-a/boot", fence })
      node.script.renew = Effect.succeed({ held: true, lapsed: false, accounts: 1 })
      node.script.owned = Effect.succeed([orphan(4n)])
      yield* TestClock.adjust(nodeLimits.orphanMs)
      node.script.owned = Effect.succeed([orphan(5n)])
      yield* TestClock.adjust(nodeLimits.orphanMs)
      assert.deepStrictEqual(node.script.released, [])
      yield* TestClock.adjust(2 * nodeLimits.renewEveryMs)
      assert.deepStrictEqual(node.script.released.slice(0, 1), [orphan(5n)])
    })
)

it.effect("[T16] a former life that is proven dead is followed at once", () =>
  Effect.gen(function* () {
    const node = yield* setUp(null)
    assert.strictEqual(node.state(), "Holding")
  })
)

it.effect("[T16] a living copy is stood by, told once, and followed when it has gone", () =>
  Effect.gen(function* () {
    const node = yield* setUp()
    node.script.open = (dead) => (dead === null ? leasedBy("node-a/copy") : { _tag: "Held" })
    node.script.renew = Effect.succeed({ held: false, lapsed: true, accounts: 0 })
    yield* TestClock.adjust(nodeLimits.renewEveryMs)
    assert.strictEqual(
      node.state(),
      "Waiting",
      "it may be a life that died a moment ago where we cannot look"
    )
    assert.deepStrictEqual(yield* node.alerts, [])
    yield* TestClock.adjust(3_001)
    assert.strictEqual(node.state(), "Cloned")
    assert.deepStrictEqual(node.instance.standing(), { _tag: "Cloned", by: "node-a/copy" })
    yield* TestClock.adjust(60_000)
    assert.strictEqual(node.state(), "Cloned")
    assert.deepStrictEqual(yield* node.alerts, ["node.cloned"])
    node.script.open = () => ({ _tag: "Held" })
    yield* TestClock.adjust(nodeLimits.clonedAskMs)
    assert.strictEqual(node.state(), "Holding")
  })
)

it.effect("[T16] a life whose lease ran out without a renewal was no copy: nobody is told anything", () =>
  Effect.gen(function* () {
    const node = yield* setUp()
    let leased = true
    node.script.open = () => (leased ? leasedBy("node-a/before") : { _tag: "Held" })
    node.script.renew = Effect.succeed({ held: false, lapsed: true, accounts: 0 })
    yield* TestClock.adjust(nodeLimits.renewEveryMs)
    assert.strictEqual(node.state(), "Waiting")
    leased = false
    node.script.renew = Effect.succeed({ held: true, lapsed: false, accounts: 0 })
    yield* TestClock.adjust(3_001)
    assert.strictEqual(node.state(), "Holding")
    assert.deepStrictEqual(yield* node.alerts, [])
  })
)

it.effect(
  "[T16] a life that was waited for and had gone is waited for again when it turns up once more",
  () =>
    Effect.gen(function* () {
      const node = yield* setUp()
      const turnsUp = Effect.suspend(() => {
        node.script.open = () => leasedBy("node-a/before")
        node.script.renew = Effect.succeed({ held: false, lapsed: true, accounts: 0 })
        return TestClock.adjust(nodeLimits.renewEveryMs)
      })
      yield* turnsUp
      assert.strictEqual(node.state(), "Waiting")
      node.script.open = () => ({ _tag: "Held" })
      node.script.renew = Effect.succeed({ held: true, lapsed: false, accounts: 0 })
      yield* TestClock.adjust(3_001)
      assert.strictEqual(node.state(), "Holding")
      yield* turnsUp
      assert.strictEqual(node.state(), "Waiting")
      assert.deepStrictEqual(yield* node.alerts, [])
    })
)

it.effect("a short outage of the database costs no lease", () =>
  Effect.gen(function* () {
    const node = yield* setUp()
    const guard = node.hold("paper-1")
    node.script.renew = Effect.succeed({ held: true, lapsed: false, accounts: 1 })
    node.availability.mark("unavailable")
    yield* TestClock.adjust(1_000)
    node.availability.mark("available")
    yield* TestClock.adjust(1_000)
    assert.isTrue(guard.mayWrite())
    assert.strictEqual(node.state(), "Holding")
  })
)
