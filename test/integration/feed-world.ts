/**
 * The world of the feed tests: a feed under a supervisor, on real sockets and a real database, with shortened settings.
 *
 * Promises: every feed has a name of its own, so any number of them share one database.
 * Never: asserts anything.
 */
import { Effect, Layer, Logger, Result } from "effect"
import { readScript } from "../../peers/signal-server/script.ts"
import { startSignalServer } from "../../peers/signal-server/server.ts"
import type { OfferedSignal } from "../../peers/signal-server/signals.ts"
import { feedActor } from "../../src/actors/feeds/feed.actor.ts"
import type { FeedSettings } from "../../src/domain/kernel/settings.ts"
import { type Alert, Alerts } from "../../src/layers/alerts/alerts.port.ts"
import { Config } from "../../src/layers/platform/config.port.ts"
import { Database, type DatabaseService } from "../../src/layers/database/database.port.ts"
import { FeedBufferPg } from "../../src/layers/feeds/feed-buffer.pg.ts"
import { Feeds } from "../../src/layers/feeds/feeds.port.ts"
import { SignalServers } from "../../src/layers/feeds/signal-server.port.ts"
import { signalFeedWs, type SignalFeedOptions } from "../../src/layers/feeds/signal-feed.ws.ts"
import { Figures } from "../../src/layers/platform/figures.port.ts"
import { Wake } from "../../src/layers/platform/wake.port.ts"
import { supervisor, worker } from "../../src/runtime/child-spec.ts"
import { startTree } from "../../src/runtime/supervisor.ts"
import { settingsFrom } from "../support/practice-settings.ts"
import { layerEntropy } from "../support/entropy.ts"

/** Generous where a row tests something else: the machine may be busy. Short where nothing can go wrong by it. */
export const shortened = {
  connectMsMax: 8_000,
  authMsMax: 8_000,
  retryFirstMs: 200,
  retryMsMax: 400,
  goodAfterMs: 100,
  pingEveryMs: 60_000,
  pongMsMax: 8_000,
  statsEveryMs: 60_000,
  answerMsMax: 8_000,
  credentialRetryMs: 300
} as const

export const feedSettings = (more: Readonly<Record<string, unknown>> = {}): FeedSettings => {
  const feed = settingsFrom({ feeds: { test: { ...shortened, ...more } } }).feeds["test"]
  if (feed === undefined) throw new Error("the settings have no feed")
  return feed
}

export const signalServer = (script: Readonly<Record<string, unknown>>, port = 0) => {
  const read = readScript({ perWave: 0, ...script })
  if (Result.isFailure(read)) throw new Error(read.failure.join("; "))
  return startSignalServer(read.success, port)
}

export const offered = (ids: ReadonlyArray<string>): ReadonlyArray<OfferedSignal> =>
  ids.map((id) => ({
    id,
    symbol: "BTC-USDT",
    action: "BUY",
    wave: "2025-10-21T22:45:00Z",
    price: "100.5",
    score: 0.5
  }))

const memoryAlerts = (raised: Array<Alert>) =>
  Layer.succeed(
    Alerts,
    Alerts.of({
      raise: (alert) => Effect.sync(() => void raised.push(alert)),
      draft: Effect.die("nothing is committed with its alert"),
      takePending: () => [],
      resolve: () => Effect.void,
      resolveAllBut: () => Effect.void,
      putBack: () => {},
      counts: () => ({ raised: raised.length, pending: 0, dropped: 0 })
    })
  )

/** A feed that runs. `address` is asked at each attempt. */
export const runningFeed = (
  database: DatabaseService,
  name: string,
  settings: FeedSettings,
  address: () => string,
  options: SignalFeedOptions = {}
) =>
  Effect.gen(function* () {
    const alerts: Array<Alert> = []
    const servers = SignalServers.of({
      addressOf: address,
      cut: () => false,
      launch: () => Effect.die(new Error("not here"))
    })
    const context = yield* Layer.build(
      Feeds.layer.pipe(
        Layer.provideMerge(FeedBufferPg),
        Layer.provideMerge(
          Layer.mergeAll(
            Layer.succeed(Database, database),
            Figures.layer,
            Layer.succeed(Config, settingsFrom()),
            Layer.succeed(SignalServers, servers),
            memoryAlerts(alerts),
            signalFeedWs(options),
            Logger.layer([]),
            layerEntropy,
            Wake.layer
          )
        )
      )
    )
    const start = feedActor(name, settings)
    const tree = yield* startTree(
      supervisor({ id: "root", children: [worker({ id: `feed:${name}`, start })] }),
      {
        stopDeadlineMs: 5_000
      }
    ).pipe(Effect.provideContext(context))
    const child = () => {
      const found = tree.snapshot().children[0]
      if (found === undefined) throw new Error("the feed is not in the tree")
      return found
    }
    const feed = yield* Effect.provideContext(
      Effect.map(Feeds, (feeds) => feeds.get(name)),
      context
    )
    return { alerts, child, feed, tree }
  })

/** The ids stored for a feed, in order. */
export const storedIds = (database: DatabaseService, feed: string) =>
  database
    .run(
      "test",
      (sql) => sql<{ id: string }>`SELECT body->>'id' AS id FROM signals WHERE feed = ${feed} ORDER BY seq`
    )
    .pipe(
      Effect.map((found) => found.map(({ id }) => id)),
      Effect.orDie
    )

/** Looks every 15 ms until it is true; dies with what it waited for. */
export const until = (what: string, holds: () => boolean | Effect.Effect<boolean>, withinMs = 60_000) =>
  Effect.gen(function* () {
    const deadline = performance.now() + withinMs
    while (true) {
      const verdict = holds()
      if (typeof verdict === "boolean" ? verdict : yield* verdict) return
      if (performance.now() > deadline) return yield* Effect.die(new Error(`waited in vain until ${what}`))
      yield* Effect.sleep(15)
    }
  })
