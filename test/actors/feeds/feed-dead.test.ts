import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { exitsActor } from "../../../src/actors/execution/exits.actor.ts"
import { feedActor } from "../../../src/actors/feeds/feed.actor.ts"
import { RunningTree } from "../../../src/actors/platform/running-tree.ts"
import { wavesActor } from "../../../src/actors/feeds/waves.actor.ts"
import { AccountLeases } from "../../../src/layers/accounts/accounts-lease.port.ts"
import { type Alert, Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { Database } from "../../../src/layers/database/database.port.ts"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"
import { Feeds } from "../../../src/layers/feeds/feeds.port.ts"
import { Figures } from "../../../src/layers/platform/figures.port.ts"
import { Instance } from "../../../src/layers/platform/instance.port.ts"
import { Market } from "../../../src/layers/market/market.port.ts"
import { makeMemoryMarket } from "../../support/market.memory.ts"
import { OrdersStore } from "../../../src/layers/orders/orders-store.port.ts"
import { type OpenShare, PositionsStore } from "../../../src/layers/orders/positions-store.port.ts"
import { Protection } from "../../../src/layers/orders/protection.port.ts"
import { SignalFeed } from "../../../src/layers/feeds/signal-feed.port.ts"
import { SignalServers } from "../../../src/layers/feeds/signal-server.port.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { WavesStore } from "../../../src/layers/feeds/waves-store.port.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { readFeedMessage } from "../../../src/wire/feed-frame.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"
import {
  incidentSettings,
  ledgerLines,
  makeWaveWorld,
  memoryBuffer,
  memoryLedger
} from "../../support/waves.ts"
import { heldInstance } from "../../support/instance.ts"
import { layerEntropy } from "../../support/entropy.ts"

const share: OpenShare = {
  positionId: "p-1",
  account: "paper-1",
  symbol: "BTC-USDT",
  epoch: 1,
  strategy: "default",
  opening: "1",
  quantity: "5",
  averagePrice: "100",
  stopPct: "2",
  targetPct: null,
  stopPrice: "98",
  targetPrice: null,
  moving: { terms: null, best: null, stopBy: "stop_loss", heldMs: 0 },
  exitStatus: null,
  refused: null,
  blockedBy: null,
  isUnconfirmed: false,
  ownedElsewhere: false
}

/** The real feed, scheduler and exits in one tree; the feed's server refuses every connection. */
const start = Effect.gen(function* () {
  yield* TestClock.setTime(Date.parse("2025-10-21T22:52:58Z"))
  const world = makeWaveWorld()
  const market = yield* makeMemoryMarket
  const availability = makeAvailability()
  const exits: Array<string> = []
  const alerts: Array<Alert> = []
  let attempts = 0
  const refusing = SignalFeed.of({
    read: readFeedMessage,
    open: (_address, listener) =>
      Effect.sync(() => {
        attempts += 1
        listener.ended({ kind: "refused", code: null, reason: "ECONNREFUSED" })
        const nothing = () => undefined
        return { send: nothing, ping: nothing, pause: nothing, resume: nothing }
      })
  })
  const running = yield* RunningTree.pipe(Effect.provide(RunningTree.layer))
  const plain = incidentSettings.feeds["default"] ?? assert.fail("practice has a feed")
  const services = Feeds.layer.pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        memoryBuffer(world, () => true),
        Layer.succeed(
          WavesStore,
          memoryLedger(world, () => true)
        ),
        Layer.succeed(SignalFeed, refusing),
        Layer.mock(SignalServers, { addressOf: () => null, cut: () => false }),
        Layer.succeed(Market, market.service),
        Layer.mock(PositionsStore, { open: () => Effect.succeed(exits.length === 0 ? [share] : []) }),
        Layer.mock(OrdersStore, {
          intendExit: ({ account, exitKind, positionId }) =>
            Effect.sync(() => {
              exits.push(`${account} ${positionId} ${exitKind}`)
              return { _tag: "NotNeeded" as const, why: "the executor is not of this test" }
            })
        }),
        Layer.mock(Database, { availability, stats: () => assert.fail("nobody asks") }),
        Layer.succeed(Config, incidentSettings),
        Layer.succeed(Instance, heldInstance("node-a", "boot")),
        Layer.mock(Alerts, {
          raise: (alert) => Effect.sync(() => void alerts.push(alert)),
          draft: Effect.die("nothing is committed with its alert"),
          takePending: () => [],
          resolve: () => Effect.void,
          resolveAllBut: () => Effect.void,
          putBack: () => undefined,
          counts: () => ({ raised: 0, pending: 0, dropped: 0 })
        }),
        Layer.succeed(RunningTree, running),
        Figures.layer,
        AccountLeases.layer,
        Protection.layer,
        layerEntropy,
        Wake.layer
      )
    )
  )
  const settings = { ...plain, url: "ws://test", token: Redacted.make("token") }
  const tree = yield* startTree(
    supervisor({
      id: "root",
      children: [
        supervisor({
          id: "feeds",
          children: [
            worker({ id: "feed:north", start: feedActor("north", settings) }),
            worker({ id: "waves:north", start: wavesActor("north"), stopBudgetMs: 2_000 })
          ]
        }),
        worker({ id: "exits", start: exitsActor() })
      ]
    }),
    { stopDeadlineMs: 10_000 }
  ).pipe(Effect.provide(services))
  running.attach(tree)
  availability.mark("available")
  yield* market.setPrice("BTC-USDT", "100")
  yield* TestClock.adjust(0)
  return { world, tree, market, exits, alerts, attempts: () => attempts }
})

describe("a feed that is dead for three hours", () => {
  it.effect(
    "[B7] leaves the stop loss of an open position working, and is told and restarted by itself",
    () =>
      Effect.gen(function* () {
        const { alerts, attempts, exits, market, tree, world } = yield* start
        for (let second = 0; second < 3 * 3_600; second += 10) {
          yield* TestClock.adjust("10 seconds")
          yield* market.setPrice("BTC-USDT", second % 20 === 0 ? "99" : "101")
        }
        assert.deepStrictEqual(exits, [])
        const [feeds, exitsChild] = tree.snapshot().children
        assert.deepInclude(exitsChild, { state: "Watching", ready: true, restarts: 0 })
        assert.strictEqual(feeds?.restarts, 0)
        const [feed, waves] = feeds?.children ?? []
        assert.isFalse(feed?.ready)
        assert.isFalse(waves?.ready)
        assert.isAbove(attempts(), 300, "it never stops trying")
        // Checks from 23:05 to 01:50, none forgotten, each for the same reason; the last is fresh for two minutes more.
        const lines = ledgerLines(world)
        assert.strictEqual(lines.filter((line) => line.endsWith("missed 0 feed_down")).length, 11)
        assert.deepStrictEqual(lines.slice(11), ["01:30 expected 0 feed_down", "01:45 expected 0"])
        assert.isAtLeast(alerts.filter(({ kind }) => kind === "feed.restarted").length, 4)
        assert.isTrue(alerts.some(({ kind, severity }) => kind === "wave.missed" && severity === "HIGH"))

        yield* market.setPrice("BTC-USDT", "97.9")
        yield* TestClock.adjust(0)
        assert.deepStrictEqual(exits, ["paper-1 p-1 stop_loss"])
      })
  )
})
