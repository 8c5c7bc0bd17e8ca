/** Looks of the exits one after another, on the virtual clock: what a look remembers of earlier ones. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { exitsActor } from "../../../src/actors/execution/exits.actor.ts"
import { look, makeWatch } from "../../../src/actors/execution/exits-look.ts"
import { exitLimits } from "../../../src/domain/kernel/limits-execution.ts"
import { AccountLeases, type LeaseGuard } from "../../../src/layers/accounts/accounts-lease.port.ts"
import { Database } from "../../../src/layers/database/database.port.ts"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"
import { type OpenShare, PositionsStore } from "../../../src/layers/orders/positions-store.port.ts"
import { Protection } from "../../../src/layers/orders/protection.port.ts"
import { alertsQueue } from "../../support/alerts-queue.ts"
import { layerEntropy } from "../../support/entropy.ts"
import { Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { Instance, makeInstance } from "../../../src/layers/platform/instance.port.ts"
import { makeMemoryMarket } from "../../support/market.memory.ts"
import { Market } from "../../../src/layers/market/market.port.ts"
import { OrdersStore } from "../../../src/layers/orders/orders-store.port.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"
import { testSettings } from "../../integration/execution-world.ts"

/** Five bought at 100, armed as the settings say. */
const share: OpenShare = {
  positionId: "p-1",
  account: "paper-1",
  symbol: "SPY",
  epoch: 1,
  strategy: "default",
  opening: "1",
  quantity: "5",
  averagePrice: "100",
  stopPct: "2",
  targetPct: "3",
  stopPrice: "98",
  targetPrice: "103",
  moving: { terms: null, best: null, stopBy: "stop_loss", heldMs: 0 },
  exitStatus: null,
  refused: null,
  blockedBy: null,
  isUnconfirmed: false,
  ownedElsewhere: false
}

const guard: LeaseGuard = {
  grant: { account: "paper-1", owner: "node-a/boot", fence: 1n },
  mayWrite: () => true,
  remainingMs: () => 1_000,
  giveUp: () => undefined
}

const setUp = Effect.fnUntraced(function* (file: Record<string, unknown> = {}) {
  const market = yield* makeMemoryMarket
  let [armed, intended, looks] = [0, 0, 0]
  const availability = makeAvailability()
  let shares: ReadonlyArray<OpenShare> = []
  const context = yield* Layer.build(
    Layer.mergeAll(
      AccountLeases.layer,
      Protection.layer,
      layerEntropy,
      Layer.mock(Database, { availability, stats: () => assert.fail("nobody asks") }),
      Layer.succeed(Config, testSettings(file)),
      Layer.succeed(Instance, makeInstance()),
      Layer.succeed(Market, market.service),
      Layer.mock(PositionsStore, {
        open: () =>
          Effect.sync(() => {
            looks += 1
            return shares
          }),
        arm: () => Effect.sync(() => (armed += 1) > 0)
      }),
      Layer.mock(OrdersStore, {
        partials: () => Effect.succeed([]),
        intendExit: () =>
          Effect.sync(() => {
            intended += 1
            return { _tag: "NotNeeded", why: "a test" } as const
          })
      }),
      alertsQueue.pipe(Layer.provideMerge(Wake.layer))
    )
  )
  const leases = yield* Effect.provide(AccountLeases, context)
  const alerts = yield* Effect.provide(Alerts, context)
  leases.hold(guard)
  const watch = makeWatch("root/trading/exits")
  return {
    leases,
    armed: () => armed,
    intended: () => intended,
    looks: () => looks,
    wake: yield* Effect.provide(Wake, context),
    /** Starts the component, with the database there. */
    begin: Effect.andThen(
      Effect.provide(
        startTree(supervisor({ id: "root", children: [worker({ id: "exits", start: exitsActor() })] }), {
          stopDeadlineMs: 1_000
        }),
        context
      ),
      Effect.sync(() => availability.mark("available"))
    ),
    /** A look at this share, at this price. */
    lookAt: (found: Partial<OpenShare> = {}, price = "100") => {
      shares = [{ ...share, ...found }]
      return Effect.andThen(market.setPrice("SPY", price), Effect.provide(look(watch), context))
    },
    /** Alerts since the last time, with the reason of each. */
    raised: () =>
      alerts
        .takePending()
        .flatMap((entry) =>
          entry._tag === "Outbreak" ? [`${entry.kind}: ${String(entry.detail?.["reason"])}`] : []
        )
  }
})

