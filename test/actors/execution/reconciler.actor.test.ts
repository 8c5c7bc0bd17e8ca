import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { reconcilerActor } from "../../../src/actors/execution/reconciler.actor.ts"
import { executionLimits } from "../../../src/domain/kernel/limits-execution.ts"
import { AccountLeases } from "../../../src/layers/accounts/accounts-lease.port.ts"
import { AccountsStore } from "../../../src/layers/accounts/accounts-store.port.ts"
import { alertsQueue } from "../../support/alerts-queue.ts"
import { Alerts, type Ended } from "../../../src/layers/alerts/alerts.port.ts"
import { RestingAccounts, type RestingPhase } from "../../../src/layers/execution/resting-accounts.port.ts"
import { Brokers } from "../../../src/layers/venues/broker.port.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { Database } from "../../../src/layers/database/database.port.ts"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"
import { Instance, makeInstance } from "../../../src/layers/platform/instance.port.ts"
import { OrdersStore } from "../../../src/layers/orders/orders-store.port.ts"
import { PositionsStore } from "../../../src/layers/orders/positions-store.port.ts"
import { Protection } from "../../../src/layers/orders/protection.port.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"
import { testSettings } from "../../integration/execution-world.ts"
import { makeMemoryBroker } from "../../support/broker.memory.ts"

/** A few accounts are always awake. */
const nobodyRests = Layer.mergeAll(
  AccountLeases.layer,
  RestingAccounts.layer,
  Layer.succeed(Brokers, { get: () => assert.fail("nobody rests"), release: Effect.void })
)

const start = startTree(
  supervisor({ id: "root", children: [worker({ id: "reconciler", start: reconcilerActor() })] }),
  { stopDeadlineMs: 1_000 }
)

const nobodyIsLeft = Layer.mock(PositionsStore, { abandoned: () => Effect.succeed([]) })

const closedBy = (ended: Ended): string => (ended._tag === "AllBut" ? `${ended.prefix}*` : ended.keys.join())

/** Bells that are written down and wake nobody. */
const ringing = (rung: Array<string>) =>
  Layer.merge(
    Layer.succeed(Wake, {
      notify: (topic) => void rung.push(topic),
      listen: () => () => undefined,
      wait: () => Effect.never
    }),
    alertsQueue.pipe(Layer.provide(Wake.layer))
  )

it.effect("an account that was reconciled once and then lost its broker is an alert after two minutes", () =>
  Effect.gen(function* () {
    const availability = makeAvailability()
    const settings = testSettings()
    const instance = makeInstance()
    instance.assign({ nodeId: "node-a", bootId: "boot" })
    const row = {
      venue: "practice",
      startingCash: "1",
      enabled: true,
      fence: 1n,
      owner: "node-a/boot",
      leased: true,
      reconciledAt: new Date(0),
      disputed: false
    }
    const services = Layer.mergeAll(
      Protection.layer,
      nobodyIsLeft,
      nobodyRests,
      Layer.succeed(Config, settings),
      Layer.succeed(Instance, instance),
      Layer.mock(AccountsStore, { read: (ids) => Effect.succeed(ids.map((id) => ({ id, ...row }))) }),
      Layer.mock(OrdersStore, {
        endUnconfigured: () => Effect.succeed([]),
        unsettledCounts: () => Effect.succeed(new Map()),
        backlog: (accounts) =>
          Effect.succeed(new Map(accounts.map((account) => [account, { waiting: 7, oldestMs: 12 }])))
      }),
      Layer.mock(Database, { availability, stats: () => assert.fail("nobody asks") }),
      alertsQueue.pipe(Layer.provideMerge(Wake.layer))
    )
    yield* Effect.gen(function* () {
      const tree = yield* start
      const alerts = yield* Alerts
      const protection = yield* Protection
      const raised = () =>
        alerts.takePending().flatMap((entry) => (entry._tag === "Outbreak" ? [entry.dedupKey] : []))
      availability.mark("available")
      yield* TestClock.adjust(executionLimits.unreconciledMsMax)
      // Alerts of a former life, of which nobody here knows, are closed by the first look.
      assert.deepStrictEqual(
        alerts
          .takePending()
          .map((entry) => (entry._tag === "Closing" ? `closes ${closedBy(entry.ended)}` : entry.dedupKey)),
        [
          "closes account.unreconciled:paper-1",
          "closes account.unreconciled:paper-2",
          "closes account.abandoned:*"
        ]
      )
      const detail = tree.snapshot().children[0]?.detail
      assert.deepStrictEqual(detail, {
        unreconciled: [],
        unsettled: 0,
        backlog: { "paper-1": { waiting: 7, oldestMs: 12 }, "paper-2": { waiting: 7, oldestMs: 12 } }
      })
      protection.noteBroker("paper-1", false)
      yield* TestClock.adjust(executionLimits.unreconciledMsMax - 1)
      assert.deepStrictEqual(raised(), [])
      yield* TestClock.adjust(2 * executionLimits.checkEveryMs)
      assert.deepStrictEqual(raised(), ["account.unreconciled:paper-1"])
      protection.noteBroker("paper-1", true)
      yield* TestClock.adjust(2 * executionLimits.unreconciledMsMax)
      assert.deepStrictEqual(raised(), [])
    }).pipe(Effect.provide(services))
  })
)

