/**
 * A feed in memory: the actor on the virtual clock, its socket and its buffer controlled by the test.
 *
 * Never: asserts anything, or opens a socket.
 */
import { Deferred, Effect, Layer, Logger, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { feedActor } from "../../../src/actors/feeds/feed.actor.ts"
import type { FeedEnd } from "../../../src/domain/feeds/feed-end.ts"
import { unusableIdentity, type WaveSignal } from "../../../src/domain/feeds/feed-wire.ts"
import type { FeedSettings } from "../../../src/domain/kernel/settings.ts"
import { type Alert, Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"
import { Database } from "../../../src/layers/database/database.port.ts"
import { FeedBuffer } from "../../../src/layers/feeds/feed-buffer.port.ts"
import { Feeds } from "../../../src/layers/feeds/feeds.port.ts"
import { type FeedListener, SignalFeed } from "../../../src/layers/feeds/signal-feed.port.ts"
import { SignalServers } from "../../../src/layers/feeds/signal-server.port.ts"
import { Figures } from "../../../src/layers/platform/figures.port.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { readFeedMessage } from "../../../src/wire/feed-frame.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"
import { settingsFrom } from "../../support/practice-settings.ts"
import { layerEntropy } from "../../support/entropy.ts"

/** A connection as the test holds its other end. */
export interface Wire {
  readonly listener: FeedListener
  readonly sent: Array<string>
  pings: number
  paused: boolean
  closed: boolean
}

export const signal = (id: string) => ({
  id,
  symbol: "BTC-USDT",
  action: "BUY",
  wave: "2025-10-21T22:45:00Z",
  price: "1"
})

const makeWires = () => {
  const wires: Array<Wire> = []
  const service = SignalFeed.of({
    read: readFeedMessage,
    open: (_address, listener) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const wire: Wire = { listener, sent: [], pings: 0, paused: false, closed: false }
          wires.push(wire)
          return wire
        }),
        (wire) => Effect.sync(() => void (wire.closed = true))
      ).pipe(
        Effect.map((wire) => ({
          send: (text: string) => void wire.sent.push(text),
          ping: () => void (wire.pings += 1),
          pause: () => void (wire.paused = true),
          resume: () => void (wire.paused = false)
        }))
      )
  })
  return { wires, service }
}

/** Stores by id; waits at the gate when there is one. */
const makeBuffer = () => {
  const rows = new Map<string, WaveSignal>()
  const dead = new Set<string>()
  let gate: Deferred.Deferred<void> | null = null
  const none = { stored: 0, duplicates: 0, conflicts: [], refused: [] }
  const service = FeedBuffer.of({
    store: (_from, signals) =>
      Effect.gen(function* () {
        if (gate !== null) yield* Deferred.await(gate)
        const fresh = signals.filter(({ id }) => !rows.has(id))
        for (const one of fresh) rows.set(one.id, one)
        return { ...none, stored: fresh.length, duplicates: signals.length - fresh.length }
      }),
    storeUnusable: (_from, unusable) =>
      Effect.sync(() => {
        for (const one of unusable) dead.add(unusableIdentity("north", one))
      }),
    count: () => Effect.succeed({ total: rows.size, buffered: rows.size }),
    dispatch: () => Effect.succeed([]),
    reject: () => Effect.succeed([])
  })
  return { rows, dead, service, hold: (next: Deferred.Deferred<void> | null) => void (gate = next) }
}

const unused = () => Effect.die(new Error("this component asks the database nothing"))

export const world = (more: Partial<FeedSettings> = {}, databaseThere = true) =>
  Effect.gen(function* () {
    const { service, wires } = makeWires()
    const buffer = makeBuffer()
    const availability = makeAvailability()
    if (databaseThere) availability.mark("available")
    const alerts: Array<Alert> = []
    const database = Database.of({
      run: unused,
      transact: unused,
      probe: unused(),
      availability,
      stats: () => {
        throw new Error("nobody asks")
      }
    })
    const plain = settingsFrom().feeds["default"]
    if (plain === undefined) return yield* Effect.die(new Error("practice has no feed"))
    const settings = { ...plain, url: "ws://test", token: Redacted.make("token"), ...more }
    const context = yield* Layer.build(
      Feeds.layer.pipe(
        Layer.provideMerge(
          Layer.mergeAll(
            Layer.succeed(FeedBuffer, buffer.service),
            Layer.succeed(Database, database),
            Figures.layer,
            Layer.succeed(SignalFeed, service),
            Layer.succeed(
              SignalServers,
              SignalServers.of({ addressOf: () => null, cut: () => false, launch: unused })
            ),
            Layer.succeed(
              Alerts,
              Alerts.of({
                raise: (alert) => Effect.sync(() => void alerts.push(alert)),
                draft: Effect.die("nothing is committed with its alert"),
                takePending: () => [],
                resolve: () => Effect.void,
                resolveAllBut: () => Effect.void,
                putBack: () => {},
                counts: () => ({ raised: 0, pending: 0, dropped: 0 })
              })
            ),
            Logger.layer([]),
            layerEntropy,
            Wake.layer
          )
        )
      )
    )
    const tree = yield* startTree(
      supervisor({
        id: "root",
        children: [worker({ id: "feed:north", start: feedActor("north", settings) })]
      }),
      { stopDeadlineMs: 10_000 }
    ).pipe(Effect.provideContext(context))
    const child = () => {
      const found = tree.snapshot().children[0]
      if (found === undefined) throw new Error("the feed is not in the tree")
      return found
    }
    const wire = () => {
      const last = wires.at(-1)
      if (last === undefined) throw new Error("nothing was opened")
      return last
    }
    const settle = TestClock.adjust(0)
    const say = (message: object) =>
      Effect.andThen(
        Effect.sync(() => wire().listener.text(JSON.stringify(message))),
        settle
      )
    const end = (more: Partial<FeedEnd> = {}) =>
      Effect.andThen(
        Effect.sync(() => wire().listener.ended({ kind: "closed", code: 1_000, reason: "bye", ...more })),
        settle
      )
    /** Handshake and authentication; the first batch only when asked for. */
    const goLive = (batch: ReadonlyArray<object> | null = []) =>
      Effect.gen(function* () {
        wire().listener.opened()
        yield* settle
        yield* say({ type: "auth_success" })
        if (batch !== null) yield* say({ type: "signals", signals: batch })
      })
    const feeds = yield* Effect.provideContext(Feeds, context)
    const wake = yield* Effect.provideContext(Wake, context)
    yield* settle
    const kinds = () => alerts.map(({ kind, severity }) => `${kind} ${severity}`)
    const feed = feeds.get("north")
    return {
      alerts,
      availability,
      buffer,
      child,
      end,
      feed,
      goLive,
      kinds,
      say,
      settle,
      tree,
      wake,
      wire,
      wires
    }
  })

export const types = (wire: Wire): ReadonlyArray<unknown> =>
  wire.sent.map((text) => (JSON.parse(text) as { readonly type: unknown }).type)