it.effect(
  "a new opening is left at once, and its pauses begin small, however often the one before failed",
  () =>
    Effect.gen(function* () {
      const { intended, lookAt } = yield* setUp()
      for (let tries = 1; tries <= 6; tries += 1) {
        yield* TestClock.adjust(exitLimits.againMsMax)
        yield* lookAt({}, "97")
        assert.strictEqual(intended(), tries)
      }
      yield* TestClock.adjust(2 * exitLimits.againFirstMs)
      yield* lookAt({}, "97")
      assert.strictEqual(intended(), 6, "the same opening waits")
      yield* lookAt({ opening: "2" }, "97")
      assert.strictEqual(intended(), 7, "another one does not")
      yield* TestClock.adjust(exitLimits.againFirstMs)
      yield* lookAt({ opening: "2" }, "97")
      assert.strictEqual(intended(), 8)
    })
)

it.effect(
  "[T11] a gap is told when it has lasted, again for another reason, and again after it was closed",
  () =>
    Effect.gen(function* () {
      const { lookAt, raised } = yield* setUp()
      const lasting = (exitStatus: "held" | "submitting") =>
        Effect.andThen(TestClock.adjust(exitLimits.unprotectedAlertMs), lookAt({ exitStatus }))
      yield* lookAt({ exitStatus: "held" })
      assert.deepStrictEqual(raised(), [])
      yield* lasting("held")
      assert.deepStrictEqual(raised(), ["position.unprotected: its exit is held"])
      yield* lasting("held")
      assert.deepStrictEqual(raised(), [], "told once")
      yield* lookAt({ blockedBy: "unresolved" })
      const blocked = "position.unprotected: an order with an unknown outcome blocks its exit"
      assert.deepStrictEqual(raised(), [blocked])
      yield* lasting("submitting")
      yield* lookAt({ exitStatus: "held" })
      assert.deepStrictEqual(raised(), [], "another gap has only begun")
      yield* lasting("held")
      assert.deepStrictEqual(raised(), ["position.unprotected: its exit is held"])
    })
)

it.effect("a position that needs an operator a second time is told a second time", () =>
  Effect.gen(function* () {
    const { lookAt, raised } = yield* setUp()
    const told = "exit.blocked: its exit needs an operator"
    for (const expected of [[told], []]) {
      yield* lookAt({ exitStatus: "needs_operator" })
      assert.deepStrictEqual(raised(), expected)
    }
    yield* lookAt()
    yield* lookAt({ exitStatus: "needs_operator" })
    assert.deepStrictEqual(raised(), [told])
  })
)

/** Its settings were tightened here, and where its account is executed they were not. */
const tight = {
  strategies: {
    default: {
      sources: ["default"],
      accounts: ["paper-1"],
      exits: { trailingPct: "1", holdMsMax: 60_000 }
    }
  }
}

it.effect("[G11] who does not execute an account closes nothing of it by settings of its own", () =>
  Effect.gen(function* () {
    const { intended, leases, lookAt } = yield* setUp(tight)
    leases.drop(guard)
    const moving = { terms: '["5",null,null,null]', best: "100", stopBy: "trailing_stop", heldMs: 0 } as const
    const found = { stopPct: null, targetPct: null, targetPrice: null, stopPrice: "95", moving }
    yield* lookAt(found)
    yield* lookAt(found, "98")
    assert.strictEqual(intended(), 0, "a trail of 1 % would be at 99")
    yield* lookAt({ ...found, moving: { ...moving, heldMs: 120_000 } })
    assert.strictEqual(intended(), 0, "its time is over by these settings alone")
    yield* lookAt(found, "94.9")
    assert.strictEqual(intended(), 1, "what is stored counts everywhere")
  })
)

it.effect("a share is armed by who executes its account, and by nobody else", () =>
  Effect.gen(function* () {
    const { armed, leases, lookAt } = yield* setUp()
    leases.drop(guard)
    yield* lookAt({ stopPct: "5", stopPrice: "95" })
    assert.strictEqual(armed(), 0)
    leases.hold(guard)
    yield* lookAt({ stopPct: "5", stopPrice: "95" })
    assert.strictEqual(armed(), 1)
  })
)

it.effect("a fill is looked at at once, and the many that follow it share a look", () =>
  Effect.gen(function* () {
    const { begin, looks, wake } = yield* setUp()
    yield* begin
    yield* TestClock.adjust(exitLimits.lookPauseMs)
    const before = looks()
    for (let fill = 1; fill <= 10; fill += 1) {
      wake.notify("positions")
      yield* TestClock.adjust(1)
      assert.strictEqual(looks(), before + 1, `after fill ${fill}`)
    }
    yield* TestClock.adjust(exitLimits.lookPauseMs)
    assert.strictEqual(looks(), before + 2)
    yield* TestClock.adjust(exitLimits.lookPauseMs)
    assert.strictEqual(looks(), before + 2, "there was nothing left to look at")
  })
)