it.effect("orders that do not add up are all counted, and rung for only when one is due", () =>
  Effect.gen(function* () {
    const availability = makeAvailability()
    const instance = makeInstance()
    instance.assign({ nodeId: "node-a", bootId: "boot" })
    let due = 0
    const rung: Array<string> = []
    const services = Layer.mergeAll(
      Protection.layer,
      nobodyIsLeft,
      nobodyRests,
      Layer.succeed(Config, testSettings()),
      Layer.succeed(Instance, instance),
      Layer.mock(AccountsStore, { read: () => Effect.succeed([]) }),
      Layer.mock(OrdersStore, {
        endUnconfigured: () => Effect.succeed([]),
        unsettledCounts: (accounts) =>
          Effect.succeed(
            new Map(accounts.map((account) => [account, { all: 3, due: account === "paper-1" ? due : 0 }]))
          ),
        backlog: () => Effect.succeed(new Map())
      }),
      Layer.mock(Database, { availability, stats: () => assert.fail("nobody asks") }),
      ringing(rung)
    )
    yield* Effect.gen(function* () {
      const tree = yield* start
      availability.mark("available")
      yield* TestClock.adjust(10 * executionLimits.checkEveryMs)
      assert.deepStrictEqual(rung, [])
      assert.strictEqual(tree.snapshot().children[0]?.detail["unsettled"], 6)
      due = 1
      yield* TestClock.adjust(executionLimits.checkEveryMs)
      assert.deepStrictEqual(rung, ["reconcile:paper-1"])
    }).pipe(Effect.provide(services))
  })
)

it.effect(
  "an account whose other owner is over is looked after here, and rung for at each check in dispute",
  () =>
    Effect.gen(function* () {
      const availability = makeAvailability()
      const instance = makeInstance()
      instance.assign({ nodeId: "node-a", bootId: "boot" })
      const rung: Array<string> = []
      const row = {
        venue: "practice",
        startingCash: "1",
        enabled: true,
        fence: 1n,
        owner: "node-b/boot",
        leased: false,
        reconciledAt: null
      }
      const services = Layer.mergeAll(
        Protection.layer,
        nobodyIsLeft,
        nobodyRests,
        Layer.succeed(Config, testSettings()),
        Layer.succeed(Instance, instance),
        Layer.mock(AccountsStore, {
          read: (ids) => Effect.succeed(ids.map((id) => ({ id, ...row, disputed: id === "paper-2" })))
        }),
        Layer.mock(OrdersStore, {
          endUnconfigured: () => Effect.succeed([]),
          unsettledCounts: () => Effect.succeed(new Map()),
          backlog: () => Effect.succeed(new Map())
        }),
        Layer.mock(Database, { availability, stats: () => assert.fail("nobody asks") }),
        ringing(rung)
      )
      yield* Effect.gen(function* () {
        const tree = yield* start
        availability.mark("available")
        yield* TestClock.adjust(executionLimits.checkEveryMs)
        assert.deepStrictEqual(tree.snapshot().children[0]?.detail["unreconciled"], ["paper-1", "paper-2"])
        assert.deepStrictEqual(rung, ["reconcile:paper-2", "reconcile:paper-2"])
      }).pipe(Effect.provide(services))
    })
)

it.effect("an account that rests after it was unreconciled for too long is no alert any more", () =>
  Effect.gen(function* () {
    const availability = makeAvailability()
    const instance = makeInstance()
    instance.assign({ nodeId: "node-a", bootId: "boot" })
    let phase: RestingPhase = "Waiting"
    const services = Layer.mergeAll(
      Protection.layer,
      nobodyIsLeft,
      AccountLeases.layer,
      RestingAccounts.layer,
      Layer.succeed(Brokers, { get: () => assert.fail("nothing is opened"), release: Effect.void }),
      Layer.succeed(Config, testSettings()),
      Layer.succeed(Instance, instance),
      Layer.mock(AccountsStore, { read: () => Effect.succeed([]) }),
      Layer.mock(OrdersStore, {
        endUnconfigured: () => Effect.succeed([]),
        unsettledCounts: () => Effect.succeed(new Map()),
        backlog: () => Effect.succeed(new Map())
      }),
      Layer.mock(Database, { availability, stats: () => assert.fail("nobody asks") }),
      alertsQueue.pipe(Layer.provideMerge(Wake.layer))
    )
    yield* Effect.gen(function* () {
      const resting = yield* RestingAccounts
      const alerts = yield* Alerts
      const nothing = (): void => undefined
      resting.enter({
        account: "paper-1",
        broker: "practice",
        connection: makeMemoryBroker({ name: "practice" }).connection,
        guard: () => null,
        begin: nothing,
        phase: () => phase,
        hold: nothing,
        rest: nothing,
        standBy: nothing,
        wait: nothing,
        awaken: nothing
      })
      yield* start
      availability.mark("available")
      yield* TestClock.adjust(2 * executionLimits.unreconciledMsMax)
      const late = (account: string) =>
        alerts
          .takePending()
          .find((entry) => entry._tag === "Outbreak" && entry.dedupKey === `account.unreconciled:${account}`)
      assert.deepInclude(late("paper-1"), { resolved: null })
      phase = "Resting"
      yield* TestClock.adjust(executionLimits.checkEveryMs)
      const closed = alerts
        .takePending()
        .flatMap((entry) => (entry._tag === "Closing" && entry.ended._tag === "Keys" ? entry.ended.keys : []))
      assert.deepStrictEqual(closed, ["account.unreconciled:paper-1"])
    }).pipe(Effect.provide(services))
  })
)

it.effect(
  "an account that no process has and that holds something is told once, and its positions are not protected",
  () =>
    Effect.gen(function* () {
      const availability = makeAvailability()
      const left = { account: "old", symbols: ["SPY", "QQQ"], holds: "a position in SPY, QQQ" }
      let found: ReadonlyArray<typeof left> = [left]
      const asked: Array<ReadonlyArray<string>> = []
      const services = Layer.mergeAll(
        Protection.layer,
        nobodyRests,
        Layer.succeed(Config, testSettings()),
        Layer.succeed(Instance, makeInstance()),
        Layer.mock(PositionsStore, {
          abandoned: (configured) =>
            Effect.sync(() => {
              asked.push(configured)
              return found
            })
        }),
        Layer.mock(AccountsStore, { read: () => Effect.succeed([]) }),
        Layer.mock(OrdersStore, {
          unsettledCounts: () => Effect.succeed(new Map()),
          backlog: () => Effect.succeed(new Map())
        }),
        Layer.mock(Database, { availability, stats: () => assert.fail("nobody asks") }),
        alertsQueue.pipe(Layer.provideMerge(Wake.layer))
      )
      yield* Effect.gen(function* () {
        yield* start
        const alerts = yield* Alerts
        const protection = yield* Protection
        const unprotected = () =>
          protection.unprotected(0).map(({ account, symbol }) => `${account}/${symbol}`)
        const news = () =>
          alerts.takePending().flatMap((entry) => {
            if (entry._tag === "Outbreak") return entry.kind === "account.abandoned" ? [entry.dedupKey] : []
            return entry.ended._tag === "AllBut" ? [`closes ${closedBy(entry.ended)}`] : []
          })
        availability.mark("available")
        yield* TestClock.adjust(executionLimits.checkEveryMs)
        assert.deepStrictEqual(news(), ["closes account.abandoned:*"], "it may be between two processes")
        assert.deepStrictEqual(unprotected(), [])
        yield* TestClock.adjust(executionLimits.abandonedEveryMs)
        assert.deepStrictEqual(news(), ["account.abandoned:old"])
        assert.deepStrictEqual(unprotected(), ["old/SPY", "old/QQQ"])
        assert.deepStrictEqual(asked[0], ["paper-1", "paper-2"])
        found = []
        yield* TestClock.adjust(executionLimits.abandonedEveryMs)
        assert.deepStrictEqual(news(), ["closes account.abandoned:*"])
        assert.deepStrictEqual(unprotected(), [])
        assert.isAtMost(asked.length, 5, "not at every check")
      }).pipe(Effect.provide(services))
    })
)
